"""Tests for two runs on the same prompts, corrected for being several, and what repeats tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import comb
from typing import TypeVar

from harness.stats import binomial

Key = TypeVar("Key")


def mcnemar(first_only: int, second_only: int) -> float:
    """Exact two-sided p that prompts on which two runs differ fall so unevenly by chance.

    Formula: min(1, 2 P(X <= min(b, c))) with X ~ Bin(b + c, ½)
    Source:  McNemar 1947, doi:10.1007/BF02295996; exact conditional form and the example
             (b, c) = (1, 7), p = 0.0703 in Fagerland, Lydersen and Laake 2013,
             doi:10.1186/1471-2288-13-91

    >>> round(mcnemar(1, 7), 4)
    0.0703
    >>> mcnemar(0, 0)
    1.0
    """
    n = first_only + second_only
    return min(1.0, 2 * binomial.cdf(min(first_only, second_only), n, 0.5))


def mcnemar_mid_p(first_only: int, second_only: int) -> float:
    """The exact p less half the probability of what was seen: less cautious, nearer to 5 %.

    Formula: p - P(X = b); 1 - P(X = b) / 2 when b = c
    Source:  as `mcnemar`; there (1, 7) gives 0.0391

    >>> round(mcnemar_mid_p(1, 7), 4)
    0.0391
    """
    n = first_only + second_only
    seen = binomial.pmf(first_only, n, 0.5)
    if first_only == second_only:
        return 1 - seen / 2
    return mcnemar(first_only, second_only) - seen


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


def pass_hat_k(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """pass^k: the chance that k repeats of a prompt *all* pass, averaged over prompts.

    Args:    (passed, asked) of each prompt; None when some prompt has fewer than k repeats
    Formula: mean of C(c, k) / C(n, k), unbiased for every prompt
    Source:  Yao et al. 2024 (τ-bench), arXiv:2406.12045, section 3

    >>> pass_hat_k([(4, 4), (2, 4), (0, 4)], 2)  # 1, 1/6 and 0
    0.3888888888888889
    """
    if not counts or min(asked for _, asked in counts) < k:
        return None
    return sum(comb(passed, k) / comb(asked, k) for passed, asked in counts) / len(counts)


def flips_between_repeats(counts: Iterable[tuple[int, int]]) -> float:
    """How many verdicts are expected to change when the same model is asked everything again.

    Args:    (passed, asked) of each prompt, asked at least twice
    Formula: sum of 2 c (n - c) / (n (n - 1)): of a prompt with pass rate p, 2 p (1 - p),
             unbiased; the share of its pairs of repeats that disagree

    >>> flips_between_repeats([(2, 2), (1, 2), (2, 4)])  # 0, 1 and 4 of 6 pairs
    1.6666666666666665
    """
    return sum(2 * passed * (n - passed) / (n * (n - 1)) for passed, n in counts)


def flaky(counts: Mapping[Key, tuple[int, int]]) -> tuple[Key, ...]:
    """The prompts that neither always pass nor always fail, in the order given.

    >>> flaky({"bolts": (3, 3), "crack": (1, 3), "valve": (0, 3)})
    ('crack',)
    """
    return tuple(key for key, (passed, asked) in counts.items() if 0 < passed < asked)
