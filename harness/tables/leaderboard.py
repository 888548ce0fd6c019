"""The leaderboard as tables, and the files that every run rebuilds from all runs."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from harness import store
from harness.comparison import ranking
from harness.comparison.ranking import Group, Leaderboard, Standing
from harness.comparison.sides import unusual_settings
from harness.errors import ResultsError
from harness.summary import summarise
from harness.tables import (
    KEY,
    Block,
    Cell,
    Column,
    Table,
    csv_text,
    dollars,
    interval,
    key,
    names,
    percent,
    rows_of,
    seconds,
    share_and_counts,
    to_csv,
    to_data,
)
from harness.tables.scores import by_category

MARK = "◆"
CATEGORIES = "categories.csv"
_LAST = "settings"
"""The last column of leaderboard.csv; what the command adds stands behind it."""
_SIGNS = f"""{KEY}; below each score its 95 % interval
= tied: models that the exact test cannot tell apart; better than: share of the others surely worse
{MARK} on the frontier: no model as good is faster (or cheaper)""".splitlines()


def publish(results: Path) -> list[Path]:
    """Rebuild both files; return their paths. A damaged run file is left out, not fatal."""
    board = ranking.leaderboard(results)
    known = {it.score.header.run: it.score for it in board.standings}
    found = []
    for path in store.runs(results):
        with contextlib.suppress(ResultsError):
            run = store.read(path)
            found.append(known.get(run.header.run) or summarise(run))
    ranked = table(board.groups)
    columns = names(ranked)[: names(ranked).index(_LAST) + 1]
    paths = [results / CATEGORIES, results / "leaderboard.csv"]
    store.replace_text(paths[1], csv_text(columns, to_data(ranked)))
    # Last: that a run stands in it means that its end was reached.
    store.replace_text(paths[0], to_csv(by_category(*found)))
    return paths


def is_published(results: Path, run: str) -> bool:
    """Whether the files were rebuilt since this run got its last record."""
    try:
        with (results / CATEGORIES).open(encoding="utf-8", newline="") as file:
            return any(row.get("run") == run for row in csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return False


def blocks(board: Leaderboard) -> Iterator[Block]:
    """A table a group, then the runs that are not ranked."""
    for number, group in enumerate(board.groups, start=1):
        settings = f": {group.settings}" if group.settings else ""
        signs = _SIGNS if number == len(board.groups) else ()
        yield table([group], title=f"{group.suite}{settings}", notes=[*_notes(group), *signs])
    if board.unranked:
        yield unranked(board)


def table(groups: Sequence[Group], *, title: str = "", notes: Sequence[str] = ()) -> Table:
    """The standings of some groups; the columns for programs cover the categories of all."""
    found = [standing for group in groups for standing in group.standings]
    categories = dict.fromkeys(part.category for it in found for part in it.score.categories)
    shares = [Column(f"{name}_pct", of=partial(_share, name)) for name in categories]
    columns = [*_RANKED, *shares, *_MEASURED]
    return Table(title=title, columns=columns, rows=rows_of(found, columns), notes=notes)


def _share(category: str, standing: Standing) -> float | None:
    shares = {part.category: percent(part.share) for part in standing.score.categories}
    return shares.get(category)


def _quantization(standing: Standing) -> str | None:
    server = standing.score.header.server
    return server.quantization if server else None


def _score(standing: Standing) -> Cell:
    overall = standing.score.overall
    return Cell(text=share_and_counts(overall), key=key(overall), detail=interval(overall))


def _marked(value: float | None, spelled: str, is_on_frontier: bool) -> Cell:
    return Cell(value, f"{spelled}{f' {MARK}' if is_on_frontier else ''}")


def _time(standing: Standing) -> Cell:
    value = standing.score.overall.latency_mean_s
    return _marked(value, seconds(value), "time" in standing.frontiers)


def _cost(standing: Standing) -> Cell:
    value = standing.score.overall.cost_per_task_usd
    return _marked(value, dollars(value), "cost" in standing.frontiers)


_RANKED = (
    Column("rank", "rank", figure=True, of=lambda it: Cell(it.rank, f"{it.rank}{'=' * it.tied}")),
    Column("model", "model", of=lambda it: Cell(it.score.model, detail=_quantization(it) or "")),
    Column("run", of=lambda it: it.score.header.run),
    Column("score_pct", of=lambda it: percent(it.score.overall.share)),
    Column("low_pct", of=lambda it: percent(it.score.overall.low)),
    Column("high_pct", of=lambda it: percent(it.score.overall.high)),
    Column("passed", of=lambda it: it.score.overall.passed),
    Column("asked", of=lambda it: it.score.overall.asked),
    Column(heading="score", figure=True, of=_score),
)
_MEASURED = (
    Column(heading="better than", unit="pct", drop=1, of=lambda it: percent(it.better_than)),
    Column("latency_mean_s", "avg response", "s", drop=2, of=_time),
    Column("latency_p95_s", of=lambda it: it.score.overall.latency_p95_s),
    Column("cost_per_task_usd", "cost per task", "usd", drop=3, of=_cost),
    Column("quantization", of=_quantization),
    Column("backend", of=lambda it: it.score.header.backend),
    Column("measured_at", of=lambda it: it.score.header.started_at.isoformat()),
    Column("suite", of=lambda it: f"{it.score.header.suite} {it.score.header.suite_version}"),
    Column(_LAST, of=lambda it: unusual_settings(it.score.header)),
    Column("tied", of=lambda it: it.tied),
    Column("better_than_pct", of=lambda it: percent(it.better_than)),
    Column("frontier", of=lambda it: " ".join(it.frontiers) or None),
)
"""Of a standing."""


def _notes(group: Group) -> Iterator[str]:
    scores = [it.score for it in group.standings]
    yield f"{scores[0].header.suite_prompts} prompts"
    timed = {it.header.concurrency for it in scores if it.overall.latency_mean_s is not None}
    if len(timed) > 1:
        listed = " and ".join(map(str, sorted(timed)))
        yield f"response times were measured at different concurrency: {listed}"


def unranked(board: Leaderboard) -> Table:
    """Runs that are not on it, why, and what to do about it."""
    return Table(
        title="Not ranked",
        columns=[Column(it, it) for it in ("run", "reason", "command")],
        rows=[[it.run, it.reason, it.command] for it in board.unranked],
        records=True,
    )
