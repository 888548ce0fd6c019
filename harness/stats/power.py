"""What a suite of this size can show at all, and how large it would have to be."""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist

from harness.stats import binomial

ALPHA = 0.05
POWER = 0.8
_EXACT_LIMIT = 2_000  # prompts; beyond it the normal formula is off by 0.01 at most


def mcnemar_power(asked: int, first_only: float, second_only: float) -> float:
    """The chance that the exact McNemar test reaches p < 0.05.

    Args:    `first_only` and `second_only` are the shares of prompts only one of them passes
    Formula: Σₘ P(m of `asked` differ) P(p < 0.05 | m); beyond 2,000 prompts the normal one,
             Φ((δ√n - z₀.₉₇₅ √ψ) / √(ψ - δ²)) with ψ and δ the sum and difference of the shares
    Source:  SAS/STAT User's Guide, POWER procedure, paired proportions, DIST=EXACT_COND; the test
             recomputes it from scipy's binomials

    >>> round(mcnemar_power(155, 0.30, 0.15), 3)
    0.774
    """
    differ = first_only + second_only
    if differ <= 0:
        return 0.0
    if asked > _EXACT_LIMIT:
        return _normal_power(asked, differ, abs(first_only - second_only))
    mean, spread = asked * differ, sqrt(asked * differ * (1 - differ))
    lowest = max(0, int(mean - 8 * spread) - 1)
    highest = min(asked, int(mean + 8 * spread) + 1)
    split, power = first_only / differ, 0.0
    edge = max(-1, int(lowest / 2 - sqrt(lowest)) - 3)  # safely below the first one
    for m in range(lowest, highest + 1):
        edge = _rejection_edge(m, edge)
        rejected = binomial.cdf(edge, m, split) + binomial.cdf(edge, m, 1 - split)
        power += binomial.pmf(m, asked, differ) * rejected
    return power


def _normal_power(asked: int, differ: float, effect: float) -> float:
    spread = sqrt(max(differ - effect**2, 1e-12))
    return NormalDist().cdf((effect * sqrt(asked) - _z(1 - ALPHA / 2) * sqrt(differ)) / spread)


def _rejection_edge(m: int, edge: int) -> int:
    """The largest k for which k of m still gives p < 0.05 (-1: none); `edge` is that of m - 1."""
    while 2 * binomial.cdf(edge + 1, m, 0.5) < ALPHA:
        edge += 1
    return edge


def prompts_needed(first_only: float, second_only: float) -> int | None:
    """How many prompts show a difference like this one with 80 % power; None when there is none.

    Formula: n = ((z₀.₉₇₅ √ψ + z₀.₈ √(ψ - δ²)) / δ)² with ψ the sum and δ the difference of the two
             shares; from there up to the first n whose exact power is 80 %
    Source:  Connor 1987, Biometrics 43:207-211; for shares 0.30 and 0.15 its n is 155, and the
             exact test, being cautious, needs a few more

    >>> prompts_needed(0.30, 0.15)
    166
    >>> prompts_needed(0.2, 0.2) is None
    True
    """
    differ, effect = first_only + second_only, abs(first_only - second_only)
    if effect <= 0:
        return None
    reach = _z(1 - ALPHA / 2) * sqrt(differ) + _z(POWER) * sqrt(max(0.0, differ - effect**2))
    asked = ceil((reach / effect) ** 2)
    step = max(1, asked // 100)
    while mcnemar_power(asked, first_only, second_only) < POWER:
        asked += step
    return asked


def detectable_difference(asked: int, discordant: float) -> float | None:
    """The smallest difference that `asked` prompts show with 80 % power.

    Args:    `discordant` is the share of prompts on which the two models differ
    Returns: None when not even a wholly one-sided difference would be shown
    Formula: the δ at which `mcnemar_power(asked, (ψ + δ) / 2, (ψ - δ) / 2)` is 0.8, by bisection

    >>> round(detectable_difference(166, 0.45), 2)
    0.15
    >>> detectable_difference(9, 0.33) is None
    True
    """
    if mcnemar_power(asked, discordant, 0.0) < POWER:
        return None
    low, high = 0.0, discordant
    while high - low > 1e-4:
        middle = (low + high) / 2
        power = mcnemar_power(asked, (discordant + middle) / 2, (discordant - middle) / 2)
        low, high = (low, middle) if power >= POWER else (middle, high)
    return high


def _z(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
