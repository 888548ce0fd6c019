"""`leaderboard`: every model's newest complete run, ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import DEFAULT_RESULTS, ResultsDir, app, say, stopping_cleanly

if TYPE_CHECKING:
    from harness.compare.ranking import Leaderboard


@app.command()
def leaderboard(
    results: ResultsDir = DEFAULT_RESULTS,
    include_cached: Annotated[
        bool, typer.Option("--include-cached", help="Count cached replies in response times.")
    ] = False,
    csv: Annotated[str | None, typer.Option(help="File to write, or - for stdout.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Rank every model's newest complete run; ties are shown as ties."""
    with stopping_cleanly():
        from harness.compare import ranking
        from harness.errors import UsageError
        from harness.text import inert

        if json and csv == "-":
            raise UsageError("stdout takes one format, not csv and json", fix="ask for one of them")
        board = ranking.leaderboard(results, include_cached=include_cached)
        _write(board, csv, json=json)
        if not board.standings:
            say(f"no complete run in {results} yet: `evalrun --model NAME` makes one")
            for why in board.left_out:
                say(f"not ranked: {inert(why)}")


def _write(board: Leaderboard, csv: str | None, *, json: bool) -> None:
    from rich.console import Console

    from harness.cli.compare import print_json
    from harness.cli.runs import write_csv
    from harness.tables import leaderboard as tables

    if csv is not None:
        write_csv(csv, tuple(tables.columns(board)), tables.data(board))
    if json:
        print_json({"standings": list(tables.data(board)), "left_out": board.left_out})
    elif csv != "-" and board.standings:
        console = Console()
        console.print(tables.terminal(board, width=console.width))
