"""Which setting to take: the smallest, fastest or cheapest that is as good as the best."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from harness.comparison import p_value
from harness.sweep.reading import Result
from harness.tables import share_and_counts

Prefer = Literal["smallest", "fastest", "cheapest"]
Price = Callable[[Result], float | None]


_ALIKE = 1.05
"""Prices of settings within 5 % of the lowest are as good: times and memory vary by that much."""


PRICES: Mapping[Prefer, Price] = MappingProxyType(
    {
        "smallest": lambda it: it.weights_gb if it.weights_gb is not None else it.peak_gb,
        "fastest": lambda it: it.score.latency_mean_s if it.score else None,
        "cheapest": lambda it: it.score.cost_per_task_usd if it.score else None,
    }
)


class Choice(Struct, frozen=True, kw_only=True):
    """The setting to take, and why."""

    result: Result
    prefer: Prefer
    best: Result
    sentence: str
    command: str


def choose(results: Sequence[Result], prefer: Prefer | None) -> Choice | None:
    """None when no cell is complete. Without a preference: smallest where sizes are known."""
    complete = [it for it in results if it.share is not None]
    if not complete:
        return None
    best = next(it for it in complete if it.p is None)
    good = [it for it in complete if it.is_as_good]
    chosen_by = prefer or _known(good)
    lowest = _lowest(good, PRICES[chosen_by]) or [best]
    if chosen_by == "smallest":  # of equal weights memory decides: a smaller cache
        lowest = _lowest(lowest, lambda it: it.peak_gb) or lowest
    taken = max(lowest, key=lambda it: it.share or 0.0)
    return Choice(
        result=taken,
        prefer=chosen_by,
        best=best,
        sentence=_sentence(taken, best, chosen_by, several=len(complete) > 1),
        command=shlex.join(["evalrun", *taken.cell.words]),
    )


def _lowest(results: Sequence[Result], price: Price) -> list[Result]:
    priced = [(it, at) for it in results if (at := price(it)) is not None]
    least = min((at for _, at in priced), default=0.0)
    return [it for it, at in priced if at <= _ALIKE * least]


def _known(good: Sequence[Result]) -> Prefer:
    known = (name for name, price in PRICES.items() if all(price(it) is not None for it in good))
    return next(known, "fastest")


def frontier(results: Sequence[Result], prefer: Prefer) -> list[Result]:
    """Complete cells that no other beats in score without being dearer."""
    price = PRICES[prefer]
    priced = [
        (it, it.share, at)
        for it in results
        if it.share is not None and (at := price(it)) is not None
    ]
    return [
        it
        for it, share, at in priced
        if not any(
            other >= share and less <= at and (other, less) != (share, at)
            for _, other, less in priced
        )
    ]


def _sentence(taken: Result, best: Result, prefer: Prefer, *, several: bool) -> str:
    assert taken.score
    assert best.score
    score = share_and_counts(taken.score)
    if not several:
        return f"Only {taken.cell.label} is complete: {score}."
    if taken is best:
        return f"Take {taken.cell.label}: the best, {score}, and the {prefer} that is as good."
    less = 100 * ((best.share or 0) - (taken.share or 0))
    shows = (
        f"; {taken.score.asked} prompts show a difference of {100 * taken.detectable:.0f} points "
        "four times out of five"
        if taken.detectable
        else ""
    )
    return (
        f"Take {taken.cell.label}: the {prefer} setting that is not significantly worse than the "
        f"best, {best.cell.label} ({score} against {share_and_counts(best.score)}, "
        f"{less:.1f} points less, {p_value(taken.p or 0.0)}{shows})."
    )
