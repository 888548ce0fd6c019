"""Every reply of the corpus is graded as a careful reader graded it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from harness.graders import GRADER_VERSION, grade
from tests.graders.cases import CORPUS, corpus_case

PINNED = {"1": "fffebfda455e73818225110e7caef576f52b13783dfc774b8c86c27a61c213ed"}
"""Grader version -> hash of all verdicts on the corpus."""


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["question"][:40])
def test_replies_are_graded_as_a_careful_reader_grades_them(entry: dict[str, Any]) -> None:
    case = corpus_case(entry)
    wrong_passes = [said for said in entry["fail"] if grade(case, said).passed]
    wrong_fails = {said: v.reason for said in entry["pass"] if not (v := grade(case, said)).passed}
    assert wrong_passes == []
    assert wrong_fails == {}


def test_the_corpus_is_large_and_has_both_labels() -> None:
    assert sum(len(entry["pass"]) for entry in CORPUS) > 700
    assert sum(len(entry["fail"]) for entry in CORPUS) > 700


def test_every_verdict_has_a_reason() -> None:
    for entry in CORPUS:
        case = corpus_case(entry)
        assert all(grade(case, said).reason for said in entry["pass"] + entry["fail"])


def test_verdicts_change_only_with_the_grader_version() -> None:
    """Changed a verdict, an answer read or a grader inferred? Raise GRADER_VERSION and pin anew."""
    digest = hashlib.sha256()
    for entry in CORPUS:
        case = corpus_case(entry)
        for said in entry["pass"] + entry["fail"]:
            verdict = grade(case, said)
            digest.update(f"{case.grader}|{said}|{verdict.passed}|{verdict.answer}\n".encode())
    assert PINNED.get(GRADER_VERSION) == digest.hexdigest()
