"""CSV that a spreadsheet opens as it was meant: RFC 4180, and no cell acts as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

Value = str | int | float | bool | None


def cell(value: Value) -> str:
    """None is empty, floats keep six digits, and text that would act as a formula is defused.

    >>> [cell(it) for it in ("=1+1", "-5", "007", None, 0.1234567, True, "@x")]
    ["'=1+1", '-5', '007', '', '0.123457', 'true', "'@x"]
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value).replace("\x00", "\\x00")
    if text.startswith(_FORMULA) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def write_rows(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> None:
    """The header line, then a line a row; a row need not know every column."""
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(_cells(columns, rows))


def to_text(columns: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> str:
    """
    >>> to_text(["a", "b"], [{"a": 1, "b": "x,y"}])
    'a,b\\r\\n1,"x,y"\\r\\n'
    """
    file = io.StringIO(newline="")
    write_rows(file, columns, rows)
    return file.getvalue()


def _cells(columns: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> Iterator[list[str]]:
    for row in rows:
        yield [cell(row.get(column)) for column in columns]
