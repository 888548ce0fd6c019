"""`evalrun new`: starts a suite of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import say
from harness.errors import ExitCode
from harness.suites.own import start
from harness.text import inert


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make.", show_default=False)],
    photos: Annotated[
        Path | None,
        typer.Option("--from", help="Folder of photos: a row to fill in is written for each."),
    ] = None,
) -> int:
    """Start a suite of your own: a small one that works, or your photos."""
    started = start(folder, photos)
    for why in started.left_out:
        say(f"left out: {inert(why, 300)}")
    say(f"wrote {started.questions}: {started.rows} rows on {started.pictures} pictures")
    name = shlex.quote(str(folder))
    if photos is not None:
        say("next: fill in question and answer, then")
    say(f"evalrun check {name}\nevalrun --suite {name} --model NAME")
    return ExitCode.DONE
