"""Every command and the module it lives in, in the order `--help` shows them.

A new one: its file, and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

import typer

from harness.cli.app import app

HOMES: Mapping[str, str] = MappingProxyType(
    {
        "run": "run",
        "compare": "compare",
        "leaderboard": "leaderboard",
        "report": "report",
        "ask": "ask",
        "runs": "runs",
        "show": "runs",
        "export": "runs",
        "regrade": "regrade",
        "check": "check",
        "models": "models",
        "doctor": "doctor",
        "grade": "grade",
        "audit": "grade",
    }
)


def application(arguments: Sequence[str]) -> typer.Typer:
    """The application, with the command that is asked for; with all of them to help otherwise."""
    asked = HOMES.get(arguments[0]) if arguments else None
    for home in [asked] if asked else dict.fromkeys(HOMES.values()):
        import_module(f"harness.cli.{home}")
    order = list(HOMES)
    app.registered_commands.sort(
        key=lambda it: order.index(it.name or str(getattr(it.callback, "__name__", "")))
    )
    return app
