"""`compare`: which model is better, by how much, and how sure that is."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from typer import Argument, Option

from harness.cli.app import DEFAULT_RESULTS, app, say, stopping_cleanly
from harness.cli.options import taking

if TYPE_CHECKING:
    from harness.compare import Comparison


class CompareOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One field per argument or option."""

    names: Annotated[
        list[str],
        Argument(
            metavar="A B [C...]",
            help="Models (newest complete run, else published figures), runs or files.",
            show_default=False,
        ),
    ] = []
    results: Annotated[Path, Option("--results", help="Folder of the runs.")] = DEFAULT_RESULTS
    force: Annotated[
        bool, Option("--force", help="Compare what unlike or incomplete runs share.")
    ] = False
    include_cached: Annotated[
        bool, Option("--include-cached", help="Count cached replies in response times.")
    ] = False
    fail_on_regression: Annotated[
        bool,
        Option(
            "--fail-on-regression",
            help="Exit 6 when the last is significantly worse than the first (exact McNemar).",
        ),
    ] = False
    csv: Annotated[str | None, Option(help="File to write, or - for stdout.")] = None
    json: Annotated[bool, Option("--json", help="JSON on stdout.")] = False
    md: Annotated[bool, Option("--md", help="Markdown on stdout.")] = False
    latex: Annotated[bool, Option("--latex", help="A LaTeX table on stdout.")] = False


def compare(options: CompareOptions) -> None:
    """Compare models or runs: is the later one really better than the first?"""
    with stopping_cleanly():
        chosen = _format(options)
        gc.disable()  # nothing here is garbage before the end, and long runs make a million objects
        from harness import catalogue
        from harness.compare import compare as hold_against

        comparison = hold_against(
            options.names,
            results=options.results,
            catalogue=catalogue.load(),
            force=options.force,
            include_cached=options.include_cached,
        )
        _write(comparison, chosen, options.csv)
        if options.fail_on_regression:
            _fail_on_regression(comparison)
    # The memory of long runs goes back at once, instead of text by text, which takes 0.1 s.
    from harness.cli.signals import leave_now

    leave_now(0)


app.command("compare")(taking(CompareOptions, compare))


def _format(options: CompareOptions) -> str:
    """The one thing that goes to stdout. A CSV file is written beside the terminal's table."""
    from harness.errors import UsageError

    wanted = {
        "csv": options.csv == "-",
        "json": options.json,
        "md": options.md,
        "latex": options.latex,
    }
    chosen = [name for name, given in wanted.items() if given]
    if len(chosen) > 1:
        raise UsageError(
            f"stdout takes one format, not {' and '.join(chosen)}", fix="ask for one of them"
        )
    return chosen[0] if chosen else "terminal"


def _write(comparison: Comparison, chosen: str, csv: str | None) -> None:
    from harness.cli.runs import write_csv
    from harness.tables import compare as tables

    if csv is not None:
        columns, rows = tables.csv_table(comparison)
        write_csv(csv, tuple(columns), iter(rows))
    if chosen == "json":
        print_json(tables.json_data(comparison))
    elif chosen == "md":
        _print_bytes(tables.markdown(comparison).encode())
    elif chosen == "latex":
        _print_bytes(tables.latex(comparison).encode())
    elif chosen == "terminal":
        _print_table(comparison)


def print_json(data: object) -> None:
    """One line of JSON on stdout."""
    _print_bytes(msgspec.json.encode(data) + b"\n")


def _print_bytes(data: bytes) -> None:
    """UTF-8, whatever the terminal's encoding is."""
    import sys

    sys.stdout.buffer.write(data)


def _print_table(comparison: Comparison) -> None:
    from rich.console import Console

    from harness.tables.compare import terminal

    console = Console()
    console.print(terminal(comparison, width=console.width))


def _fail_on_regression(comparison: Comparison) -> None:
    """Raises: ResultsError when there is no test to go by; typer.Exit(6) on a regression."""
    from harness.compare import regression
    from harness.errors import ExitCode
    from harness.text import inert

    found = regression(comparison)
    if found is not None:
        say(f"regression: {inert(found)}")
        raise typer.Exit(int(ExitCode.BELOW_BAR))
