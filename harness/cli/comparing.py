"""`compare` and `leaderboard`: which model is better, by how much, and how sure that is."""

from __future__ import annotations

import gc
from typing import Annotated

from typer import Argument, Option

from harness import catalogue, comparison, store
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
from harness.comparison import ranking
from harness.errors import ExitCode, ResultsError
from harness.options import DEFAULT_RESULTS, IncludeCached, ResultsDir, run_names
from harness.tables import compare as compare_tables
from harness.tables import leaderboard as board_tables
from harness.tables import names as names_of
from harness.tables import to_data, to_latex, to_markdown
from harness.text import inert


def compare(
    names: Annotated[
        list[str],
        Argument(
            metavar="A B [C...]",
            help="Models (newest complete run, else published figures), runs or files.",
            autocompletion=run_names,
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
    github_summary: GithubSummary = False,
) -> int:
    """Compare models or runs: is the later one really better?"""
    form = format_for_stdout({"csv": csv == "-", "json": json, "md": md, "latex": latex})
    gc.disable()  # nothing here is garbage before the end, and long runs make a million objects
    found = comparison.compare(
        list(store.cells(results, names)),
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    _write(found, form, csv)
    if github_summary:
        write_github_summary(compare_tables.blocks(found))
    regressed = comparison.regression(found) if fail_on_regression else None
    if regressed is None:
        return ExitCode.DONE
    say(f"regression: {inert(regressed)}")
    return ExitCode.BELOW_BAR


def _write(found: comparison.Comparison, form: str, csv: str | None) -> None:
    if csv is not None:
        table = compare_tables.for_programs(found)
        write_csv(csv, names_of(table), to_data(table))
    match form:
        case "json":
            print_json(compare_tables.json_data(found))
        case "md":
            print_bytes(to_markdown(compare_tables.blocks(found)).encode())
        case "latex":
            print_bytes(to_latex(compare_tables.for_paper(found)).encode())
        case "terminal":
            print_blocks(*compare_tables.blocks(found))


def leaderboard(
    results: ResultsDir = DEFAULT_RESULTS,
    suite: Annotated[
        str | None, Option(help="Only this suite: its name, version or folder.")
    ] = None,
    settings: Annotated[
        str | None, Option(help="Only settings with these words, e.g. 'temperature 0.7'.")
    ] = None,
    include_cached: IncludeCached = False,
    csv: CsvFile = None,
    json: AsJson = False,
) -> None:
    """Rank every model's newest complete run.

    One table for each suite and its settings. Models that cannot be told apart share a rank; runs
    that are not ranked are listed with the reason and a command.
    """
    form = format_for_stdout({"csv": csv == "-", "json": json})
    board = ranking.leaderboard(
        results, include_cached=include_cached, suite=suite, settings=settings
    )
    if not board.groups and not board.unranked and (suite or settings):
        raise _nothing_chosen(ranking.leaderboard(results))
    table = board_tables.table(board.groups)
    if csv is not None:
        write_csv(csv, names_of(table), to_data(table))
    if form == "json":
        print_json({"standings": to_data(table), "left_out": board.unranked})
    elif form == "terminal" and board.groups:
        print_blocks(*board_tables.blocks(board))
    if not board.groups:
        say(f"no complete run in {results} yet: `evalrun --model NAME` makes one")
        if board.unranked:
            print_blocks(board_tables.unranked(board), stderr=True)


def _nothing_chosen(board: ranking.Leaderboard) -> ResultsError:
    there = "; ".join(f"{it.suite} ({it.settings})" for it in board.groups) or "none"
    return ResultsError(
        "no run is of that suite and these settings", fix=f"choose among those there are: {there}"
    )
