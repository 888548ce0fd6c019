"""Scores as tables: a run by category, several runs a line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.records import ModelScore, Score
from harness.tables import words
from harness.tables.csv import Value
from harness.tables.table import Cell, Column, Table

_SCORE_COLUMNS = (
    Column("category", "category"),
    Column("passed"),
    Column("asked"),
    Column("errors"),
    Column("cut"),
    Column("score_pct", "score", figure=True),
    Column(heading="key"),
    Column(heading="95 % interval", figure=True, drop=1),
    Column("low_pct"),
    Column("high_pct"),
    Column("latency_mean_s", "mean", "s", drop=2),
    Column("latency_p50_s", "median", "s", drop=3),
    Column("latency_p95_s", "p95", "s", drop=4),
    Column("cost_per_task_usd"),
)
_COLUMNS = (Column("model"), Column("run"), *_SCORE_COLUMNS, Column("concurrency"))


def by_category(*scores: ModelScore) -> Table:
    """A row a category, then the overall one: categories.csv, and a run's own table."""
    return Table(
        title=words.title(scores[0].header) if len(scores) == 1 else "",
        columns=_COLUMNS,
        rows=[
            [it.model, it.header.run, *_cells(part), it.header.concurrency]
            for it in scores
            for part in (*it.categories, it.overall)
        ],
        notes=words.notes(scores[0]) if len(scores) == 1 else [],
        total=len(scores) == 1,
    )


def _cells(part: Score) -> Sequence[Cell | Value]:
    key = words.key(part)
    return (
        part.category,
        part.passed,
        part.asked,
        part.errors,
        part.cut,
        Cell(percent(part.share), words.share_and_counts(part)),
        Cell(key=key),
        words.interval(part),
        percent(part.low),
        percent(part.high),
        part.latency_mean_s,
        part.latency_p50_s,
        part.latency_p95_s,
        part.cost_per_task_usd,
    )


def score_cells(part: Score) -> dict[str, Value]:
    """The figures of one category by their names; an incomplete one has a range and no score."""
    cells = (it.value if isinstance(it, Cell) else it for it in _cells(part))
    pairs = zip(_SCORE_COLUMNS, cells, strict=True)
    return {column.name: value for column, value in pairs if column.name}


def details(score: ModelScore) -> dict[str, object]:
    """What a run's own JSON says beside its scores by category."""
    overall = score.overall
    return {
        "thought": overall.thought,
        "tokens_reasoning_p50": overall.tokens_reasoning_p50,
        "image_tokens_mean": overall.image_tokens_mean,
        "fields_right": overall.fields_right,
        "fields": overall.fields,
        "measures": overall.measures,
        "repeatability": msgspec.to_builtins(score.repeatability),
        "by_difficulty": [score_cells(part) for part in score.difficulties],
    }


def listing(scores: Iterable[ModelScore]) -> Table:
    """Runs, a line each."""
    overall = [it for it in _SCORE_COLUMNS if it.name and it.name != "category"]
    return Table(
        columns=[
            Column("run", "run"),
            Column("model"),
            Column("backend"),
            Column("suite", "suite"),
            Column("complete"),
            *(Column(it.name, unit=it.unit) for it in overall),
            Column(heading="score"),
            Column(heading="mean", unit="s", drop=2),
            Column(heading="remarks", drop=1),
            Column("blind"),
            Column("subset"),
            Column("started_at"),
        ],
        rows=[_line(it, [column.name for column in overall]) for it in scores],
    )


def _line(score: ModelScore, names: Sequence[str]) -> Sequence[Cell | Value]:
    header, overall = score.header, score.overall
    values = score_cells(overall)
    remarks = [header.backend]
    remarks += ["blind"] if header.blind else []
    remarks += [f"subset of {header.suite_prompts}"] if header.subset else []
    remarks += [f"regraded from {header.regraded_from}"] if header.regraded_from else []
    return (
        header.run,
        header.model,
        header.backend,
        header.suite,
        score.complete,
        *(values[name] for name in names),
        Cell(text=words.share_and_counts(overall), key=words.key(overall)),
        overall.latency_mean_s,
        ", ".join(remarks),
        header.blind,
        header.subset,
        header.started_at.isoformat(),
    )


def percent(share: float | None) -> float | None:
    """A share as per cent, to two digits: 42/67 is 62.69."""
    return None if share is None else round(100 * share, 2)
