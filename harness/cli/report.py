"""`report`: one HTML page about runs, to keep and to pass on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from typer import Argument, Option

from harness.cli.app import DEFAULT_RESULTS, app, say, stopping_cleanly
from harness.cli.options import taking

if TYPE_CHECKING:
    from harness.report.page import Page


class ReportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One field per argument or option."""

    names: Annotated[
        list[str],
        Argument(
            metavar="[RUN|MODEL...]",
            help="Runs, files or models; without any, every model's newest complete run.",
            show_default=False,
        ),
    ] = []
    out: Annotated[Path, Option("--out", "-o", help="File to write, or - for stdout.")] = Path(
        "report.html"
    )
    suite: Annotated[
        Path | None,
        Option(help="Suite the pictures are in; without one, the built-in suite."),
    ] = None
    results: Annotated[Path, Option("--results", help="Folder of the runs.")] = DEFAULT_RESULTS
    force: Annotated[bool, Option("--force", help="Put runs of unlike settings on one page.")] = (
        False
    )
    include_cached: Annotated[
        bool, Option("--include-cached", help="Count cached replies in response times.")
    ] = False


def report(options: ReportOptions) -> None:
    """Write one HTML page: scores, charts, and every prompt with picture, replies and verdicts.

    It needs no network and no script, and can be passed on as it is.
    """
    with stopping_cleanly():
        _insist_on_extra()
        from harness import catalogue
        from harness.report import gather, page

        gathered = gather(
            options.names,
            results=options.results,
            catalogue=catalogue.load(),
            force=options.force,
            include_cached=options.include_cached,
        )
        made = page(gathered, suite=options.suite)
        _write(options.out, made)


app.command("report")(taking(ReportOptions, report))


def _insist_on_extra() -> None:
    """Raises: UsageError when the packages that only a report needs are not installed."""
    from importlib.util import find_spec

    from harness.errors import UsageError

    if not find_spec("jinja2"):
        raise UsageError(
            "a report needs jinja2, which the extra `report` brings",
            fix="pip install 'evalrun[report]'",
        )


def _write(out: Path, made: Page) -> None:
    """To stdout for `-`, else to a file that is replaced in one step. Tells what is in it."""
    import sys

    from harness import store
    from harness.errors import ResultsError

    data = made.html.encode()
    if str(out) == "-":
        sys.stdout.buffer.write(data)
    else:
        try:
            store.replace_text(out, made.html)
        except ResultsError as error:
            raise ResultsError(error.problem, fix="name a file you may write to: --out") from error
        size = f"{len(data) / 1e6:.1f} MB, {made.prompts:,} prompts, {made.pictures:,} pictures"
        say(f"wrote {out} ({size})")
    for why in made.missing[:5]:
        say(f"no picture for some prompts: {why}")
