"""A comparison for programs: CSV with the table's rows, JSON with everything."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.compare import Comparison, Contrast, Difference, Side
from harness.tables.compare import facts
from harness.tables.csv import Cell
from harness.tables.rows import percent, score_cells
from harness.tables.words import DASH

_DIFFERENCE = ("difference_points", "low_points", "high_points", "p", "p_holm")


def csv_table(comparison: Comparison) -> tuple[list[str], list[dict[str, Cell]]]:
    """Columns and rows: a row per fact and score, a column per model, then the differences."""
    labels = [side.label for side in comparison.sides]
    columns = ["row", *labels]
    parts: dict[str, dict[str, Cell]] = {}
    for contrast in comparison.contrasts:
        suffix = f" {contrast.second}" if len(comparison.contrasts) > 1 else ""
        columns += [f"{name}{suffix}" for name in _DIFFERENCE]
        for part in (contrast.overall, *contrast.categories):
            if part is not None:
                parts.setdefault(part.category, {}).update(_difference(part, suffix))
    return columns, [
        {
            "row": row.label,
            **{label: _known(it) for label, it in zip(labels, row.cells, strict=True)},
            **parts.get(row.label, {}),
        }
        for row in facts.rows(comparison)
    ]


def _known(cell: facts.Cell) -> str | None:
    return None if cell.text == DASH else cell.text


def _difference(part: Difference, suffix: str) -> dict[str, Cell]:
    values = (percent(part.difference), percent(part.low), percent(part.high), part.p, part.p_holm)
    return {f"{name}{suffix}": value for name, value in zip(_DIFFERENCE, values, strict=True)}


def json_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain dicts and lists; scores go by the names they have in the CSVs."""
    return {
        "forced": comparison.forced,
        "warnings": comparison.warnings,
        "sides": [_side(side) for side in comparison.sides],
        "contrasts": [_contrast(it) for it in comparison.contrasts],
        "shared_tasks": comparison.shared_tasks,
        "disagreements": msgspec.to_builtins(comparison.disagreements),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "label": side.label,
        "measured": side.measured,
        "run": side.header.run if side.header else None,
        "card": msgspec.to_builtins(side.card),
        "header": msgspec.to_builtins(side.header),
        "published": msgspec.to_builtins(side.published),
        "scores": [score_cells(score) for score in (side.overall, *side.categories)],
        "steadiness": msgspec.to_builtins(side.steadiness),
    }


def _contrast(contrast: Contrast) -> dict[str, Any]:
    return {"verdict": contrast.sentence, **msgspec.to_builtins(contrast)}
