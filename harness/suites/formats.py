"""Files of rows: CSV, TSV, Excel's workbooks, JSON in its usual arrangements, Parquet and Arrow.

Every reader gives the file (with what its rows are counted in), a number, and cells by column.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from harness.errors import SuiteError, install_command
from harness.images.files import MAX_FILE_BYTES, open_regular, read_regular, shown
from harness.suites import layouts
from harness.suites.fields import bare
from harness.suites.layouts import Rows
from harness.suites.suite import Findings

csv.field_size_limit(2 * MAX_FILE_BYTES)
"""The standard library stops at 128 KiB, and some tables hold whole pictures as base64."""
_HEADER_CHARS = 2**16
_MAX_UNPACKED_BYTES = 2**30
"""Of a workbook, which is a ZIP archive."""
_MAX_LINE_BYTES = 64 * 2**20
_BOM = codecs.BOM_UTF8
_BATCH_ROWS = 64
_BUFFER_BYTES = 2**20
_ROWS_KEYS = ("data", "rows", "questions", "examples", "samples", "items", "instances", "test")


# --- tables ---------------------------------------------------------------------------------


def read_table(path: Path, findings: Findings) -> Rows:
    """Every row that has as many cells as the header.

    Raises: SuiteError when the file is not text.
    """
    name = shown(path.name)
    with open_regular(path) as binary:
        file = io.TextIOWrapper(binary, _encoding(binary, path, findings), newline="")
        try:
            reader = csv.reader(file, delimiter=_delimiter(path, file), strict=True)
            header = _header(next(reader, []))
            if len({bare(name) for name in header}) < len(header):
                findings.problem(name, "two columns have the same name", "give each its own")
            for cells in reader:
                if not any(map(str.strip, cells)):
                    continue
                if len(cells) == len(header):
                    yield (
                        f"{name}, line",
                        reader.line_num,
                        dict(zip(header, map(str.strip, cells), strict=True)),
                    )
                else:
                    more = len(cells) > len(header)
                    findings.problem(
                        f"{name}, line {reader.line_num}",
                        f"{len(cells)} cells in a table of {len(header)} columns",
                        "put a text with commas in quotes" if more else "fill or delete the row",
                    )
        except UnicodeError as exc:  # UTF-16 that is cut short
            raise _no_text(path) from exc
        except csv.Error as exc:
            where = f"{name}, line {reader.line_num}"
            findings.problem(where, f"{exc}; the rest of the file was not read", "close the quotes")


def _delimiter(path: Path, file: TextIO) -> str:
    """What Excel's `sep=` line says; tab in a TSV; else comma, semicolon or tab by their number."""
    first = file.readline(_HEADER_CHARS)
    if first.lower().startswith("sep=") and len(first.strip("\r\n")) == 5:
        return first[4]
    file.seek(0)
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)


def _header(names: Sequence[Any]) -> list[str]:
    texts = ["" if name is None else str(name).strip() for name in names]
    return [text or f"column {number}" for number, text in enumerate(texts, start=1)]


def _encoding(file: BinaryIO, path: Path, findings: Findings) -> str:
    """UTF-8, or one of the two that Excel writes besides it."""
    if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        file.seek(0)
        return "utf-16"
    for encoding in ("utf-8", "cp1252"):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while piece := file.read(2**20):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        file.seek(0)
        if encoding == "cp1252":
            what = "is not UTF-8, and was read as Windows-1252 (cp1252)"
            findings.warning(shown(path.name), what, "save it as CSV UTF-8")
        return "utf-8-sig" if encoding == "utf-8" else encoding
    raise _no_text(path)


def _no_text(path: Path) -> SuiteError:
    return SuiteError(f"{shown(path)} is not UTF-8 text", fix="save it as CSV UTF-8")


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
            unpacked_bytes = sum(it.file_size for it in zipfile.ZipFile(file).infolist())
            if unpacked_bytes > _MAX_UNPACKED_BYTES:
                raise OverflowError(f"it unfolds to {unpacked_bytes:,} bytes")  # noqa: TRY301
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if any(sheet.iter_rows(max_row=2))]
            if unread := ", ".join(sheet.title for sheet in sheets[1:]):
                findings.note(shown(path.name), f"sheets not read: {shown(unread)}")
            rows = sheets[0].iter_rows(values_only=True) if sheets else iter([()])
            header = _header(next(rows))
            for number, cells in enumerate(rows, start=2):
                if any(cell is not None for cell in cells):
                    row = dict(zip(header, map(_dated, cells), strict=False))
                    yield f"{shown(path.name)}, row", number, row
        except Exception as exc:  # openpyxl raises what it meets: KeyError, BadZipFile, ParseError
            raise SuiteError(
                f"{shown(path)} is not a readable workbook: {shown(str(exc))}",
                fix="open it in a spreadsheet and save the sheet as CSV UTF-8",
            ) from exc


