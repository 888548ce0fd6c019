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
from harness.records import Record
from harness.tables import seconds
from harness.text import inert

_PLAIN_EVERY_S = 15.0
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Windows has no SIGHUP."""


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
            view = Live(
                get_renderable=lambda: _view(progress, shown.width // 3),
                console=shown,
                refresh_per_second=2,  # the score of a hundred thousand replies takes a while
                transient=True,
            )
            with view, self.handled(lambda it: shown.print(it, markup=False, highlight=False)):
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
    so_far = f"{share} % of {answered} answered passed"
    return ", ".join([f"{progress.done}/{progress.asked} asked", so_far, *_rest(progress)])


def _rest(progress: Progress) -> list[str]:
    counts = (progress.errors, "error"), (progress.retries, "retries")
    left = "…" if progress.left_s is None else duration(progress.left_s)
    return [*(f"{count} {what}" for count, what in counts if count), f"{left} left"]


def _view(progress: Progress, width: int) -> RenderableType:
    """A bar, the running score of each category, calls in flight, retries."""
    bar = ProgressBar(total=max(1, progress.asked), completed=progress.done, width=width)
    head, scores = Table.grid(padding=(0, 1)), Table.grid(padding=(0, 2))
    facts = " · ".join([f"{progress.in_flight()} in flight", *_rest(progress)])
    head.add_row(bar, f"{progress.done}/{progress.asked}", facts)
    score = progress.tally.score()
    for part in (*score.categories, score.overall):
        answered = part.asked - part.errors
        running = f"{100 * part.passed / answered:3.0f} %" if answered else "  –"
        counts = f"{part.passed} of {answered} answered, {part.asked} in all"
        scores.add_row(Text(inert(part.category)), running, counts, seconds(part.latency_mean_s))
    return Group(head, scores)


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
