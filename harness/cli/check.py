"""`evalrun check`: looks a suite over, without asking any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from harness.cli.output import AsJson, print_blocks, print_bytes, say
from harness.errors import ExitCode
from harness.records import Case
from harness.suites import builtin
from harness.suites.lint import Report, lint, write_sheets
from harness.suites.suite import Level
from harness.tables.findings import of_suite


def check(
    suite: Annotated[
        Path | None, typer.Argument(help="A suite folder or file; without one, the built-in suite.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of its pictures, where they lie apart from it.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(help="Write a sheet of pictures, questions and answers per category here."),
    ] = None,
    json: AsJson = False,
) -> int:
    """Look a suite over: questions, answers, pictures, guessing.

    Exits with 3 when there is a problem.
    """
    report = lint(suite or builtin(), images=images, strict=strict)
    _show(report, json=json)
    if contact_sheet is not None:
        for path in write_sheets(report.suite, contact_sheet):
            say(f"wrote {path}")
    return ExitCode.DONE if report.sound else ExitCode.BAD_SUITE


def _show(report: Report, *, json: bool) -> None:
    if json:
        document = msgspec.json.encode(_as_json(report))
        print_bytes(msgspec.json.format(document, indent=2) + b"\n")
        return
    print_blocks(*of_suite(report))


def _as_json(report: Report) -> dict[str, Any]:
    suite = report.suite
    return {
        "suite": suite.name,
        "version": suite.version,
        "license": suite.license,
        "sha256": suite.sha256,
        "prompts": len(suite.cases),
        "pictures": report.pictures,
        "sound": report.sound,
        "counts": {level: report.count(level) for level in Level},
        "findings": report.findings,
        "policies": report.policies,
        "cases": [_case(case) for case in suite.cases],
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "category": case.category,
        "question": case.question,
        "images": case.pictures,
        "expected": case.expected,
        "grader": case.grader,
        "options": case.options,
        "difficulty": case.difficulty,
    }
