"""`leaderboard.csv` and `categories.csv`: rebuilt from the run files after every run."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

from harness import store
from harness.comparison import ranking
from harness.errors import ResultsError
from harness.summary import summarise
from harness.tables import leaderboard, scores
from harness.tables.csv import to_text
from harness.tables.table import names, to_csv, to_data

CATEGORIES = "categories.csv"


def publish(results: Path) -> list[Path]:
    """Rebuild both files; return their paths. A damaged run file is left out, not fatal."""
    board = ranking.leaderboard(results)
    known = {it.score.header.run: it.score for it in board.standings}
    found = []
    for path in store.runs(results):
        with contextlib.suppress(ResultsError):
            run = store.read(path)
            found.append(known.get(run.header.run) or summarise(run))
    ranked = leaderboard.table(board, board.groups)
    columns = names(ranked)
    columns = columns[: columns.index(leaderboard.LAST) + 1]
    paths = [results / CATEGORIES, results / "leaderboard.csv"]
    store.replace_text(paths[1], to_text(columns, to_data(ranked)))
    # Last: that a run stands in it means that its end was reached.
    store.replace_text(paths[0], to_csv(scores.by_category(*found)))
    return paths


def is_published(results: Path, run: str) -> bool:
    """Whether the tables were built since this run got its last record."""
    try:
        with (results / CATEGORIES).open(encoding="utf-8", newline="") as file:
            return any(row.get("run") == run for row in csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return False
