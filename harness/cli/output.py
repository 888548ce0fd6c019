"""What leaves the program: data on stdout, words on stderr, an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import msgspec
import typer

from harness.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console


def say(line: str) -> None:
    """A line for the person, on stderr: stdout is for data."""
    typer.echo(line, err=True)


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


def print_bytes(data: bytes) -> None:
    """To stdout; UTF-8, whatever the terminal's encoding is."""
    sys.stdout.buffer.write(data)


def print_json(data: object) -> None:
    """One line of JSON on stdout."""
    print_bytes(msgspec.json.encode(data) + b"\n")


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
