"""Which grader a foreign suite's question gets, and what a wrong declaration is told."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import SuiteError
from harness.graders import grade, infer, problems
from tests.graders.cases import case_of

INFERRED = [
    ("How many bolts are there? Return only a number.", "12", "integer", {}),
    ("Is the lid shut?", "Yes", "yes_no", {}),
    ("Is the truck left or right of the van?", "left", "choice", {"choices": ["left", "right"]}),
    (
        "What colour is it? Red, blue, or green.",
        "blue",
        "choice",
        {"choices": ["Red", "blue", "green"]},
    ),
    ("Pick one. A) nut B) bolt", "B", "choice", {"choices": ["nut", "bolt"]}),
    ("What colour is the lid?", "blue", "text", {}),
    ("What is the quantity? Return NULL if there is none.", "NULL", "text", {}),
    ("Which cell is empty? Answer like R1C1.", "R2C4", "position", {}),
    ("Where is the hole? Return like left center.", "top center", "position", {}),
    ("What is the price? Return in form 1.00.", "3.20", "money", {}),
    ("How much tax was paid? Only answer like $1.00", "$3.20", "money", {}),
    ("What is the gross weight?", "12,500 kg", "decimal", {}),
    ("What is the ratio in the table?", "0.735", "decimal", {}),
    ("What date is marked? Answer like January 1 2020", "May 3 2019", "date", {}),
    ("When was it sent?", "2021-07-04", "date", {}),
    ("What time does the clock show?", "10:10", "time", {}),
    ("What are the room's dimensions?", "10'2\" X 16'", "dimensions", {}),
    ("What is the serial number?", "00471", "code", {}),
    ("What is the ID on the box?", "QX71882", "code", {}),
    ("Please provide the string required to pass this CAPTCHA.", "velvet moon", "code", {}),
    ("What does the sign say?", "Mind the closing gate", "transcription", {}),
    ("List the colours from left to right.", "red, blue, green", "list", {"ordered": True}),
    ("Which tools lie there?", ("saw", "hammer"), "list", {}),
    ("Extract the fields.", '{"a": 1}', "json", {}),
    ("Fill in the grid.", "a | b\nc | d", "grid", {}),
    ("What is the score?", "3-1", "text", {}),
    ("What is the brand?", "Makita", "text", {}),
]


@pytest.mark.parametrize(("question", "expected", "grader", "options"), INFERRED)
def test_the_grader_is_inferred_from_question_and_answer(
    question: str, expected: str, grader: str, options: dict[str, Any]
) -> None:
    assert infer(question, expected) == (grader, options)
    assert problems(case_of(question, expected)) == []


@pytest.mark.parametrize(
    ("expected", "grader", "options", "said"),
    [
        ("many", "integer", {}, "not a whole number"),
        ("maybe", "yes_no", {}, "neither yes nor no"),
        ("x", "choice", {"choices": ["a", "b"]}, "not one of the choices"),
        ("5 blorps", "decimal", {}, "not a number in a unit we know"),
        ("5", "decimal", {"tolerance": -1}, "negative"),
        ("soon", "date", {}, "not one date"),
        ("[1, 2]", "box", {}, "not a box"),
        ("[1, 2, 3, 4]", "box", {"iou": 2}, "iou"),
        ("a b\nc", "grid", {}, "different lengths"),
        ("{", "json", {}, "not JSON"),
        ("4", "integer", {"tolerance": 1}, "no options"),
        ("4", "decimal", {"tolerance": "1"}, "wrong type"),
        ("4", "sum", {}, "not one of"),
        ("", "text", {}, "empty"),
        ("one", "list", {}, "not a list"),
    ],
)
def test_an_answer_that_does_not_fit_its_grader_is_named(
    expected: str, grader: str, options: dict[str, Any], said: str
) -> None:
    case = case_of("?", expected, grader, options)
    (problem,) = problems(case)
    assert said in problem
    with pytest.raises(SuiteError):
        grade(case, "4")


def test_a_cut_reply_without_an_answer_says_that_it_was_cut() -> None:
    case = case_of("How many?", "4")
    assert "cut" in grade(case, "Let me count the", truncated=True).reason
    assert "cut" in grade(case, "", truncated=True).reason
    assert grade(case, "Answer: 4\n\nThis is bec", truncated=True).passed


def test_silence_refusal_and_blindness_fail_with_that_reason() -> None:
    case = case_of("How many bolts are there?", "4")
    assert grade(case, "  ").reason == "empty reply"
    assert grade(case, "<think>I see 4").reason == "only reasoning, no answer"
    assert grade(case, "I cannot see the image.").reason == "says it sees no image"
    assert grade(case, "I'm unable to determine that.").reason == "refuses or says it cannot tell"
    assert grade(case, "There are 4 or 5 bolts.").reason == "several answers: 4 or 5"
