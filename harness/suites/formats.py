"""Files of rows: CSV, TSV, Excel's workbooks, JSON, JSON lines, Parquet and Arrow.

Every reader gives its rows with their place: what they are counted in, and a number.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from harness.errors import SuiteError, install_command
from harness.images import MAX_FILE_BYTES, open_regular, read_regular, shown
from harness.suites import Findings
from harness.suites.fields import bare, text_of
from harness.suites.layouts import Cells, rows_of_document

csv.field_size_limit(2 * MAX_FILE_BYTES)
"""The standard library stops at 128 KiB, and some tables hold whole pictures as base64."""
_MAX_UNPACKED_BYTES = 2**30
"""Of a workbook, which is a ZIP archive."""
_MAX_JSON_BYTES = 2**31
_MAX_LINE_BYTES = 64 * 2**20
_BATCH_ROWS = 64
_BUFFER_BYTES = 2**20
Rows = Iterator[tuple[str, int, Cells]]
"""The file, with what its rows are counted in; a number; and cells by column."""


def read_rows(path: Path, findings: Findings) -> Rows:
    """The rows of a file of one of these types.

    Raises: SuiteError when it is not what its name says, or a package is missing that reads it.
    """
    return _READERS[path.suffix.lower()](path, findings)


def _read_csv(path: Path, findings: Findings) -> Rows:
    name = shown(path.name)
    with open_regular(path) as file:
        lines = _lines(file, name, findings)
        try:
            first = next(lines, "")
            mark = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
            if first.lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's
                mark, first = first[4], next(lines, "")
            reader = csv.reader(chain([first], lines), delimiter=mark, strict=True)
            numbered = ((reader.line_num, cells) for cells in reader)
            yield from _table(f"{name}, line", numbered, findings)
        except UnicodeError as exc:
            what = f"{shown(path)} is not UTF-8 text"
            raise SuiteError(what, fix="save it as CSV UTF-8") from exc
        except csv.Error as exc:
            what = f"{exc}; the rest of the file was not read"
            findings.problem(f"{name}, line {reader.line_num}", what, "close the quotes")


def _table(
    name: str,
    numbered: Iterator[tuple[int, Sequence[Any]]],
    findings: Findings,
    *,
    ragged: bool = False,
) -> Rows:
    """Every row that has as many cells as the first, which is the header; fewer where `ragged`."""
    titles = [text_of(it) for _, cells in islice(numbered, 1) for it in cells]
    header = [text or f"column {number}" for number, text in enumerate(titles, start=1)]
    if len(set(map(bare, header))) < len(header):
        file = name.rpartition(",")[0]
        findings.problem(file, "two columns have the same name", "give each its own")
    for number, cells in numbered:
        values = [it.strip() if isinstance(it, str) else it for it in cells]
        filled = [at for at, it in enumerate(values, start=1) if it not in ("", None)]
        if not filled:
            continue
        more = filled[-1] > len(header)
        if more or (len(values) < len(header) and not ragged):
            what = f"{len(values)} cells in a table of {len(header)} columns"
            fix = "put a text with commas in quotes" if more else "fill or delete the row"
            findings.problem(f"{name} {number}", what, fix)
        else:
            yield name, number, dict(zip(header, values, strict=False))


def _lines(file: BinaryIO, name: str, findings: Findings) -> Iterator[str]:
    """The lines of a text in UTF-8, or in one of the two encodings that Excel writes besides it."""
    start = file.read(2)
    file.seek(0)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        yield from io.StringIO(file.read().decode("utf-16"), newline="")
        return
    is_utf8 = True
    for line in file:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode("cp1252")
            if is_utf8:
                what = "is not UTF-8, and was read as Windows-1252 (cp1252)"
                findings.warning(name, what, "save it as CSV UTF-8")
            is_utf8 = False
        yield from re.split(r"(?<=\r)(?=[^\n])", text.removeprefix("\ufeff"))  # old Macs' lines


def _read_workbook(path: Path, findings: Findings) -> Rows:
    """The rows of a workbook's first sheet that has any."""
    try:
        import openpyxl  # an extra
    except ImportError as exc:
        fix = f"{install_command('xlsx')}, or save the sheet as CSV UTF-8"
        raise SuiteError(f"{shown(path)}: openpyxl is not installed", fix=fix) from exc
    with open_regular(path) as file:
        try:
            unpacked_bytes = sum(it.file_size for it in zipfile.ZipFile(file).infolist())
            if unpacked_bytes > _MAX_UNPACKED_BYTES:
                raise OverflowError(f"it unfolds to {unpacked_bytes:,} bytes")  # noqa: TRY301
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if any(sheet.iter_rows(max_row=2))]
            if unread := ", ".join(sheet.title for sheet in sheets[1:]):
                findings.note(shown(path.name), f"sheets not read: {shown(unread)}")
            rows = sheets[0].iter_rows(values_only=True) if sheets else iter([()])
            numbered = enumerate((list(map(_dated, cells)) for cells in rows), start=1)
            yield from _table(f"{shown(path.name)}, row", numbered, findings, ragged=True)
        except Exception as exc:  # openpyxl raises what it meets: KeyError, BadZipFile, ParseError
            raise SuiteError(
                f"{shown(path)} is not a readable workbook: {shown(str(exc))}",
                fix="open it in a spreadsheet and save the sheet as CSV UTF-8",
            ) from exc


