"""Ten megabytes of anything are graded: nothing here backtracks. A quadratic pattern would hang."""

from __future__ import annotations

import pytest

from harness.graders import grade
from tests.graders.cases import TABLE, table_case

SIZE = 10_000_000
PIECES = {
    "letters": "a",
    "spaces": " ",
    "newlines": "\n",
    "digits": "7",
    "grouped digits": "1,234,",
    "stars": "*",
    "bold": "**a",
    "underscores": "_",
    "brackets": "([{",
    "open thinking": "<think>",
    "thinking": "<think>a</think>",
    "boxes": "\\boxed{",
    "dollars": "$",
    "backticks": "`",
    "quotes": '"',
    "pipes": "|",
    "dots": ". ",
    "answers": "answer: ",
    "answer words": "final final answer ",
    "number words": "one hundred and ",
    "refusals": "i am not able ",
    "negations": "not a the any ",
    "first attempts": "at first ",
    "no image": "the image was ",
    "yes and no": "yes, no, ",
    "links": "![a](http://",
    "tags": "<a",
    "rows": "row 1 column ",
    "lengths": "1' 2\" x ",
    "dates": "May 1 20",
    "places": "top left ",
    "enumeration": "1. a\n",
    "wide characters": "\uff11\u3000\u00a0",
    "combining characters": "e\u0301",
    "json": '{"a":[',
}
CASES = list({table_case(entry).grader: table_case(entry) for entry in TABLE}.values())


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_a_huge_reply_is_graded(piece: str) -> None:
    assert not grade(CASES[0], piece * (SIZE // len(piece))).passed


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_a_piece_that_is_read_as_a_whole_is_graded(piece: str) -> None:
    """Below the length at which only head and tail are read."""
    reply = piece * (12_000 // len(piece))
    for case in CASES:
        grade(case, reply)


def test_an_answer_at_either_end_of_a_huge_reply_is_found() -> None:
    (case,) = (
        table_case(entry) for entry in TABLE if entry["question"].startswith("How many forks")
    )
    filler = "The table is made of oak. " * 400_000
    assert grade(case, f"{filler}\n\nAnswer: 7").passed
    assert grade(case, f"<think>{filler}</think>7").passed
    assert not grade(case, f"{filler}\n\nAnswer: 8").passed
