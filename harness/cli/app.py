"""The application that every command registers with, and the one door errors leave by.

Command modules import nothing heavy at their top: `evalrun --help` reads all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

app = typer.Typer(
    name="evalrun",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: loading rich's Markdown for it takes 0.2 s
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group() -> None:
    """Measure how well vision-language models answer questions about pictures."""


ResultsDir = Annotated[
    Path, typer.Option("--results", help="Folder of the runs.", show_default=True)
]
DEFAULT_RESULTS = Path("results")


def say(line: str) -> None:
    """A line for the person, on stderr: stdout is for data."""
    typer.echo(line, err=True)


def is_watched(stream: TextIO) -> bool:
    """Whether a person looks at it, on a terminal that can be drawn on again."""
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return stream.isatty() and not dumb and not os.environ.get("CI")


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Turn an error we foresaw into its message and exit code; let the others crash."""
    from harness.errors import EvalrunError
    from harness.text import inert

    try:
        yield
    except EvalrunError as error:
        say(f"evalrun: {inert(str(error))}")
        raise typer.Exit(int(error.exit_code)) from error
    except BrokenPipeError as error:  # the reader of our stdout left: `evalrun runs | head`
        raise typer.Exit(0) from error
