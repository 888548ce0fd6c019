"""Statistics that hold at 67 prompts: pure functions over counts, no scipy.

Each docstring gives the formula, its source, and a value worked out there or checked against scipy
or statsmodels in the tests. numpy is imported only by the functions that resample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, comb, erfc, exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

ALPHA = 0.05
POWER = 0.8
_Z = NormalDist().inv_cdf(1 - ALPHA / 2)
"""1.96: every interval here is one of 95 %."""
_Z_POWER = NormalDist().inv_cdf(POWER)
_EXACT_PROMPTS = 2_000
"""Beyond them the normal formula for power is off by 0.01 at most."""
_DRAWN_COUNTS = 5_000_000
"""About 0.5 s; hundreds of different clusters need fewer draws each."""
_EXACT_STEPS = 2e8
"""Of the exact distribution; about 0.2 s."""


class Interval(NamedTuple):
    """Lower and upper bound, both included."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson_interval(passed: float, asked: float) -> Interval:
    """The score interval of a share; (0, 1) when nothing was asked.

    Repeats are no new prompts: give the sum of the prompts' pass rates, and the number of prompts.

    Formula: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), with p = passed / n
    Source:  Wilson 1927, doi:10.1080/01621459.1927.10502953; recommended for small n by Brown, Cai
             and DasGupta 2001, doi:10.1214/ss/1009213286
    """
    if asked <= 0:
        return Interval(0.0, 1.0)
    share, z2 = passed / asked, _Z**2
    centre = share + z2 / (2 * asked)
    spread = sqrt(z2 * (share * (1 - share) / asked + z2 / (4 * asked * asked)))
    scale = 1 + z2 / asked
    # At 0 and at `asked` the bound is the share itself; rounding must not put it beyond.
    low = 0.0 if passed <= 0 else (centre - spread) / scale
    high = 1.0 if passed >= asked else (centre + spread) / scale
    return Interval(low, high)


def newcombe(
    passed_1: float, asked_1: int, passed_2: float, asked_2: int, *, correlation: float = 0.0
) -> Interval:
    """For share 1 minus share 2, measured on different prompts (or: nobody knows on which).

    Formula: d - √(δ² - 2φδε + ε²)  to  d + √(ε'² - 2φε'δ' + δ'²), with δ = p₁-l₁, ε = u₂-p₂,
             ε' = u₁-p₁, δ' = p₂-l₂; l, u: Wilson's bounds; φ: 0, but for pairs
    Source:  Newcombe 1998, Statistics in Medicine 17:873-890, method 10, with this example

    >>> [round(bound, 4) for bound in newcombe(56, 70, 48, 80)]
    [0.0524, 0.3339]
    """
    if not asked_1 or not asked_2:
        return Interval(-1.0, 1.0)
    share_1, share_2 = passed_1 / asked_1, passed_2 / asked_2
    one, two = wilson_interval(passed_1, asked_1), wilson_interval(passed_2, asked_2)

    def leg(a: float, b: float) -> float:
        return sqrt(max(0.0, a * a - 2 * correlation * a * b + b * b))

    low = share_1 - share_2 - leg(share_1 - one.low, two.high - share_2)
    high = share_1 - share_2 + leg(one.high - share_1, share_2 - two.low)
    return Interval(max(-1.0, low), min(1.0, high))


def newcombe_paired(prompts: Mapping[tuple[float, float], int]) -> Interval:
    """For the mean first rate minus the mean second rate, both over the same prompts.

    Args:    how many prompts came to each (first rate, second rate): 1, 0, or a share of repeats
    Formula: `newcombe` with φ the correlation of the rates, its covariance (if positive) first
             brought 1/2n nearer to zero
    Source:  Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10, with this example; for
             repeats the same rule on means (MOVER: Zou and Donner 2008, doi:10.1002/sim.3095),
             which errs on the wide side, as rates vary less than 0/1 outcomes do

    >>> [round(bound, 4) for bound in newcombe_paired({(1, 1): 36, (1, 0): 12, (0, 1): 2})]
    [0.0569, 0.3404]
    """
    n = sum(prompts.values())
    if n == 0:
        return Interval(-1.0, 1.0)
    total_1 = sum(rate * count for (rate, _), count in prompts.items())
    total_2 = sum(rate * count for (_, rate), count in prompts.items())
    centred = [(x - total_1 / n, y - total_2 / n, count) for (x, y), count in prompts.items()]
    covariance = sum(x * y * count for x, y, count in centred) / n
    if covariance > 0:
        covariance = max(covariance - 1 / (2 * n), 0.0)
    variance_1 = sum(x * x * count for x, _, count in centred) / n
    variance_2 = sum(y * y * count for _, y, count in centred) / n
    spread = sqrt(variance_1 * variance_2)
    phi = max(-1.0, min(1.0, covariance / spread)) if spread > 0 else 0.0
    return newcombe(total_1, n, total_2, n, correlation=phi)


