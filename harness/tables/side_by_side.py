"""Runs joined by prompt: a row a prompt and repeat, two columns a run. The home of pandas."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from harness.store import Run
from harness.tables.rows import Row, run_row

_KEY = ["prompt", "category", "repeat", "expected"]
_SHOWN = ["verdict", "answer"]


def joined(runs: Iterable[Run]) -> tuple[tuple[str, ...], list[Row]]:
    """Columns and rows: `prompt,category,repeat,expected`, then `<run> verdict,<run> answer` each.

    A prompt that a run never asked has empty cells there.
    """
    columns: list[str] = list(_KEY)
    table: pd.DataFrame | None = None
    for run in runs:
        rows = [run_row(run.header, record) for record in run.records()]
        frame = pd.DataFrame.from_records(rows, columns=[*_KEY, *_SHOWN]).astype(object)
        names = {name: f"{run.header.run} {name}" for name in _SHOWN}
        columns += [name for name in names.values() if name not in columns]
        frame = frame.rename(columns=names)
        table = frame if table is None else table.merge(frame, on=_KEY, how="outer", sort=False)
    if table is None:
        return tuple(columns), []
    plain = table.astype(object).where(table.notna(), None)
    return tuple(columns), [dict(zip(plain.columns, row, strict=True)) for row in plain.to_numpy()]
