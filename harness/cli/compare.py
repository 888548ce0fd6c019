"""`compare`, `leaderboard` and `report`: which model is better, by how much, how sure that is."""

from __future__ import annotations

import gc
from pathlib import Path

from harness import catalogue, comparison, store
from harness.cli.output import emit, print_blocks, say, write_github_summary, write_text
from harness.comparison import ranking
from harness.errors import ExitCode, ResultsError, check_extra
from harness.options import argument, option, run_names
from harness.tables import compare as tables
from harness.tables import runs as run_tables
from harness.tables import to_data
from harness.text import inert


def compare(
    *,
    names: list[str] = argument(
        "Models (newest complete run, else published figures), runs, files, or A+A@SUITE joined.",
        metavar="A B [C...]",
        autocompletion=run_names,
    ),
    results: Path,
    force: bool = option("Compare what unlike or incomplete runs share.", False),
    include_cached: bool,
    fail_on_regression: bool = option(
        "Exit 6 when the last is significantly worse than the first (McNemar).", False
    ),
    csv: str | None,
    json: bool,
    md: bool,
    latex: bool = option("A LaTeX table on stdout.", False),
    github_summary: bool,
) -> int:
    """Compare models or runs: is the later one really better?"""
    gc.disable()  # nothing here is garbage before the end, and long runs make a million objects
    found = comparison.compare(
        list(store.cells(results, names)),
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    emit(
        *(tables.blocks(found), lambda: tables.json_data(found), tables.for_programs(found)),
        csv=csv,
        json=json,
        md=md,
        latex=latex,
    )
    if github_summary:
        write_github_summary(tables.blocks(found))
    regressed = comparison.regression(found) if fail_on_regression else None
    if regressed is None:
        return ExitCode.DONE
    say(f"regression: {inert(regressed)}")
    return ExitCode.BELOW_BAR


def leaderboard(
    *,
    results: Path,
    suite: str | None = option("Only this suite: its name, version or folder."),
    settings: str | None = option("Only settings with these words, e.g. 'temperature 0.7'."),
    include_cached: bool,
    csv: str | None,
    json: bool,
) -> None:
    """Rank every model's newest complete run.

    One table for each suite and its settings. Models that cannot be told apart share a rank; runs
    that are not ranked are listed with the reason and a command.
    """
    board = ranking.leaderboard(
        results, include_cached=include_cached, suite=suite, settings=settings
    )
    if (suite or settings) and not board.groups and not board.unranked:
        there = [f"{it.suite} ({it.settings})" for it in ranking.leaderboard(results).groups]
        fix = f"choose among those there are: {'; '.join(there) or 'none'}"
        raise ResultsError("no run is of that suite and these settings", fix=fix)
    table = run_tables.ranked(board.groups)
    data = {"standings": to_data(table), "left_out": board.unranked}
    blocks = run_tables.board(board) if board.groups else ()
    emit(blocks, data, table, csv=csv, json=json)
    if not board.groups:
        say(f"no complete run in {results} yet: `evalrun --model NAME` makes one")
        if board.unranked:
            print_blocks(run_tables.unranked(board), stderr=True)


def report(
    *,
    names: list[str] = argument(
        "Runs, files, models or a sweep; without any, every model's newest complete run.",
        [],
        metavar="[RUN|MODEL...]",
        show_default=False,
    ),
    out: Path = option("File to write, or - for stdout.", Path("report.html"), "--out", "-o"),
    suite: Path | None = option("Suite the pictures are in [default: as the run says; built-in]."),
    results: Path,
    force: bool = option("Put runs of unlike settings on one page.", False),
    include_cached: bool,
) -> None:
    """Write one HTML page about runs, to keep and to pass on.

    It shows scores, charts, and every prompt with picture, replies and verdicts; it needs no
    network and no script.
    """
    check_extra("report")
    from harness.report.page import gather, page  # they need the extra

    gathered = gather(
        list(store.cells(results, names)),
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    made = page(gathered, suite=suite)
    size_mb = len(made.html.encode()) / 1e6
    held = f"{size_mb:.1f} MB, {made.prompts:,} prompts, {made.pictures:,} pictures"
    write_text(str(out), made.html, note=f" ({held})")
    for why in made.missing[:5]:
        say(f"no picture for some prompts: {why}")
