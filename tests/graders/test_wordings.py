"""Every grader knows its own answer in ten wordings."""

import pytest

from harness.graders import grade
from harness.records import Case
from harness.suites.lint import answer_of

WORDINGS = (
    "{answer}",
    "{answer}.",
    "**{answer}**",
    "`{answer}`",
    "Answer: {answer}",
    "The answer is {answer}.",
    "The correct answer is **{answer}**.",
    "Final answer: {answer}",
    "I looked at the picture with care.\n\nAnswer: {answer}",
    "Based on the image, the answer is {answer}.",
)
BLOCKS = (
    "{answer}",
    "{answer}\n",
    "```\n{answer}\n```",
    "Answer:\n{answer}",
    "**Answer:**\n\n{answer}",
    "The answer is:\n{answer}",
    "Final answer:\n{answer}",
    "Here it is:\n\n{answer}",
    "Sure, here is what I see:\n\n{answer}",
    "Based on the image:\n\n{answer}",
)
"""For an answer of several lines."""

ANSWERS = [
    ("yes_no", "no", "Is it open? Answer yes or no.", {}),
    ("integer", "23", "How many bolts are there? Answer with a number.", {}),
    ("decimal", "2.5", "What is the pressure in bar?", {"tolerance": 0.1, "unit": "bar"}),
    ("money", "12.40", "What is the subtotal?", {}),
    ("choice", "left", "Is it left or right?", {"choices": ["left", "right"]}),
    ("choice", "B", "Which? A) nut B) bolt", {}),
    ("text", "orange", "What colour is nearest?", {}),
    ("code", "QX-4711", "What is the part number?", {}),
    ("position", "R2C3", "Which cell is empty? Answer with row and column.", {}),
    ("list", ("red", "green"), "Which colours are there, from left to right?", {}),
    ("date", "2025-03-05", "What is the due date?", {}),
    ("time", "10:25", "What time does the clock show?", {}),
    ("dimensions", "3.2 x 4.5 m", "How large is the kitchen?", {}),
    ("transcription", "FRESH MARKET 24", "Transcribe the first line.", {}),
    ("transcription", "FRESH MARKET\nTotal 24.10\nThank you", "Transcribe the receipt.", {}),
    ("grid", "a | b | c | d | e\nf | g | h | i | j", "Which letters are in the grid?", {}),
    ("json", '{"total": 24.1}', "Give the total as JSON.", {}),
    ("point", "0.2, 0.2, 0.4, 0.4", "Where is the bolt? Answer as x, y.", {}),
    ("point", "20, 20, 10, 10", "Where is the bolt?", {"format": "xywh"}),
    ("box", "0.2, 0.2, 0.4, 0.4", "Where is the bolt? Answer as a box.", {}),
]


@pytest.mark.parametrize(("grader", "expected", "question", "options"), ANSWERS)
def test_every_grader_passes_its_own_answer_in_ten_wordings(
    grader: str, expected: str | tuple[str, ...], question: str, options: dict[str, object]
) -> None:
    case = Case(
        id="a",
        category="Counting",
        image="a.png",
        grader=grader,
        expected=expected,
        question=question,
        options=options,
    )
    answer = answer_of(case)

    assert len(set(WORDINGS)) == len(set(BLOCKS)) == 10
    for wording in BLOCKS if "\n" in answer else WORDINGS:
        assert grade(case, wording.format(answer=answer)).passed, wording
