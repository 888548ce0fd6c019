"""What asking a prompt several times tells: how steady the answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import TypeVar

Key = TypeVar("Key")


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


def coin_flips(counts: Mapping[Key, tuple[int, int]]) -> tuple[Key, ...]:
    """The prompts that neither always pass nor always fail, in the order given.

    >>> coin_flips({"bolts": (3, 3), "crack": (1, 3), "valve": (0, 3)})
    ('crack',)
    """
    return tuple(key for key, (passed, asked) in counts.items() if 0 < passed < asked)
