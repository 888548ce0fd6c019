"""`report` and `view`: runs as one HTML file, and as pages in the browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from harness import catalogue, store
from harness.cli.output import say, write_text
from harness.errors import UsageError, check_extra
from harness.options import DEFAULT_RESULTS, IncludeCached, ResultsDir

_REACHED = (
    "read every run here, ask your models and correct verdicts, over a connection that is not "
    "encrypted, once they have the whole address"
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
Suite = Annotated[
    Path | None, Option(help="Suite the pictures are in [default: as the run says; built-in].")
]


def report(
    names: Annotated[
        list[str] | None,
        Argument(
            metavar="[RUN|MODEL...]",
            help="Runs, files, models or a sweep; without any, every model's newest complete run.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, Option("--out", "-o", help="File to write, or - for stdout.")] = Path(
        "report.html"
    ),
    suite: Suite = None,
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
    check_extra("report")
    from harness.report.page import gather, page  # they need the extra

    comparison = gather(
        list(store.cells(results, names or [])),
        results=results,
        catalogue=catalogue.load(),
        force=force,
        include_cached=include_cached,
    )
    made = page(comparison, suite=suite)
    size_mb = len(made.html.encode()) / 1e6
    held = f"{size_mb:.1f} MB, {made.prompts:,} prompts, {made.pictures:,} pictures"
    write_text(str(out), made.html, note=f" ({held})")
    for why in made.missing[:5]:
        say(f"no picture for some prompts: {why}")


def view(
    results: ResultsDir = DEFAULT_RESULTS,
    suite: Suite = None,
    port: Annotated[
        int | None,
        Option(min=0, max=65535, help="Port; 0 takes a free one [default: 8740, or a free one]."),
    ] = None,
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool,
        Option(
            "--allow-remote",
            help=f"Let --host be an address of other machines, which can then {_REACHED}.",
        ),
    ] = False,
    no_open: Annotated[bool, Option("--no-open", help="Do not open the browser.")] = False,
) -> None:
    """Look at runs, try models and correct verdicts in the browser.

    It serves web pages on this machine alone and prints their address. Ctrl-C ends it.
    """
    check_extra("view")
    if host not in _LOOPBACK and not allow_remote:
        raise UsageError(
            f"--host {host} lets other machines {_REACHED}",
            fix="leave --host out, or add --allow-remote if that is what you want",
        )
    from harness.view.app import serve  # they need the extra
    from harness.view.library import Library

    def started(address: str) -> None:
        typer.echo(address)
        say("Ctrl-C ends it")
        if not no_open:
            webbrowser.open(address)

    serve(Library(results, suite, catalogue.load()), host=host, port=port, on_start=started)
