"""Which runs may be compared, the test of two of them, and all of them ranked by it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import lcm
from pathlib import Path
from typing import Literal

from msgspec import Struct

from harness import stats, store
from harness.errors import ResultsError
from harness.records import ModelScore, RunHeader, Score
from harness.records.settings import SETTINGS, Setting, resume_command, whole_command
from harness.stats import ALPHA
from harness.store import Run
from harness.summary import Tally
from harness.text import one_line

Frontier = Literal["time", "cost"]
Rates = Counter[tuple[float, float]]
"""How many prompts came to each (first pass rate, second pass rate)."""
_OF_EVERY_CELL = ("suite", "grader version", "judge")
_USUAL = frozenset([("temperature", 0.0), ("seed", 1)])
_UNSET = frozenset([None, "none", "no", "default", "auto", "free", "the model's own"])


def check_comparable(
    headers: Sequence[RunHeader], *, force: bool = False, but: Sequence[str] = ()
) -> list[str]:
    """How runs differ, a line a setting, those in `but` left out; what is not known is no answer.

    The cells of one sweep are meant to differ, and one model blind and sighted too.

    Raises: ResultsError naming all settings in which they differ and must not, unless `force`.
    """
    sweep = headers[0].sweep if len({it.sweep for it in headers}) == 1 else None
    if len({it.model for it in headers}) == 1:
        but = (*but, "blind")
    wrong, noted = list[str](), list[str]()
    for setting in SETTINGS:
        values = [setting.value(it) for it in headers]
        if setting.name in but or len({it for it in values if it is not None}) < 2:
            continue
        listed = " against ".join("unknown" if it is None else str(it) for it in values)
        line = f"{setting.name}: {listed}"
        if not setting.must_agree:
            noted.append(f"note: {line}")
        elif sweep and setting.name not in _OF_EVERY_CELL:
            noted.append(f"varied: {line}")
        else:
            wrong.append(line)
    if wrong and not force:
        raise ResultsError(
            "these runs are not comparable:" + "".join(f"\n  - {line}" for line in wrong),
            fix="run them with the same settings, name other runs (a model's newest run on a suite "
            "is MODEL@SUITE), or compare the prompts they share with --force",
        )
    return [*(f"forced: {line}" for line in wrong), *noted]


def settings_of(header: RunHeader) -> list[tuple[Setting, object]]:
    """The settings of a run that are set, with their values."""
    values = [(it, it.value(header)) for it in SETTINGS]
    return [(it, value) for it, value in values if value not in _UNSET]


def unusual_settings(header: RunHeader) -> str:
    """What must agree, in a line, the suite and what is usual left out."""
    return ", ".join(
        f"{it.name} {one_line(str(value), 40)}"
        for it, value in settings_of(header)
        if it.must_agree and it.name != "suite" and (it.name, value) not in _USUAL
    )


def missing(score: Score) -> str:
    """Why a score is a range."""
    return f"{score.errors + score.cut} of {score.asked} have no answer ({score.missing})"


class Difference(Struct, frozen=True):
    """Second minus first on one category, or overall; shares are 0 to 1."""

    category: str
    prompts: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    """95 % interval of the difference."""
    first_only: int | None = None
    second_only: int | None = None
    """Prompts that only one of them passed; None for published figures and for repeats."""
    p: float | None = None
    p_holm: float | None = None
    """Corrected for all categories, or models, compared at once."""

    def outcome(self, p: float | None) -> Literal["better", "worse", "undecided"]:
        """By the exact test where there is one, else by whether the interval leaves zero out."""
        if p >= ALPHA if p is not None else self.low <= 0 <= self.high:
            return "undecided"
        return "better" if self.difference > 0 else "worse"


def difference(category: str, rates: Rates, unit: int) -> Difference:
    """Second minus first, with interval and exact p; times `unit` every rate is a whole number."""
    n, only = rates.total(), (rates[1, 0], rates[0, 1])
    one, two = (sum(it[at] * count for it, count in rates.items()) / n for at in (0, 1))
    interval = stats.newcombe_paired({(two, one): count for (one, two), count in rates.items()})
    if unit > 1:
        p = stats.randomisation([round((two - one) * unit) for one, two in rates.elements()])
        return Difference(category, n, one, two, two - one, *interval, p=p)
    return Difference(category, n, one, two, two - one, *interval, *only, p=stats.mcnemar(*only))


def unpaired(first: Score, second: Score) -> Difference:
    """Of published figures: nobody says which prompts each of them passed."""
    interval = stats.newcombe(second.passed, second.asked, first.passed, first.asked)
    one, two = first.passed / first.asked, second.passed / second.asked
    return Difference(first.category, first.asked, one, two, two - one, *interval)


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
    def suite(self) -> str:
        header = self.standings[0].score.header
        return f"{header.suite} {header.suite_version}"

    @property
    def settings(self) -> str:
        """What is unusual in them, in a line."""
        return unusual_settings(self.standings[0].score.header)


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


class _Entry(Struct, frozen=True):
    """One run, as far as ranking needs it: long runs are ranked without keeping their replies."""

    score: ModelScore
    rates: dict[str, float]
    """Prompt -> share of its repeats that passed; those that never passed are left out."""

    @property
    def share(self) -> float:
        return self.score.overall.share or 0.0


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
    groups = defaultdict[tuple[object, ...], dict[str, _Entry]](dict)
    unranked: dict[tuple[object, ...], Unranked] = {}
    for path in reversed(store.runs(results)):
        try:
            run = store.read(path)
            header = run.header
            if suite is not None and not store.is_of_suite(header, suite):
                continue
            if (settings or "").casefold() not in unusual_settings(header).casefold():
                continue
            # A hash does not prove that suites are as long.
            agree = [it.value(header) for it in SETTINGS if it.must_agree]
            group = header.suite_prompts, *agree
            if header.model in groups[group]:
                continue
            entry = _entry(run, include_cached=include_cached)
        except ResultsError as error:
            model, name = path.parent.name, f"{path.parent.name}/{path.stem}"
            command = f"evalrun show {name}"
            unranked[path,] = Unranked(model=model, run=name, reason=error.problem, command=command)
            continue
        if why := _why_not(entry.score):
            unranked.setdefault((header.model, group, header.subset), why)
        else:
            groups[group][header.model] = entry
    ranked = sorted((list(it.values()) for it in groups.values() if it), key=len, reverse=True)
    return Leaderboard(
        groups=tuple(Group(standings=_standings(it)) for it in ranked),
        unranked=tuple(unranked.values()),
    )


def _entry(run: Run, *, include_cached: bool) -> _Entry:
    tally, passed = Tally(run.header, include_cached=include_cached), Counter[str]()
    for record in run.records():
        tally.add(record)
        if record.state == "pass":
            passed[record.case.id] += 1
    return _Entry(tally.score(), {it: count / run.header.repeats for it, count in passed.items()})


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


_PRICES: dict[Frontier, str] = {"time": "latency_mean_s", "cost": "cost_per_task_usd"}


def _standings(entries: Sequence[_Entry]) -> tuple[Standing, ...]:
    """Best first, ranked by the same test that `compare` decides by."""
    ordered = sorted(entries, key=lambda it: (-it.share, it.score.model))
    worse = [{at for at, it in enumerate(ordered) if _surely_better(one, it)} for one in ordered]
    ranks, others = _ranks(worse), len(ordered) - 1
    points = {
        name: [(it.share, getattr(it.score.overall, price)) for it in ordered]
        for name, price in _PRICES.items()
    }
    return tuple(
        Standing(
            rank=ranks[at],
            tied=ranks.count(ranks[at]) > 1,
            better_than=len(worse[at]) / others if others else None,
            frontiers=tuple(it for it in points if on_frontier(points[it][at], points[it])),
            score=entry.score,
        )
        for at, entry in enumerate(ordered)
    )


def _ranks(worse: Sequence[set[int]]) -> list[int]:
    """One more than the number of those surely better; never above a better score's, and below
    everybody's who is surely better: what `compare` can tell apart is never a tie.

    >>> _ranks([{2, 3}, {3}, set(), set()])
    [1, 1, 2, 3]
    """
    ranks: list[int] = []
    for at in range(len(worse)):
        above = [rank for rank, surely in zip(ranks, worse, strict=False) if at in surely]
        ranks.append(max(1 + len(above), *(1 + it for it in above), *ranks[-1:], 1))
    return ranks


def _surely_better(first: _Entry, second: _Entry) -> bool:
    if first.share <= second.share:
        return False
    either = first.rates.keys() | second.rates.keys()
    rates = Rates((second.rates.get(it, 0.0), first.rates.get(it, 0.0)) for it in either)
    rates[0.0, 0.0] = first.score.header.prompts - len(either)
    unit = lcm(first.score.header.repeats, second.score.header.repeats)
    found = difference("overall", rates, unit)
    return found.outcome(found.p) == "better"


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
