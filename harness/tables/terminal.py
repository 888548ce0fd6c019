"""Tables on a terminal of any width: what does not fit is left out by name, never cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from harness.tables.table import Block, Cell, Column, Line, Table, as_cell, for_people, spelled
from harness.text import inert, one_line

_LONGEST = 2_000
_BROKEN = 14
"""Text is broken at words; longer ones only where they must be."""
_BETWEEN = 3
"""Characters that a column costs beside its own."""

Shown = tuple[int, Column]


def show(*blocks: Block, stderr: bool = False) -> None:
    """Print them, for the width there is."""
    console = Console(stderr=stderr)
    console.print(terminal(blocks, width=console.width), soft_wrap=False)


def terminal(blocks: Iterable[Block], *, width: int) -> RenderableType:
    """All blocks below one another."""
    return Group(*(part for block in blocks for part in _parts(block, width)))


def _parts(block: Block, width: int) -> Iterator[RenderableType]:
    if isinstance(block, Line):
        yield Text(" " * block.indent + inert(block.text, _LONGEST), style=block.style)
        return
    if block.records:
        yield from _records(block)
        notes = list(block.notes)
    else:
        shown, left_out = _fitting(block, width)
        yield _grid(block, shown)
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
    needs = {at: _need(table, at, column) for at, column in shown}

    def too_wide() -> bool:
        kept = [need for at, need in needs.items() if at not in left_out]
        return sum(kept) + _BETWEEN * len(kept) - 1 > width

    for at, _ in sorted((it for it in shown if it[1].drop), key=lambda it: -it[1].drop):
        if too_wide():
            left_out.add(at)
    return (
        [it for it in shown if it[0] not in left_out],
        [column for at, column in shown if at in left_out],
    )


def _need(table: Table, at: int, column: Column) -> int:
    """The fewest characters the column can do with."""
    heads = max((cell_len(word) for word in (column.heading or "").split()), default=0)
    cells = [as_cell(row[at]) for row in table.rows]
    lines = [line for it in cells for line in (spelled(it, column), it.detail) if line]
    if column.is_figure:
        return max([heads, *(cell_len(line) for line in lines)])
    longest = max((cell_len(word) for line in lines for word in line.split()), default=0)
    return max(heads, min(longest, _BROKEN))


def _grid(table: Table, shown: Sequence[Shown]) -> Grid:
    grid = Grid(
        title=Text(inert(table.title), style="bold") if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for at, column in shown:
        grid.add_column(
            Text(one_line(column.heading or "", 200)),
            justify="right" if column.is_figure else "left",
            no_wrap=column.is_figure,
            overflow="fold",
            min_width=None if column.is_figure else _need(table, at, column),
        )
    for number, row in enumerate(table.rows, start=1):
        last = table.total and number == len(table.rows)
        if last:
            grid.add_section()
        grid.add_row(*(_text(as_cell(row[at]), it) for at, it in shown), style="bold" * last)
    return grid


def _text(cell: Cell, column: Column) -> Text:
    text = Text(inert(spelled(cell, column), _LONGEST), style=cell.style)
    if cell.detail:
        text.append(f"\n{inert(cell.detail, _LONGEST)}", style="dim")
    return text


def _records(table: Table) -> Iterator[RenderableType]:
    """Each row as lines: the first cell heads them, every other has its heading before it."""
    if table.title:
        yield Text(inert(table.title), style="bold")
    (first, head), *others = for_people(table)
    room = max((len(column.heading or "") for _, column in others), default=0)
    for row in table.rows:
        top = as_cell(row[first])
        text = Text(inert(spelled(top, head), _LONGEST), style=top.style or "cyan")
        text.append(f" · {one_line(top.detail, 200)}" if top.detail else "", style="dim")
        for at, column in others:
            cell = as_cell(row[at])
            if cell.value is None and cell.text is None:
                continue
            text.append(f"\n  {inert(column.heading or ''):<{room}}  ", style="default")
            text.append(one_line(spelled(cell, column), _LONGEST), style=cell.style or "default")
            text.append(f"  {one_line(cell.detail, _LONGEST)}" if cell.detail else "", "default")
        yield text
