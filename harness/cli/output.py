"""What leaves the program: data on stdout, words on stderr, an exit code."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec
import typer

from harness.errors import ExitCode, ResultsError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.tables import Block, Value

_NARROWEST, _WIDEST = 40, 200
"""Columns of a terminal that lines are fitted to."""


class Voice:
    """How much is said on stderr; set once, from --quiet."""

    quiet = False


def say(text: str) -> None:
    """A line for the person, on stderr: stdout is for data."""
    if not Voice.quiet:
        complain(text)


def complain(text: str) -> None:
    """What is said even with --quiet: errors."""
    typer.echo(_fitted(text, sys.stderr), err=True)


def print_line(text: str) -> None:
    """A line of data on stdout, for people."""
    typer.echo(_fitted(text, sys.stdout))


def _fitted(text: str, stream: TextIO) -> str:
    """A terminal gets whole words on every line."""
    if not stream.isatty():
        return text
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    return "\n".join(wrapped(line, width) for line in text.splitlines())


def wrapped(line: str, width: int) -> str:
    """Break at words, indented as the line is; a command stays whole, so that it can be copied.

    >>> print(wrapped("  fix: name a file that can be read", 24))
      fix: name a file that
        can be read
    """
    if len(line) <= width or line.startswith("  evalrun "):
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    fit = textwrap.TextWrapper(width, subsequent_indent=indent)
    fit.break_long_words = fit.break_on_hyphens = False
    return fit.fill(line)


def confirm(question: str) -> bool:
    """Ask the person; without one at the terminal, no."""
    return sys.stdin.isatty() and typer.confirm(question, err=True)


def is_watched(stream: TextIO) -> bool:
    """Whether a person looks at it, on a terminal that can be drawn on again."""
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return stream.isatty() and not dumb and not os.environ.get("CI")


def console(*, stderr: bool = False) -> Console:
    """Where tables go."""
    from rich.console import Console  # loads slowly, and `--help` comes by here

    class OfAPipe(Console):
        def on_broken_pipe(self) -> None:
            """rich would exit with 1, as if it were a bug of ours."""
            raise BrokenPipeError

    return OfAPipe(stderr=stderr)


def print_result(blocks: Iterable[Block], data: object, *, as_json: bool) -> None:
    """What a command found: tables for people, or data for programs."""
    if as_json:
        print_json(data)
    else:
        print_blocks(*blocks)


def print_blocks(*blocks: Block, stderr: bool = False) -> None:
    """Tables and sentences, for the width there is."""
    from harness.tables.terminal import terminal

    shown = console(stderr=stderr)
    shown.print(terminal(blocks, width=shown.width))


def print_json(data: object) -> None:
    """One line of JSON on stdout."""
    print_bytes(msgspec.json.encode(data) + b"\n")


def print_bytes(data: bytes) -> None:
    """To stdout; UTF-8, whatever the terminal's encoding is."""
    sys.stdout.buffer.write(data)


def write_csv(target: str, columns: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> None:
    """To stdout for `-`, else to a file."""
    from harness.tables import csv_text

    write_text(target, csv_text(columns, rows))


def write_text(target: str, text: str, *, note: str = "") -> None:
    """To stdout for `-`, else to a file that is replaced in one step."""
    from harness import store

    if target == "-":
        print_bytes(text.encode())
        return
    try:
        store.replace_text(Path(target), text)
    except ResultsError as error:
        raise ResultsError(error.problem, fix="name a file you may write to") from error
    say(f"wrote {target}{note}")


def write_github_summary(blocks: Iterable[Block]) -> None:
    """Append to the page of this GitHub job. Raises: UsageError outside of one."""
    from harness.tables import to_markdown

    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        raise UsageError(
            "--github-summary needs GITHUB_STEP_SUMMARY, which GitHub sets in a job's steps",
            fix="leave it out here, or name a file: GITHUB_STEP_SUMMARY=summary.md",
        )
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(to_markdown(blocks))


def format_for_stdout(**wanted: bool) -> str:
    """The one format asked for, else `terminal`; a CSV file is written beside it.

    Raises: UsageError for several.
    """
    chosen = [name for name, given in wanted.items() if given]
    if len(chosen) > 1:
        raise UsageError(
            f"stdout takes one format, not {' and '.join(chosen)}", fix="ask for one of them"
        )
    return chosen[0] if chosen else "terminal"


def leave(code: int) -> None:
    """End the process. Threads may hang in a call that nobody waits for any more, and the memory
    of long runs goes back at once, instead of text by text.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # its reader has left
    except OSError as error:
        sys.stderr.write(f"evalrun: stdout cannot be written: {error.strerror}\n")
        code = code or int(ExitCode.BAD_RESULTS)
    os._exit(code)
