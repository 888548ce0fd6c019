"""A comparison on the terminal: readable at 60 columns, and in a pipe."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare import Comparison, Contrast, Disagreement
from harness.tables import words
from harness.tables.compare import facts, phrases
from harness.text import one_line

_LABEL, _COLUMN = 18, 20
_SENTENCE = 2_000
_STYLES = {"better": "green", "worse": "red", "undecided": "yellow", None: "default"}


def terminal(comparison: Comparison, *, width: int) -> RenderableType:
    """Warnings, verdict, facts, differences, the prompts where they differ, overviews."""
    parts: list[RenderableType] = [*_warnings(comparison), *_verdicts(comparison)]
    parts += _fact_tables(comparison, width)
    parts += [Text(facts.KEY, style="dim"), Text()]
    parts += _difference_tables(comparison)
    parts += _disagreements(comparison)
    parts += _overviews(comparison)
    return Group(*parts)


def _warnings(comparison: Comparison) -> Iterator[Text]:
    for warning in comparison.warnings:
        yield Text(one_line(warning, _SENTENCE), style="yellow")


def _verdicts(comparison: Comparison) -> Iterator[Text]:
    for contrast in comparison.contrasts:
        yield Text(
            one_line(contrast.sentence, _SENTENCE), style=f"bold {_STYLES[contrast.outcome]}"
        )
        for remark in contrast.remarks:
            yield Text(f"  {one_line(remark, _SENTENCE)}")
    yield Text()


def _fact_tables(comparison: Comparison, width: int) -> Iterator[Table]:
    """As many models side by side as the width takes; the others in tables below."""
    rows = facts.rows(comparison)
    at_once = max(1, (width - _LABEL) // _COLUMN)
    for start in range(0, len(comparison.sides), at_once):
        chosen = slice(start, start + at_once)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("", overflow="fold", max_width=max(_LABEL, width // 4))
        for side in comparison.sides[chosen]:
            table.add_column(Text(one_line(side.label, 200)), overflow="fold")
        for row in rows:
            table.add_row(Text(row.label), *map(_cell, row.cells[chosen]))
        yield table


def _cell(cell: facts.Cell) -> Text:
    style = words.STYLES.get(cell.key or "", "")
    text = Text(cell.text, style=style)
    if cell.key and cell.key != cell.text:
        text.append(f" {cell.key}", style=style)
    if cell.detail:
        text.append(f"\n{cell.detail}", style="dim")
    return text


def _difference_tables(comparison: Comparison) -> Iterator[RenderableType]:
    for contrast in comparison.contrasts:
        if contrast.overall is not None:
            several = len(comparison.contrasts) > 1
            yield _difference_table(contrast)
            yield Text(phrases.corrections(contrast, several=several), style="dim")
            yield Text()


def _difference_table(contrast: Contrast) -> Table:
    table = Table(
        title=Text(phrases.contrast_title(contrast), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in phrases.difference_columns(contrast):
        text = column in ("category", "verdict")
        table.add_column(column, overflow="fold", justify="left" if text else "right")
    for *cells, verdict in phrases.difference_rows(contrast):
        table.add_row(*map(Text, cells), Text(verdict, style=_STYLES.get(verdict, "dim")))
    return table


def _disagreements(comparison: Comparison) -> Iterator[Text]:
    count = len(comparison.disagreements)
    if not count:
        return
    yield Text(f"Prompts where they differ ({count:,})", style="bold")
    for disagreement in comparison.disagreements[: phrases.SHOWN]:
        yield _disagreement(disagreement)
    more = phrases.left_out(comparison)
    yield Text(more or "", style="dim")


def _disagreement(disagreement: Disagreement) -> Text:
    width = max(8, *(len(it.label) for it in disagreement.said))
    text = Text(f"  {one_line(disagreement.prompt, 80)}", style="cyan")
    text.append(f" · {one_line(disagreement.category, 80)}", style="dim")
    for label, value in (("asked", disagreement.question), ("expected", disagreement.expected)):
        text.append(f"\n    {label:<{width}}  {one_line(value, 400)}", style="default")
    for said in disagreement.said:
        style = "green" if said.passed == said.asked else "red"
        verdict = phrases.verdict(said)
        text.append(f"\n    {one_line(said.label, 80):<{width}}  ", style="default")
        text.append(f"{verdict}  ", style=style)
        text.append(phrases.words_of(said), style="default")
    return text


def _overviews(comparison: Comparison) -> Iterator[Text]:
    for name, about in phrases.overviews(comparison):
        yield Text.assemble((f"About {one_line(name, 80)}: ", "bold"), one_line(about, 2_000))
    yield Text(phrases.tasks(comparison))