def _dated(cell: Any) -> Any:
    return str(cell).removesuffix(" 00:00:00") if isinstance(cell, datetime) else cell


def _decoded(data: bytes, kind: Any = Any) -> Any:
    """Raises: ValueError. Python writes NaN, which JSON does not have."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        if b"NaN" not in data:
            raise
        return msgspec.convert(json.loads(data), kind)


def _read_lines(path: Path, findings: Findings) -> Rows:
    """A JSON object a line; a file that holds one array all the same is read as that."""
    name = f"{shown(path.name)}, line"
    with open_regular(path) as file:
        if file.read(512).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[{"):
            yield from _read_document(path, findings)
            return
        file.seek(0)
        lines = iter(partial(file.readline, _MAX_LINE_BYTES), b"")
        for number, line in enumerate(lines, start=1):
            try:
                if stripped := line.removeprefix(codecs.BOM_UTF8).strip():
                    yield name, number, _decoded(stripped, dict[str, Any])
            except (ValueError, RecursionError) as exc:
                findings.problem(f"{name} {number}", f"no JSON object: {exc}", "make it an object")


def _read_document(path: Path, findings: Findings) -> Rows:
    """One JSON document, in whatever way it holds rows; or lines after all."""
    name = f"{shown(path.name)}, row"
    data = read_regular(path, limit_bytes=_MAX_JSON_BYTES).removeprefix(codecs.BOM_UTF8).strip()
    try:
        document = _decoded(data or b"[]")
    except (ValueError, RecursionError) as exc:
        if data.startswith(b"{") and b"\n{" in data:
            yield from _read_lines(path, findings)
            return
        raise SuiteError(f"{shown(path)} is not JSON: {exc}", fix="correct the file") from exc
    rows, unread = rows_of_document(document, shown(path), partial(_beside, path))
    if unread:
        findings.warning(shown(path.name), f"not read: {shown(', '.join(unread))}")
    for number, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            yield name, number, row
        else:
            findings.problem(f"{name} {number}", "no JSON object", "make it an object")


def _beside(path: Path, word: str) -> Any:
    """What the file beside it holds that has this word in its name, under that key."""
    for other in sorted(path.parent.glob("*.json")):
        if other != path and word in other.name.casefold():
            with suppress(SuiteError, ValueError, RecursionError):
                data = read_regular(other, limit_bytes=_MAX_JSON_BYTES)
                return msgspec.json.decode(data, type=dict[str, Any]).get(word)
    return None


def _read_columns(path: Path, _: Findings) -> Rows:
    """The rows of a Parquet or Arrow file, a few at a time: they may hold pictures."""
    try:
        import pyarrow  # an extra
        from pyarrow.parquet import ParquetFile
    except ImportError as exc:
        what = f"{shown(path)}: pyarrow is not installed"
        raise SuiteError(what, fix=install_command("parquet")) from exc
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # its own keeps 25 MB for itself
    name, number = f"{shown(path.name)}, row", 0
    with open_regular(path) as file:
        try:
            if path.suffix.lower() == ".parquet":
                table = ParquetFile(file, buffer_size=_BUFFER_BYTES)
                batches = table.iter_batches(batch_size=_BATCH_ROWS, use_threads=False)
            elif file.read(6) == b"ARROW1":
                arrow = pyarrow.ipc.open_file(file)
                batches = map(arrow.get_batch, range(arrow.num_record_batches))
            else:  # as the datasets library saves to disk
                file.seek(0)
                batches = pyarrow.ipc.open_stream(file)
            for batch in batches:
                for start in range(0, batch.num_rows, _BATCH_ROWS):
                    for row in batch.slice(start, _BATCH_ROWS).to_pylist():
                        number += 1
                        yield name, number, row
        except (pyarrow.ArrowException, OSError, ValueError) as exc:
            kind = path.suffix[1:].title()
            what = f"{shown(path)} is not a whole {kind} file: {shown(str(exc))}"
            raise SuiteError(what, fix="download it again") from exc


_READERS: Mapping[str, Callable[[Path, Findings], Rows]] = {
    **dict.fromkeys((".csv", ".tsv"), _read_csv),
    ".xlsx": _read_workbook,
    ".json": _read_document,
    **dict.fromkeys((".jsonl", ".ndjson"), _read_lines),
    **dict.fromkeys((".parquet", ".arrow"), _read_columns),
}
