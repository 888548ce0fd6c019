"""A run read once: its scores, and what every prompt came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Any

import msgspec

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
"""Texts by themselves: what many prompts say is kept once. Long runs wait for memory most."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One run: where it lies, its scores, its prompts by id."""

    run: Run
    score: ModelScore
    prompts: dict[str, Prompt]
    passed_over: tuple[str, ...] = ()
    """What is wrong with newer runs of the model that could not be read."""

    @property
    def repeats(self) -> int:
        return self.score.header.repeats


def measure(
    run: Run,
    *,
    include_cached: bool = False,
    only: Container[str] | None = None,
    words: Words | None = None,
) -> Measured:
    """Read the run to its end, or of it only some prompts. Runs that are compared share `words`.

    Raises: ResultsError, naming the line, when the file is damaged.
    """
    records: Iterable[Record] = run.records()
    header = run.header
    if only is not None:
        records = [record for record in records if record.case.id in only]
        header = _narrowed(header, records)
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
    return Measured(run=run, score=tally.score(), prompts=prompts)


def _add(prompt: Prompt, record: Record) -> None:
    verdict, outcome = record.final, record.outcome
    if verdict is None or not isinstance(outcome, Reply):
        return
    if prompt.answered == 0 or (prompt.answered == prompt.passed and not verdict.passed):
        prompt.text, prompt.answer = outcome.text[:_LONGEST], verdict.answer
    prompt.answered += 1
    prompt.passed += verdict.passed


def _narrowed(header: RunHeader, records: Sequence[Record]) -> RunHeader:
    """The header of a run of nothing but these records."""
    counts = Counter({record.case.id: record.case.category for record in records}.values())
    kept = {category: counts[category] for category in header.categories if counts[category]}
    return msgspec.structs.replace(header, categories=kept)
