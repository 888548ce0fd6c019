"""How far a run has come: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.output import Voice, is_watched, say
from harness.records import ModelScore, Record
from harness.summary import Tally
from harness.tables import words
from harness.text import inert

_PLAIN_EVERY_S = 15.0
_SCORING_SHARE = 0.05
"""Of the time: scoring a hundred thousand records takes a while, and is asked for at every look."""


class View(Protocol):
    """Shows every batch of records that is on disk."""

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
        self._tally, self.asked, self.in_flight = tally, asked, in_flight
        self.done = done
        self.retries = self.errors = 0
        self._done_before, self._started = done, time.monotonic()
        self._score: ModelScore | None = None
        self._score_again_at = 0.0

    def add(self, records: list[Record]) -> None:
        for record in records:
            self.done += 1
            self.errors += not record.answered
            self.retries += record.outcome.effort.attempts - 1

    def score(self) -> ModelScore:
        """The score so far, at most a moment old."""
        before = time.monotonic()
        if self._score is None or before >= self._score_again_at:
            self._score = self._tally.score()
            after = time.monotonic()
            self._score_again_at = after + (after - before) / _SCORING_SHARE
        return self._score

    def left(self) -> str:
        """How long the rest will take at the pace so far."""
        landed = self.done - self._done_before
        if not landed:
            return "…"
        elapsed_s = time.monotonic() - self._started
        return duration(elapsed_s / landed * (self.asked - self.done))

    def troubles(self) -> list[str]:
        counts = (self.errors, "error"), (self.retries, "retries")
        return [f"{count} {what}" for count, what in counts if count]

    def line(self) -> str:
        overall = self._tally.score().overall
        answered = overall.asked - overall.errors
        so_far = (
            f"{100 * overall.passed / answered:.0f} % of {answered} answered passed"
            if answered
            else "none answered"
        )
        parts = f"{self.done}/{self.asked} asked", so_far, *self.troubles(), f"{self.left()} left"
        return ", ".join(parts)


class PlainView:
    """A line now and then: for pipes, CI and logs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
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
        say(inert(line))


class LiveView:
    """A bar, the running score of each category, calls in flight, retries."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._console = progress, Console(stderr=True)
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=6,
            transient=True,
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
        progress, width = self._progress, self._console.width
        bar = ProgressBar(total=max(1, progress.asked), completed=progress.done, width=width // 3)
        head = Table.grid(padding=(0, 1))
        facts = " · ".join([f"{progress.in_flight()} in flight", *progress.troubles()])
        head.add_row(bar, f"{progress.done}/{progress.asked}", f"{progress.left()} left", facts)
        return Group(head, self._categories())

    def _categories(self) -> Table:
        table = Table.grid(padding=(0, 2))
        score = self._progress.score()
        for part in (*score.categories, score.overall):
            answered = part.asked - part.errors
            running = f"{100 * part.passed / answered:3.0f} %" if answered else "  –"
            counts = f"{part.passed} of {answered} answered, {part.asked} in all"
            table.add_row(
                Text(inert(part.category)), running, counts, words.seconds(part.latency_mean_s)
            )
        return table


def view(progress: Progress) -> View:
    watched = is_watched(sys.stderr) and not Voice.quiet
    return LiveView(progress) if watched else PlainView(progress)


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
