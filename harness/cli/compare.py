"""`compare`: which model is better, by how much, and how sure that is."""

from __future__ import annotations

import gc
from typing import Annotated

from typer import Argument, Option

from harness import catalogue, comparison
from harness.cli.output import (
    AsJson,
    CsvFile,
    GithubSummary,
    format_for_stdout,
    print_blocks,
    print_bytes,
    print_json,
    say,
    write_csv,
    write_github_summary,
)
from harness.errors import ExitCode
from harness.options import DEFAULT_RESULTS, IncludeCached, ResultsDir, run_names
from harness.tables import compare as tables
from harness.tables import names as names_of
from harness.tables import to_data, to_latex, to_markdown
from harness.text import inert

Names = Annotated[
    list[str],
    Argument(
        metavar="A B [C...]",
        help="Models (newest complete run, else published figures), runs or files.",
        autocompletion=run_names,
    ),
]


def compare(
    names: Names,
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
    github_summary: GithubSummary = False,
) -> int:
    """Compare models or runs: is the later one really better?"""
    form = format_for_stdout({"csv": csv == "-", "json": json, "md": md, "latex": latex})
    gc.disable()  # nothing here is garbage before the end, and long runs make a million objects
    found = comparison.compare(
        names,
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    _write(found, form, csv)
    if github_summary:
        write_github_summary(tables.blocks(found))
    regressed = comparison.regression(found) if fail_on_regression else None
    if regressed is None:
        return ExitCode.DONE
    say(f"regression: {inert(regressed)}")
    return ExitCode.BELOW_BAR


def _write(found: comparison.Comparison, form: str, csv: str | None) -> None:
    if csv is not None:
        table = tables.for_programs(found)
        write_csv(csv, names_of(table), to_data(table))
    if form == "json":
        print_json(tables.json_data(found))
    elif form == "md":
        print_bytes(to_markdown(tables.blocks(found)).encode())
    elif form == "latex":
        print_bytes(to_latex(tables.for_paper(found)).encode())
    elif form == "terminal":
        print_blocks(*tables.blocks(found))
