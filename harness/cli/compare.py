"""`compare`: which model is better, by how much, and how sure that is."""

from __future__ import annotations

import gc
from typing import Annotated

from typer import Argument, Option

from harness import catalogue
from harness import compare as comparing
from harness.cli.options import DEFAULT_RESULTS, AsJson, CsvFile, IncludeCached, ResultsDir
from harness.cli.output import console, print_bytes, print_json, say
from harness.cli.runs import write_csv
from harness.errors import ExitCode, UsageError
from harness.tables import compare as tables
from harness.text import inert


def compare(
    names: Annotated[
        list[str],
        Argument(
            metavar="A B [C...]",
            help="Models (newest complete run, else published figures), runs or files.",
            show_default=False,
        ),
    ],
    results: ResultsDir = DEFAULT_RESULTS,
    force: Annotated[
        bool, Option("--force", help="Compare what unlike or incomplete runs share.")
    ] = False,
    include_cached: IncludeCached = False,
    fail_on_regression: Annotated[
        bool,
        Option(
            "--fail-on-regression",
            help="Exit 6 when the last is significantly worse than the first (exact McNemar).",
        ),
    ] = False,
    csv: CsvFile = None,
    json: AsJson = False,
    md: Annotated[bool, Option("--md", help="Markdown on stdout.")] = False,
    latex: Annotated[bool, Option("--latex", help="A LaTeX table on stdout.")] = False,
) -> int:
    """Compare models or runs: is the later one really better?"""
    form = _format({"csv": csv == "-", "json": json, "md": md, "latex": latex})
    gc.disable()  # nothing here is garbage before the end, and long runs make a million objects
    comparison = comparing.compare(
        names,
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    _write(comparison, form, csv)
    regressed = comparing.regression(comparison) if fail_on_regression else None
    if regressed is None:
        return ExitCode.DONE
    say(f"regression: {inert(regressed)}")
    return ExitCode.BELOW_BAR


def _format(wanted: dict[str, bool]) -> str:
    """The one thing that goes to stdout. A CSV file is written beside the terminal's table."""
    chosen = [name for name, given in wanted.items() if given]
    if len(chosen) > 1:
        raise UsageError(
            f"stdout takes one format, not {' and '.join(chosen)}", fix="ask for one of them"
        )
    return chosen[0] if chosen else "terminal"


def _write(comparison: comparing.Comparison, form: str, csv: str | None) -> None:
    if csv is not None:
        columns, rows = tables.csv_table(comparison)
        write_csv(csv, tuple(columns), iter(rows))
    if form == "json":
        print_json(tables.json_data(comparison))
    elif form == "md":
        print_bytes(tables.markdown(comparison).encode())
    elif form == "latex":
        print_bytes(tables.latex(comparison).encode())
    elif form == "terminal":
        shown = console()
        shown.print(tables.terminal(comparison, width=shown.width))
