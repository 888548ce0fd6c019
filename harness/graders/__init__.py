"""Graders: (case, reply text) -> Verdict. No I/O, no clock, no randomness, no model.

`grade` is the one door. A reply is cleaned (`clean`), taken apart (`extract`), a kind's finder
finds the values in it, and `decide` says which of them is the answer; then it is compared. To add
a grader: write its check, and a line in `GRADERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from harness.errors import SuiteError
from harness.graders import calendar, choices, measures, places, regions, structures, texts, yes_no
from harness.graders.extract import plainly_stated, take_apart
from harness.graders.inference import infer as infer
from harness.graders.kinds import Check, Grader, Misfit, Task
from harness.graders.question import about
from harness.records import Case, GradeContext, Reply, Verdict
from harness.text import one_line

GRADER_VERSION = "2"
"""Raised with every change of a verdict."""

GRADERS: Mapping[str, Grader] = MappingProxyType(
    {
        grader.name: grader
        for grader in (
            yes_no.YES_NO,
            measures.INTEGER,
            measures.DECIMAL,
            measures.MONEY,
            choices.CHOICE,
            texts.TEXT,
            texts.CODE,
            places.POSITION,
            structures.LIST,
            calendar.DATE,
            calendar.TIME,
            places.DIMENSIONS,
            texts.TRANSCRIPTION,
            structures.GRID,
            structures.JSON,
            regions.POINT,
            regions.BOX,
        )
    }
)

_KEPT_CHECKS = 4096
_checks: dict[tuple[object, ...], Check] = {}


def grade(
    case: Case,
    text: str,
    *,
    truncated: bool = False,
    reasoning: bool = False,
    context: GradeContext | None = None,
) -> Verdict:
    """Whether a reply answers the case rightly, what was read out of it, and why.

    `truncated`: the reply hit the token limit; `reasoning`: the server kept thinking text apart;
    `context`: the picture's sizes and the convention of coordinates, for points and boxes.
    Raises: SuiteError when the case does not fit its grader (`problems` says so beforehand).
    """
    check = _check_of(case)
    grader = GRADERS[case.grader]
    if grader.sees_context:
        check = partial(check, context=context)
    if text == case.expected and grader.literal:
        return Verdict(passed=True, answer=text, reason="says it word for word")
    reply = take_apart(text)
    if reply.loops and not grader.repeats:
        return Verdict(passed=False, answer=None, reason="repeats itself without end")
    if reply.fault == "empty reply" and reasoning:
        reply = msgspec.structs.replace(reply, fault="only reasoning, no answer")
    if not truncated:
        return check(reply)
    verdict = check(plainly_stated(reply))
    if verdict.passed or verdict.answer is not None:
        return verdict
    return Verdict(passed=False, answer=None, reason="cut before it stated an answer", cut=True)


def grade_reply(case: Case, reply: Reply, *, context: GradeContext | None = None) -> Verdict:
    """`grade`, with what the endpoint says beside the text: a refusal, a filter, a limit."""
    if reply.refusal:
        words = one_line(reply.refusal, 200)
        return Verdict(passed=False, answer=None, reason=f"the model refused: {words}")
    if reply.filtered:
        reason = f"stopped by the endpoint's content filter ({reply.finish_reason})"
        return Verdict(passed=False, answer=None, reason=reason)
    thought = bool(reply.reasoning)
    verdict = grade(case, reply.text, truncated=reply.truncated, reasoning=thought, context=context)
    if verdict.cut and _thinks_in_circles(reply.reasoning or reply.text):
        reason = "repeats itself without end in its reasoning"
        return Verdict(passed=False, answer=None, reason=reason)
    return verdict


_CIRCLES, _LONGEST_CIRCLE = 3000, 600
"""Characters; a thought may well be put twice, and more room then helps."""


def _thinks_in_circles(text: str) -> bool:
    """Whether a text ends in one piece, over and over, for long: more room would not end it."""
    tail = text.rstrip()[-_CIRCLES:]
    before = tail.rfind(tail[-60:], 0, -1)
    period = len(tail) - 60 - before
    return (
        len(tail) == _CIRCLES and 0 < period <= _LONGEST_CIRCLE and tail[period:] == tail[:-period]
    )


def problems(case: Case) -> list[str]:
    """What is wrong with a case's grader, options or expected answer; empty when it can be graded.

    >>> case = Case(id="a", category="", question="", image="", expected="four", grader="date")
    >>> problems(case)
    ["'four' is not one date"]
    """
    grader = GRADERS.get(case.grader)
    if grader is None:
        return [f"grader {case.grader!r} is not one of {', '.join(GRADERS)}"]
    found = [_option_problem(grader, name, value) for name, value in case.options.items()]
    wrong = [problem for problem in found if problem]
    if wrong:
        return wrong
    try:
        grader.check(_task(case))
    except Misfit as error:
        return [str(error)]
    return []


def try_out(
    name: str, expected: str | tuple[str, ...], reply: str, question: str = "", **options: Any
) -> Verdict:
    """Grade without a suite: for doctests and the prompt.

    >>> try_out("integer", "4", "four").reason
    'says 4'
    """
    return grade(field_case(name, expected, options, question), reply)


def field_case(grader: str, expected: Any, options: dict[str, Any], question: str = "") -> Case:
    """A case without a suite, e.g. of one field of a JSON answer."""
    if isinstance(expected, bool):
        expected = "yes" if expected else "no"
    many = isinstance(expected, list | tuple)
    return Case(
        id="",
        category="",
        question=question,
        image="",
        expected=tuple(map(str, expected)) if many else str(expected),
        grader=grader,
        options=options,
    )


def forget() -> None:
    """Drop the checks that are kept; the bench does after it switched a pattern."""
    _checks.clear()
    take_apart.cache_clear()
    about.cache_clear()


def _option_problem(grader: Grader, name: str, value: object) -> str | None:
    kind = grader.options.get(name)
    if kind is None:
        known = ", ".join(grader.options) or "no options"
        return f"option {name!r}: grader {grader.name!r} takes {known}"
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return f"option {name!r} has the wrong type: {value!r}"
    return None


def _task(case: Case) -> Task:
    return Task(expected=case.expected, options=case.options, question=about(case.question))


def _check_of(case: Case) -> Check:
    options = msgspec.json.encode(case.options) if case.options else b""
    key = (case.grader, case.question, case.expected, options)
    check = _checks.get(key)
    if check is None:
        if wrong := problems(case):
            raise SuiteError(
                f"{case.id or 'the case'}: {wrong[0]}",
                fix="correct the case in its suite; `evalrun check` lists all problems",
            )
        check = GRADERS[case.grader].check(_task(case))
        if len(_checks) >= _KEPT_CHECKS:
            _checks.clear()
        _checks[key] = check
    return check
