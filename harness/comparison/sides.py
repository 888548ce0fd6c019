"""What is compared: runs and published figures by the names they go by.

`A` is a run, a file, or a model: its newest complete run, else its published figures. `A@SUITE` is
the model's newest complete run of that suite. `A+A@2` joins a model's runs over two forms of a
suite: a part that names no suite is the newest run of one that no other part names.
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
from harness.comparison.ranking import check_comparable, missing
from harness.errors import ExitCode, ResultsError
from harness.records import ModelCard, ModelScore, PublishedScore, Record, Reply, RunHeader, Score
from harness.records.settings import cell_in_words, resume_command
from harness.store import Run
from harness.summary import Tally

_LONGEST = 500


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
    """The reply, cut after 500 characters; of several repeats the first that failed."""
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
    def name(self) -> str:
        """The run's id, where it is one."""
        return self.header.run if self.header else f"{self.label} (published)"

    @property
    def measured(self) -> bool:
        return self.score is not None

    @property
    def repeats(self) -> int:
        return self.header.repeats if self.header else 1

    @property
    def steadiness(self) -> Steadiness | None:
        """None when every prompt was asked once."""
        asked = [it for it in self.prompts.values() if it.answered]
        share = stats.pass_hat_k([(it.passed, it.answered) for it in asked], self.repeats)
        if share is None or self.repeats == 1:
            return None
        flaky = tuple(it.id for it in asked if 0 < it.passed < it.answered)
        return Steadiness(repeats=self.repeats, pass_hat_k=share, flaky=flaky)


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
    """Kept once for all runs that are read: memory is what long runs take."""

    def resolve(self, name: str, *, but: Container[str] = ()) -> Side:
        """No model's run of the suites `but`. Raises: IncompleteRun, or ResultsError with the
        nearest names.
        """
        if path := store.named(self.results, name):
            side = self.read(store.read(path))
            if side.overall.complete or self.force:
                return side
            raise _does_not_count(side)
        card = self.catalogue.get(name)
        models = dict.fromkeys([name, card.name] if card else [name])
        newest, damage = None, list[ResultsError]()
        for path in store.candidates(self.results, models):
            try:
                run = store.read(path)
                if run.header.suite_sha256 in but:
                    continue
                side = self.read(run)
            except ResultsError as error:
                damage.append(error)
                continue
            newest = newest or side
            if side.overall.complete and not (run.header.subset or run.header.blind):
                return replace(side, passed_over=tuple(it.problem for it in damage))
        if card is not None and (figures := published(card)):
            return figures
        if newest is not None:
            if self.force:
                return newest
            raise _does_not_count(newest)
        if damage:
            raise damage[0]
        if "+" in name:
            return self._joined(name)
        raise self._unknown(name, card, of_other_form=bool(but))

    def read(self, *runs: Run, only: Container[str] | None = None) -> Side:
        """`measure`, with the model's card."""
        side = measure(*runs, include_cached=self.include_cached, only=only, texts=self.texts)
        return replace(side, card=self.catalogue.get(runs[0].header.model))

    def _joined(self, name: str) -> Side:
        parts, found, suites = name.split("+"), dict[int, Run](), set[str]()
        for at, part in sorted(enumerate(parts), key=lambda it: "@" not in it[1]):
            side = self.resolve(part, but=suites)
            if not side.runs or side.runs[0].header.suite_sha256 in suites:
                raise ResultsError(
                    f"{part} in {name} is no run of another form of the suite",
                    fix="join runs of several suites: `evalrun runs` lists them",
                )
            found[at] = side.runs[0]
            suites.add(found[at].header.suite_sha256)
        return self.read(*(found[at] for at in range(len(parts))))

    def _unknown(self, name: str, card: ModelCard | None, *, of_other_form: bool) -> ResultsError:
        if of_other_form:
            return ResultsError(
                f"{name} has no run of another form of the suite",
                fix=f"ask it that form too: `evalrun --model {name} --suite FOLDER`",
            )
        if card is None:
            return store.unknown(self.results, name, also=self.catalogue.nearest(name))
        return ResultsError(
            f"{card.name} has no run in {self.results} and no published figures",
            fix=f"measure it: `evalrun --model {card.name}`",
        )


