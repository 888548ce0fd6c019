"""Every model's newest complete run, ranked among comparable ones; who is not ranked, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import lcm
from pathlib import Path
from typing import Literal

from msgspec import Struct

from harness import store
from harness.comparison.contrast import Rates, difference
from harness.comparison.sides import group_of, missing, unusual_settings
from harness.errors import ResultsError
from harness.records import ModelScore, RunHeader
from harness.records.settings import resume_command, whole_command
from harness.stats import ALPHA
from harness.store import Run
from harness.summary import Tally

Frontier = Literal["time", "cost"]


class Standing(Struct, frozen=True, kw_only=True):
    """One model's place."""

    rank: int
    """Models of one rank cannot be told apart; whoever is surely better has a smaller one."""
    tied: bool
    """Another model has the same rank."""
    better_than: float | None
    """Share of the other models that are surely worse; None when there is no other."""
    frontiers: tuple[Frontier, ...]
    """Where no model that is as good is faster, or cheaper."""
    score: ModelScore


class Group(Struct, frozen=True, kw_only=True):
    """Comparable runs, best first."""

    standings: tuple[Standing, ...]

    @property
    def header(self) -> RunHeader:
        return self.standings[0].score.header

    @property
    def suite(self) -> str:
        return f"{self.header.suite} {self.header.suite_version}"

    @property
    def settings(self) -> str:
        """What is unusual in them, in a line."""
        return unusual_settings(self.header)


class Unranked(Struct, frozen=True, kw_only=True):
    """A run that is not on the leaderboard."""

    model: str
    run: str
    reason: str
    command: str
    """What would get it ranked, or what else to do with it."""


class Leaderboard(Struct, frozen=True, kw_only=True):
    """A group for each suite and its settings, the largest first, then the newest."""

    groups: tuple[Group, ...]
    unranked: tuple[Unranked, ...] = ()

    @property
    def standings(self) -> tuple[Standing, ...]:
        return tuple(it for group in self.groups for it in group.standings)


class Entry(Struct, frozen=True, kw_only=True):
    """One run, as far as ranking needs it: long runs are ranked without keeping their replies."""

    score: ModelScore
    passed: dict[str, int]
    """Prompt -> how many of its repeats passed; those that never passed are left out."""

    @property
    def share(self) -> float:
        return self.score.overall.share or 0.0

    def rate(self, prompt: str) -> float:
        return self.passed.get(prompt, 0) / self.score.header.repeats


def leaderboard(
    results: Path,
    *,
    include_cached: bool = False,
    suite: str | None = None,
    settings: str | None = None,
) -> Leaderboard:
    """Each model's newest complete run in each group of comparable runs.

    `suite` is a suite's name, version or folder; `settings` a part of a group's settings. Subsets,
    blind and incomplete runs stay off, and so do damaged files.
    """
    groups: dict[tuple[object, ...], dict[str, Entry]] = defaultdict(dict)
    unranked: dict[tuple[object, ...], Unranked] = {}
    for path in reversed(store.runs(results)):
        try:
            run = store.read(path)
            header = run.header
            if not _is_wanted(header, suite, settings):
                continue
            group = group_of(header)
            if header.model in groups[group]:
                continue
            entry = _entry(run, include_cached=include_cached)
        except ResultsError as error:
            model, name = path.parent.name, f"{path.parent.name}/{path.stem}"
            command = f"evalrun show {name}"
            unranked[path,] = Unranked(model=model, run=name, reason=error.problem, command=command)
            continue
        why = _why_not(entry.score)
        if why is None:
            groups[group][header.model] = entry
        else:
            unranked.setdefault((header.model, group, header.subset), why)
    ranked = sorted((list(it.values()) for it in groups.values() if it), key=len, reverse=True)
    return Leaderboard(
        groups=tuple(Group(standings=standings(it)) for it in ranked),
        unranked=tuple(unranked.values()),
    )


