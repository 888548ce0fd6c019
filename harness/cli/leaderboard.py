"""`leaderboard`: every model's newest complete run, ranked."""

from __future__ import annotations

from harness.cli.options import DEFAULT_RESULTS, AsJson, CsvFile, IncludeCached, ResultsDir
from harness.cli.output import console, print_json, say
from harness.cli.runs import write_csv
from harness.compare import ranking
from harness.compare.ranking import Leaderboard
from harness.errors import UsageError
from harness.tables import leaderboard as tables
from harness.text import inert


def leaderboard(
    results: ResultsDir = DEFAULT_RESULTS,
    include_cached: IncludeCached = False,
    csv: CsvFile = None,
    json: AsJson = False,
) -> None:
    """Rank every model's newest complete run.

    Ties are shown as ties.
    """
    if json and csv == "-":
        raise UsageError("stdout takes one format, not csv and json", fix="ask for one of them")
    board = ranking.leaderboard(results, include_cached=include_cached)
    _write(board, csv, json=json)
    if not board.standings:
        say(f"no complete run in {results} yet: `evalrun --model NAME` makes one")
        for why in board.left_out:
            say(f"not ranked: {inert(why)}")


def _write(board: Leaderboard, csv: str | None, *, json: bool) -> None:
    if csv is not None:
        write_csv(csv, tuple(tables.columns(board)), tables.data(board))
    if json:
        print_json({"standings": list(tables.data(board)), "left_out": board.left_out})
    elif csv != "-" and board.standings:
        shown = console()
        shown.print(tables.terminal(board, width=shown.width))
