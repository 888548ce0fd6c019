"""One table, five ways to write it: terminal (see `terminal`), CSV, JSON, Markdown, LaTeX.

A table holds values as they are; each renderer makes what it shows harmless by itself, so a model's
own words may stand in any cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from harness.tables import words
from harness.tables.csv import Value, to_text
from harness.text import one_line

_LONGEST = 4_000
Unit = Literal["", "s", "usd", "pct", "count"]
_SPELLED: Mapping[str, Callable[[Any], str]] = {
    "s": words.seconds,
    "usd": words.dollars,
    "pct": lambda value: f"{value:.1f} %",
    "count": lambda value: f"{value:,}",
}


class Column(Struct, frozen=True):
    """A column with a name is for programs (CSV, JSON), one with a heading for people; or both."""

    name: str = ""
    """Its key in CSV and JSON, the unit in it; empty: only people see the column."""
    heading: str | None = None
    """What stands over it; None: only programs see the column."""
    unit: Unit = ""
    """How a number is spelled for people."""
    figure: bool = False
    """Aligned to the right and never broken; any column with a unit is."""
    drop: int = 0
    """Narrow terminals leave out the column with the highest number first; 0 stays."""

    @property
    def is_figure(self) -> bool:
        return self.figure or bool(self.unit)


class Cell(Struct, frozen=True):
    """A value with words of its own. Where those of the unit do, the bare value is enough."""

    value: Value = None
    text: str | None = None
    """For people, instead of the value."""
    detail: str = ""
    """Smaller, below."""
    key: str = ""
    """A word behind it that has a colour: one of `words.STYLES`."""


class Table(Struct, frozen=True, kw_only=True):
    """Rows under columns, with a title and what a reader must know beside it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | Value]]
    title: str = ""
    notes: Sequence[str] = ()
    total: bool = False
    """The last row sums up the others."""
    records: bool = False
    """Long texts: on a terminal each row stands as a block of lines, one a column."""
    folded: bool = False
    """Long: Markdown shows it when it is clicked."""
    below: bool = False
    """Columns that a terminal has no room for go into tables below, instead of being left out."""


class Line(Struct, frozen=True):
    """A sentence between tables."""

    text: str
    style: str = ""
    """`bold` is strong everywhere; colours are the terminal's alone."""
    indent: int = 0


Block = Table | Line


def as_cell(value: Cell | Value) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def spelled(cell: Cell, column: Column) -> str:
    """What people read in a cell.

    >>> spelled(Cell(0.0123), Column("latency_s", "response", "s")), spelled(Cell(), Column("x"))
    ('12 ms', '–')
    """
    text = _worded(cell, column)
    return text if cell.key in ("", text) else f"{text} {cell.key}".strip()


def _worded(cell: Cell, column: Column) -> str:
    if cell.text is not None:
        return cell.text
    if cell.value is None:
        return cell.key or words.DASH
    if isinstance(cell.value, bool):
        return "yes" if cell.value else "no"
    return _SPELLED[column.unit](cell.value) if column.unit else str(cell.value)


def for_people(table: Table) -> Iterator[tuple[int, Column]]:
    """The columns with a heading, each with its place in the rows."""
    yield from ((at, it) for at, it in enumerate(table.columns) if it.heading is not None)


def to_data(table: Table) -> list[dict[str, Value]]:
    """Each row by the columns' names, for JSON and CSV."""
    named = [(at, it.name) for at, it in enumerate(table.columns) if it.name]
    return [{name: as_cell(row[at]).value for at, name in named} for row in table.rows]


def names(table: Table) -> list[str]:
    """The names of the columns for programs."""
    return [it.name for it in table.columns if it.name]


def to_csv(table: Table) -> str:
    """RFC 4180, ready for a spreadsheet.

    >>> to_csv(Table(columns=[Column("a"), Column(heading="b")], rows=[[1, 2]]))
    'a\\r\\n1\\r\\n'
    """
    return to_text(names(table), to_data(table))


def to_markdown(blocks: Iterable[Block]) -> str:
    """GitHub's Markdown, with nothing left active in it."""
    parts = []
    items = ""
    for block in blocks:
        if isinstance(block, Line) and block.indent:
            items += f"{chr(10) if items else ''}- {plain_markdown(block.text)}"
            continue
        parts += [items, *_in_markdown(block)]
        items = ""
    return "\n\n".join(part for part in [*parts, items] if part) + "\n"


