"""Every reply of the table, and every wording of the suite's answers, is graded as a careful reader
grades it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness import graders, suites
from harness.graders import GRADERS, grade
from harness.graders.words import PATTERNS, PHRASES
from harness.records import Case
from harness.suites.lint import answer_of
from tests.graders.cases import TABLE, case_of, table_case
from tests.graders.test_wordings import WORDINGS

GRADERS_CODE = Path(graders.__file__).parent
PROMPTS = Path(__file__).parents[2] / "prompts"


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["question"][:40])
def test_replies_are_graded_as_a_careful_reader_grades_them(entry: dict[str, Any]) -> None:
    case = table_case(entry)
    wrong_passes = [said for said in entry["fail"] if grade(case, said).passed]
    wrong_fails = {said: v.reason for said in entry["pass"] if not (v := grade(case, said)).passed}
    assert wrong_passes == []
    assert wrong_fails == {}


def test_the_table_has_a_case_for_every_grader_and_every_verdict_a_reason() -> None:
    assert {table_case(entry).grader for entry in TABLE} == set(GRADERS)
    for entry in TABLE:
        case = table_case(entry)
        assert all(grade(case, said).reason for said in entry["pass"] + entry["fail"])


def test_the_suite_knows_its_own_answers_in_ten_wordings_and_no_other_answer() -> None:
    cases = suites.load(PROMPTS).cases
    answers = {(case.grader, answer_of(case)) for case in cases}
    for case in cases:
        own = answer_of(case)
        for wording in WORDINGS:
            assert grade(case, wording.format(answer=own)).passed, (case.id, wording)
            for grader, other in answers:
                if grader == case.grader and not _same(case, own, other):
                    said = wording.format(answer=other)
                    assert not grade(case, said).passed, (case.id, said)


def _same(case: Case, own: str, other: str) -> bool:
    """Whether another case's answer is right here too, or is no answer to this question."""
    if case.grader == "choice" and other not in case.options["choices"]:
        return True
    return grade(case, other).passed if "tolerance" in case.options else own == other


def test_a_reply_that_was_cut_counts_only_when_it_stated_its_answer() -> None:
    case = case_of("How many bolts are there?", "5")
    cut = grade(case, "Let me count them. In the first row there are 5, and in", truncated=True)
    assert (cut.passed, cut.cut) == (False, True)
    assert grade(case, "", truncated=True).cut
    stated = grade(case, "Answer: 5\n\nThe bolts lie in two r", truncated=True)
    assert (stated.passed, stated.cut) == (True, False)
    wrong = grade(case, "\\boxed{6} since the bolts", truncated=True)
    assert (wrong.passed, wrong.cut) == (False, False)


def test_a_reply_without_an_answer_says_why() -> None:
    case = case_of("How many bolts are there?", "5")
    assert grade(case, "There are 5. " * 60).reason == "repeats itself without end"
    assert grade(case, "", reasoning=True).reason == "only reasoning, no answer"
    filtered = "Sorry, I can't help with images of people yet."
    assert grade(case, filtered).reason == "refused by a content filter"


def test_every_pattern_says_once_what_it_is_for_and_is_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in GRADERS_CODE.glob("*.py"))
    assert [name for name in PHRASES if name not in code] == []
    assert all(re.compile(pattern.source, pattern.flags) for pattern in PATTERNS)
    notes = [pattern.note for pattern in PATTERNS]
    assert sorted(set(notes)) == sorted(notes)
