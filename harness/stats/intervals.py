"""Intervals for a share and for the difference of two shares, all built on Wilson's."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """Lower and upper bound, both included."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high


def z_of(level: float) -> float:
    """The normal quantile of a two-sided level: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson_interval(passed: float, asked: float, *, level: float = 0.95) -> Interval:
    """The score interval of a share; (0, 1) when nothing was asked.

    Formula: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), with p = passed / n
    Why:     keeps its coverage at the small n and the extreme shares benchmarks live in, where
             the textbook p ± z √(p(1-p)/n) does not. Repeats of a prompt are no new prompts:
             give the sum of the prompts' pass rates, and the number of prompts.
    Source:  Wilson 1927, doi:10.1080/01621459.1927.10502953; recommended by Brown, Cai and
             DasGupta 2001, doi:10.1214/ss/1009213286

    >>> [round(100 * bound, 1) for bound in wilson_interval(11, 15)]
    [48.0, 89.1]
    >>> wilson_interval(0, 0)
    Interval(low=0.0, high=1.0)
    """
    if asked <= 0:
        return Interval(0.0, 1.0)
    share, z2 = passed / asked, z_of(level) ** 2
    centre = share + z2 / (2 * asked)
    spread = sqrt(z2 * (share * (1 - share) / asked + z2 / (4 * asked * asked)))
    scale = 1 + z2 / asked
    # At 0 and at `asked` the bound is the share itself; rounding must not put it beyond.
    low = 0.0 if passed <= 0 else (centre - spread) / scale
    high = 1.0 if passed >= asked else (centre + spread) / scale
    return Interval(low, high)


def newcombe_unpaired(
    passed_1: float, asked_1: int, passed_2: float, asked_2: int, *, level: float = 0.95
) -> Interval:
    """For share 1 minus share 2, measured on different prompts (or: nobody knows on which).

    Formula: d - √((p₁-l₁)² + (u₂-p₂)²)  to  d + √((u₁-p₁)² + (p₂-l₂)²), with l, u Wilson's
             bounds of each share
    Source:  Newcombe 1998, Statistics in Medicine 17:873-890, method 10; there 56/70 against
             48/80 gives 0.0524 to 0.3339

    >>> [round(bound, 4) for bound in newcombe_unpaired(56, 70, 48, 80)]
    [0.0524, 0.3339]
    """
    if not asked_1 or not asked_2:
        return Interval(-1.0, 1.0)
    one = wilson_interval(passed_1, asked_1, level=level)
    two = wilson_interval(passed_2, asked_2, level=level)
    return _square_and_add(passed_1 / asked_1, one, passed_2 / asked_2, two, correlation=0.0)


def newcombe_paired(prompts: Mapping[tuple[float, float], int], *, level: float = 0.95) -> Interval:
    """For the mean first rate minus the mean second rate, both over the same prompts.

    Args:    how many prompts came to each (first rate, second rate); a rate is 1 or 0, or the
             share of a prompt's repeats that passed
    Formula: d - √(δ² - 2φδε + ε²)  to  d + √(ε'² - 2φε'δ' + δ'²), with δ = p₁-l₁, ε = u₂-p₂,
             ε' = u₁-p₁, δ' = p₂-l₂ and φ the correlation of the rates, its covariance (if
             positive) first brought 1/2n nearer to zero
    Why:     for 0/1 rates this is Newcombe's interval. For repeats the same rule is applied to
             the means (MOVER) with Wilson bounds for `n` prompts, which errs on the wide side:
             rates vary less than 0/1 outcomes do
    Source:  Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10; there 36 prompts passed
             by both, 12 by the first only and 2 by the second only give 0.0569 to 0.3404.
             MOVER: Zou and Donner 2008, doi:10.1002/sim.3095

    >>> [round(bound, 4) for bound in newcombe_paired({(1, 1): 36, (1, 0): 12, (0, 1): 2})]
    [0.0569, 0.3404]
    """
    n = sum(prompts.values())
    if n == 0:
        return Interval(-1.0, 1.0)
    total_1 = sum(rate * count for (rate, _), count in prompts.items())
    total_2 = sum(rate * count for (_, rate), count in prompts.items())
    one, two = wilson_interval(total_1, n, level=level), wilson_interval(total_2, n, level=level)
    phi = _correlation(prompts, total_1 / n, total_2 / n)
    return _square_and_add(total_1 / n, one, total_2 / n, two, correlation=phi)


def _correlation(prompts: Mapping[tuple[float, float], int], mean_1: float, mean_2: float) -> float:
    """Newcombe's φ: Pearson's, with the covariance corrected for continuity; 0 without spread."""
    n = sum(prompts.values())
    variance_1 = sum(count * (rate - mean_1) ** 2 for (rate, _), count in prompts.items()) / n
    variance_2 = sum(count * (rate - mean_2) ** 2 for (_, rate), count in prompts.items()) / n
    covariance = sum(count * (x - mean_1) * (y - mean_2) for (x, y), count in prompts.items()) / n
    if covariance > 0:
        covariance = max(covariance - 1 / (2 * n), 0.0)
    spread = sqrt(variance_1 * variance_2)
    return max(-1.0, min(1.0, covariance / spread)) if spread > 0 else 0.0


def _square_and_add(
    share_1: float, one: Interval, share_2: float, two: Interval, *, correlation: float
) -> Interval:
    """Join two intervals into that of the difference, as Pythagoras (and φ) would."""
    difference = share_1 - share_2
    down = _leg(share_1 - one.low, two.high - share_2, correlation)
    up = _leg(one.high - share_1, share_2 - two.low, correlation)
    return Interval(max(-1.0, difference - down), min(1.0, difference + up))


def _leg(a: float, b: float, correlation: float) -> float:
    return sqrt(max(0.0, a * a - 2 * correlation * a * b + b * b))
