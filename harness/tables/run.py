"""A run's own table. Chooses words and columns for the width there is; computes no numbers."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.records import ModelScore, Record, Score
from harness.tables import words
from harness.tables.rows import as_text
from harness.tables.text import inert, one_line

_WIDE, _MIDDLE = 100, 72


def scores(score: ModelScore, *, width: int) -> RenderableType:
    """The results table of one run, with its notes."""
    table = Table(
        title=Text(inert(words.title(score.header)), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("category", overflow="fold")
    table.add_column("score", justify="right", no_wrap=width >= _MIDDLE)
    table.add_column("key")
    if width >= _MIDDLE:
        table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    if width >= _WIDE:
        table.add_column("median", justify="right", no_wrap=True)
        table.add_column("p95", justify="right", no_wrap=True)
    for part in score.categories:
        table.add_row(*_cells(part, width))
    table.add_section()
    table.add_row(*_cells(score.overall, width), style="bold")
    notes = Text("\n".join(words.notes(score)), style="dim")
    return Group(table, notes)


def _cells(part: Score, width: int) -> list[str | Text]:
    key = words.key(part)
    style = words.STYLES[key]
    cells: list[str | Text] = [
        Text(inert(part.category)),
        Text(words.share_and_counts(part), style=style),
        Text(key, style=style),
    ]
    if width >= _MIDDLE:
        cells.append(words.interval(part))
    cells.append(words.seconds(part.latency_mean_s))
    if width >= _WIDE:
        cells += [words.seconds(part.latency_p50_s), words.seconds(part.latency_p95_s)]
    return cells


def failures(records: Iterable[Record], *, limit: int = 200) -> RenderableType | None:
    """What went wrong, by category: question, expected, said, reason. None when nothing did."""
    blocks: dict[str, list[Text]] = {}
    for record in records:
        verdict = record.final
        if verdict is None or not verdict.passed:
            blocks.setdefault(record.case.category, []).append(_failure(record, limit))
    lines: list[Text] = []
    for category, texts in blocks.items():
        lines.append(Text(f"{inert(category)} ({len(texts)})", style="bold"))
        lines += texts
    return Group(*lines) if lines else None


def _failure(record: Record, limit: int) -> Text:
    verdict = record.final
    text = Text(f"  {record.case.id}", style="cyan")
    if record.repeat:
        text.append(f" (repeat {record.repeat})")
    if record.correction is not None:
        text.append(" *")
    text.append(f"\n    asked     {one_line(record.case.question, limit)}", style="default")
    text.append(
        f"\n    expected  {one_line(as_text(record.case.expected), limit)}", style="default"
    )
    if verdict is None:
        failure = record.outcome
        why = getattr(failure, "message", "")
        text.append(f"\n    not heard {one_line(why, limit)}", style="magenta")
        return text
    said = getattr(record.outcome, "text", "")
    text.append(f"\n    said      {one_line(said, limit) or '(nothing)'}", style="default")
    text.append(f"\n    fail      {one_line(verdict.reason, limit)}", style="red")
    return text
