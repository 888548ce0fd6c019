"""A run in other tools' formats: what they need of it, and nothing invented."""

from __future__ import annotations

from harness.errors import ExitCode, ResultsError
from harness.records import ModelScore
from harness.store import Run
from harness.summary import summarise


class Incomplete(ResultsError):
    """A range cannot be written where a format wants a score."""

    exit_code = ExitCode.INCOMPLETE


def complete_score(run: Run) -> ModelScore:
    """Raises: Incomplete."""
    score = summarise(run)
    if not score.complete:
        raise Incomplete(
            f"{run.header.run} has a range, not a score: {score.overall.missing}",
            fix="finish the run, or export it as csv, inspect or junit, which hold single answers",
        )
    return score
