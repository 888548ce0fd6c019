"""Tables on a terminal of any width: what does not fit is left out by name, never cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill, wrap

from rich import box
from rich.cells import cell_len
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from harness.tables import STYLES, Block, Cell, Column, Line, Table, as_cell, for_people, spelled
from harness.text import inert, one_line

_LONGEST = 2_000
_BROKEN = 14
"""Text is broken at words; longer ones only where they must be."""
_FIRST, _OTHER = 18, 20
"""The least that columns get of which as many stand side by side as there is room for."""
_BETWEEN = 3
"""Characters between two columns."""

Shown = Sequence[tuple[int, Column]]
"""Columns, each with its place in the rows."""


def terminal(blocks: Iterable[Block], *, width: int) -> RenderableType:
    """All blocks below one another, tables with a line of room above them."""
    parts: list[RenderableType] = []
    for block in blocks:
        if isinstance(block, Line):
            style = " ".join(STYLES.get(it, it) for it in block.style.split())
            text, indent = inert(block.text, _LONGEST), " " * block.indent
            if indent:
                text = fill(
                    text,
                    width,
                    initial_indent=indent,
                    subsequent_indent=indent,
                    break_on_hyphens=False,
                )
            parts.append(Text(text, style=style))
            continue
        parts += [Text()] if parts else []
        parts += _parts(block, width)
    return Group(*parts)


def _parts(table: Table, width: int) -> Iterator[RenderableType]:
    shown, notes = for_people(table), [one_line(note, _LONGEST) for note in table.notes]
    if table.records:
        yield from _records(table, shown)
    elif table.below:
        at_once = max(1, (width - _FIRST) // _OTHER)
        for start in range(1, len(shown), at_once):
            yield from [Text()] * (start > 1)
            yield _grid(table, [shown[0], *shown[start : start + at_once]], width)
    else:
        fitting = _fitting(table, shown, width)
        yield _grid(table, fitting, width)
        if left_out := ", ".join(it.heading or "" for at, it in shown if (at, it) not in fitting):
            notes.append(f"left out at {width} characters a line: {left_out}")
    if notes:
        yield Text("\n".join(notes), style="dim")


def _fitting(table: Table, shown: Shown, width: int) -> Shown:
    """The columns that fit; those go first that may be left out first."""
    while any(column.drop for _, column in shown):
        if sum(_need(table, at, it) for at, it in shown) <= _room(shown, width):
            break
        first = max(shown, key=lambda it: it[1].drop)
        shown = [it for it in shown if it is not first]
    return shown


def _room(shown: Shown, width: int) -> int:
    """Characters of a line that are left for columns."""
    return width - _BETWEEN * (len(shown) - 1)


def _lines(table: Table, at: int, column: Column) -> list[str]:
    cells = [as_cell(row[at]) for row in table.rows]
    return [line for it in cells for line in (one_line(spelled(it, column)), one_line(it.detail))]


def _need(table: Table, at: int, column: Column) -> int:
    """The fewest characters the column can do with."""
    lines, heading = _lines(table, at, column), (column.heading or "").split()
    whole = column.is_figure or column.whole
    words = lines if whole else [word for line in lines for word in line.split()]
    most = max(map(cell_len, words), default=0)
    return max([1, most if whole else min(most, _BROKEN), *map(cell_len, heading)])


def _widths(table: Table, shown: Shown, width: int) -> list[int]:
    """What each column needs, and what is left over for those that would like more."""
    widths = [_need(table, at, it) for at, it in shown]
    wanted = [max(map(cell_len, [it.heading or "", *_lines(table, at, it)])) for at, it in shown]
    spare = _room(shown, width) - sum(widths)
    for _ in range(spare):
        wanting = [at for at, want in enumerate(wanted) if widths[at] < want]
        if wanting:
            widths[min(wanting, key=widths.__getitem__)] += 1
    for _ in range(-spare):
        widths[widths.index(max(widths))] -= 1
    return widths


def _grid(table: Table, shown: Shown, width: int) -> Grid:
    grid = Grid(
        title=Text(inert(table.title), style="bold") if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for (_, column), room in zip(shown, _widths(table, shown, width), strict=True):
        heading = Text("\n".join(wrap(one_line(column.heading or "", 200), max(1, room))))
        justify: JustifyMethod = "right" if column.is_figure else "left"
        grid.add_column(heading, justify=justify, overflow="fold", width=max(1, room))
    for number, row in enumerate(table.rows, start=1):
        last = table.total and number == len(table.rows)
        if last:
            grid.add_section()
        grid.add_row(*(_text(as_cell(row[at]), it) for at, it in shown), style="bold" * last)
    return grid


def _text(cell: Cell, column: Column) -> Text:
    text = Text(inert(spelled(cell, column), _LONGEST), style=STYLES.get(cell.key, ""))
    if cell.detail:
        text.append(f"\n{inert(cell.detail, _LONGEST)}", style="dim")
    return text


def _records(table: Table, shown: Shown) -> Iterator[RenderableType]:
    """Each row as lines: the first cell heads them, every other has its heading before it."""
    if table.title:
        yield Text(inert(table.title), style="bold")
    (first, head), *others = shown
    room = max((len(column.heading or "") for _, column in others), default=0)
    for row in table.rows:
        top = as_cell(row[first])
        text = Text(inert(spelled(top, head), _LONGEST), style=STYLES.get(top.key, "cyan"))
        text.append(f" · {one_line(top.detail, 200)}" if top.detail else "", style="dim")
        for at, column in others:
            cell = as_cell(row[at])
            if cell.value is None and cell.text is None:
                continue
            text.append(f"\n  {inert(column.heading or ''):<{room}}  ", style="default")
            style = STYLES.get(cell.key, "default")
            text.append(one_line(spelled(cell, column), _LONGEST), style=style)
            text.append(f"  {one_line(cell.detail, _LONGEST)}" if cell.detail else "", "default")
        yield text
