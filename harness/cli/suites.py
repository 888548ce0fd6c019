"""`check` and `new`: a suite looked over, and one started, without asking any model."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.cli.output import emit, say
from harness.errors import ExitCode
from harness.options import argument, option
from harness.suites import builtin
from harness.suites.lint import lint, write_sheets
from harness.suites.writing import start
from harness.tables.findings import of_suite, suite_data
from harness.text import inert


def check(
    *,
    suite: Path | None = argument("A suite folder or file; without one, the built-in suite.", None),
    images: Path | None = option("Folder of its pictures, where they lie apart from it."),
    strict: bool = option("Warnings count as problems.", False),
    contact_sheet: Path | None = option(
        "Write a sheet of pictures, questions and answers per category here."
    ),
    json: bool,
) -> int:
    """Look a suite over: questions, answers, pictures, guessing.

    Exits with 3 when there is a problem.
    """
    report = lint(suite or builtin(), images=images, strict=strict)
    emit(of_suite(report), suite_data(report), json=json)
    if contact_sheet is not None:
        for path in write_sheets(report.suite, contact_sheet):
            say(f"wrote {path}")
    return ExitCode.DONE if report.sound else ExitCode.BAD_SUITE


def new(
    *,
    folder: Path = argument("Folder to make.", show_default=False),
    photos: Path | None = option(
        "Folder of photos: a row to fill in is written for each.", None, "--from"
    ),
) -> None:
    """Start a suite of your own: a small one that works, or your photos."""
    started = start(folder, photos)
    for why in started.left_out:
        say(f"left out: {inert(why, 300)}")
    say(f"wrote {started.questions}: {started.rows} rows on {started.pictures} pictures")
    name = shlex.quote(str(folder))
    if photos is not None:
        say("next: fill in question and answer, then")
    say(f"evalrun check {name}\nevalrun --suite {name} --model NAME")
