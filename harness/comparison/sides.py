"""What is compared: runs and published figures by the names they go by, and what they must share.

`A` is a run, a file, or a model: its newest complete run, else its published figures. `A@SUITE` is
the model's newest complete run of that suite, `A+B` joins runs over several forms of a suite.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness import stats, store
from harness.catalogue import Catalogue
from harness.errors import ExitCode, ResultsError
from harness.records import ModelCard, ModelScore, PublishedScore, Record, Reply, RunHeader, Score
from harness.records.settings import SETTINGS, Setting, cell_in_words, resume_command
from harness.store import Run
from harness.summary import Tally
from harness.text import one_line

_LONGEST = 500
_USUAL = frozenset([("temperature", 0.0), ("seed", 1)])
_UNSET = frozenset([None, "none", "no", "default", "auto", "free", "the model's own"])


class Prompt(Struct, gc=False):
    """What a run's repeats of one prompt came to; grows while the run is read."""

    id: str
    category: str
    question: str
    image: str
    right: str | tuple[str, ...]
    answered: int = 0
    """Repeats that passed or failed."""
    passed: int = 0
    text: str = ""
    answer: str | None = None

    def asks_as(self, other: Prompt) -> bool:
        """In the same words, about the same picture."""
        same = self.question == other.question and self.image == other.image
        return same and self.right == other.right


class Steadiness(Struct, frozen=True, kw_only=True):
    """What asking every prompt several times showed."""

    repeats: int
    pass_hat_k: float
    """The share of prompts expected to pass all `repeats` times."""
    flaky: tuple[str, ...]
    """Prompts that passed sometimes."""


class Side(Struct, frozen=True, kw_only=True):
    """One column of a comparison: a run, forms of the suite joined, or published figures."""

    label: str
    """The model's name; the run's id when two runs of one model are compared."""
    card: ModelCard | None
    overall: Score
    categories: tuple[Score, ...]
    published: PublishedScore | None = None
    score: ModelScore | None = None
    """Of the run; None when the figures were published, not measured here."""
    runs: tuple[Run, ...] = ()
    prompts: dict[str, Prompt] = {}
    passed_over: tuple[str, ...] = ()
    """What is wrong with newer runs of the model that could not be read."""

    @property
    def header(self) -> RunHeader | None:
        return self.score.header if self.score else None

    @property
    def measured(self) -> bool:
        return self.score is not None

    @property
    def repeats(self) -> int:
        return self.header.repeats if self.header else 1

    @property
    def steadiness(self) -> Steadiness | None:
        """None when every prompt was asked once."""
        repeats = self.repeats
        counts = {it.id: (it.passed, it.answered) for it in self.prompts.values() if it.answered}
        share = stats.pass_hat_k(list(counts.values()), repeats) if repeats > 1 else None
        if share is None:
            return None
        return Steadiness(repeats=repeats, pass_hat_k=share, flaky=stats.flaky(counts))


class IncompleteRun(ResultsError):
    """A run with errors, cuts or prompts not asked has a range, not a score."""

    exit_code = ExitCode.INCOMPLETE


class Names(Struct, frozen=True, kw_only=True):
    """What names mean in a results folder."""

    results: Path
    catalogue: Catalogue
    force: bool = False
    """Take incomplete runs too."""
    include_cached: bool = False
    texts: dict[Any, Any] = field(default_factory=dict)
    """Kept once for all runs that are read."""

    def resolve(self, name: str) -> Side:
        """Raises: IncompleteRun, or ResultsError with the nearest names."""
        if path := store.named(self.results, name):
            side = self.read(store.read(path))
            if side.overall.complete or self.force:
                return side
            raise _incomplete(side)
        card = self.catalogue.get(name)
        models = dict.fromkeys([name, card.name] if card else [name])
        paths = list(store.candidates(self.results, models))
        newest, damage = None, list[ResultsError]()
        for path in paths:
            try:
                side = self.read(store.read(path))
            except ResultsError as error:
                damage.append(error)
                continue
            newest = newest or side
            if side.overall.complete and counts(side):
                return replace(side, passed_over=tuple(it.problem for it in damage))
        if card is not None and card.published is not None and card.published.asked:
            return _published(card, card.published)
        if "+" in name and not paths:
            return self._joined(name)
        if newest is not None and self.force:
            return newest
        raise _does_not_count(newest) if newest else next(iter(damage), self._unknown(name, card))

    def read(self, *runs: Run, only: Container[str] | None = None) -> Side:
        """`measure`, with the model's card."""
        side = measure(*runs, include_cached=self.include_cached, only=only, texts=self.texts)
        return replace(side, card=self.catalogue.get(runs[0].header.model))

    def _joined(self, name: str) -> Side:
        sides = [self.resolve(part) for part in name.split("+")]
        if not all(side.measured for side in sides):
            raise ResultsError(
                f"{name} joins published figures, which name no prompts",
                fix="join runs made here: `evalrun runs` lists them",
            )
        return self.read(*(run for side in sides for run in side.runs))

    def _unknown(self, name: str, card: ModelCard | None) -> ResultsError:
        if card is None:
            return store.unknown(self.results, name, also=self.catalogue.nearest(name))
        return ResultsError(
            f"{card.name} has no run in {self.results} and no published figures",
            fix=f"measure it: `evalrun --model {card.name}`",
        )


