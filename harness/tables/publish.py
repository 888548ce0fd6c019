"""`leaderboard.csv` and `categories.csv`: rebuilt from the run files after every run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from harness import store
from harness.errors import ResultsError
from harness.records import ModelScore
from harness.summary import summarise
from harness.tables import rows
from harness.tables.csv import to_text


def publish(results: Path) -> list[Path]:
    """Rebuild both files; return their paths. A damaged run file is left out, not fatal."""
    scores = []
    for path in store.runs(results):
        with contextlib.suppress(ResultsError):
            scores.append(summarise(store.read(path)))
    categories, leaderboard = results / "categories.csv", results / "leaderboard.csv"
    store.replace_text(
        categories,
        to_text(rows.CATEGORY_COLUMNS, (row for it in scores for row in rows.category_rows(it))),
    )
    best = leaders(scores)
    store.replace_text(
        leaderboard,
        to_text(
            rows.leaderboard_columns(best),
            (rows.leaderboard_row(rank, score) for rank, score in rows.ranked(best)),
        ),
    )
    return [leaderboard, categories]


def leaders(scores: Iterable[ModelScore]) -> list[ModelScore]:
    """The newest complete run of each model, among those of the newest one's suite and graders.

    `scores` come oldest first. Subsets, blind and incomplete runs stay off.
    """
    counting = [it for it in scores if it.complete and store.counts(it.header)]
    if not counting:
        return []
    terms = _terms(counting[-1])
    newest = {it.model: it for it in counting if _terms(it) == terms}
    return list(newest.values())


def _terms(score: ModelScore) -> tuple[str, str]:
    return score.header.suite_sha256, score.header.grader_version
