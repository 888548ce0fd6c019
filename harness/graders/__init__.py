"""Graders: (case, reply text) -> Verdict. No I/O, no clock, no randomness, no model.

`grade` is the one door. To add a grader: write its file, and a line in `GRADERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from harness.errors import SuiteError
from harness.graders.choices import CHOICE
from harness.graders.clock import TIME
from harness.graders.codes import CODE
from harness.graders.dates import DATE
from harness.graders.dimensions import DIMENSIONS
from harness.graders.inference import infer
from harness.graders.kinds import Check, Grader, Misfit, Task
from harness.graders.lists import LIST
from harness.graders.localization import BOX, POINT
from harness.graders.measures import DECIMAL, INTEGER
from harness.graders.money import MONEY
from harness.graders.positions import POSITION
from harness.graders.reading import about, take_apart
from harness.graders.structures import GRID, JSON
from harness.graders.texts import TEXT
from harness.graders.transcriptions import TRANSCRIPTION
from harness.graders.yes_no import YES_NO
from harness.records import Case, Verdict

__all__ = ["GRADERS", "GRADER_VERSION", "grade", "infer", "problems", "try_out"]

GRADER_VERSION = "1"
"""Raised with every change of a verdict; a test on a kept corpus sees to it."""

GRADERS: Mapping[str, Grader] = MappingProxyType(
    {
        grader.name: grader
        for grader in (
            YES_NO,
            INTEGER,
            DECIMAL,
            MONEY,
            CHOICE,
            TEXT,
            CODE,
            POSITION,
            LIST,
            DATE,
            TIME,
            DIMENSIONS,
            TRANSCRIPTION,
            GRID,
            JSON,
            POINT,
            BOX,
        )
    }
)

_KEPT_CHECKS = 4096
_checks: dict[tuple[object, ...], Check] = {}


def grade(case: Case, text: str, *, truncated: bool = False) -> Verdict:
    """Whether a reply answers the case rightly, what was read out of it, and why.

    Raises: SuiteError when the case does not fit its grader (`problems` says so beforehand).
    """
    check = _check_of(case)
    if text == case.expected and GRADERS[case.grader].literal:
        return Verdict(passed=True, answer=text, reason="says it word for word")
    verdict = check(take_apart(text, truncated=truncated))
    if truncated and not verdict.passed and verdict.answer is None:
        return msgspec.structs.replace(verdict, reason=f"{verdict.reason} (the reply was cut)")
    return verdict


def problems(case: Case) -> list[str]:
    """What is wrong with a case's grader, options or expected answer; empty when it can be graded.

    >>> case = Case(id="a", category="", question="", image="", expected="four", grader="integer")
    >>> problems(case)
    ["'four' is not a whole number"]
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

    >>> try_out("integer", "4", "four")
    Verdict(passed=True, answer='four', reason='says 4')
    """
    case = Case(
        id="",
        category="",
        question=question,
        image="",
        expected=expected,
        grader=name,
        options=options,
    )
    return grade(case, reply)


def _option_problem(grader: Grader, name: str, value: object) -> str | None:
    kind = grader.options.get(name)
    if kind is None:
        known = ", ".join(grader.options) or "no options"
        return f"option {name!r}: grader {grader.name!r} takes {known}"
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return f"option {name!r} has the wrong type: {value!r}"
    return None


def _task(case: Case) -> Task:
    return Task(expected=case.expected, options=case.options, about=about(case.question))


def _check_of(case: Case) -> Check:
    options = msgspec.json.encode(case.options) if case.options else b""
    key = (case.grader, case.question, case.expected, options)
    check = _checks.get(key)
    if check is None:
        check = _new_check(case)
        if len(_checks) >= _KEPT_CHECKS:
            _checks.clear()
        _checks[key] = check
    return check


def _new_check(case: Case) -> Check:
    if wrong := problems(case):
        raise SuiteError(
            f"{case.id or 'the case'}: {wrong[0]}",
            fix="correct the case in its suite; `evalrun check` lists all problems",
        )
    return GRADERS[case.grader].check(_task(case))
