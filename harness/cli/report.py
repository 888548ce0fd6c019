"""`report`: one HTML page about runs, to keep and to pass on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from harness import catalogue, store
from harness.cli.output import print_bytes, say
from harness.errors import ResultsError, UsageError, install_command
from harness.options import DEFAULT_RESULTS, IncludeCached, ResultsDir

if TYPE_CHECKING:
    from harness.report.page import Page


def report(
    names: Annotated[
        list[str] | None,
        Argument(
            metavar="[RUN|MODEL...]",
            help="Runs, files or models; without any, every model's newest complete run.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, Option("--out", "-o", help="File to write, or - for stdout.")] = Path(
        "report.html"
    ),
    suite: Annotated[
        Path | None, Option(help="Suite the pictures are in; without one, the built-in suite.")
    ] = None,
    results: ResultsDir = DEFAULT_RESULTS,
    force: Annotated[
        bool, Option("--force", help="Put runs of unlike settings on one page.")
    ] = False,
    include_cached: IncludeCached = False,
) -> None:
    """Write one HTML page about runs, to keep and to pass on.

    It shows scores, charts, and every prompt with picture, replies and verdicts; it needs no
    network and no script.
    """
    _check_extra()
    from harness.report import gather  # they need the extra
    from harness.report.page import page

    gathered = gather(
        names or [],
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    made = page(gathered, suite=suite)
    _write(out, made)


def _check_extra() -> None:
    """Raises: UsageError when the packages that only a report needs are not installed."""
    if not find_spec("jinja2"):
        raise UsageError(
            "a report needs jinja2, which the extra `report` brings",
            fix=install_command("report"),
        )


def _write(out: Path, made: Page) -> None:
    """To stdout for `-`, else to a file that is replaced in one step. Tells what is in it."""
    data = made.html.encode()
    if str(out) == "-":
        print_bytes(data)
    else:
        try:
            store.replace_text(out, made.html)
        except ResultsError as error:
            raise ResultsError(error.problem, fix="name a file you may write to: --out") from error
        size = f"{len(data) / 1e6:.1f} MB, {made.prompts:,} prompts, {made.pictures:,} pictures"
        say(f"wrote {out} ({size})")
    for why in made.missing[:5]:
        say(f"no picture for some prompts: {why}")
