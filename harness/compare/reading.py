"""A run read once: its scores, and what every prompt came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from harness.records import Case, ModelScore, Record, Reply, RunHeader
from harness.store import Run
from harness.summary import Tally

_LONGEST = 500


class Prompt(msgspec.Struct, gc=False):
    """What a run's repeats of one prompt came to; grows while the run is read."""

    case: Case
    heard: int = 0
    passed: int = 0
    text: str = ""
    answer: str | None = None

    @property
    def expected(self) -> str:
        expected = self.case.expected
        return expected if isinstance(expected, str) else "; ".join(expected)


_NONE_KNOWN: Mapping[str, Prompt] = MappingProxyType({})


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
    include_warm: bool = False,
    only: Container[str] | None = None,
    known: Mapping[str, Prompt] = _NONE_KNOWN,
) -> Measured:
    """Read the run to its end, or of it only some prompts.

    A prompt that `known` has in the same words shares its case: that is how it is recognised.

    Raises: ResultsError, naming the line, when the file is damaged.
    """
    records: Iterable[Record] = run.records()
    header = run.header
    if only is not None:
        records = [record for record in records if record.case.id in only]
        header = _narrowed(header, records)
    tally, prompts = Tally(header, include_warm=include_warm), dict[str, Prompt]()
    for record in records:
        tally.add(record)
        id_ = record.case.id
        if (prompt := prompts.get(id_)) is None:
            prompt = prompts[id_] = Prompt(_recognised(record.case, known.get(id_)))
        _add(prompt, record)
    return Measured(run=run, score=tally.score(), prompts=prompts)


def _recognised(case: Case, known: Prompt | None) -> Case:
    if known is None:
        return case
    same = known.case
    alike = case.question == same.question and case.image == same.image
    return same if alike and case.expected == same.expected else case


def _add(prompt: Prompt, record: Record) -> None:
    verdict, outcome = record.final, record.outcome
    if verdict is None or not isinstance(outcome, Reply):
        return
    first_failure = not verdict.passed and prompt.heard == prompt.passed
    if prompt.heard == 0 or first_failure:
        prompt.text, prompt.answer = outcome.text[:_LONGEST], verdict.answer
    prompt.heard += 1
    prompt.passed += verdict.passed


def _narrowed(header: RunHeader, records: Sequence[Record]) -> RunHeader:
    """The header of a run of nothing but these records."""
    counts = Counter({record.case.id: record.case.category for record in records}.values())
    kept = {category: counts[category] for category in header.categories if counts[category]}
    return msgspec.structs.replace(header, categories=kept)
