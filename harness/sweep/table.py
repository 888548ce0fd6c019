"""The table that decides, and the same for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.comparison import p_value
from harness.store import Run
from harness.sweep.choosing import Choice, frontier
from harness.sweep.reading import Result
from harness.tables import (
    DASH,
    Block,
    Cell,
    Column,
    Line,
    Table,
    Value,
    interval,
    percent,
    share_and_counts,
)

_COLUMNS = (
    Column("cell", "setting"),
    Column("mark"),
    Column("run"),
    Column("score_pct", "score", figure=True),
    Column("low_pct"),
    Column("high_pct"),
    Column(heading="95 % interval", figure=True, drop=3),
    Column("lost"),
    Column("gained"),
    Column(heading="flips", figure=True, drop=2),
    Column("p", "p (Holm)", figure=True),
    Column("image_tokens", "image tokens", figure=True, drop=5),
    Column("weights_gb", "weights", figure=True),
    Column("peak_gb", "peak", figure=True, drop=4),
    Column("latency_s", "response", unit="s"),
    Column("tokens_per_s", "tokens/s", figure=True, drop=6),
    Column("answers_per_s", "answers/s", figure=True, drop=1),
    Column("cost_usd", "cost", unit="usd", drop=7),
)


def blocks(results: Sequence[Result], choice: Choice | None) -> list[Block]:
    """The table, then the sentence."""
    if choice is None:
        return [
            table(results, choice),
            Line("No cell is complete: there is nothing to choose from."),
        ]
    return [table(results, choice), Line(choice.sentence, style="bold")]


def table(results: Sequence[Result], choice: Choice | None) -> Table:
    """A row a cell, in the grid's order."""
    front = frontier(results, choice.prefer) if choice else []
    rows = [_row(it, _mark(it, choice, front)) for it in results]
    costs = any(it.score and it.score.cost_usd is not None for it in results)
    notes = ["flips: prompts that only the best passed, and that only this setting passed"]
    if choice:
        notes.append(f"frontier: no other setting scores as well and is {_COMPARED[choice.prefer]}")
    if any(it.stopped_after for it in results):
        notes.append("ended early: clearly worse, its score is not known (a range)")
    columns = [it if costs or it.name != "cost_usd" else Column("cost_usd") for it in _COLUMNS]
    return Table(columns=columns, rows=rows, notes=notes)


_COMPARED = {"smallest": "smaller", "fastest": "faster", "cheapest": "cheaper"}


def _mark(result: Result, choice: Choice | None, front: Sequence[Result]) -> str:
    marks = []
    if choice and result is choice.best:
        marks.append("best")
    if choice and result is choice.result:
        marks.append("chosen")
    if result in front:
        marks.append("frontier")
    if result.stopped_after is not None:
        marks.append(f"ended early after {result.stopped_after}")
    elif result.problem is not None:
        marks.append("not usable")
    elif result.share is None:
        marks.append("incomplete" if result.run else "not asked")
    return ", ".join(marks)


def _row(result: Result, mark: str) -> Sequence[Cell | Value]:
    score = result.score
    if score is None:
        return [Cell(result.cell.label, detail=mark), mark, *[None] * (len(_COLUMNS) - 2)]
    flips = None if result.lost is None else f"-{result.lost} +{result.gained}"
    assert result.run
    return [
        Cell(result.cell.label, detail=mark),
        mark,
        result.run.header.run,
        Cell(percent(score.share), share_and_counts(score)),
        percent(score.low),
        percent(score.high),
        interval(score),
        result.lost,
        result.gained,
        Cell(text=flips or DASH),
        Cell(result.p, None if result.p is None else p_value(result.p).removeprefix("p = ")),
        Cell(score.image_tokens_mean, _figure(score.image_tokens_mean, ".0f")),
        Cell(result.weights_gb, _figure(result.weights_gb, ".3g", " GB")),
        Cell(result.peak_gb, _figure(result.peak_gb, ".2g", " GB")),
        score.latency_mean_s,
        Cell(score.tokens_per_s, _figure(score.tokens_per_s, ".1f")),
        Cell(result.answers_per_s, _figure(result.answers_per_s, ".2g")),
        score.cost_usd,
    ]


def _figure(value: float | None, form: str, unit: str = "") -> str:
    if value is None:
        return DASH
    return f"{value:{'.0f' if value >= 100 else form}}{unit}"


def as_json(results: Sequence[Result], choice: Choice | None) -> dict[str, Any]:
    """For programs: `cells`, and the `choice` among them."""
    front = frontier(results, choice.prefer) if choice else []
    return {
        "cells": [_cell_as_json(it, on_frontier=it in front) for it in results],
        "choice": choice
        and {
            "settings": dict(choice.result.cell.settings),
            "run": _run_id(choice.result.run),
            "prefer": choice.prefer,
            "best": _run_id(choice.best.run),
            "sentence": choice.sentence,
            "command": choice.command,
        },
    }


def _run_id(run: Run | None) -> str | None:
    return run.header.run if run else None


def _cell_as_json(result: Result, *, on_frontier: bool) -> dict[str, Any]:
    score = result.score
    return {
        "model": result.cell.model,
        "settings": dict(result.cell.settings),
        "run": _run_id(result.run),
        "complete": result.share is not None,
        "stopped_after": result.stopped_after,
        "problem": result.problem,
        "score": result.share,
        "passed": score and score.passed,
        "asked": score and score.asked,
        "interval": score and [score.low, score.high],
        "lost": result.lost,
        "gained": result.gained,
        "p": result.p,
        "image_tokens": score and score.image_tokens_mean,
        "gb": result.weights_gb,
        "peak_gb": result.peak_gb,
        "latency_s": score and score.latency_mean_s,
        "tokens_per_s": score and score.tokens_per_s,
        "answers_per_s": result.answers_per_s,
        "tokens": result.tokens,
        "cost_usd": score and score.cost_usd,
        "frontier": on_frontier,
    }
