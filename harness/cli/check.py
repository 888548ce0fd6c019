"""`evalrun check`: looks a suite over, without asking any model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import app, say, stopping_cleanly

if TYPE_CHECKING:
    from harness.suites.lint import Report


@app.command()
def check(
    suite: Annotated[
        Path | None, typer.Argument(help="A suite folder or file; without one, the built-in suite.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(help="Write a sheet of pictures, questions and answers per category here."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Look a suite over: its questions, answers and pictures, and how far guessing gets.

    Exits with 3 when there is a problem.
    """
    with stopping_cleanly():
        from harness.suites import builtin
        from harness.suites.lint import lint, write_sheets

        report = lint(suite or builtin(), strict=strict)
        _show(report, json=json)
        if contact_sheet is not None:
            for path in write_sheets(report.suite, contact_sheet):
                say(f"wrote {path}")
        if not report.sound:
            raise typer.Exit(3)


def _show(report: Report, *, json: bool) -> None:
    if json:
        import msgspec

        document = msgspec.json.encode(_as_json(report))
        typer.echo(msgspec.json.format(document, indent=2).decode())
        return
    from rich.console import Console

    from harness.tables.check import looked_over

    Console().print(looked_over(report))


def _as_json(report: Report) -> dict[str, Any]:
    from harness.suites.lint import Level

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
        "cases": suite.cases,
    }
