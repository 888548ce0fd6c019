"""Tables on a terminal of any width: what does not fit is left out by name, never cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

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
            parts.append(_line(block, width))
        else:
            parts += [Text()] if parts else []
            parts += _parts(block, width)
    return Group(*parts)


def _line(line: Line, width: int) -> Text:
    style = " ".join(STYLES.get(it, it) for it in line.style.split())
    text, margin = inert(line.text, _LONGEST), " " * line.indent
    if margin:
        text = fill(
            text, width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
        )
    return Text(text, style=style)


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
        fitting = shown
        while sum(_BETWEEN + _need(table, *it) for it in fitting) > width + _BETWEEN:
            first = max(fitting, key=lambda it: it[1].drop)
            if not first[1].drop:
                break
            fitting = [it for it in fitting if it is not first]
        yield _grid(table, fitting, width)
        if left_out := ", ".join(it.heading or "" for at, it in shown if (at, it) not in fitting):
            notes.append(f"left out at {width} characters a line: {left_out}")
    if notes:
        yield Text("\n".join(notes), style="dim")


def _need(table: Table, at: int, column: Column, *, unbroken: bool = False) -> int:
    """The fewest characters a line that a column can do with, or would like to have."""
    cells = [as_cell(row[at]) for row in table.rows]
    words = [line for it in cells for line in (one_line(spelled(it, column)), one_line(it.detail))]
    if not (column.is_whole or unbroken):
        words = [word[:_BROKEN] for line in words for word in line.split()]
    heading = column.heading or ""
    return max(map(cell_len, [*words, *([heading] if unbroken else heading.split()), "–"]))


def _widths(table: Table, shown: Shown, width: int) -> list[int]:
    """What each column needs, and what is left over for those that would like more."""
    widths = [_need(table, *it) for it in shown]
    wanted = [_need(table, *it, unbroken=True) for it in shown]
    spare = width - _BETWEEN * (len(shown) - 1) - sum(widths)
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
    for (_, it), room in zip(shown, _widths(table, shown, width), strict=True):
        side: JustifyMethod = "right" if it.is_figure else "left"
        heading = Text(one_line(it.heading or "", 200))
        grid.add_column(heading, justify=side, overflow="fold", width=max(1, room))
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


def _records(table: Table, shown: Shown) -> Iterator[Text]:
    """Each row as lines: the first cell heads them, every other has its heading before it."""
    if table.title:
        yield Text(inert(table.title), style="bold")
    (first, head), *others = shown
    room = max((len(column.heading or "") for _, column in others), default=0)
    for row in table.rows:
        top = as_cell(row[first])
        text = Text(inert(spelled(top, head), _LONGEST), style=STYLES.get(top.key, "cyan"))
        text.append(f" · {one_line(top.detail, 200)}" if top.detail else "", style="dim")
        for cell, column in ((as_cell(row[at]), it) for at, it in others):
            if cell.value is not None or cell.text is not None:
                shown_as = one_line(spelled(cell, column), _LONGEST)
                text.append(f"\n  {inert(column.heading or ''):<{room}}  ", "default")
                text.append(shown_as, STYLES.get(cell.key, "default"))
                text.append(
                    f"  {one_line(cell.detail, _LONGEST)}" if cell.detail else "", "default"
                )
        yield text
