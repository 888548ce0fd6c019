"""What a case's right answer sounds like, and among which answers its question lets choose."""

from __future__ import annotations

import re

from harness.graders.question import lettered
from harness.records import Case

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def answer_of(case: Case) -> str:
    """The expected answer as one would say it; for a point, the middle of the box it must hit."""
    if not isinstance(case.expected, str):
        return ", ".join(case.expected)
    if case.grader != "point":
        return case.expected
    left, top, right, bottom = (float(number) for number in _NUMBER.findall(case.expected))
    if case.options.get("format") == "xywh":
        right, bottom = left + right, top + bottom
    return f"{(left + right) / 2:g}, {(top + bottom) / 2:g}"


def options_named(case: Case) -> list[str]:
    """The answers among which the question lets choose, in the order in which it names them.

    >>> def case(question, grader, **options):
    ...     return Case(id="", category="", question=question, image="", expected="no",
    ...                 grader=grader, options=options)
    >>> options_named(case("Is it open? Answer no or yes.", "yes_no"))
    ['no', 'yes']
    >>> options_named(case("Is it above or below the belt?", "choice", choices=["below", "above"]))
    ['above', 'below']
    >>> options_named(case("How many?", "integer"))
    []
    """
    if case.grader == "yes_no":
        return _in_order(["yes", "no"], case.question)
    if case.grader != "choice":
        return []
    choices = [str(choice) for choice in case.options.get("choices", ())]
    return _in_order(choices, case.question) if choices else list(lettered(case.question))


def _in_order(options: list[str], question: str) -> list[str]:
    """Sorted by where the question names them last; those it does not name keep the end."""
    asked = question.casefold()
    return sorted(options, key=lambda option: asked.rfind(option.casefold()) % (len(asked) + 1))