def _in_markdown(block: Block) -> Iterator[str]:
    if isinstance(block, Line):
        text = plain_markdown(block.text)
        yield f"**{text}**" if text and "bold" in block.style else text
        return
    title = plain_markdown(block.title)
    if block.folded:
        yield f"<details><summary>{title}</summary>"
    elif title:
        yield f"**{title}**"
    shown = list(for_people(block))
    lines = [[plain_markdown(column.heading or "") for _, column in shown]]
    lines.append(["--:" if column.is_figure else "---" for _, column in shown])
    lines += [[_markdown_cell(as_cell(row[at]), it) for at, it in shown] for row in block.rows]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    yield "<br>\n".join(f"<sub>{plain_markdown(note)}</sub>" for note in block.notes)
    if block.folded:
        yield "</details>"


def _markdown_cell(cell: Cell, column: Column) -> str:
    detail = f"<br><sub>{plain_markdown(cell.detail)}</sub>" if cell.detail else ""
    return f"{plain_markdown(spelled(cell, column))}{detail}"


_PUNCTUATION = re.compile(r"([\\`*_\[\]|~#])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_LINKS = re.compile(r"(?i)(?<=[a-z])://|(?<=www)\.")


def plain_markdown(text: str) -> str:
    r"""Text that shows as itself: no markup, no HTML, no links, no mentions.

    >>> plain_markdown("<b>*hi* @all</b> | https://x.org")
    '&lt;b&gt;\\*hi\\* &#64;all&lt;/b&gt; \\| https&#58;//x.org'
    """
    escaped = _PUNCTUATION.sub(r"\\\1", one_line(text, _LONGEST))
    for character, entity in _ENTITIES.items():
        escaped = escaped.replace(character, entity)
    return _LINKS.sub(lambda it: "&#58;//" if it[0] == "://" else "&#46;", escaped)


def to_latex(blocks: Sequence[Block]) -> str:
    """For a paper: needs the package booktabs and nothing else. Lines become the caption."""
    lines = " ".join(_sentence(it.text) for it in blocks if isinstance(it, Line))
    tables = [it for it in blocks if isinstance(it, Table) and not it.folded]
    notes = " ".join(
        _sentence(note) for note in dict.fromkeys(n for it in tables for n in it.notes)
    )
    parts = ["% needs \\usepackage{booktabs}", "\\begin{table}"]
    parts.append(f"\\caption{{{' '.join(it for it in (lines, notes) if it)}}}")
    for number, table in enumerate(tables):
        parts += ["", "\\bigskip"] if number else []
        parts += _tabular(table)
    return "\n".join([*parts, "\\end{table}", ""])


def _sentence(text: str) -> str:
    plain = plain_latex(text)
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."


def _tabular(table: Table) -> Iterator[str]:
    shown = list(for_people(table))
    texts = max(1, sum(not column.is_figure for _, column in shown) - 1)
    wide = f"p{{{0.75 / texts:.2f}\\textwidth}}"
    kinds = ["r" if it.is_figure else "l" if number == 0 else wide for number, it in shown]
    head = [plain_latex(column.heading or "") for _, column in shown]
    head[0] = head[0] or plain_latex(table.title)
    yield f"\\begin{{tabular}}{{{''.join(kinds)}}}"
    yield "\\toprule"
    yield f"{' & '.join(head)} \\\\"
    yield "\\midrule"
    for row in table.rows:
        yield f"{' & '.join(_latex_cell(as_cell(row[at]), it) for at, it in shown)} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def _latex_cell(cell: Cell, column: Column) -> str:
    return plain_latex(f"{spelled(cell, column)}{', ' if cell.detail else ''}{cell.detail}")


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    words.DASH: "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_SPECIALS = re.compile("|".join(re.escape(character) for character in _SPECIAL))


def plain_latex(text: str) -> str:
    r"""
    >>> plain_latex("50 % & a_b")
    '50 \\% \\& a\\_b'
    """
    return _SPECIALS.sub(lambda it: _SPECIAL[it[0]], one_line(text, _LONGEST))
