"""`view`: look at runs, try models and correct verdicts in the browser."""

from __future__ import annotations

import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from harness import catalogue
from harness.cli.output import say
from harness.errors import UsageError, install_command
from harness.options import DEFAULT_RESULTS, ResultsDir

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def view(
    results: ResultsDir = DEFAULT_RESULTS,
    suite: Annotated[
        Path | None,
        Option(help="Suite the pictures are in; without one, the built-in suite."),
    ] = None,
    port: Annotated[
        int | None,
        Option(min=0, max=65535, help="Port; 0 takes a free one [default: 8740, or a free one]."),
    ] = None,
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool,
        Option(
            "--allow-remote",
            help="Let --host be an address that other machines reach: whoever has the whole "
            "address can read every run here, ask your models and correct verdicts; "
            "the connection is not encrypted.",
        ),
    ] = False,
    no_open: Annotated[bool, Option("--no-open", help="Do not open the browser.")] = False,
) -> None:
    """Look at runs, try models and correct verdicts in the browser.

    It serves web pages on this machine alone and prints their address. Ctrl-C ends it.
    """
    _check_extra()
    if host not in _LOOPBACK and not allow_remote:
        raise UsageError(
            f"--host {host} lets other machines read every run here, ask your models and correct "
            "verdicts, over a connection that is not encrypted",
            fix="leave --host out, or add --allow-remote if that is what you want",
        )
    from harness.view.app import serve  # it needs the extra
    from harness.view.library import Library

    def started(address: str) -> None:
        typer.echo(address)
        say("Ctrl-C ends it")
        if not no_open:
            webbrowser.open(address)

    serve(Library(results, suite, catalogue.load()), host=host, port=port, on_start=started)


def _check_extra() -> None:
    """Raises: UsageError when the packages that only the pages need are not installed."""
    missing = [name for name in ("starlette", "uvicorn", "jinja2") if not find_spec(name)]
    if missing:
        raise UsageError(
            f"view needs {' and '.join(missing)}, which the extra `view` brings",
            fix=install_command("view"),
        )
