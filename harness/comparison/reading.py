"""Runs read once: their scores, and what every prompt came to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from harness.comparison import comparable
from harness.records import ModelScore, Record, Reply, RunHeader
from harness.store import Run
from harness.summary import Tally

_LONGEST = 500


class Prompt(msgspec.Struct, gc=False):
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

    @property
    def expected(self) -> str:
        return self.right if isinstance(self.right, str) else "; ".join(self.right)

    def asks_as(self, other: Prompt) -> bool:
        """In the same words, about the same picture."""
        same = self.question == other.question and self.image == other.image
        return same and self.right == other.right


Words = dict[Any, Any]
"""Texts by themselves: what many prompts say is kept once, for memory is what long runs take."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One run, or several forms of the suite joined: scores, and prompts by id."""

    runs: tuple[Run, ...]
    score: ModelScore
    prompts: dict[str, Prompt]
    passed_over: tuple[str, ...] = ()
    """What is wrong with newer runs of the model that could not be read."""

    @property
    def run(self) -> Run:
        return self.runs[0]

    @property
    def repeats(self) -> int:
        return self.score.header.repeats


def measure(
    *runs: Run,
    include_cached: bool = False,
    only: Container[str] | None = None,
    words: Words | None = None,
) -> Measured:
    """Read runs to their end, or of them only some prompts. Runs that are compared share `words`.

    Raises: ResultsError, naming the line, when a file is damaged, or for joined runs of unlike
        settings.
    """
    header, records = _joined(runs)
    if only is not None:
        kept = [record for record in records if record.case.id in only]
        header, records = _narrowed(header, kept), kept
    once = ({} if words is None else words).setdefault
    tally, prompts = Tally(header, include_cached=include_cached), dict[str, Prompt]()
    for record in records:
        tally.add(record)
        case = record.case
        if (prompt := prompts.get(case.id)) is None:
            prompt = prompts[case.id] = Prompt(
                case.id,
                once(case.category, case.category),
                once(case.question, case.question),
                once(case.image, case.image),
                once(case.expected, case.expected),
            )
        _add(prompt, record)
    return Measured(runs=runs, score=tally.score(), prompts=prompts)


def _add(prompt: Prompt, record: Record) -> None:
    verdict, outcome = record.final, record.outcome
    if verdict is None or verdict.cut or not isinstance(outcome, Reply):
        return
    if prompt.answered == 0 or (prompt.answered == prompt.passed and not verdict.passed):
        prompt.text, prompt.answer = outcome.text[:_LONGEST], verdict.answer
    prompt.answered += 1
    prompt.passed += verdict.passed


def _joined(runs: Sequence[Run]) -> tuple[RunHeader, Iterable[Record]]:
    """The header and records of one run over all their suites; ids get `@2`, `@3` behind them."""
    headers = [run.header for run in runs]
    if len(runs) == 1:
        return headers[0], runs[0].records()
    comparable.insist(headers, but=("suite",))
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
    yield from runs[0].records()
    for number, run in enumerate(runs[1:], start=2):
        for record in run.records():
            case = replace(record.case, id=f"{record.case.id}@{number}")
            yield replace(record, case=case)


def _narrowed(header: RunHeader, records: Sequence[Record]) -> RunHeader:
    """The header of a run of nothing but these records."""
    counts = Counter({record.case.id: record.case.category for record in records}.values())
    kept = {category: counts[category] for category in header.categories if counts[category]}
    return replace(header, categories=kept)
