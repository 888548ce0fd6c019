"""How far a way of grading agrees with careful readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct

from harness.graders.patterns import regex
from harness.graders.recorded import Graded, Labelled, graded

OURS = "evalrun"
_NOT_ALNUM = regex(r"[\W_]+")


class Tally(Struct, kw_only=True):
    """Judgements of one way of grading, counted."""

    both_pass: int = 0
    both_fail: int = 0
    wrong_pass: int = 0
    """Passed by the rule, failed by the readers."""
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

        Source: https://doi.org/10.1177/001316446002000104

        >>> round(Tally(both_pass=20, both_fail=15, wrong_pass=5, wrong_fail=10).kappa, 3)
        0.4
        """
        if not self.total:
            return 1.0
        rule_passes = (self.both_pass + self.wrong_pass) / self.total
        reader_passes = (self.both_pass + self.wrong_fail) / self.total
        chance = rule_passes * reader_passes + (1 - rule_passes) * (1 - reader_passes)
        return 1.0 if chance == 1 else (self.agreement - chance) / (1 - chance)

    def add(self, rule: bool, reader: bool, count: int) -> None:
        if rule == reader:
            self.both_pass += count * rule
            self.both_fail += count * (not rule)
        else:
            self.wrong_pass += count * rule
            self.wrong_fail += count * reader


class Disagreement(Struct, frozen=True, kw_only=True):
    """One answer that we grade otherwise than the readers."""

    question: str
    reference: str | tuple[str, ...]
    response: str
    label: str
    grader: str
    answer: str | None
    reason: str
    models: int


class Audit(Struct, kw_only=True):
    """Agreement with readers, counted by models and by distinct answers."""

    by_models: dict[str, Tally]
    """Each way of grading, ours first; an answer counts as often as models gave it."""
    by_answers: dict[str, Tally]
    """The same, each distinct answer once."""
    by_grader: dict[str, Tally]
    """Ours alone, per type of grader, counted by models."""
    disagreements: list[Disagreement]
    left_out: int = 0
    """Answers labelled ambiguous."""


def _equality(expected: str, said: str) -> bool:
    return said.strip().casefold().rstrip(".") == expected.strip().casefold().rstrip(".")


def _contains(expected: str, said: str) -> bool:
    return expected.casefold() in said.casefold()


def _normalized_substring(expected: str, said: str) -> bool:
    return _NOT_ALNUM.sub("", expected.casefold()) in _NOT_ALNUM.sub("", said.casefold())


CARELESS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {
        "equality": _equality,
        "contains": _contains,
        "normalized substring": _normalized_substring,
    }
)
"""What graders of other harnesses would say, for comparison."""


def audit(answers: Iterable[Labelled]) -> Audit:
    """Grade answers that readers labelled, in every way, and count. Raises: Unreadable.

    >>> line = Labelled(question="How many?", reference="4", response="14", label="fail")
    >>> found = audit([line])
    >>> found.by_models["contains"].wrong_pass, found.by_models["evalrun"].wrong_pass
    (1, 0)
    """
    ways = (OURS, *CARELESS)
    result = Audit(
        by_models={way: Tally() for way in ways},
        by_answers={way: Tally() for way in ways},
        by_grader={},
        disagreements=[],
    )
    for answer in answers:
        if answer.label == "ambiguous":
            result.left_out += 1
        else:
            _count(result, answer, graded(answer))
    return result


def _count(result: Audit, answer: Labelled, own: Graded) -> None:
    reader, said = answer.label == "pass", answer.response or ""
    expected = own.case.expected
    text = expected if isinstance(expected, str) else ", ".join(expected)
    passed = {OURS: own.verdict.passed}
    passed |= {name: rule(text, said) for name, rule in CARELESS.items()}
    for way, rule in passed.items():
        result.by_models[way].add(rule, reader, answer.models)
        result.by_answers[way].add(rule, reader, 1)
    result.by_grader.setdefault(own.case.grader, Tally()).add(passed[OURS], reader, answer.models)
    if passed[OURS] != reader:
        result.disagreements.append(_disagreement(answer, own))


def _disagreement(answer: Labelled, own: Graded) -> Disagreement:
    return Disagreement(
        question=answer.question,
        reference=own.case.expected,
        response=answer.response or "",
        label=answer.label,
        grader=own.case.grader,
        answer=own.verdict.answer,
        reason=own.verdict.reason,
        models=answer.models,
    )