def measure(
    *runs: Run,
    include_cached: bool = False,
    only: Container[str] | None = None,
    texts: dict[Any, Any] | None = None,
) -> Side:
    """Read a run, or several forms of the suite joined, to their end, or of them only some prompts.

    What many prompts say is kept once, in `texts`: memory is what long runs take.

    Raises: ResultsError, naming the line, when a file is damaged, or for joined runs of unlike
        settings.
    """
    header, records = _one_run(runs)
    if only is not None:
        kept = [record for record in records if record.case.id in only]
        header, records = _narrowed(header, kept), kept
    tally, prompts = Tally(header, include_cached=include_cached), dict[str, Prompt]()
    once = ({} if texts is None else texts).setdefault
    for record in records:
        tally.add(record)
        case = record.case
        if (prompt := prompts.get(case.id)) is None:
            shared = (case.category, case.question, case.image, case.expected)
            prompt = prompts[case.id] = Prompt(case.id, *(once(it, it) for it in shared))
        _add(prompt, record)
    return replace(of_score(tally.score()), runs=runs, prompts=prompts)


def of_score(score: ModelScore, card: ModelCard | None = None) -> Side:
    """A measured model as a column of tables and charts."""
    return Side(
        label=f"{score.model} (blind)" if score.header.blind else score.model,
        card=card,
        overall=score.overall,
        categories=score.categories,
        score=score,
    )


def labelled(sides: Sequence[Side]) -> list[Side]:
    """Under labels that differ."""
    found = list(sides)
    for longer in (_with_cell, _whole_name):
        labels = [side.label for side in found]
        found = [
            replace(side, label=longer(side)) if labels.count(side.label) > 1 else side
            for side in found
        ]
    return found


def _with_cell(side: Side) -> str:
    cell = {} if side.header is None else side.header.cell
    words = cell_in_words({name: it for name, it in cell.items() if name != "model"})
    return f"{side.label}, {words}" if words else side.label


def _whole_name(side: Side) -> str:
    return side.header.run if side.header else f"{side.label} (published)"


def missing(score: Score) -> str:
    """Why a score is a range."""
    return f"{score.errors + score.cut} of {score.asked} have no answer ({score.missing})"


def differences(
    headers: Sequence[RunHeader], *, must_agree: bool, but: Sequence[str] = ()
) -> list[str]:
    """A line for every setting in which a later run differs from the first; unknown is no answer.

    Settings that must agree forbid a comparison, others are merely shown. Suites that share name
    and version still differ when their hashes do.
    """
    found = []
    for setting in SETTINGS:
        values = [setting.value(header) for header in headers]
        differs = len({it for it in values if it is not None}) > 1
        if differs and setting.must_agree is must_agree and setting.name not in but:
            listed = " against ".join("unknown" if it is None else str(it) for it in values)
            found.append(f"{setting.name}: {listed}")
    return found


_OF_EVERY_CELL = ("suite", "grader version", "judge")


def cells_of_one_sweep(headers: Sequence[RunHeader]) -> bool:
    """Whether they were meant to differ."""
    return len(headers) > 1 and len({it.sweep for it in headers}) == 1 and bool(headers[0].sweep)


