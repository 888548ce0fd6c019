"""A question of `ask` as a case: graded against the answer that was given, and saved in a suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import suites
from harness.cli.options import AskOptions
from harness.cli.output import say
from harness.errors import UsageError
from harness.graders import infer, problems
from harness.records import Case
from harness.suites.append import with_free_id
from harness.suites.lint import Level, lint
from harness.suites.suite import slug
from harness.text import one_line

_ID_CHARS = 80
_FINDINGS_SHOWN = 10


def case_of(options: AskOptions, question: str) -> Case | None:
    """The question with its right answer, when that was given.

    Raises: UsageError for --save without it, or an answer that cannot be graded.
    """
    if options.expected is None:
        if options.save is not None:
            raise UsageError("--save needs the right answer", fix="name it, e.g. --expected 5")
        return None
    grader, chosen = infer(question, options.expected)
    case = Case(
        id=f"{slug(options.images[0].stem)}-{slug(options.question or options.task or '')}"[
            :_ID_CHARS
        ],
        category=options.category,
        question=question,
        image="",
        expected=options.expected,
        grader=grader,
        options=chosen,
    )
    if wrong := problems(case):
        raise UsageError(f"--expected {options.expected!r}: {wrong[0]}", fix="name another answer")
    return case


def save(folder: Path, case: Case, pictures: Sequence[Path]) -> bool:
    """Append the case to the suite and look that over; whether it is sound, said on stderr."""
    path = suites.append_case(folder, with_free_id(folder, case), *pictures)
    report = lint(folder)
    say(f"saved in {path} (grader: {case.grader}); prompts there: {len(report.suite.cases)}")
    found = [it for it in report.findings if it.level is not Level.NOTE]
    for it in found[:_FINDINGS_SHOWN]:
        say(f"  {it.level}: {one_line(it.where, 80)}: {one_line(it.what, 300)}")
    if len(found) > _FINDINGS_SHOWN:
        say(f"  … and {len(found) - _FINDINGS_SHOWN} more: evalrun check {folder}")
    return report.sound
