"""`leaderboard`: every model's newest complete run, ranked among comparable ones."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from harness.cli.output import (
    AsJson,
    CsvFile,
    format_for_stdout,
    print_blocks,
    print_json,
    say,
    write_csv,
)
from harness.comparison import ranking
from harness.errors import ResultsError
from harness.options import DEFAULT_RESULTS, IncludeCached, ResultsDir
from harness.tables import leaderboard as tables
from harness.tables import names, to_data


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
    table = tables.table(board.groups)
    if csv is not None:
        write_csv(csv, names(table), to_data(table))
    if form == "json":
        print_json({"standings": to_data(table), "left_out": board.unranked})
    elif form == "terminal" and board.groups:
        print_blocks(*tables.blocks(board))
    if not board.groups:
        say(f"no complete run in {results} yet: `evalrun --model NAME` makes one")
        if board.unranked:
            print_blocks(tables.unranked(board), stderr=True)


def _nothing_chosen(board: ranking.Leaderboard) -> ResultsError:
    there = "; ".join(f"{it.suite} ({it.settings})" for it in board.groups) or "none"
    return ResultsError(
        "no run is of that suite and these settings", fix=f"choose among those there are: {there}"
    )
