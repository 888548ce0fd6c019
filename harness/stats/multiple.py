"""Several questions asked of one experiment: each p pays for the others."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected so that all of them together are wrong at most as often as one alone.

    Formula: the i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p₍ⱼ₎)
    Source:  Holm 1979, Scandinavian Journal of Statistics 6:65-70

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    adjusted = [0.0] * len(p_values)
    floor = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for smaller, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - smaller) * p_values[index]))
        adjusted[index] = floor
    return tuple(adjusted)
