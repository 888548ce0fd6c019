"""A run while it goes on: a live view on a terminal, plain lines elsewhere, and its signals.

Ctrl-C once ends it in good order; twice ends it now. SIGTERM and SIGHUP count as once.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.output import Voice, is_watched, say
from harness.measure import Progress
from harness.records import ModelScore, Record
from harness.tables import seconds
from harness.text import inert

_PLAIN_EVERY_S = 15.0
_SCORING_SHARE = 0.05
"""Of the time: scoring a hundred thousand records takes a while, and is asked for at every look."""
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Windows has no SIGHUP."""


class Interrupts:
    """Sets `stopping` at the first signal, and raises KeyboardInterrupt at the second."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._signal: int | None = None

    @property
    def exit_code(self) -> int | None:
        """128 plus the signal, as a shell reports it; None without one."""
        return None if self._signal is None else 128 + self._signal

    @contextmanager
    def handled(self, say: Callable[[str], None] = say) -> Iterator[None]:
        def handle(number: int, _: FrameType | None) -> None:
            if self._signal is not None:
                raise KeyboardInterrupt
            self._signal = number
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
        """The run as a person follows it, on a terminal or in a log."""
        live = is_watched(sys.stderr) and not Voice.quiet
        with _live(progress) if live else _plain(progress) as (show, write), self.handled(write):
            yield lambda _: show()


_View = Iterator[tuple[Callable[[], None], Callable[[str], None]]]
"""What shows the progress, and what writes a line beside it."""


@contextmanager
def _plain(progress: Progress) -> _View:
    """A line now and then: for pipes, CI and logs."""
    next_at = time.monotonic() + _PLAIN_EVERY_S

    def show() -> None:
        nonlocal next_at
        if time.monotonic() >= next_at or progress.done == progress.asked:
            next_at = time.monotonic() + _PLAIN_EVERY_S
            say(line(progress))

    yield show, lambda text: say(inert(text))


def line(progress: Progress) -> str:
    """How far it is, in a sentence."""
    overall = progress.tally.score().overall
    answered = overall.asked - overall.errors
    so_far = (
        f"{100 * overall.passed / answered:.0f} % of {answered} answered passed"
        if answered
        else "none answered"
    )
    parts = f"{progress.done}/{progress.asked} asked", so_far, *_troubles(progress), _left(progress)
    return ", ".join(parts)


@contextmanager
def _live(progress: Progress) -> _View:
    """A bar, the running score of each category, calls in flight, retries."""
    shown = Console(stderr=True)
    score = _Scoring(progress)

    def render() -> RenderableType:
        bar = ProgressBar(
            total=max(1, progress.asked), completed=progress.done, width=shown.width // 3
        )
        head = Table.grid(padding=(0, 1))
        facts = " · ".join([f"{progress.in_flight()} in flight", *_troubles(progress)])
        head.add_row(bar, f"{progress.done}/{progress.asked}", _left(progress), facts)
        return Group(head, _categories(score.newest()))

    with Live(get_renderable=render, console=shown, refresh_per_second=6, transient=True):
        yield lambda: None, lambda text: shown.print(inert(text), markup=False, highlight=False)


class _Scoring:
    """The score so far, at most a moment old."""

    def __init__(self, progress: Progress) -> None:
        self._tally = progress.tally
        self._score: ModelScore | None = None
        self._again_at = 0.0

    def newest(self) -> ModelScore:
        before = time.monotonic()
        if self._score is None or before >= self._again_at:
            self._score = self._tally.score()
            after = time.monotonic()
            self._again_at = after + (after - before) / _SCORING_SHARE
        return self._score


def _categories(score: ModelScore) -> Table:
    table = Table.grid(padding=(0, 2))
    for part in (*score.categories, score.overall):
        answered = part.asked - part.errors
        running = f"{100 * part.passed / answered:3.0f} %" if answered else "  –"
        counts = f"{part.passed} of {answered} answered, {part.asked} in all"
        table.add_row(Text(inert(part.category)), running, counts, seconds(part.latency_mean_s))
    return table


def _troubles(progress: Progress) -> list[str]:
    counts = (progress.errors, "error"), (progress.retries, "retries")
    return [f"{count} {what}" for count, what in counts if count]


def _left(progress: Progress) -> str:
    left_s = progress.left_s
    return f"{'…' if left_s is None else duration(left_s)} left"


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
