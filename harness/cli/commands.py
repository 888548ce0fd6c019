"""The commands, in the order `--help` shows them. To add one: write its file, and a line here."""

from harness.cli import check, compare, doctor, grade, leaderboard, models, regrade, run, runs
from harness.cli.app import app

__all__ = [
    "app",
    "check",
    "compare",
    "doctor",
    "grade",
    "leaderboard",
    "models",
    "regrade",
    "run",
    "runs",
]
