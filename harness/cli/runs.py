"""`runs`, `show` and `export`: what was measured, read from the run files alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harness import store
from harness.cli.options import DEFAULT_RESULTS, AsJson, IncludeCached, ResultsDir
from harness.cli.output import console, print_json, say
from harness.errors import ResultsError, UsageError
from harness.records import Correction, ModelScore
from harness.store import Run
from harness.summary import summarise
from harness.tables import rows
from harness.tables import run as run_tables
from harness.tables.csv import to_text, write_rows
from harness.tables.rows import Row
from harness.tables.side_by_side import joined

RunName = Annotated[str, typer.Argument(help="A model (its newest run), a run, or a file.")]


def list_runs(results: ResultsDir = DEFAULT_RESULTS, json: AsJson = False) -> None:
    """List the runs there are, oldest first."""
    found = [(path, _scored(path)) for path in store.runs(results)]
    for path, score in found:
        if score is None:
            say(f"{path} cannot be read: see `evalrun show {path}`")
    scores = [score for _, score in found if score is not None]
    if json:
        print_json([rows.run_summary_row(score) for score in scores])
    elif scores:
        shown = console()
        shown.print(run_tables.listing(scores, width=shown.width))
    else:
        say(f"no runs in {results} yet: `evalrun` makes one")


def show(
    run: RunName,
    results: ResultsDir = DEFAULT_RESULTS,
    prompt: Annotated[list[str] | None, typer.Option(help="Only this prompt (repeatable).")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Passed prompts too, not only failures.")
    ] = False,
    include_cached: IncludeCached = False,
    fix: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="PROMPT pass|fail", help="Correct a verdict; needs --why."),
    ] = None,
    why: Annotated[str | None, typer.Option(help="The reason for a correction.")] = None,
    repeat: Annotated[int, typer.Option(help="Which repeat to correct.")] = 0,
    json: AsJson = False,
) -> None:
    """Show a run: its scores, and the prompts it failed.

    Each with its question, the expected answer, the reply and the reason.
    """
    path = store.find(results, run)
    if fix is not None:
        _correct(path, fix, why, repeat)
    opened = store.read(path)
    if json:
        print_json([*_rows([opened])])
        return
    _print_run(opened, set(prompt or []), everything, include_cached)


def export(
    runs: Annotated[list[str], typer.Argument(help="Models, runs or files.")],
    csv: Annotated[str, typer.Option(help="File to write, or - for stdout.")] = "-",
    categories: Annotated[
        bool, typer.Option("--categories", help="A row per category instead of per prompt.")
    ] = False,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Join the runs: a row per prompt.")
    ] = False,
    results: ResultsDir = DEFAULT_RESULTS,
    json: AsJson = False,
) -> None:
    """Export runs as CSV: a row per prompt, or per category."""
    if categories and side_by_side:
        raise UsageError(
            "--categories and --side-by-side are two different tables", fix="give one of them"
        )
    opened = [store.read(store.find(results, name)) for name in runs]
    columns, data = _table(opened, categories=categories, side_by_side=side_by_side)
    if json:
        print_json(list(data))
    else:
        write_csv(csv, columns, data)


def write_csv(target: str, columns: tuple[str, ...], data: Iterator[Row]) -> None:
    """To stdout for `-`, else to a file that is replaced in one step."""
    if target == "-":
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
        write_rows(sys.stdout, columns, data)
        return
    store.replace_text(Path(target), to_text(columns, data))
    say(f"wrote {target}")


def _table(
    opened: list[Run], *, categories: bool, side_by_side: bool
) -> tuple[tuple[str, ...], Iterator[Row]]:
    if side_by_side:
        columns, joint = joined(opened)
        return columns, iter(joint)
    if categories:
        return rows.CATEGORY_COLUMNS, _category_rows(opened)
    return rows.RUN_COLUMNS, _rows(opened)


def _rows(opened: list[Run]) -> Iterator[Row]:
    for run in opened:
        for record in run.records():
            yield rows.run_row(run.header, record)


def _category_rows(opened: list[Run]) -> Iterator[Row]:
    for run in opened:
        yield from rows.category_rows(summarise(run))


def _scored(path: Path) -> ModelScore | None:
    try:
        return summarise(store.read(path))
    except ResultsError:
        return None


def _correct(path: Path, fix: tuple[str, str], why: str | None, repeat: int) -> None:
    prompt, verdict = fix
    if verdict not in ("pass", "fail") or not why:
        raise UsageError(
            f"a correction is pass or fail, with a reason (here {verdict!r}, {why or 'no reason'})",
            fix=f"--fix {prompt} pass --why 'the gauge does read 4.2'",
        )
    correction = Correction(
        prompt=prompt, repeat=repeat, passed=verdict == "pass", why=why, at=datetime.now(UTC)
    )
    store.append_correction(path, correction)
    say(f"kept: {prompt} counts as {verdict} in {path}")


def _print_run(opened: Run, prompts: set[str], everything: bool, include_cached: bool) -> None:
    shown = console()
    score = summarise(opened, include_cached=include_cached)
    shown.print(run_tables.scores(score, width=shown.width))
    for record in opened.records():
        failed = record.final is None or not record.final.passed
        if record.case.id in prompts or (not prompts and (failed or everything)):
            shown.print(run_tables.failure(record), soft_wrap=True)
    if opened.torn:
        say(f"the last line of {opened.path} is cut short; resuming the run asks it again")
