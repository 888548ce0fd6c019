"""`file_name,prompt,answer[,category]`, with the pictures in `images/` or beside the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from harness.errors import SuiteError
from harness.images import MAX_FILE_BYTES, open_regular, shown
from harness.suites.problems import Problems
from harness.suites.readers import rows
from harness.suites.source import Source

csv.field_size_limit(2 * MAX_FILE_BYTES)
"""The standard library stops at 128 KiB, and some tables hold whole pictures as base64."""
_HEADER_CHARS = 2**16


def read(path: Path, problems: Problems) -> Source:
    found = rows.from_fields(records(path, problems), path.parent, problems)
    return rows.source(path, path.parent, found, problems)


def records(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, str]]]:
    """Place and named cells of every row that has as many cells as the header.

    Raises: SuiteError when the file is no text.
    """
    with open_regular(path) as binary, _decoded(binary) as file:
        try:
            yield from _named(file, path, problems)
        except UnicodeError as exc:
            raise SuiteError(
                f"{shown(path)} is no UTF-8 text: {exc.args[-1]}", fix="save it as CSV UTF-8"
            ) from exc


def _named(file: TextIO, path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.reader(file, delimiter=_delimiter(path, file), strict=True)
    try:
        header = [_column(name) for name in next(reader, [])]
        if len(set(header)) < len(header):
            problems.add(shown(path.name), "two columns have the same name")
        for cells in reader:
            where = f"{shown(path.name)}, line {reader.line_num}"
            if len(cells) == len(header):
                yield where, {key: cell.strip() for key, cell in zip(header, cells, strict=True)}
            elif any(cell.strip() for cell in cells):
                problems.add(where, _miscounted(len(cells), len(header)))
    except csv.Error as exc:
        where = f"{shown(path.name)}, line {reader.line_num}"
        problems.add(where, f"{exc}; the rest of the file was not read")


def _miscounted(cells: int, columns: int) -> str:
    hint = ": put a text with commas in quotes" if cells > columns else ""
    return f"{cells} cells in a table of {columns} columns{hint}"


def _column(name: str) -> str:
    """A column's name; those of lettered options (A, B, C...) stay as they are."""
    bare = name.strip()
    return bare if len(bare) == 1 else bare.lower().replace(" ", "_")


def _decoded(binary: BinaryIO) -> TextIO:
    beginning = binary.read(2)
    binary.seek(0)
    utf16 = beginning in (b"\xff\xfe", b"\xfe\xff")  # what Excel calls Unicode text
    return io.TextIOWrapper(binary, encoding="utf-16" if utf16 else "utf-8-sig", newline="")


def _delimiter(path: Path, file: TextIO) -> str:
    """Tab in a TSV; else comma, or the semicolon that European spreadsheets write."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = file.readline(_HEADER_CHARS)
    file.seek(0)
    return max(",;\t", key=header.count)
