"""Measures beside the verdict, fields of a JSON answer, and what an answer must look like."""

from __future__ import annotations

from typing import Any

import pytest

from harness import suites
from harness.graders import GRADERS, grade, problems
from harness.graders.inference import constraint
from tests.graders.cases import TABLE, case_of, table_case
from tests.graders.test_cases import PROMPTS


@pytest.mark.parametrize(
    ("grader", "expected", "said", "measures"),
    [
        ("integer", "4", "5", {"error": 1.0, "relative_error": 0.25}),
        ("integer", "0", "2", {"error": 2.0}),
        ("decimal", "2 kg", "2500 g", {"error": 0.5, "relative_error": 0.25}),
        ("money", "$4.00", "$5.00", {"error": 1.0, "relative_error": 0.25}),
        ("transcription", "mind the closing gate", "mind the closng gate",
         {"cer": 0.0476, "wer": 0.25}),
        ("list", ("a", "b", "c"), "a, b", {"f1": 0.8}),
        ("box", "[0, 0, 10, 10]", "[0, 0, 10, 8]", {"iou": 0.8}),
        ("yes_no", "no", "no", {}),
    ],
)  # fmt: skip
def test_an_answer_is_measured_beside_its_verdict(
    grader: str, expected: Any, said: str, measures: dict[str, float]
) -> None:
    assert grade(case_of("?", expected, grader, {}), said).measures == measures


def test_json_is_graded_by_fields_with_a_grader_each() -> None:
    fields = {"total": "money", "day": "date", "open": "yes_no", "shop": {"grader": "text"}}
    expected = '{"total": "$2.30", "day": "2021-03-04", "open": true, "shop": "Lidl"}'
    case = case_of("Read it.", expected, "json", {"fields": fields})
    assert problems(case) == []
    right = '{"total": 2.3, "day": "4 March 2021", "open": "yes", "shop": "LIDL"}'
    verdict = grade(case, right)
    assert (verdict.passed, verdict.measures) == (True, {"fields": 1.0})
    verdict = grade(case, '{"total": 2.3, "day": "5 March 2021", "shop": "Lidl"}')
    assert verdict.fields == {"total": True, "day": False, "open": False, "shop": True}
    assert (verdict.passed, verdict.measures) == (False, {"fields": 0.5})
    assert verdict.reason.startswith("day: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fields": {"a": "guess"}}, "field 'a': grader 'guess'"),
        ({"fields": {"b": "text"}}, "not in the expected answer"),
        ({"fields": {"a": "date"}}, "field 'a': 'x' is not one date"),
        ({"schema": {"a": 1}}, "not a JSON schema"),
        ({"schema": {"type": "banana"}}, "'banana' is none of object, array"),
        ({"schema": {"properties": {"a": {"type": ["strin", "null"]}}}}, "'strin' is none of"),
    ],
)
def test_a_field_or_schema_that_cannot_be_is_named(options: dict[str, Any], said: str) -> None:
    (problem,) = problems(case_of("?", '{"a": "x"}', "json", options))
    assert said in problem


def test_every_case_of_the_suite_has_a_constraint_unless_any_text_may_be_its_answer() -> None:
    for case in suites.load(PROMPTS).cases:
        assert (constraint(case) is None) == (case.grader in ("code", "dimensions")), case.id


def test_a_constrained_answer_is_read_by_its_grader() -> None:
    for said, grader, expected in (
        ('{"answer": 4}', "integer", "4"),
        ('{"answer": "no"}', "yes_no", "no"),
        ('{"answer": ["red", "blue"]}', "list", ("red", "blue")),
        ('{"answer": [[5, 5, 9, 9]]}', "box", "[5, 5, 9, 9]"),
        ('{"answer": [[0, 0, 9, 9], [20, 20, 30, 30]]}', "box", "[[0, 0, 9, 9], [20, 20, 30, 30]]"),
        ('{"answer": [5, 5]}', "point", "[0, 0, 9, 9]"),
        ('{"answer": "2.5 kg"}', "decimal", "2.5 kg"),
        ('{"answer": 4.5}', "money", "$4.50"),
        ('{"answer": "22:10"}', "time", "10:10 PM"),
        ('{"answer": "bottom right"}', "position", "bottom-right"),
        ('{"answer": "R2C3"}', "position", "R2C3"),
        ('{"answer": "2021-03-04"}', "date", "March 4 2021"),
    ):
        case = case_of("?", expected, grader, {})
        made = constraint(case)
        assert made is not None
        assert made["required"] == ["answer"]
        assert grade(case, said).passed
    assert {table_case(entry).grader for entry in TABLE} == set(GRADERS)


def test_a_choice_with_letters_is_constrained_to_its_letters() -> None:
    made = constraint(case_of("Which? A) nut B) bolt", "B"))
    assert made is not None
    assert made["properties"]["answer"]["enum"] == ["A", "B"]
