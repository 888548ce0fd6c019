"""Judging a difference by redrawing or relabelling whole pictures; seeded, so repeatable.

Questions about one picture succeed and fail together, so the picture is the unit here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import erfc, sqrt
from statistics import NormalDist

from harness.stats.intervals import Interval

FEWEST_CLUSTERS = 5
_DRAWN_COUNTS = 5_000_000  # about 0.5 s; hundreds of different clusters need fewer draws each
_EXACT_COST = 2e8  # steps of the exact distribution; about 0.2 s


def cluster_bootstrap(
    clusters: Iterable[tuple[float, int]],
    *,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 67,
) -> Interval | None:
    """Interval of a mean difference per prompt when prompts come in clusters.

    Args:    (sum of the differences, number of prompts) of each cluster
    Formula: quantiles of Σ sums / Σ sizes over `draws` samples (fewer when there are more than
             500 kinds of clusters) of G clusters with replacement.
             Percentile bounds are too narrow for small G, so the quantiles are taken at
             Φ(± t √(G / (G - 1))), t being Student's with G - 1 degrees of freedom
    Returns: None for fewer than five clusters, of which nothing can be said this way
    Source:  clusters: Davison and Hinkley 1997, section 3.8; wider quantiles ("expanded
             percentile"): Hesterberg 2015, doi:10.1080/00031305.2015.1089789

    >>> clusters = [(1, 2), (0, 2), (1, 1), (-1, 2), (2, 3), (0, 1), (1, 2), (0, 2)]
    >>> [round(bound, 2) for bound in cluster_bootstrap(clusters)]
    [-0.15, 0.62]
    """
    import numpy as np

    kinds = Counter(clusters)
    count = kinds.total()
    if count < FEWEST_CLUSTERS:
        return None
    sums, sizes = np.array(list(kinds), dtype=float).T
    shares = np.array(list(kinds.values())) / count
    draws = min(draws, max(1_000, _DRAWN_COUNTS // len(kinds)))
    # Drawing clusters one by one and counting how often each kind came is one multinomial draw.
    drawn = np.random.default_rng(seed).multinomial(count, shares, size=draws)
    means = (drawn @ sums) / (drawn @ sizes)
    tail = NormalDist().cdf(-student_t(level, count - 1) * sqrt(count / (count - 1)))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def student_t(level: float, freedom: int) -> float:
    """Student's quantile of a two-sided level, to 0.01 from four degrees of freedom on.

    Formula: expansion about the normal quantile in powers of 1/ν
    Source:  Abramowitz and Stegun 1964, 26.7.5

    >>> round(student_t(0.95, 10), 2)
    2.23
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def randomisation(differences: Sequence[int]) -> float:
    """Two-sided p of the sum of `differences` if in each of them the two models were exchanged.

    Each entry is a cluster's sum of (first passed - second passed). With one prompt a cluster
    and one repeat it is McNemar's exact test; with pictures or repeats it is what takes its place.

    Formula: P(|Σ ±dᵢ| >= |Σ dᵢ|), every sign equally likely; exact, or normal with continuity
             correction where the exact distribution would take too long
    Source:  Fisher 1935, The Design of Experiments, section 21

    >>> round(randomisation([1] * 7 + [-1]), 4)  # mcnemar(1, 7)
    0.0703
    >>> randomisation([2, 1, 1, 0])  # the 2 of 8 sign patterns that agree
    0.25
    """
    steps = [abs(difference) for difference in differences if difference]
    seen, reach = abs(sum(differences)), sum(steps)
    if seen == 0:
        return 1.0
    if reach * len(steps) > _EXACT_COST:
        spread = sqrt(sum(step * step for step in steps))
        return erfc(max(0.0, seen - min(steps)) / spread / sqrt(2))
    return _exact_tails(steps, seen)


def _exact_tails(steps: Sequence[int], seen: int) -> float:
    import numpy as np

    reach = sum(steps)
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0  # the index is the sum plus `reach`
    done = 0
    for step in steps:
        window = chances[reach - done : reach + done + 1] / 2
        done += step
        chances[reach - done : reach + done + 1] = 0.0
        chances[reach - done : reach + done + 1 - 2 * step] += window
        chances[reach - done + 2 * step : reach + done + 1] += window
    return float(min(1.0, 2 * chances[reach + seen :].sum()))