def _dated(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else str(cell)
    return cell


# --- objects --------------------------------------------------------------------------------


def read_lines(path: Path, findings: Findings) -> Rows:
    """A JSON object a line; a file that holds one array all the same is read as that."""
    with open_regular(path) as file:
        if file.read(512).removeprefix(_BOM).lstrip().startswith(b"[{"):
            yield from read_document(path, findings)
            return
        file.seek(0)
        lines = iter(lambda: file.readline(_MAX_LINE_BYTES).removeprefix(_BOM), b"")
        yield from _objects(f"{shown(path.name)}, line", lines, findings)


def _objects(name: str, raws: Iterator[bytes | msgspec.Raw], findings: Findings) -> Rows:
    for number, raw in enumerate(raws, start=1):
        if isinstance(raw, bytes) and not raw.strip():
            continue
        try:
            yield name, number, _decoded(raw, dict[str, Any])
        except (ValueError, RecursionError) as exc:
            findings.problem(f"{name} {number}", f"no JSON object: {exc}", "make it an object")


def _decoded(raw: bytes | msgspec.Raw, kind: Any) -> Any:
    """Raises: ValueError. Python writes NaN, which JSON does not have."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        if b"NaN" not in bytes(raw):
            raise
        return msgspec.json.decode(msgspec.json.encode(json.loads(bytes(raw))), type=kind)


def read_document(path: Path, findings: Findings) -> Rows:
    """One JSON document: an array, an object by id, rows under a key, columns, or lines after all.

    Raises: SuiteError when it is none of them.
    """
    data = (
        read_regular(path, limit_bytes=layouts.MAX_JSON_BYTES).removeprefix(_BOM).strip() or b"{}"
    )
    raws: list[msgspec.Raw] | None = None
    name = f"{shown(path.name)}, row"
    try:
        if data.startswith(b"["):
            raws = _decoded(data, list[msgspec.Raw])
        else:
            document = _decoded(data, dict[str, msgspec.Raw])
    except (ValueError, RecursionError) as exc:
        if data.startswith(b"{") and b"\n{" in data:
            yield from read_lines(path, findings)
            return
        raise SuiteError(f"{shown(path)} is not JSON: {exc}", fix="correct the file") from exc
    if raws is None:
        if (joined := layouts.pair(path, document)) is not None:
            yield from ((name, number, row) for number, row in enumerate(joined, start=1))
            return
        layouts.refuse_document(path, document)
        arrays = [key for key, raw in document.items() if _holds_objects(raw)]
        held = next((key for key in _ROWS_KEYS if key in arrays), None)
        held = held or (arrays[0] if len(arrays) == 1 else None)
        if not held:
            yield from _by_key(path, {key: msgspec.json.decode(it) for key, it in document.items()})
            return
        if others := [key for key in arrays if key != held]:
            findings.warning(shown(path.name), f"not read: {shown(', '.join(others))}")
        raws = msgspec.json.decode(document[held], type=list[msgspec.Raw])
    yield from _objects(name, iter(raws or []), findings)


def _holds_objects(raw: msgspec.Raw) -> bool:
    return b"".join(bytes(memoryview(raw)[:256]).split()).startswith(b"[{")


def _by_key(path: Path, values: dict[str, Any]) -> Rows:
    """An object whose values are the rows, or the columns; or that is the one row."""
    held = list(values.values())
    rows: Iterator[dict[str, Any]]
    if held and all(isinstance(value, dict) for value in held):
        if len(held) > 1 and all(it.keys() == held[0].keys() for it in held) and "0" in held[0]:
            rows = ({key: it[at] for key, it in values.items()} for at in held[0])  # pandas
        else:
            rows = ({"_key": key, **value} for key, value in values.items())
    elif len(held) > 1 and all(isinstance(it, list) and len(it) == len(held[0]) for it in held):
        rows = (dict(zip(values, cells, strict=True)) for cells in zip(*held, strict=True))
    elif values.keys() & {"question", "prompt", "messages", "conversations", "contents"}:
        rows = iter([values])
    elif values:
        raise SuiteError(
            f"{shown(path)} holds no rows: an object with {shown(', '.join(values))}",
            fix="make it an array of objects with image, question and answer",
        )
    else:
        rows = iter(())
    yield from ((f"{shown(path.name)}, row", at, row) for at, row in enumerate(rows, start=1))


# --- columns --------------------------------------------------------------------------------


def read_columns(path: Path, _: Findings) -> Rows:
    """The rows of a Parquet or Arrow file, a few at a time: they may hold pictures.

    Raises: SuiteError for a damaged file, or when pyarrow is not installed.
    """
    try:
        import pyarrow  # an extra
        from pyarrow.parquet import ParquetFile
    except ImportError as exc:
        raise SuiteError(
            f"{shown(path)}: pyarrow is not installed", fix=install_command("parquet")
        ) from exc
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # its own keeps 25 MB for itself
    with open_regular(path) as file:
        try:
            if path.suffix.lower() == ".parquet":
                batches = ParquetFile(file, buffer_size=_BUFFER_BYTES).iter_batches(
                    batch_size=_BATCH_ROWS, use_threads=False
                )
            elif file.read(6) == b"ARROW1":
                arrow = pyarrow.ipc.open_file(file)
                batches = map(arrow.get_batch, range(arrow.num_record_batches))
            else:  # as the datasets library saves to disk
                file.seek(0)
                batches = pyarrow.ipc.open_stream(file)
            number = 0
            for batch in batches:
                for start in range(0, batch.num_rows, _BATCH_ROWS):
                    for row in batch.slice(start, _BATCH_ROWS).to_pylist():
                        number += 1
                        yield f"{shown(path.name)}, row", number, row
        except (pyarrow.ArrowException, OSError, ValueError) as exc:
            raise SuiteError(
                f"{shown(path)} is not a whole {path.suffix[1:].title()} file: {shown(str(exc))}",
                fix="download it again",
            ) from exc


READERS: Mapping[str, Callable[[Path, Findings], Rows]] = {
    ".csv": read_table,
    ".tsv": read_table,
    ".xlsx": read_workbook,
    ".json": read_document,
    ".jsonl": read_lines,
    ".ndjson": read_lines,
    ".parquet": read_columns,
    ".arrow": read_columns,
}
"""File type: its reader."""
