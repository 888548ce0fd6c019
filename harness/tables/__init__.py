"""One table model, five renderers, and how figures are spelled.

A `Table` has a title, columns with names and units, rows and notes; a `Line` is a sentence between
tables. `to_data` gives rows for JSON, `to_csv`, `to_markdown` and `to_latex` text, and
`tables.terminal` prints. Each makes what it shows harmless by itself, so a model's own words may
stand in any cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal

from msgspec import Struct

from harness.records import Score
from harness.text import one_line

Value = str | int | float | bool | None
Unit = Literal["", "s", "usd", "pct", "count"]
DASH = "–"
KEY = "score key: good >= 75 %, fair 40 to under 75 %, poor < 40 %"
STYLES = {
    **dict.fromkeys(("good", "pass", "better", "yes", "ok"), "green"),
    **dict.fromkeys(("poor", "fail", "worse", "broken"), "red"),
    **dict.fromkeys(("fair", "undecided", "missing"), "yellow"),
    **dict.fromkeys(("incomplete", "cut", "error"), "magenta"),
}
"""Words that have a colour on a terminal; colour is never the only sign."""
_LONGEST = 4_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class Cell(Struct, frozen=True):
    """A value with words of its own. Where those of the unit do, the bare value is enough."""

    value: Value = None
    text: str | None = None
    """For people, instead of the value."""
    detail: str = ""
    """Smaller, below."""
    key: str = ""
    """A word behind it that has a colour: one of `STYLES`."""


class Column(Struct, frozen=True):
    """A column with a name is for programs (CSV, JSON), one with a heading for people; or both."""

    name: str = ""
    heading: str | None = None
    of: Callable[[Any], Cell | Value] | str | None = None
    """What it takes of an item: text is the path of an attribute, None the one of its name."""
    unit: Unit = ""
    """How a number is spelled for people."""
    figure: bool = False
    """Aligned to the right and never broken; any column with a unit is."""
    whole: bool = False
    """Never broken, as people copy it."""
    drop: int = 0
    """Narrow terminals leave out the column with the highest number first; 0 stays."""

    @property
    def is_figure(self) -> bool:
        return self.figure or bool(self.unit)

    @property
    def is_whole(self) -> bool:
        return self.is_figure or self.whole

    def take(self, item: Any) -> Cell | Value:
        of = self.of if callable(self.of) else attrgetter(self.of or self.name)
        found: Cell | Value = of(item)
        return found


Row = Sequence[Cell | Value]


class Table(Struct, frozen=True, kw_only=True):
    """Rows under columns, with a title and what a reader must know beside it."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    notes: Sequence[str] = ()
    total: bool = False
    """The last row sums up the others."""
    records: bool = False
    """Long texts: on a terminal each row stands as a block of lines, one a column."""
    folded: bool = False
    """Long: Markdown shows it when it is clicked, and LaTeX leaves it out."""
    below: bool = False
    """Columns that a terminal has no room for go into tables below, instead of being left out."""


class Line(Struct, frozen=True):
    """A sentence between tables."""

    text: str
    style: str = ""
    """`bold` is strong everywhere; colours are the terminal's alone."""
    indent: int = 0


Block = Table | Line


def rows_of(items: Iterable[Any], columns: Sequence[Column]) -> list[Row]:
    """A row an item, by what each column takes of it."""
    return [[it.take(item) for it in columns] for item in items]


def as_cell(value: Cell | Value) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def seconds(value: float | None) -> str:
    """
    >>> seconds(0.0123), seconds(3.456), seconds(75.0), seconds(None)
    ('12 ms', '3.46 s', '75.0 s', '–')
    """
    if value is None:
        return DASH
    if value < 0.1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def dollars(value: float | None) -> str:
    """
    >>> dollars(0.000512), dollars(1.5), dollars(None)
    ('$0.0005', '$1.50', '–')
    """
    if value is None:
        return DASH
    return f"${value:.2f}" if value >= 1 else f"${value:.4f}"


def percent(share: float | None) -> float | None:
    """A share as per cent, to two digits: 42/67 is 62.69."""
    return None if share is None else round(100 * share, 2)


def key(score: Score) -> str:
    """The score key, in a word."""
    if score.share is None:
        return "incomplete"
    return "good" if score.share >= 0.75 else "fair" if score.share >= 0.4 else "poor"


def share_and_counts(score: Score) -> str:
    """`73.3 % (11/15)`; for an incomplete score the range from all wrong to all right."""
    if score.share is not None:
        return f"{100 * score.share:.1f} % ({score.passed}/{score.asked})"
    return f"{100 * score.low:.1f} to {100 * score.high:.1f} % ({score.missing})"


def interval(score: Score) -> str:
    """The 95 % interval; an incomplete score has a range instead, which is no interval."""
    return f"{100 * score.low:.1f} to {100 * score.high:.1f}" if score.complete else DASH


_SPELLED: Mapping[str, Callable[[Any], str]] = {
    "s": seconds,
    "usd": dollars,
    "pct": "{:.0f} %".format,
    "count": "{:,}".format,
}


def spelled(cell: Cell, column: Column) -> str:
    """What people read in a cell."""
    if cell.text is not None:
        text = cell.text
    elif cell.value is None:
        text = cell.key or DASH
    elif isinstance(cell.value, bool):
        text = "yes" if cell.value else "no"
    else:
        text = _SPELLED.get(column.unit, str)(cell.value)
    return text if cell.key in ("", text) else f"{text} {cell.key}".strip()


def for_people(table: Table) -> list[tuple[int, Column]]:
    """The columns with a heading, each with its place in the rows."""
    return [(at, it) for at, it in enumerate(table.columns) if it.heading is not None]


