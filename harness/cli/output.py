"""What leaves the program: data on stdout; words, and a run's progress, on stderr.

Ctrl-C once ends a run in good order; twice ends it now. SIGTERM and SIGHUP count as once.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import msgspec
import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from harness import store
from harness.errors import ResultsError, UsageError
from harness.records import Record
from harness.tables import Block, Table, Value, csv_text, names, to_data, to_latex, to_markdown
from harness.tables.terminal import terminal
from harness.text import inert

if TYPE_CHECKING:
    from harness.measure import Progress  # loads what asks models, and not every command does

_NARROWEST, _WIDEST = 40, 200
"""Columns of a terminal that lines are fitted to."""
_PLAIN_EVERY_S = 15.0
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Windows has no SIGHUP."""


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


class Terminal(Console):
    """Where tables go."""

    def on_broken_pipe(self) -> None:
        """rich would exit with 1, as if it were a bug of ours."""
        raise BrokenPipeError


def emit(
    blocks: Iterable[Block],
    data: object,
    table: Table | None = None,
    *,
    csv: str | None = None,
    **formats: bool,
) -> None:
    """What a command found: tables for people, or the one format asked for; a CSV file beside it.

    `data` is for JSON, or gives it when called; `table` is for CSV. Raises: UsageError.
    """
    chosen = [name for name, given in {"csv": csv == "-", **formats}.items() if given]
    if len(chosen) > 1:
        both = " and ".join(chosen)
        raise UsageError(f"stdout takes one format, not {both}", fix="ask for one of them")
    if csv is not None and table is not None:
        write_csv(csv, names(table), to_data(table))
    match chosen:
        case ["json"]:
            print_json(data() if callable(data) else data)
        case ["md"]:
            print_bytes(to_markdown(blocks).encode())
        case ["latex"]:
            print_bytes(to_latex([*blocks]).encode())
        case []:
            print_blocks(*blocks)


def print_blocks(*blocks: Block, stderr: bool = False) -> None:
    """Tables and sentences, for the width there is."""
    shown = Terminal(stderr=stderr)
    shown.print(terminal(blocks, width=shown.width))


def print_json(data: object) -> None:
    """One line of JSON on stdout."""
    print_bytes(msgspec.json.encode(data) + b"\n")


def print_bytes(data: bytes) -> None:
    """To stdout; UTF-8, whatever the terminal's encoding is."""
    sys.stdout.buffer.write(data)


def write_csv(target: str, columns: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> None:
    """To stdout for `-`, else to a file."""
    write_text(target, csv_text(columns, rows))


def write_text(target: str, text: str, *, note: str = "") -> None:
    """To stdout for `-`, else to a file that is replaced in one step."""
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
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        raise UsageError(
            "--github-summary needs GITHUB_STEP_SUMMARY, which GitHub sets in a job's steps",
            fix="leave it out here, or name a file: GITHUB_STEP_SUMMARY=summary.md",
        )
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(to_markdown(blocks))


class Interrupts:
    """Sets `stopping` at the first signal, and raises KeyboardInterrupt at the second."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self.exit_code: int | None = None
        """128 plus the signal, as a shell reports it; None without one."""

    @contextmanager
    def handled(self, say: Callable[[str], None] = say) -> Iterator[None]:
        def handle(number: int, _: FrameType | None) -> None:
            if self.exit_code is not None:
                raise KeyboardInterrupt
            self.exit_code = 128 + number
            self._stopping.set()
            # In a thread: the signal may have come in the middle of a write to the same stream.
            words = "stopping: waiting up to 5 s for the calls in flight (again: stop now)"
            threading.Thread(target=say, args=(words,), daemon=True).start()

        before = {it: signal.signal(it, handle) for it in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def watching(self, progress: Progress) -> Iterator[Callable[[Sequence[Record]], None]]:
        """The run as a person follows it: live on a terminal, else a line now and then."""
        if is_watched(sys.stderr) and not Voice.quiet:
            shown = Console(stderr=True)
            live = Live(
                get_renderable=lambda: _view(progress, shown.width // 3),
                console=shown,
                refresh_per_second=2,  # the score of a hundred thousand replies takes a while
                transient=True,
            )
            with live, self.handled(lambda it: shown.print(it, markup=False, highlight=False)):
                yield lambda _: None
            return
        next_at = time.monotonic() + _PLAIN_EVERY_S

        def landed(_: Sequence[Record]) -> None:
            nonlocal next_at
            if time.monotonic() >= next_at or progress.done == progress.asked:
                next_at = time.monotonic() + _PLAIN_EVERY_S
                say(line(progress))

        with self.handled():
            yield landed


def line(progress: Progress) -> str:
    """How far it is, in a sentence."""
    overall = progress.tally.score().overall
    answered = overall.asked - overall.errors
    share = f"{100 * overall.passed / answered:.0f}" if answered else "–"
    counts = (progress.errors, "errors"), (progress.retries, "retries")
    left = "…" if progress.left_s is None else duration(progress.left_s)
    parts = [f"{progress.done}/{progress.asked} asked", f"{share} % of {answered} answered passed"]
    return ", ".join([*parts, *(f"{it} {what}" for it, what in counts if it), f"{left} left"])


def _view(progress: Progress, width: int) -> RenderableType:
    """The same sentence, calls in flight, the running score of each category, and a bar."""
    bar = ProgressBar(total=max(1, progress.asked), completed=progress.done, width=width)
    by_category = [
        Text(f"  {inert(it.category)}: {it.passed} of {it.asked - it.errors} answered passed")
        for it in progress.tally.score().categories
    ]
    return Group(Text(f"{line(progress)}, {progress.in_flight()} in flight"), *by_category, bar)


def duration(seconds: float) -> str:
    """
    >>> duration(5), duration(150), duration(7300)
    ('5 s', '2 min 30 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
