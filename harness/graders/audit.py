"""Answers that were recorded anywhere, graded; how far verdicts agree with careful readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from harness.graders import field_case, grade, infer, problems
from harness.graders.extract import spelled_value
from harness.records import Case, Verdict

T = TypeVar("T")


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an answers file; other fields are ignored. Without a grader, it is inferred."""

    question: str
    reference: str | int | float | bool | tuple[str, ...]
    response: str | None
    id: str | int | None = None
    grader: str | None = None
    options: dict[str, Any] = {}
    truncated: bool = False


class Labelled(Recorded, frozen=True, kw_only=True):
    """An answer that a careful reader judged, and how many models gave it."""

    label: Literal["pass", "fail", "ambiguous"]
    models: int = 1


class Disagreement(Labelled, frozen=True, kw_only=True):
    """An answer that we grade otherwise than the readers."""

    answer: str | None
    reason: str


class Unreadable(ValueError):
    """A line that cannot be graded, and why."""


def decoded(line: bytes, kind: type[T]) -> T:
    """Raises: Unreadable."""
    try:
        return msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"), type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def graded(answer: Recorded) -> tuple[Case, Verdict]:
    """Grade one recorded answer. Raises: Unreadable when its grader cannot work with it."""
    grader, options, expected = answer.grader, answer.options, answer.reference
    if not isinstance(expected, tuple):
        expected = spelled_value(expected)
    if grader is None:
        grader, inferred = infer(answer.question, expected)
        options = inferred | options
    case = field_case(grader, expected, options, answer.question)
    if wrong := problems(case):
        raise Unreadable(wrong[0])
    return case, grade(case, answer.response or "", truncated=answer.truncated)


class Tally(msgspec.Struct, kw_only=True):
    """Judgements of one way of grading, beside those of the readers, counted."""

    both_pass: int = 0
    both_fail: int = 0
    wrong_pass: int = 0
    wrong_fail: int = 0

    @property
    def total(self) -> int:
        return self.both_pass + self.both_fail + self.wrong_pass + self.wrong_fail

    @property
    def agreement(self) -> float:
        """Share of judgements that agree; 1 where there are none."""
        return (self.both_pass + self.both_fail) / self.total if self.total else 1.0

    @property
    def kappa(self) -> float:
        """Cohen's kappa: agreement beyond chance, 1 at best, 0 when no better than chance.

        Source: https://doi.org/10.1177/001316446002000104"""
        rule, reader = self.both_pass + self.wrong_pass, self.both_pass + self.wrong_fail
        alike = rule * reader + (self.total - rule) * (self.total - reader)
        if alike == self.total**2:
            return 1.0
        chance = alike / self.total**2
        return (self.agreement - chance) / (1 - chance)

    def add(self, rule: bool, reader: bool, count: int) -> None:
        name = ("both_" if rule == reader else "wrong_") + ("pass" if rule else "fail")
        setattr(self, name, getattr(self, name) + count)


class Audit(msgspec.Struct, kw_only=True):
    """Agreement with readers: of each way of grading, ours first, counted by models and by distinct
    answers; of ours alone per type of grader; and how many answers were ambiguous."""

    by_models: dict[str, Tally]
    by_answers: dict[str, Tally]
    by_grader: dict[str, Tally] = {}
    disagreements: list[Disagreement] = []
    left_out: int = 0


WAYS: Mapping[str, Callable[[str, str], bool]] = {
    "equality": lambda expected, said: said.strip(" .\n").casefold() == expected.casefold(),
    "contains": lambda expected, said: expected.casefold() in said.casefold(),
}
"""How graders of other harnesses compare, beside ours."""


def audit(answers: Iterable[Labelled]) -> Audit:
    """Grade answers that readers labelled, in every way, and count. Raises: Unreadable."""
    by_models, by_answers = ({way: Tally() for way in ("evalrun", *WAYS)} for _ in range(2))
    result = Audit(by_models=by_models, by_answers=by_answers)
    for answer in answers:
        if answer.label == "ambiguous":
            result.left_out += 1
            continue
        (case, verdict), reader = graded(answer), answer.label == "pass"
        said = spelled_value(case.expected), answer.response or ""
        passed = {"evalrun": verdict.passed} | {way: rule(*said) for way, rule in WAYS.items()}
        for way, rule in passed.items():
            by_models[way].add(rule, reader, answer.models)
            by_answers[way].add(rule, reader, 1)
        result.by_grader.setdefault(case.grader, Tally()).add(verdict.passed, reader, answer.models)
        if verdict.passed != reader:
            line = msgspec.structs.asdict(answer) | {"reference": case.expected}
            line |= {"grader": case.grader, "answer": verdict.answer, "reason": verdict.reason}
            result.disagreements.append(Disagreement(**line))
    return result
