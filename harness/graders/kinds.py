"""What a grader is: a name, its options, and a way to make a check of one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from harness.graders.decide import Finder, Settle, decide
from harness.graders.extract import Reply
from harness.graders.question import Question
from harness.records import Verdict

Check = Callable[..., Verdict]
"""Grades one reply to the case it was made for; a point or a box also takes a GradeContext."""


class Misfit(ValueError):
    """The expected answer, or an option, is not one that the grader can work with."""


class Task(Struct, frozen=True, kw_only=True):
    """What a grader works from."""

    expected: str | tuple[str, ...]
    options: Mapping[str, Any]
    question: Question

    def one(self, kind: str) -> str:
        """The expected answer of a grader that takes a single one. Raises: Misfit."""
        if not isinstance(self.expected, str):
            raise Misfit(f"{kind} needs one expected answer, not a list")
        if not self.expected.strip():
            raise Misfit("the expected answer is empty")
        return self.expected.strip()


class Grader(Struct, frozen=True, kw_only=True):
    """How one kind of answer is recognised."""

    name: str
    check: Callable[[Task], Check]
    """Raises Misfit."""
    options: Mapping[str, type | tuple[type, ...]] = {}
    literal: bool = True
    """The expected answer itself is a right reply; not so for a box in which a point must lie."""
    repeats: bool = False
    """A right answer may hold one piece many times: a grid, a transcription."""
    sees_context: bool = False
    """Its checks take a GradeContext."""


def failed(why: str | None, answer: str | None = None) -> Verdict:
    return Verdict(passed=False, answer=answer, reason=why or "no answer in the reply")


def checking(
    find: Finder,
    fits: Callable[[Any], bool],
    expected: str,
    settle: Settle | None = None,
    differs: Callable[[Any], str] | None = None,
    question: Question | None = None,
    nearness: Callable[[Any], dict[str, float]] | None = None,
) -> Check:
    """A check that reads one value and compares it. `differs` words the reason of a fail,
    `nearness` measures how far off the value is."""

    def check(reply: Reply) -> Verdict:
        reading = decide(reply, find, settle, question.stems if question else frozenset())
        if reading.value is None:
            return failed(reading.fault)
        passed = fits(reading.value)
        reason = f"says {expected}" if passed else f"expected {expected}"
        if not passed and differs is not None:
            reason = differs(reading.value)
        measures = nearness(reading.value) if nearness is not None else {}
        return Verdict(passed=passed, answer=reading.said, reason=reason, measures=measures)

    return check
