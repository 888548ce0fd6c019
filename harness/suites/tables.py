"""Tables of text, CSV and TSV, and Excel's workbooks: rows as cells by their column."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from harness.errors import SuiteError, install_command
from harness.images.files import MAX_FILE_BYTES, open_regular, shown
from harness.suites.fields import bare
from harness.suites.findings import Findings

csv.field_size_limit(2 * MAX_FILE_BYTES)
"""The standard library stops at 128 KiB, and some tables hold whole pictures as base64."""
_HEADER_CHARS = 2**16
_MAX_UNPACKED_BYTES = 2**30
"""Of a workbook, which is a ZIP archive."""

Rows = Iterator[tuple[str, dict[str, Any]]]
"""Where a row stands, and its cells."""


def read_text(path: Path, findings: Findings) -> Rows:
    """Every row that has as many cells as the header.

    Raises: SuiteError when the file is not text.
    """
    with open_regular(path) as binary, _decoded(binary) as file:
        try:
            yield from _named(file, path, findings)
        except UnicodeError as exc:
            raise SuiteError(
                f"{shown(path)} is not UTF-8 text: {exc.args[-1]}", fix="save it as CSV UTF-8"
            ) from exc


def _named(file: TextIO, path: Path, findings: Findings) -> Rows:
    reader = csv.reader(file, delimiter=_delimiter(path, file), strict=True)
    try:
        header = _header(next(reader, []))
        if len({bare(name) for name in header}) < len(header):
            findings.problem(
                shown(path.name), "two columns have the same name", "give each a name of its own"
            )
        for cells in reader:
            where = f"{shown(path.name)}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) == len(header):
                yield where, {key: cell.strip() for key, cell in zip(header, cells, strict=True)}
            else:
                more = len(cells) > len(header)
                findings.problem(
                    where,
                    f"{len(cells)} cells in a table of {len(header)} columns",
                    "put a text with commas in quotes" if more else "fill or delete the row",
                )
    except csv.Error as exc:
        where = f"{shown(path.name)}, line {reader.line_num}"
        findings.problem(where, f"{exc}; the rest of the file was not read", "close the quotes")


def _header(names: Sequence[str]) -> list[str]:
    return [name.strip() or f"column {number}" for number, name in enumerate(names, start=1)]


def _decoded(binary: BinaryIO) -> TextIO:
    beginning = binary.read(2)
    binary.seek(0)
    utf16 = beginning in (b"\xff\xfe", b"\xfe\xff")  # what Excel calls Unicode text
    return io.TextIOWrapper(binary, encoding="utf-16" if utf16 else "utf-8-sig", newline="")


def _delimiter(path: Path, file: TextIO) -> str:
    """What Excel's `sep=` line says; tab in a TSV; else comma, semicolon or tab by their number."""
    header = file.readline(_HEADER_CHARS)
    if header.lower().startswith("sep=") and len(header.strip("\r\n")) == 5:
        return header[4]
    file.seek(0)
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)


def read_workbook(path: Path, findings: Findings) -> Rows:
    """The rows of a workbook's first sheet that has any.

    Raises: SuiteError when the file is not a workbook, or openpyxl is not installed.
    """
    try:
        import openpyxl  # an extra
    except ImportError as exc:
        raise SuiteError(
            f"{shown(path)}: openpyxl is not installed",
            fix=f"{install_command('xlsx')}, or save the sheet as CSV UTF-8",
        ) from exc
    with open_regular(path) as file:
        try:
            unpacked = sum(it.file_size for it in zipfile.ZipFile(file).infolist())
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            yield from _of_book(book, path, findings) if unpacked <= _MAX_UNPACKED_BYTES else ()
        except Exception as exc:  # openpyxl raises what it meets: KeyError, BadZipFile, ParseError
            raise SuiteError(
                f"{shown(path)} is not a readable workbook: {shown(str(exc))}",
                fix="open it in a spreadsheet and save the sheet as CSV UTF-8",
            ) from exc
    if unpacked > _MAX_UNPACKED_BYTES:
        raise SuiteError(f"{shown(path)} unfolds to {unpacked:,} bytes", fix="save it as CSV UTF-8")


def _of_book(book: Any, path: Path, findings: Findings) -> Rows:
    sheets = [sheet for sheet in book.worksheets if any(sheet.iter_rows(max_row=2))]
    if unread := ", ".join(sheet.title for sheet in sheets[1:]):
        findings.note(shown(path.name), f"sheets not read: {shown(unread)}")
    for sheet in sheets[:1]:
        rows = enumerate(sheet.iter_rows(values_only=True), start=1)
        header = _header(["" if name is None else str(name) for name in next(rows)[1]])
        for number, cells in rows:
            named = {name: _dated(cell) for name, cell in zip(header, cells, strict=False) if name}
            if any(cell is not None for cell in named.values()):
                yield f"{shown(path.name)}, row {number}", named


def _dated(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else str(cell)
    return cell
