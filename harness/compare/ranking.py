"""Every model's newest complete run, ranked; models that cannot be told apart share a rank."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from harness import stats, store
from harness.compare import comparable
from harness.errors import ResultsError
from harness.records import ModelScore, RunHeader
from harness.store import Run
from harness.summary import Tally

Frontier = Literal["time", "cost"]


class Standing(Struct, frozen=True, kw_only=True):
    """One model's place."""

    rank: int
    """One more than the number of models that are surely better."""
    tied: bool
    """Another model has the same rank."""
    better_than: float | None
    """Share of the other models that are surely worse; None when there is no other."""
    frontiers: tuple[Frontier, ...]
    """Where no model that is as good is faster, or cheaper."""
    score: ModelScore


class Leaderboard(Struct, frozen=True, kw_only=True):
    """Comparable runs, best first, and why the others are not among them."""

    standings: tuple[Standing, ...]
    left_out: tuple[str, ...] = ()


class Entry(Struct, frozen=True, kw_only=True):
    """One run, as far as ranking needs it: long runs are ranked without keeping their replies."""

    score: ModelScore
    passed: dict[str, int]
    """Prompt -> how many of its repeats passed; those that never passed are left out."""

    def rate(self, prompt: str) -> float:
        return self.passed.get(prompt, 0) / self.score.header.repeats


def read_entry(run: Run, *, include_cached: bool = False) -> Entry:
    """Raises: ResultsError when the file is damaged."""
    tally, passed = Tally(run.header, include_cached=include_cached), Counter[str]()
    for record in run.records():
        tally.add(record)
        if record.final is not None and record.final.passed:
            passed[record.case.id] += 1
    return Entry(score=tally.score(), passed=passed)


def leaderboard(results: Path, *, include_cached: bool = False) -> Leaderboard:
    """The newest complete run of each model, among those comparable with the newest of all.

    Subsets, blind and incomplete runs stay off, and so do damaged files.
    """
    found: dict[str, Entry] = {}
    left_out: dict[str, str] = {}
    for path in reversed(store.runs(results)):
        with contextlib.suppress(ResultsError):
            run = store.read(path)
            why = _why_not(run.header, found)
            entry = None if why else read_entry(run, include_cached=include_cached)
            if entry is not None and entry.score.complete:
                found[run.header.model] = entry
            elif why != _NEWER:
                left_out.setdefault(run.header.model, why or "the run is incomplete")
    told = [f"{model}: {why}" for model, why in left_out.items() if model not in found]
    return Leaderboard(standings=standings(list(found.values())), left_out=tuple(told))


_NEWER = "a newer run counts"


def _why_not(header: RunHeader, found: dict[str, Entry]) -> str | None:
    """What keeps a run off, as far as its header tells; None when nothing does."""
    if header.model in found:
        return _NEWER
    if header.blind:
        return "the run is blind"
    if header.subset:
        return f"the run asked {header.prompts} of {header.suite_prompts} prompts"
    if not found:
        return None
    newest = next(iter(found.values())).score.header
    differing = comparable.differences([newest, header], comparable.MUST_AGREE)
    return "; ".join(differing) or None


def standings(entries: Sequence[Entry]) -> tuple[Standing, ...]:
    """Best first. Of two models the better one is surely better when the 95 % interval of their
    paired difference leaves zero out."""
    better = {
        (one, two): _surely_better(first, second)
        for one, first in enumerate(entries)
        for two, second in enumerate(entries)
        if one != two
    }
    count = range(len(entries))
    ranks = [1 + sum(better[two, one] for two in count if two != one) for one in count]
    above = [sum(better[one, two] for two in count if two != one) for one in count]
    scores = [it.score for it in entries]
    placed = [
        Standing(
            rank=ranks[it],
            tied=ranks.count(ranks[it]) > 1,
            better_than=above[it] / (len(scores) - 1) if len(scores) > 1 else None,
            frontiers=_frontiers(scores[it], scores),
            score=scores[it],
        )
        for it in count
    ]
    return tuple(sorted(placed, key=lambda it: (it.rank, -(_share(it.score)), it.score.model)))


def _surely_better(first: Entry, second: Entry) -> bool:
    if _share(first.score) <= _share(second.score):
        return False
    either = first.passed.keys() | second.passed.keys()
    rates = Counter((first.rate(prompt), second.rate(prompt)) for prompt in either)
    rates[0.0, 0.0] = first.score.header.prompts - len(either)
    return stats.newcombe_paired(rates).low > 0


def _share(score: ModelScore) -> float:
    return score.overall.share or 0.0


def _frontiers(score: ModelScore, scores: Sequence[ModelScore]) -> tuple[Frontier, ...]:
    speed = [(_share(it), it.overall.latency_mean_s) for it in scores]
    cost = [(_share(it), it.overall.cost_per_task_usd) for it in scores]
    own = _share(score), score.overall.latency_mean_s, score.overall.cost_per_task_usd
    found: list[Frontier] = []
    if _on_frontier(own[0], own[1], speed):
        found.append("time")
    if _on_frontier(own[0], own[2], cost):
        found.append("cost")
    return tuple(found)


def _on_frontier(
    share: float, price: float | None, others: Sequence[tuple[float, float | None]]
) -> bool:
    """Whether nobody is as good for less, or better for as much.

    >>> _on_frontier(0.6, 2.0, [(0.6, 2.0), (0.5, 1.0), (0.7, 3.0)])
    True
    >>> _on_frontier(0.6, 2.0, [(0.6, 1.5)]), _on_frontier(0.6, None, [])
    (False, False)
    """
    if price is None:
        return False
    return not any(
        other is not None
        and better >= share
        and other <= price
        and (better, other) != (share, price)
        for better, other in others
    )