def insist_on_comparable(headers: Sequence[RunHeader], *, but: Sequence[str] = ()) -> None:
    """Raises: ResultsError naming every setting in which the runs differ and must not."""
    if len({it.model for it in headers}) == 1:
        but = (*but, "blind")
    if cells_of_one_sweep(headers):
        but = [it.name for it in SETTINGS if it.name not in _OF_EVERY_CELL]
    if found := differences(headers, must_agree=True, but=but):
        listed = "".join(f"\n  - {line}" for line in found)
        raise ResultsError(
            f"these runs are not comparable:{listed}",
            fix="run them with the same settings, name other runs (a model's newest run on a suite "
            "is MODEL@SUITE), or compare the prompts they share with --force",
        )


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


def group_of(header: RunHeader) -> tuple[object, ...]:
    """Equal for runs that may be ranked together; a hash does not prove that suites are as long."""
    return (header.suite_prompts, *(it.value(header) for it in SETTINGS if it.must_agree))


def _add(prompt: Prompt, record: Record) -> None:
    verdict, outcome = record.final, record.outcome
    if verdict is None or verdict.cut or not isinstance(outcome, Reply):
        return
    if prompt.answered == 0 or (prompt.answered == prompt.passed and not verdict.passed):
        prompt.text, prompt.answer = outcome.text[:_LONGEST], verdict.answer
    prompt.answered += 1
    prompt.passed += verdict.passed


def _one_run(runs: Sequence[Run]) -> tuple[RunHeader, Iterable[Record]]:
    """The header and records of one run over all their suites; ids get `@2`, `@3` behind them."""
    headers = [run.header for run in runs]
    if len(runs) == 1:
        return headers[0], runs[0].records()
    insist_on_comparable(headers, but=("suite",))
    categories = Counter[str]()
    for header in headers:
        categories.update(header.categories)
    hashes = " ".join(header.suite_sha256 for header in headers)
    joined = replace(
        headers[0],
        run=" + ".join(header.run for header in headers),
        suite=" + ".join(f"{header.suite} {header.suite_version}" for header in headers),
        suite_sha256=hashlib.sha256(hashes.encode()).hexdigest(),
        suite_prompts=sum(header.suite_prompts for header in headers),
        categories=dict(categories),
    )
    return joined, _numbered(runs)


def _numbered(runs: Sequence[Run]) -> Iterator[Record]:
    for number, run in enumerate(runs, start=1):
        for record in run.records():
            id_ = record.case.id if number == 1 else f"{record.case.id}@{number}"
            yield replace(record, case=replace(record.case, id=id_))


def _narrowed(header: RunHeader, records: Sequence[Record]) -> RunHeader:
    """The header of a run of nothing but these records."""
    counts = Counter({record.case.id: record.case.category for record in records}.values())
    kept = {category: counts[category] for category in header.categories if counts[category]}
    return replace(header, categories=kept)


def _published(card: ModelCard, published: PublishedScore) -> Side:
    overall = replace(
        _score("overall", published.passed, published.asked),
        latency_mean_s=published.latency_mean_s,
        cost_per_task_usd=published.cost_per_task_usd,
    )
    categories = tuple(_score(name, *counts) for name, counts in published.categories.items())
    return Side(
        label=card.name, card=card, overall=overall, categories=categories, published=published
    )


def _score(category: str, passed: int, asked: int) -> Score:
    low, high = stats.wilson_interval(passed, asked)
    return Score(category=category, passed=passed, asked=asked, errors=0, low=low, high=high)


def _incomplete(side: Side) -> IncompleteRun:
    overall, header = side.overall, side.runs[0].header
    return IncompleteRun(
        f"{header.run} is incomplete: {missing(overall)}, so "
        f"its score is between {100 * overall.low:.1f} % and {100 * overall.high:.1f} %",
        fix=f"finish it with `{resume_command(header)}`, "
        "or compare the prompts that were answered with --force",
    )


def counts(side: Side) -> bool:
    """A subset or a blind run counts only where it is named."""
    return side.header is not None and not (side.header.subset or side.header.blind)


def _does_not_count(side: Side) -> ResultsError:
    header = side.runs[0].header
    if not side.overall.complete:
        return _incomplete(side)
    what = "a blind run" if header.blind else f"a run of {header.prompts} prompts"
    return ResultsError(
        f"{header.model} has no complete run of the whole suite, only {what}",
        fix=f"run it whole, or name that run: {header.run}",
    )
