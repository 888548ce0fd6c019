"""The leaderboard as tables: one a group for people, one of all groups for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.comparison.ranking import Frontier, Group, Leaderboard, Standing
from harness.tables import words
from harness.tables.csv import Value
from harness.tables.scores import percent
from harness.tables.table import Block, Cell, Column, Table

MARK = "◆"
LAST = "settings"
"""The last column of leaderboard.csv; what the command adds stands behind it."""


def blocks(board: Leaderboard) -> Iterator[Block]:
    """A table a group, then the runs that are not ranked."""
    for number, group in enumerate(board.groups, start=1):
        settings = f": {group.settings}" if group.settings else ""
        notes = [*_notes(group), *(_SIGNS if number == len(board.groups) else ())]
        yield table(board, [group], title=f"{group.suite}{settings}", notes=notes)
    if board.unranked:
        yield unranked(board)


def table(
    board: Leaderboard, groups: Sequence[Group], *, title: str = "", notes: Sequence[str] = ()
) -> Table:
    """The standings of some groups; the columns for programs cover the categories of all."""
    categories = dict.fromkeys(
        part.category for it in board.standings for part in it.score.categories
    )
    columns = [
        Column("rank", "rank", figure=True),
        Column("model", "model"),
        *map(Column, ("run", "score_pct", "low_pct", "high_pct", "passed", "asked")),
        Column(heading="score"),
        *(Column(f"{category}_pct") for category in categories),
        Column(heading="better than", figure=True, drop=1),
        Column("latency_mean_s", "avg response", "s", drop=2),
        Column("latency_p95_s"),
        Column("cost_per_task_usd", "cost per task", "usd", drop=3),
        *map(Column, ("quantization", "backend", "measured_at", "suite", "settings")),
        *map(Column, ("tied", "better_than_pct", "frontier")),
    ]
    rows = [
        _row(standing, group, list(categories)) for group in groups for standing in group.standings
    ]
    return Table(title=title, columns=columns, rows=rows, notes=notes)


def _row(standing: Standing, group: Group, categories: Sequence[str]) -> list[Cell | Value]:
    header, overall = standing.score.header, standing.score.overall
    quantization = header.server.quantization if header.server else None
    shares = {part.category: percent(part.share) for part in standing.score.categories}
    better_than = standing.better_than
    return [
        Cell(standing.rank, f"{standing.rank}{'=' if standing.tied else ''}"),
        Cell(standing.score.model, detail=quantization or ""),
        header.run,
        *map(percent, (overall.share, overall.low, overall.high)),
        overall.passed,
        overall.asked,
        Cell(
            text=words.share_and_counts(overall),
            key=words.key(overall),
            detail=words.interval(overall),
        ),
        *(shares.get(category) for category in categories),
        None if better_than is None else f"{100 * better_than:.0f} %",
        _marked(standing, "time", overall.latency_mean_s, words.seconds),
        overall.latency_p95_s,
        _marked(standing, "cost", overall.cost_per_task_usd, words.dollars),
        quantization,
        header.backend,
        header.started_at.isoformat(),
        group.suite,
        group.settings,
        standing.tied,
        percent(better_than),
        " ".join(standing.frontiers) or None,
    ]


def _marked(
    standing: Standing, frontier: Frontier, value: float | None, spell: words.Spell
) -> Cell:
    on_it = frontier in standing.frontiers
    return Cell(value, f"{spell(value)}{' ' + MARK if on_it else ''}")


def _notes(group: Group) -> Iterator[str]:
    scores = [it.score for it in group.standings]
    yield f"{scores[0].header.suite_prompts} prompts"
    timed = {it.header.concurrency for it in scores if it.overall.latency_mean_s is not None}
    if len(timed) > 1:
        listed = " and ".join(str(it) for it in sorted(timed))
        yield f"response times were measured at different concurrency: {listed}"


_SIGNS = f"""{words.KEY}; below each score its 95 % interval
= tied: models that the exact test cannot tell apart; better than: share of the others surely worse
{MARK} on the frontier: no model as good is faster (or cheaper)""".splitlines()


def unranked(board: Leaderboard) -> Table:
    """Runs that are not on it, why, and what to do about it."""
    return Table(
        title="Not ranked",
        columns=[Column(it, it) for it in ("run", "reason", "command")],
        rows=[[it.run, it.reason, it.command] for it in board.unranked],
        records=True,
    )
