"""Graders: (case, reply text) -> Verdict. No I/O, no clock, no randomness, no model.

`grade` is the one door. A reply is cleaned and taken apart (`extract`), a kind's finder finds the
values in it, and `decide` says which of them is the answer; then it is compared. To add a grader:
write its check, and a line in `GRADERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from harness.errors import SuiteError
from harness.graders import choices, notations, quantities, regions, structures, texts
from harness.graders.decide import Check, Misfit, no_answer, require
from harness.graders.extract import loops, stated, take_apart
from harness.graders.inference import infer as infer
from harness.records import Case, GradeContext, Reply, Verdict
from harness.text import one_line

GRADER_VERSION = "6"
"""Raised with every change of a verdict."""


class Grader(msgspec.Struct, frozen=True):
    """How one kind of answer is recognised."""

    check: Callable[[Case], Check]  # makes the check of one case; raises Misfit
    options: Mapping[str, type | tuple[type, ...]] = {}
    repeats: bool = False  # a right answer may hold one piece many times
    located: bool = False  # takes a GradeContext; the box that a point must lie in is no reply


_NUMBER, _FRAME = (int, float), {"format": str, "coordinates": str}
GRADERS = {
    "yes_no": Grader(choices.yes_no),
    "integer": Grader(quantities.number),
    "decimal": Grader(quantities.number, {"tolerance": _NUMBER, "unit": str}),
    "money": Grader(quantities.number, {"currency": str}),
    "choice": Grader(choices.choice, {"choices": list, "aliases": dict}),
    "text": Grader(texts.text, {"aliases": list}),
    "code": Grader(texts.code, {"case_sensitive": bool}),
    "position": Grader(notations.position),
    "list": Grader(structures.a_list, {"ordered": bool}),
    "date": Grader(notations.date),
    "time": Grader(notations.time),
    "dimensions": Grader(quantities.dimensions),
    "transcription": Grader(texts.transcription, {"max_cer": _NUMBER}, repeats=True),
    "grid": Grader(structures.grid, repeats=True),
    "json": Grader(structures.a_json, {"fields": (list, dict), "schema": dict}, repeats=True),
    "point": Grader(regions.region, {"distance": _NUMBER, **_FRAME}, located=True),
    "box": Grader(regions.region, {"iou": _NUMBER, **_FRAME}, located=True),
}


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
    try:
        check = _check(case)
    except Misfit as error:
        fix = "correct the case in its suite; `evalrun check` lists all problems"
        raise SuiteError(f"{case.id or 'the case'}: {error}", fix=fix) from error
    grader, reply = GRADERS[case.grader], take_apart(text)
    if case.expected in (text, reply.text) and not grader.located:
        return Verdict(passed=True, answer=reply.text, reason="says it word for word")
    if reply.loops and not grader.repeats:
        return no_answer("repeats itself without end")
    reply = stated(reply) if truncated else reply
    fault = "only reasoning, no answer" if reasoning and not text.strip() else reply.fault
    verdict = no_answer(fault) if fault else check(reply, context or GradeContext())
    if truncated and not verdict.passed and verdict.answer is None:
        return Verdict(passed=False, answer=None, reason="cut before it stated an answer", cut=True)
    return verdict


def grade_reply(case: Case, reply: Reply, *, context: GradeContext | None = None) -> Verdict:
    """`grade`, with what the endpoint says beside the text: a refusal, a filter, a limit."""
    if reply.refusal:
        return no_answer(f"the model refused: {one_line(reply.refusal, 200)}")
    if reply.filtered:
        return no_answer(f"stopped by the endpoint's content filter ({reply.finish_reason})")
    thought = bool(reply.reasoning)
    verdict = grade(case, reply.text, truncated=reply.truncated, reasoning=thought, context=context)
    # A thought may well be put twice, and more room then helps; not if it goes on for so long.
    if verdict.cut and loops(reply.reasoning or reply.text, length=3000, longest=600):
        return no_answer("repeats itself without end in its reasoning")
    return verdict


def problems(case: Case) -> list[str]:
    """What is wrong with a case's grader, options or expected answer; empty when nothing is."""
    try:
        _check(case)
    except Misfit as error:
        return [str(error)]
    return []


def _check(case: Case) -> Check:
    options = msgspec.json.encode(case.options) if case.options else b"{}"
    return _made(case.grader, case.expected, case.question, options)


@lru_cache(maxsize=4096)
def _made(name: str, expected: str | tuple[str, ...], question: str, options: bytes) -> Check:
    """The check of a case, kept for its next reply. Raises: Misfit."""
    grader, given = GRADERS.get(name), msgspec.json.decode(options)
    if grader is None:
        raise Misfit(f"grader {name!r} is not one of {', '.join(GRADERS)}")
    takes = ", ".join(grader.options) or "no options"
    for option, value in given.items():
        kind = grader.options.get(option)
        require(kind, f"option {option!r}: grader {name!r} takes {takes}")
        fits = kind and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        require(fits, f"option {option!r} has the wrong type: {value!r}")
    return grader.check(field_case(name, expected, given, question))


def field_case(grader: str, expected: Any, options: dict[str, Any], question: str = "") -> Case:
    """A case without a suite, e.g. of one field of a JSON answer."""
    if isinstance(expected, bool):
        expected = "yes" if expected else "no"
    many = isinstance(expected, list | tuple)
    expected = tuple(map(str, expected)) if many else str(expected)
    asked = {"question": question, "expected": expected, "grader": grader, "options": options}
    return Case(id="", category="", image="", **asked)
