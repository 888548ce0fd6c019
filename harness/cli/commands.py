"""The commands, in the order `--help` shows them. A new one: its file, and two lines here."""

from harness.cli import (
    ask,
    check,
    compare,
    doctor,
    grade,
    leaderboard,
    models,
    regrade,
    report,
    run,
    runs,
)
from harness.cli.app import app

ORDER = (
    *("run", "compare", "leaderboard", "report", "ask"),
    *("runs", "show", "export", "regrade"),
    *("check", "models", "doctor", "grade", "audit"),
)

app.registered_commands.sort(
    key=lambda it: ORDER.index(it.name or getattr(it.callback, "__name__", ""))
)

__all__ = [
    "app",
    "ask",
    "check",
    "compare",
    "doctor",
    "grade",
    "leaderboard",
    "models",
    "regrade",
    "report",
    "run",
    "runs",
]
