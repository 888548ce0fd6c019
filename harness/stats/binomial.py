"""The binomial distribution, to float precision and without scipy."""

from __future__ import annotations

from math import exp, lgamma, log


def pmf(k: int, n: int, p: float) -> float:
    """P(X = k) for X ~ Bin(n, p).

    >>> round(pmf(1, 8, 0.5), 5)
    0.03125
    """
    if not 0 <= k <= n:
        return 0.0
    if p <= 0 or p >= 1:
        return float(k == (0 if p <= 0 else n))
    log_choose = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(log_choose + k * log(p) + (n - k) * log(1 - p))


def cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Bin(n, p).

    >>> round(cdf(1, 8, 0.5), 5)
    0.03516
    """
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if k > n * p:  # the other tail is the shorter sum
        return 1.0 - cdf(n - k - 1, n, 1 - p)
    term = total = pmf(k, n, p)
    odds = (1 - p) / p if p > 0 else 0.0
    for lower in range(k, 0, -1):
        term *= lower / (n - lower + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return min(total, 1.0)
