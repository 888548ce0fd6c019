"""The table of graded replies and a shorthand for cases, shared by the tests of the graders."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.graders import infer
from harness.records import Case

TABLE: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("cases.toml").read_text(encoding="utf-8")
)["question"]


def case_of(
    question: str,
    expected: str | tuple[str, ...],
    grader: str | None = None,
    options: dict[str, Any] | None = None,
) -> Case:
    """A case without a picture; its grader is inferred unless it is named."""
    if grader is None:
        grader, options = infer(question, expected)
    return Case(
        id="case",
        category="test",
        question=question,
        image="none.png",
        expected=expected,
        grader=grader,
        options=options or {},
    )


def table_case(entry: dict[str, Any]) -> Case:
    reference = entry["reference"]
    expected = tuple(reference) if isinstance(reference, list) else reference
    return case_of(entry["question"], expected, entry.get("grader"), entry.get("options"))
