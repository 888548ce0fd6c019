"""What a grader is: a name, its options, and a way to make a check of one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from harness.graders.reading import About, Reading, Said
from harness.records import Verdict

Check = Callable[[Said], Verdict]
"""Grades one reply to the case it was made for."""
Options = Mapping[str, Any]


class Misfit(ValueError):
    """The expected answer, or an option, is not one that the grader can work with."""


class Task(Struct, frozen=True, kw_only=True):
    """What a grader works from."""

    expected: str | tuple[str, ...]
    options: Options
    about: About
    """The question, read."""


class Grader(Struct, frozen=True, kw_only=True):
    """How one kind of answer is recognised."""

    name: str
    check: Callable[[Task], Check]
    """Raises Misfit."""
    options: Mapping[str, type | tuple[type, ...]] = {}
    literal: bool = True
    """The expected answer itself is a right reply; not so for a box in which a point must lie."""


def one(expected: str | tuple[str, ...], kind: str) -> str:
    """The expected answer of a grader that takes a single one."""
    if not isinstance(expected, str):
        raise Misfit(f"{kind} needs one expected answer, not a list")
    if not expected.strip():
        raise Misfit("the expected answer is empty")
    return expected.strip()


def unread(reading: Reading) -> Verdict:
    """A fail without an answer, for the reason that `reading` gives."""
    return Verdict(passed=False, answer=None, reason=reading.fault or "no answer in the reply")


def judged(passed: bool, reading: Reading, expected: str) -> Verdict:
    reason = f"says {expected}" if passed else f"expected {expected}"
    return Verdict(passed=passed, answer=reading.said, reason=reason)
