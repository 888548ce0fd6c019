"""Tests for two runs on the same prompts: only prompts on which they differ can tell."""

from __future__ import annotations

from harness.stats import binomial


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
