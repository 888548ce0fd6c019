"""One table in every way it is written."""

from __future__ import annotations

import pytest
from rich.console import Console

from harness.tables.table import Cell, Column, Line, Table, to_csv, to_data, to_latex, to_markdown
from harness.tables.terminal import terminal

TABLE = Table(
    title="tiny <b>",
    columns=[
        Column("category", "category"),
        Column("score_pct", "score", figure=True),
        Column("passed"),
        Column(heading="95 % interval", figure=True, drop=1),
        Column("latency_mean_s", "mean", "s", drop=2),
    ],
    rows=[
        ["Reading", Cell(50, "50.0 % (1/2)"), 1, "9.5 to 90.5", 0.0123],
        ["overall", Cell(None, "0.0 to 50.0 % (1 error)"), 0, None, None],
    ],
    notes=["a note & more"],
    total=True,
)


def printed(table: Table, width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(terminal([table], width=width))
    return captured.get()


def test_programs_get_values_under_names_and_people_words_under_headings() -> None:
    assert to_data(TABLE)[0] == {
        "category": "Reading",
        "score_pct": 50,
        "passed": 1,
        "latency_mean_s": 0.0123,
    }
    assert to_csv(TABLE).splitlines()[2] == "overall,,0,"
    assert "50.0 % (1/2)" in printed(TABLE, 80)


@pytest.mark.parametrize(
    ("width", "note"),
    [(80, None), (54, "left out at 54 characters a line: mean"), (40, "95 % interval, mean")],
)
def test_a_narrow_terminal_says_which_columns_it_left_out(width: int, note: str | None) -> None:
    text = printed(TABLE, width)

    assert max(map(len, text.splitlines())) <= width
    assert (note or "left out") in " ".join(text.split()) or note is None
    assert ("left out" in text) == (note is not None)


def test_markdown_and_latex_leave_nothing_active() -> None:
    blocks = [Line("b is better", "bold"), Line("two prompts", indent=2), TABLE]

    assert to_markdown(blocks) == (
        "**b is better**\n\n- two prompts\n\n**tiny &lt;b&gt;**\n\n"
        "| category | score | 95 % interval | mean |\n| --- | --: | --: | --: |\n"
        "| Reading | 50.0 % (1/2) | 9.5 to 90.5 | 12 ms |\n"
        "| overall | 0.0 to 50.0 % (1 error) | – | – |\n\n<sub>a note &amp; more</sub>\n"
    )
    assert "\\caption{b is better. two prompts. a note \\& more.}" in to_latex(blocks)
    assert "Reading & 50.0 \\% (1/2) & 9.5 to 90.5 & 12 ms \\\\" in to_latex(blocks)


def test_long_texts_stand_as_blocks_of_lines() -> None:
    table = Table(
        records=True,
        columns=[Column("prompt", "prompt"), Column("question", "question"), Column("a", "a")],
        rows=[[Cell("dd-01", detail="Defects"), "How\nmany?\x1b[31m", Cell()]],
    )

    assert printed(table, 80) == "dd-01 · Defects\n  question  How many?\\x1b[31m\n"