def mcnemar(first_only: int, second_only: int, *, mid: bool = False) -> float:
    """Two-sided p that prompts on which two runs differ fall so unevenly by chance.

    Formula: exact: min(1, 2 P(X <= min(b, c))) with X ~ Bin(b + c, ½); the less cautious mid-p
             takes P(X = b) off it, or half of that when b = c
    Source:  McNemar 1947, doi:10.1007/BF02295996; both forms with this example in Fagerland,
             Lydersen and Laake 2013, doi:10.1186/1471-2288-13-91

    >>> round(mcnemar(1, 7), 4), round(mcnemar(1, 7, mid=True), 4)
    (0.0703, 0.0391)
    """
    n, fewer = first_only + second_only, min(first_only, second_only)
    p = min(1.0, 2 * binomial_cdf(fewer, n, 0.5))
    seen = binomial_pmf(fewer, n, 0.5)
    return p - (seen / 2 if first_only == second_only else seen) if mid else p


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected so that all of them together are wrong at most as often as one alone.

    Formula: the i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p₍ⱼ₎); None is
             no test, and does not count
    Source:  Holm 1979, Scandinavian Journal of Statistics 6:65-70
    """
    adjusted: list[float | None] = [None] * len(p_values)
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    floor = 0.0
    for smaller, (p, index) in enumerate(tested):
        floor = max(floor, min(1.0, (len(tested) - smaller) * p))
        adjusted[index] = floor
    return adjusted


def pass_hat_k(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """pass^k: the chance that k repeats of a prompt *all* pass, averaged over prompts.

    Args:    (passed, asked) of each prompt; None when some prompt has fewer than k repeats
    Formula: mean of C(c, k) / C(n, k), unbiased for every prompt
    Source:  Yao et al. 2024 (τ-bench), arXiv:2406.12045, section 3
    """
    if not counts or min(asked for _, asked in counts) < k:
        return None
    return sum(comb(passed, k) / comb(asked, k) for passed, asked in counts) / len(counts)


def mcnemar_power(asked: int, first_only: float, second_only: float) -> float:
    """The chance that the exact McNemar test reaches p < 0.05.

    Args:    `first_only` and `second_only` are the shares of prompts only one of them passes
    Formula: Σₘ P(m of `asked` differ) P(p < 0.05 | m); beyond 2,000 prompts the normal one,
             Φ((δ√n - z₀.₉₇₅ √ψ) / √(ψ - δ²)) with ψ and δ the sum and difference of the shares
    Source:  SAS/STAT User's Guide, POWER procedure, paired proportions, DIST=EXACT_COND
    """
    differ = first_only + second_only
    if differ <= 0:
        return 0.0
    if asked > _EXACT_PROMPTS:
        effect = abs(first_only - second_only)
        spread = sqrt(max(differ - effect**2, 1e-12))
        return NormalDist().cdf((effect * sqrt(asked) - _Z * sqrt(differ)) / spread)
    mean, spread = asked * differ, sqrt(asked * differ * (1 - differ))
    lowest, highest = max(0, int(mean - 8 * spread) - 1), min(asked, int(mean + 8 * spread) + 1)
    split, power = first_only / differ, 0.0
    edge = max(-1, int(lowest / 2 - sqrt(lowest)) - 3)  # safely below the first one
    for m in range(lowest, highest + 1):
        while 2 * binomial_cdf(edge + 1, m, 0.5) < ALPHA:  # the largest k of m that is significant
            edge += 1
        significant = binomial_cdf(edge, m, split) + binomial_cdf(edge, m, 1 - split)
        power += binomial_pmf(m, asked, differ) * significant
    return power


def prompts_needed(first_only: float, second_only: float) -> int | None:
    """How many prompts show a difference like this one with 80 % power; None when there is none.

    Formula: n = ((z₀.₉₇₅ √ψ + z₀.₈ √(ψ - δ²)) / δ)² with ψ the sum and δ the difference of the two
             shares; from there up to the first n whose exact power is 80 %
    Source:  Connor 1987, Biometrics 43:207-211; for shares 0.30 and 0.15 its n is 155, and the
             exact test, being cautious, needs a few more
    """
    differ, effect = first_only + second_only, abs(first_only - second_only)
    if effect <= 0:
        return None
    reach = _Z * sqrt(differ) + _Z_POWER * sqrt(max(0.0, differ - effect**2))
    asked = ceil((reach / effect) ** 2)
    step = max(1, asked // 100)
    while mcnemar_power(asked, first_only, second_only) < POWER:
        asked += step
    return asked


def detectable_difference(asked: int, discordant: float) -> float | None:
    """The smallest difference that `asked` prompts show with 80 % power; None when none is shown.

    Args:    `discordant` is the share of prompts on which the two models differ
    Formula: the δ at which `mcnemar_power(asked, (ψ + δ) / 2, (ψ - δ) / 2)` is 0.8, by bisection
    """
    if mcnemar_power(asked, discordant, 0.0) < POWER:
        return None
    low, high = 0.0, discordant
    while high - low > 1e-4:
        middle = (low + high) / 2
        power = mcnemar_power(asked, (discordant + middle) / 2, (discordant - middle) / 2)
        low, high = (low, middle) if power >= POWER else (middle, high)
    return high


def cluster_bootstrap(
    clusters: Iterable[tuple[float, int]], *, draws: int = 10_000, seed: int = 67
) -> Interval | None:
    """Interval of a mean difference per prompt when prompts come in clusters.

    Args:    (sum of the differences, number of prompts) of each cluster; None for fewer than five
    Formula: quantiles of Σ sums / Σ sizes over `draws` samples of G clusters with replacement.
             Percentile bounds are too narrow for small G, so the quantiles are taken at
             Φ(± t √(G / (G - 1))), t being Student's with G - 1 degrees of freedom
    Source:  clusters: Davison and Hinkley 1997, section 3.8; wider quantiles ("expanded
             percentile"): Hesterberg 2015, doi:10.1080/00031305.2015.1089789
    """
    import numpy as np

    kinds = Counter(clusters)
    count = kinds.total()
    if count < 5:
        return None
    sums, sizes = np.array(list(kinds), dtype=float).T
    shares = np.array(list(kinds.values())) / count
    draws = min(draws, max(1_000, _DRAWN_COUNTS // len(kinds)))
    # Drawing clusters one by one and counting how often each kind came is one multinomial draw.
    drawn = np.random.default_rng(seed).multinomial(count, shares, size=draws)
    means = (drawn @ sums) / (drawn @ sizes)
    tail = NormalDist().cdf(-student_t(count - 1) * sqrt(count / (count - 1)))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def student_t(freedom: int) -> float:
    """Student's quantile, two-sided 95 %, to 0.01 from four degrees of freedom on.

    Formula: expansion about the normal quantile in powers of 1/ν
    Source:  Abramowitz and Stegun 1964, 26.7.5
    """
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def randomisation(differences: Sequence[int]) -> float:
    """Two-sided p of the sum of `differences` if in each of them the two models were exchanged.

    Each is a cluster's sum of (first passed - second passed); for single prompts, asked once, it is
    McNemar's exact test.

    Formula: P(|Σ ±dᵢ| >= |Σ dᵢ|), every sign equally likely; exact, or normal with continuity
             correction where the exact distribution would take too long
    Source:  Fisher 1935, The Design of Experiments, section 21
    """
    steps = [abs(difference) for difference in differences if difference]
    seen, reach = abs(sum(differences)), sum(steps)
    if seen == 0:
        return 1.0
    if reach * len(steps) > _EXACT_STEPS:
        spread = sqrt(sum(step * step for step in steps))
        return erfc(max(0.0, seen - min(steps)) / spread / sqrt(2))
    import numpy as np

    chances = np.ones(1)
    for step in steps:
        nothing = np.zeros(2 * step)
        chances = (np.append(chances, nothing) + np.append(nothing, chances)) / 2
    # The middle is a sum of 0, and each place to the right of it one more.
    return float(min(1.0, 2 * chances[len(chances) // 2 + seen :].sum()))


def binomial_pmf(k: int, n: int, p: float) -> float:
    """P(X = k) for X ~ Bin(n, p)."""
    if not 0 <= k <= n:
        return 0.0
    if p <= 0 or p >= 1:
        return float(k == (0 if p <= 0 else n))
    log_choose = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(log_choose + k * log(p) + (n - k) * log(1 - p))


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Bin(n, p)."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if k > n * p:  # the other tail is the shorter sum
        return 1.0 - binomial_cdf(n - k - 1, n, 1 - p)
    term = total = binomial_pmf(k, n, p)
    for lower in range(k, 0, -1):
        term *= lower / (n - lower + 1) * (1 - p) / p
        total += term
        if term < total * 1e-17:
            break
    return min(total, 1.0)
