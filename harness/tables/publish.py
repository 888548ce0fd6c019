"""`leaderboard.csv` and `categories.csv`: rebuilt from the run files after every run."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

from harness import store
from harness.compare import ranking
from harness.errors import ResultsError
from harness.summary import summarise
from harness.tables import rows
from harness.tables.csv import to_text

CATEGORIES = "categories.csv"


def publish(results: Path) -> list[Path]:
    """Rebuild both files; return their paths. A damaged run file is left out, not fatal."""
    board = ranking.leaderboard(results).standings
    known = {it.score.header.run: it.score for it in board}
    scores = []
    for path in store.runs(results):
        with contextlib.suppress(ResultsError):
            run = store.read(path)
            scores.append(known.get(run.header.run) or summarise(run))
    categories, leaderboard = results / CATEGORIES, results / "leaderboard.csv"
    store.replace_text(
        leaderboard,
        to_text(
            rows.leaderboard_columns(it.score for it in board),
            (rows.leaderboard_row(it.rank, it.score) for it in board),
        ),
    )
    # Last: that a run stands in it means that its end was reached.
    store.replace_text(
        categories,
        to_text(rows.CATEGORY_COLUMNS, (row for it in scores for row in rows.category_rows(it))),
    )
    return [leaderboard, categories]


def is_published(results: Path, run: str) -> bool:
    """Whether the tables were built since this run got its last record."""
    try:
        with (results / CATEGORIES).open(encoding="utf-8", newline="") as file:
            return any(row.get("run") == run for row in csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return False
