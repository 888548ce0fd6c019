"""A run's own table. Chooses words and columns for the width there is; computes no numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.records import ModelScore, Record, Score
from harness.tables import words
from harness.tables.rows import as_text
from harness.text import inert, one_line

_WIDE, _MIDDLE = 100, 72


def scores(score: ModelScore, *, width: int) -> RenderableType:
    """The results table of one run, with its notes."""
    table = Table(
        title=Text(inert(words.title(score.header)), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    parts = (*score.categories, score.overall)
    intervals = width >= _MIDDLE and any(part.complete for part in parts)
    # Scores of incomplete runs are long: rather break them than words like "Understanding".
    table.add_column("category", overflow="fold", min_width=13 if width >= _MIDDLE else None)
    table.add_column("score", justify="right", no_wrap=width >= _MIDDLE and score.complete)
    table.add_column("key", no_wrap=width >= _MIDDLE)
    if intervals:
        table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    if width >= _WIDE:
        table.add_column("median", justify="right", no_wrap=True)
        table.add_column("p95", justify="right", no_wrap=True)
    for part in score.categories:
        table.add_row(*_cells(part, width, intervals))
    table.add_section()
    table.add_row(*_cells(score.overall, width, intervals), style="bold")
    notes = Text("\n".join(words.notes(score)), style="dim")
    return Group(table, notes)


def _cells(part: Score, width: int, intervals: bool) -> list[str | Text]:
    key = words.key(part)
    style = words.STYLES[key]
    cells: list[str | Text] = [
        Text(inert(part.category)),
        Text(words.share_and_counts(part), style=style),
        Text(key, style=style),
    ]
    if intervals:
        cells.append(words.interval(part))
    cells.append(words.seconds(part.latency_mean_s))
    if width >= _WIDE:
        cells += [words.seconds(part.latency_p50_s), words.seconds(part.latency_p95_s)]
    return cells


def listing(scores: Iterable[ModelScore], *, width: int) -> Table:
    """Runs, a line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("suite", overflow="fold")
    table.add_column("score", justify="right")
    if width >= _MIDDLE:
        table.add_column("mean", justify="right", no_wrap=True)
        table.add_column("remarks", overflow="fold")
    for score in scores:
        header, overall = score.header, score.overall
        style = words.STYLES[words.key(overall)]
        remarks = [header.backend]
        remarks += ["blind"] if header.blind else []
        remarks += [f"subset of {header.suite_prompts}"] if header.subset else []
        remarks += [f"regraded from {header.regraded_from}"] if header.regraded_from else []
        cells = [
            Text(inert(header.run)),
            Text(inert(header.suite)),
            Text(words.share_and_counts(overall), style=style),
        ]
        if width >= _MIDDLE:
            cells += [Text(words.seconds(overall.latency_mean_s)), Text(", ".join(remarks))]
        table.add_row(*cells)
    return table


def failure_counts(counts: Mapping[str, int]) -> Text:
    """How many went wrong in each category, on one line."""
    listed = ", ".join(f"{inert(name)} {count}" for name, count in counts.items())
    return Text(f"failed: {listed}")


def failure_line(record: Record, width: int) -> Text:
    """One prompt that was failed or error: expected against said."""
    text = Text(f"  {inert(record.case.id)}", style="cyan")
    said = getattr(record.outcome, "text", None)
    if said is None:
        text.append(f"  error: {one_line(getattr(record.outcome, 'message', ''), width)}")
        return text
    room = max(20, (width - len(text) - 24) // 2)
    text.append(f"  expected {one_line(as_text(record.case.expected), room)}", style="default")
    text.append(f"  said {one_line(said, room) or '(nothing)'}", style="default")
    return text


def failure(record: Record, *, limit: int = 400) -> Text:
    """The same at length: question, expected, said, reason."""
    verdict = record.final
    text = Text(inert(record.case.id), style="cyan")
    if record.repeat:
        text.append(f" (repeat {record.repeat})")
    if record.correction is not None:
        text.append(" *")
    text.append(f"\n  asked     {one_line(record.case.question, limit)}", style="default")
    expected = one_line(as_text(record.case.expected), limit)
    text.append(f"\n  expected  {expected}", style="default")
    if verdict is None:
        why = getattr(record.outcome, "message", "")
        text.append(f"\n  error {one_line(why, limit)}", style="magenta")
        return text
    said = getattr(record.outcome, "text", "")
    text.append(f"\n  said      {one_line(said, limit) or '(nothing)'}", style="default")
    word, style = ("pass", "green") if verdict.passed else ("fail", "red")
    text.append(f"\n  {word}      {one_line(verdict.reason, limit)}", style=style)
    return text
