"""What a person sees while a run goes on: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.records import Record
from harness.summary import Tally
from harness.tables import words
from harness.tables.text import inert

_PLAIN_EVERY_S = 15.0


class View(Protocol):
    """Told of every batch that is on disk."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def landed(self, records: list[Record]) -> None: ...

    def say(self, line: str) -> None: ...


class Progress:
    """The figures both views show."""

    def __init__(
        self, tally: Tally, *, done: int, asked: int, in_flight: Callable[[], int]
    ) -> None:
        self.tally, self.asked, self.in_flight = tally, asked, in_flight
        self.done = done
        self.retries = self.not_heard = 0
        self._done_before, self._started = done, time.monotonic()

    def add(self, records: list[Record]) -> None:
        for record in records:
            self.done += 1
            self.not_heard += not record.heard
            self.retries += record.outcome.effort.attempts - 1

    def left(self) -> str:
        """How long the rest will take at the pace so far."""
        landed = self.done - self._done_before
        if not landed:
            return "…"
        elapsed_s = time.monotonic() - self._started
        return _duration(elapsed_s / landed * (self.asked - self.done))

    def line(self) -> str:
        overall = self.tally.score().overall
        heard = overall.asked - overall.not_heard
        so_far = f"{100 * overall.passed / heard:.0f} % of {heard} heard" if heard else "none heard"
        troubles = "".join(
            f", {count} {what}"
            for count, what in ((self.not_heard, "not heard"), (self.retries, "retries"))
            if count
        )
        return f"{self.done}/{self.asked} asked, {so_far} passed{troubles}, {self.left()} left"


class PlainView:
    """A line now and then: for pipes, CI and logs."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._next_at = time.monotonic() + _PLAIN_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def landed(self, records: list[Record]) -> None:
        self._progress.add(records)
        if time.monotonic() >= self._next_at or self._progress.done == self._progress.asked:
            self._next_at = time.monotonic() + _PLAIN_EVERY_S
            self.say(self._progress.line())

    def say(self, line: str) -> None:
        self._console.print(inert(line), markup=False, highlight=False, soft_wrap=True)


class LiveView:
    """A bar, the running score of each category, calls in flight, retries."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=6, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def landed(self, records: list[Record]) -> None:
        self._progress.add(records)

    def say(self, line: str) -> None:
        self._console.print(inert(line), markup=False, highlight=False)

    def _render(self) -> RenderableType:
        progress = self._progress
        width = self._console.width
        bar = ProgressBar(total=max(1, progress.asked), completed=progress.done, width=width // 3)
        head = Table.grid(padding=(0, 1))
        facts = f"{progress.in_flight()} in flight"
        if progress.retries:
            facts += f" · {progress.retries} retries"
        if progress.not_heard:
            facts += f" · {progress.not_heard} not heard"
        head.add_row(bar, f"{progress.done}/{progress.asked}", f"{progress.left()} left", facts)
        return Group(head, self._categories())

    def _categories(self) -> Table:
        table = Table.grid(padding=(0, 2))
        score = self._progress.tally.score()
        for part in (*score.categories, score.overall):
            heard = part.asked - part.not_heard
            running = f"{100 * part.passed / heard:3.0f} %" if heard else "  –"
            counts = f"{part.passed} of {heard} heard, {part.asked} in all"
            table.add_row(
                Text(inert(part.category)), running, counts, words.seconds(part.latency_mean_s)
            )
        return table


def view(console: Console, progress: Progress) -> View:
    """Live where somebody watches; plain where `CI` is set or nobody does."""
    if console.is_terminal and not console.is_dumb_terminal and not os.environ.get("CI"):
        return LiveView(console, progress)
    return PlainView(console, progress)


def _duration(seconds: float) -> str:
    """
    >>> _duration(5), _duration(150), _duration(7300)
    ('5 s', '2 min 30 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
