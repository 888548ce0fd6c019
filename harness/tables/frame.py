"""Runs as pandas DataFrames: the one home of pandas. `export` and the Python face stand on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from harness.store import Run
from harness.tables import Table, Value, names, to_data
from harness.tables.runs import COLUMNS, in_suite_order, prompt_row

_DTYPES = {str: "object", int: "Int64", float: "float64", bool: "boolean"}
_KEY = ["prompt", "category", "repeat", "expected"]
_SHOWN = ["verdict", "answer"]


def of_runs(runs: Iterable[Run]) -> pd.DataFrame:
    """A row a prompt and repeat, in the order of the suite; the columns of a run's CSV."""
    rows = [
        prompt_row(run.header, record)
        for run in runs
        for record in in_suite_order(run.header, run.records())
    ]
    frame = pd.DataFrame.from_records(rows, columns=list(COLUMNS))
    return frame.astype({name: _DTYPES[kind] for name, kind in COLUMNS.items()})


def of_table(table: Table) -> pd.DataFrame:
    """What programs see of a table."""
    return pd.DataFrame.from_records(to_data(table), columns=names(table))


def side_by_side(columns: Iterable[tuple[str, Sequence[Run]]]) -> pd.DataFrame:
    """A row a prompt and repeat, and `<run> verdict`, `<run> answer` for each run.

    Several runs under one name are a model's, over several forms of a suite (`id@2`).

    A prompt that a run never asked has empty cells there.
    """
    joined: pd.DataFrame | None = None
    for label, runs in columns:
        forms = [of_runs([run])[[*_KEY, *_SHOWN]].astype(object) for run in runs]
        for number, form in enumerate(forms[1:], start=2):
            form["prompt"] += f"@{number}"
        frame = pd.concat(forms, ignore_index=True)
        frame = frame.rename(columns={name: f"{label} {name}" for name in _SHOWN})
        joined = frame if joined is None else joined.merge(frame, on=_KEY, how="outer", sort=False)
    return pd.DataFrame(columns=_KEY) if joined is None else joined


def to_rows(frame: pd.DataFrame) -> Iterator[dict[str, Value]]:
    """Plain Python values, None for what is not known."""
    plain = frame.astype(object).where(frame.notna(), None)
    for values in plain.itertuples(index=False, name=None):
        yield dict(zip(frame.columns, values, strict=True))
