"""Tables on a terminal of any width: what does not fit is left out by name, never cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from harness.tables import words
from harness.tables.table import Block, Cell, Column, Line, Table, as_cell, for_people, spelled
from harness.text import inert, one_line

_LONGEST = 2_000
_BROKEN = 14
"""Text is broken at words; longer ones only where they must be."""
_FIRST, _OTHER = 18, 20
"""The least that columns get of which as many stand side by side as there is room for."""
_BETWEEN = 3
"""Characters between two columns."""

Shown = tuple[int, Column]


def terminal(blocks: Iterable[Block], *, width: int) -> RenderableType:
    """All blocks below one another, tables with a line of room above them."""
    parts: list[RenderableType] = []
    for block in blocks:
        if parts and isinstance(block, Table):
            parts.append(Text())
        parts += _parts(block, width)
    return Group(*parts)


def _parts(block: Block, width: int) -> Iterator[RenderableType]:
    if isinstance(block, Line):
        yield Text(
            " " * block.indent + inert(block.text, _LONGEST),
            style=" ".join(words.STYLES.get(it, it) for it in block.style.split()),
        )
        return
    if block.records:
        yield from _records(block)
        notes = list(block.notes)
    elif block.below:
        first, *others = for_people(block)
        at_once = max(1, (width - _FIRST) // _OTHER)
        for start in range(0, len(others), at_once):
            yield _grid(block, [first, *others[start : start + at_once]], width)
        notes = list(block.notes)
    else:
        shown, left_out = _fitting(block, width)
        yield _grid(block, shown, width)
        notes = [*block.notes, *_left_out(left_out, width)]
    if notes:
        yield Text("\n".join(one_line(note, _LONGEST) for note in notes), style="dim")


def _left_out(columns: Sequence[Column], width: int) -> Iterator[str]:
    if columns:
        listed = ", ".join(column.heading or "" for column in columns)
        yield f"left out at {width} characters a line: {listed}"


def _fitting(table: Table, width: int) -> tuple[list[Shown], list[Column]]:
    """The columns that fit, and those left out for it, in the order of the table."""
    shown, left_out = list(for_people(table)), set[int]()
    for at, _ in sorted((it for it in shown if it[1].drop), key=lambda it: -it[1].drop):
        if not _fits(table, [it for it in shown if it[0] not in left_out], width):
            left_out.add(at)
    return (
        [it for it in shown if it[0] not in left_out],
        [column for at, column in shown if at in left_out],
    )


def _fits(table: Table, shown: Sequence[Shown], width: int) -> bool:
    needed = sum(_need(table, at, column) for at, column in shown)
    return needed + _BETWEEN * (len(shown) - 1) <= width


def _need(table: Table, at: int, column: Column) -> int:
    """The fewest characters the column can do with."""
    heads = max((cell_len(word) for word in (column.heading or "").split()), default=0)
    cells = [as_cell(row[at]) for row in table.rows]
    lines = [line for it in cells for line in (spelled(it, column), it.detail) if line]
    if column.is_figure:
        return max([heads, *(cell_len(line) for line in lines)])
    longest = max((cell_len(word) for line in lines for word in line.split()), default=0)
    return max(heads, min(longest, _BROKEN))


def _grid(table: Table, shown: Sequence[Shown], width: int) -> Grid:
    fits = _fits(table, shown, width)
    whole = sum(max(_need(table, at, it), cell_len(it.heading or "")) for at, it in shown)
    breaks = whole + _BETWEEN * (len(shown) - 1) > width
    grid = Grid(
        title=Text(inert(table.title), style="bold") if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for at, column in shown:
        need, heading = _need(table, at, column), one_line(column.heading or "", 200)
        grid.add_column(
            # rich breaks no heading of a column whose figures it may not break.
            Text(
                "\n".join(wrap(heading, max(1, need))) if breaks and column.is_figure else heading
            ),
            justify="right" if column.is_figure else "left",
            no_wrap=column.is_figure and fits,
            overflow="fold",
            min_width=need if fits else None,
        )
    for number, row in enumerate(table.rows, start=1):
        last = table.total and number == len(table.rows)
        if last:
            grid.add_section()
        grid.add_row(*(_text(as_cell(row[at]), it) for at, it in shown), style="bold" * last)
    return grid


def _text(cell: Cell, column: Column) -> Text:
    text = Text(inert(spelled(cell, column), _LONGEST), style=_style(cell))
    if cell.detail:
        text.append(f"\n{inert(cell.detail, _LONGEST)}", style="dim")
    return text


def _style(cell: Cell) -> str:
    return words.STYLES.get(cell.key, "")


def _records(table: Table) -> Iterator[RenderableType]:
    """Each row as lines: the first cell heads them, every other has its heading before it."""
    if table.title:
        yield Text(inert(table.title), style="bold")
    (first, head), *others = for_people(table)
    room = max((len(column.heading or "") for _, column in others), default=0)
    for row in table.rows:
        top = as_cell(row[first])
        text = Text(inert(spelled(top, head), _LONGEST), style=_style(top) or "cyan")
        text.append(f" · {one_line(top.detail, 200)}" if top.detail else "", style="dim")
        for at, column in others:
            cell = as_cell(row[at])
            if cell.value is None and cell.text is None:
                continue
            text.append(f"\n  {inert(column.heading or ''):<{room}}  ", style="default")
            text.append(one_line(spelled(cell, column), _LONGEST), style=_style(cell) or "default")
            text.append(f"  {one_line(cell.detail, _LONGEST)}" if cell.detail else "", "default")
        yield text
