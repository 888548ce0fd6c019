"""Answers that were recorded anywhere: a question, the right answer, what was said."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from harness.graders import grade, infer, problems
from harness.records import Case, Verdict

T = TypeVar("T")


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an answers file; other fields are ignored."""

    question: str
    reference: str | int | float | bool | tuple[str, ...]
    response: str | None
    id: str | int | None = None
    grader: str | None = None
    """None: inferred from question and reference."""
    options: dict[str, Any] = {}
    truncated: bool = False


class Labelled(Recorded, frozen=True, kw_only=True):
    """An answer that a careful reader judged."""

    label: Literal["pass", "fail", "ambiguous"]
    models: int = 1
    """How many models gave this very answer."""


class Graded(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded answer's case and verdict."""

    case: Case
    verdict: Verdict


class Unreadable(ValueError):
    """A line that cannot be graded, and why."""


_RECORDED = msgspec.json.Decoder(Recorded)
_LABELLED = msgspec.json.Decoder(Labelled)


def recorded(line: bytes) -> Recorded:
    """Raises: Unreadable."""
    return _decoded(_RECORDED, line)


def labelled(line: bytes) -> Labelled:
    """Raises: Unreadable."""
    return _decoded(_LABELLED, line)


def _decoded(decoder: msgspec.json.Decoder[T], line: bytes) -> T:
    try:
        return decoder.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def graded(answer: Recorded) -> Graded:
    """Grade one recorded answer. Raises: Unreadable when its grader cannot work with it.

    >>> graded(Recorded(question="How many?", reference=4, response="Four.")).verdict.passed
    True
    """
    expected = _as_text(answer.reference)
    grader, options = (answer.grader, answer.options)
    if grader is None:
        grader, options = infer(answer.question, expected)
        options = options | answer.options
    case = Case(
        id=str(answer.id or ""),
        category="",
        question=answer.question,
        image="",
        expected=expected,
        grader=grader,
        options=options,
    )
    if wrong := problems(case):
        raise Unreadable(wrong[0])
    return Graded(case=case, verdict=grade(case, answer.response or "", truncated=answer.truncated))


def _as_text(reference: str | float | tuple[str, ...]) -> str | tuple[str, ...]:
    """
    >>> _as_text(4.0), _as_text(True), _as_text("07")
    ('4', 'yes', '07')
    """
    if isinstance(reference, bool):
        return "yes" if reference else "no"
    if isinstance(reference, float):
        return f"{reference:.12g}"
    return str(reference) if isinstance(reference, int) else reference