def _entry(run: Run, *, include_cached: bool) -> Entry:
    """Raises: ResultsError when the file is damaged."""
    tally, passed = Tally(run.header, include_cached=include_cached), Counter[str]()
    for record in run.records():
        tally.add(record)
        if record.state == "pass":
            passed[record.case.id] += 1
    return Entry(score=tally.score(), passed=passed)


def _is_wanted(header: RunHeader, suite: str | None, settings: str | None) -> bool:
    of_suite = suite is None or store.is_of_suite(header, suite)
    has = settings is None or settings.casefold() in unusual_settings(header).casefold()
    return of_suite and has


def _why_not(score: ModelScore) -> Unranked | None:
    """What keeps a run off the leaderboard; None when nothing does."""
    header = score.header
    if not score.complete:
        reason, command = missing(score.overall), resume_command(header)
    elif header.blind:
        reason, command = "blind", f"evalrun compare {header.model} {header.run}"
    elif header.subset:
        reason = f"asked {header.prompts} of {header.suite_prompts} prompts"
        command = whole_command(header)
    else:
        return None
    return Unranked(model=header.model, run=header.run, reason=reason, command=command)


def standings(entries: Sequence[Entry]) -> tuple[Standing, ...]:
    """Best first, ranked by the same test that `compare` decides by."""
    ordered = sorted(entries, key=lambda it: (-it.share, it.score.model))
    better = {
        (one, two)
        for one, first in enumerate(ordered)
        for two, second in enumerate(ordered)
        if first.share > second.share and _surely_better(first, second)
    }
    ranks, others = list(_ranks(len(ordered), better)), len(ordered) - 1
    points: dict[Frontier, list[tuple[float, float | None]]] = {
        "time": [(it.share, it.score.overall.latency_mean_s) for it in ordered],
        "cost": [(it.share, it.score.overall.cost_per_task_usd) for it in ordered],
    }
    return tuple(
        Standing(
            rank=ranks[at],
            tied=ranks.count(ranks[at]) > 1,
            better_than=sum(one == at for one, _ in better) / others if others else None,
            frontiers=tuple(name for name, all_ in points.items() if on_frontier(all_[at], all_)),
            score=it.score,
        )
        for at, it in enumerate(ordered)
    )


def _ranks(count: int, better: set[tuple[int, int]]) -> Iterator[int]:
    """One more than the number of those surely better; never above a better score's, and below
    everybody's who is surely better: what `compare` can tell apart is never a tie.

    >>> list(_ranks(4, {(0, 2), (0, 3), (1, 3)}))
    [1, 1, 2, 3]
    """
    ranks: list[int] = []
    for at in range(count):
        above = [ranks[one] for one in range(at) if (one, at) in better]
        ranks.append(max(1 + len(above), *(1 + it for it in above), *ranks[-1:], 1))
        yield ranks[-1]


def _surely_better(first: Entry, second: Entry) -> bool:
    either = first.passed.keys() | second.passed.keys()
    rates: Rates = Counter((second.rate(prompt), first.rate(prompt)) for prompt in either)
    rates[0.0, 0.0] = first.score.header.prompts - len(either)
    unit = lcm(first.score.header.repeats, second.score.header.repeats)
    p = difference("overall", rates, unit).p
    return p is not None and p < ALPHA


def on_frontier(
    own: tuple[float, float | None], everybody: Iterable[tuple[float, float | None]]
) -> bool:
    """Whether nobody is as good for less, or better for as much: (share, seconds or dollars) each.

    >>> on_frontier((0.6, 2.0), [(0.6, 2.0), (0.5, 1.0), (0.7, 3.0)])
    True
    >>> on_frontier((0.6, 2.0), [(0.6, 1.5)]), on_frontier((0.6, None), [])
    (False, False)
    """
    share, price = own
    return price is not None and not any(
        cost is not None and other >= share and cost <= price and (other, cost) != own
        for other, cost in everybody
    )