def _does_not_count(side: Side) -> ResultsError:
    """Incomplete, or where only its model is named a subset or a blind run."""
    overall, header = side.overall, side.runs[0].header
    if not overall.complete:
        return IncompleteRun(
            f"{header.run} is incomplete: {missing(overall)}, so "
            f"its score is between {100 * overall.low:.1f} % and {100 * overall.high:.1f} %",
            fix=f"finish it with `{resume_command(header)}`, "
            "or compare the prompts that were answered with --force",
        )
    what = "a blind run" if header.blind else f"a run of {header.prompts} prompts"
    return ResultsError(
        f"{header.model} has no complete run of the whole suite, only {what}",
        fix=f"run it whole, or name that run: {header.run}",
    )


def measure(
    *runs: Run,
    include_cached: bool = False,
    only: Container[str] | None = None,
    texts: dict[Any, Any] | None = None,
) -> Side:
    """Read a run, or several forms of the suite joined, to their end, or of them only some prompts.

    Raises: ResultsError, naming the line, when a file is damaged, or for joined runs of unlike
        settings.
    """
    header = runs[0].header
    records: Iterable[Record] = runs[0].records()
    if len(runs) > 1:
        header, records = _joined_header([run.header for run in runs]), _numbered(runs)
    if only is not None:
        records = [record for record in records if record.case.id in only]
        counts = Counter({record.case.id: record.case.category for record in records}.values())
        kept = {category: counts[category] for category in header.categories if counts[category]}
        header = replace(header, categories=kept)
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


def _add(prompt: Prompt, record: Record) -> None:
    verdict, reply = record.final, record.outcome
    if verdict is None or verdict.cut or not isinstance(reply, Reply):
        return
    if prompt.answered == 0 or (prompt.answered == prompt.passed and not verdict.passed):
        prompt.text, prompt.answer = reply.text[:_LONGEST], verdict.answer
    prompt.answered += 1
    prompt.passed += verdict.passed


def _joined_header(headers: Sequence[RunHeader]) -> RunHeader:
    check_comparable(headers, but=("suite",))
    hashes = " ".join(header.suite_sha256 for header in headers)
    categories = Counter[str]()
    for header in headers:
        categories.update(header.categories)
    return replace(
        headers[0],
        run=" + ".join(header.run for header in headers),
        suite=" + ".join(f"{header.suite} {header.suite_version}" for header in headers),
        suite_sha256=hashlib.sha256(hashes.encode()).hexdigest(),
        suite_prompts=sum(header.suite_prompts for header in headers),
        categories=dict(categories),
    )


def _numbered(runs: Sequence[Run]) -> Iterator[Record]:
    """Ids of the second form and later ones get `@2`, `@3` behind them."""
    for number, run in enumerate(runs, start=1):
        for record in run.records():
            id_ = record.case.id if number == 1 else f"{record.case.id}@{number}"
            yield replace(record, case=replace(record.case, id=id_))


def of_score(score: ModelScore, card: ModelCard | None = None) -> Side:
    """A measured model as a column of tables and charts."""
    return Side(
        label=f"{score.model} (blind)" if score.header.blind else score.model,
        card=card,
        overall=score.overall,
        categories=score.categories,
        score=score,
    )


def published(card: ModelCard) -> Side | None:
    """A model's published figures; None where there are none."""
    found = card.published
    if found is None or not found.asked:
        return None
    counts = {"overall": (found.passed, found.asked), **found.categories}
    overall, *categories = [
        Score(category=name, passed=passed, asked=asked, errors=0, low=it.low, high=it.high)
        for name, (passed, asked) in counts.items()
        if (it := stats.wilson_interval(passed, asked))
    ]
    measured = {
        "latency_mean_s": found.latency_mean_s,
        "cost_per_task_usd": found.cost_per_task_usd,
    }
    return Side(
        label=card.name,
        card=card,
        overall=replace(overall, **measured),
        categories=tuple(categories),
        published=found,
    )


def labelled(sides: Iterable[Side]) -> list[Side]:
    """Under labels that differ: the model, else with the cell of its sweep, else the run's id."""
    found = list(sides)
    for longer in (_with_cell, lambda side: side.name):
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