def names(table: Table) -> list[str]:
    """The columns for programs."""
    return [it.name for it in table.columns if it.name]


def to_data(table: Table) -> list[dict[str, Value]]:
    """Each row by the columns' names, for JSON and CSV."""
    named = [(at, it.name) for at, it in enumerate(table.columns) if it.name]
    return [{name: as_cell(row[at]).value for at, name in named} for row in table.rows]


def to_csv(table: Table) -> str:
    return csv_text(names(table), to_data(table))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> str:
    """RFC 4180 for a spreadsheet: no cell acts as a formula. A row need not know every column."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(row.get(name)) for name in columns] for row in rows)
    return file.getvalue()


def csv_cell(value: Value) -> str:
    """None is empty, floats keep six digits, and text that would act as a formula is defused.

    >>> [csv_cell(it) for it in ("=1+1", "-5", "007", None, 0.1234567, True, "@x")]
    ["'=1+1", '-5', '007', '', '0.123457', 'true', "'@x"]
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value).replace("\x00", "\\x00")
    acts = text.startswith(_FORMULA) and not _PLAIN_NUMBER.fullmatch(text)
    return f"'{text}" if acts else text


def _texts(table: Table, plain: Callable[[str], str], detail: str) -> Iterator[list[str]]:
    """The headings, then the cells of each row, in a markup."""
    shown = for_people(table)
    yield [plain(column.heading or "") for _, column in shown]
    for row in table.rows:
        cells = [(as_cell(row[at]), column) for at, column in shown]
        yield [
            plain(spelled(it, column)) + (detail.format(plain(it.detail)) if it.detail else "")
            for it, column in cells
        ]


def to_markdown(blocks: Iterable[Block]) -> str:
    """GitHub's Markdown, with nothing left active in it."""
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            parts += filter(None, _markdown_table(block))
        elif block.indent:
            item = f"- {plain_markdown(block.text)}"
            follows = bool(parts) and parts[-1].startswith("- ")
            parts[-1:] = [f"{parts[-1]}\n{item}"] if follows else [*parts[-1:], item]
        elif text := plain_markdown(block.text):
            parts.append(f"**{text}**" if "bold" in block.style else text)
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> Iterator[str]:
    title = plain_markdown(table.title)
    if table.folded:
        yield f"<details><summary>{title}</summary>"
    elif title:
        yield f"**{title}**"
    head, *lines = _texts(table, plain_markdown, "<br><sub>{}</sub>")
    rule = ["--:" if column.is_figure else "---" for _, column in for_people(table)]
    yield "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))
    yield "<br>\n".join(f"<sub>{plain_markdown(note)}</sub>" for note in table.notes)
    if table.folded:
        yield "</details>"


_ACTIVE = re.compile(r"[\\`*_\[\]|~#]|[&<>@]|(?<=[a-z])://|(?<=www)\.", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "://": "&#58;//", ".": "&#46;"}


def plain_markdown(text: str) -> str:
    r"""Text that shows as itself: no markup, no HTML, no links, no mentions.

    >>> plain_markdown("<b>*hi* @all</b> | https://x.org")
    '&lt;b&gt;\\*hi\\* &#64;all&lt;/b&gt; \\| https&#58;//x.org'
    """
    return _ACTIVE.sub(lambda it: _ENTITIES.get(it[0], f"\\{it[0]}"), one_line(text, _LONGEST))


def to_latex(blocks: Iterable[Block]) -> str:
    """For a paper, with the package booktabs; what stands before the tables is the caption."""
    lines, notes, bodies = list[str](), dict[str, None](), list[str]()
    for block in blocks:
        if isinstance(block, Line):
            lines += [] if bodies or block.indent else [plain_latex(block.text)]
        elif not block.folded:
            bodies.append("\n".join(_tabular(block)))
            notes |= dict.fromkeys(map(plain_latex, block.notes))
    sentences = [it if it.endswith((".", "!", "?")) else f"{it}." for it in (*lines, *notes)]
    caption = f"\\begin{{table}}\n\\caption{{{' '.join(sentences)}}}"
    tables = "\n\n\\bigskip\n".join(bodies)
    return f"% needs \\usepackage{{booktabs}}\n{caption}\n{tables}\n\\end{{table}}\n"


def _tabular(table: Table) -> Iterator[str]:
    shown = for_people(table)
    texts = max(1, sum(not column.is_figure for _, column in shown) - 1)
    wide = f"p{{{0.75 / texts:.2f}\\textwidth}}"
    kinds = ["r" if it.is_figure else "l" if number == 0 else wide for number, it in shown]
    head, *lines = _texts(table, plain_latex, ", {}")
    head[0] = head[0] or plain_latex(table.title)
    yield f"\\begin{{tabular}}{{{''.join(kinds)}}}\n\\toprule"
    yield f"{' & '.join(head)} \\\\\n\\midrule"
    yield from (f"{' & '.join(line)} \\\\" for line in lines)
    yield "\\bottomrule\n\\end{tabular}"


_LATEX = {"\\": "textbackslash", "~": "textasciitilde", "^": "textasciicircum"}
_LATEX |= {"<": "textless", ">": "textgreater"}


def plain_latex(text: str) -> str:
    r"""
    >>> plain_latex("50 % & a_b < c")
    '50 \\% \\& a\\_b \\textless{} c'
    """
    return re.sub(
        r"[\\~^<>&%$#_{}]",
        lambda it: f"\\{_LATEX[it[0]]}{{}}" if it[0] in _LATEX else f"\\{it[0]}",
        one_line(text, _LONGEST),
    ).replace(DASH, "--")
