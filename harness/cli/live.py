"""What a person sees on a terminal while a run goes on."""

from __future__ import annotations

from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.progress import Progress
from harness.records import Record
from harness.tables import words
from harness.text import inert


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
        progress = self._progress
        width = self._console.width
        bar = ProgressBar(total=max(1, progress.asked), completed=progress.done, width=width // 3)
        head = Table.grid(padding=(0, 1))
        facts = f"{progress.in_flight()} in flight"
        if progress.retries:
            facts += f" · {progress.retries} retries"
        if progress.errors:
            facts += f" · {progress.errors} error"
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
