"""Objects: JSON in its usual arrangements, lines of JSON, and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import SuiteError, install_command
from harness.images.files import open_regular, read_regular, shown
from harness.suites import layouts
from harness.suites.findings import Findings
from harness.suites.tables import Rows

_MAX_LINE_BYTES = 64 * 2**20
_MAX_JSON_BYTES = 2**31
_BOM = b"\xef\xbb\xbf"
_BATCH_ROWS = 64
_Raws = list[msgspec.Raw]
_ROWS_KEYS = ("data", "rows", "questions", "examples", "samples", "items", "instances", "test")


def read_lines(path: Path, findings: Findings) -> Rows:
    """A JSON object a line; a file that holds one array all the same is read as that."""
    with open_regular(path) as file:
        if file.read(512).removeprefix(_BOM).lstrip().startswith(b"[{"):
            yield from read_document(path, findings)
            return
        file.seek(0)
        number = 0
        while line := file.readline(_MAX_LINE_BYTES):
            number += 1
            where = f"{shown(path.name)}, line {number}"
            if not line.removeprefix(_BOM).strip():
                continue
            try:
                found = _object(line.removeprefix(_BOM))
            except (ValueError, RecursionError) as exc:
                findings.problem(where, f"no JSON object: {exc}", "write one object a line")
                continue
            yield where, found


def read_document(path: Path, findings: Findings) -> Rows:
    """One JSON document: an array, an object by id, rows under a key, columns, or lines after all.

    Raises: SuiteError when it is none of them.
    """
    data = read_regular(path, limit_bytes=_MAX_JSON_BYTES).removeprefix(_BOM).strip()
    try:
        if b"NaN" in data:  # which Python writes, and JSON does not have
            data = msgspec.json.encode(json.loads(data))
        if data.startswith(b"["):
            yield from _numbered(path, msgspec.json.decode(data, type=_Raws), findings)
            return
        document = msgspec.json.decode(data or b"{}", type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError) as exc:
        if data.startswith(b"{") and b"\n{" in data:
            yield from read_lines(path, findings)
            return
        raise SuiteError(f"{shown(path)} is not JSON: {exc}", fix="correct the file") from exc
    joined = layouts.questions_with_answers(path, document)
    if joined is not None:
        yield from joined
        return
    layouts.refuse_document(path, document)
    arrays = [key for key, raw in document.items() if _starts(raw, b"[{")]
    held = next((key for key in _ROWS_KEYS if key in arrays), None)
    held = held or (arrays[0] if len(arrays) == 1 else None)
    if held:
        yield from _numbered(path, msgspec.json.decode(document[held], type=_Raws), findings)
    elif document:
        yield from _by_key(path, document)


def _object(raw: bytes | msgspec.Raw) -> dict[str, Any]:
    """Raises: ValueError. Python writes NaN, which JSON does not have."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        if b"NaN" not in bytes(raw):
            raise
        found = json.loads(bytes(raw))
        if not isinstance(found, dict):
            raise
        return found


def _starts(raw: msgspec.Raw, beginning: bytes) -> bool:
    return b"".join(bytes(memoryview(raw)[:256]).split()).startswith(beginning)


def _numbered(path: Path, rows: Sequence[msgspec.Raw], findings: Findings) -> Rows:
    for number, raw in enumerate(rows, start=1):
        where = f"{shown(path.name)}, row {number}"
        try:
            yield where, _object(raw)
        except (ValueError, RecursionError) as exc:
            findings.problem(where, f"no JSON object: {exc}", "make every row an object")


def _by_key(path: Path, document: dict[str, msgspec.Raw]) -> Rows:
    """An object whose values are the rows, or the columns."""
    values = {key: msgspec.json.decode(raw) for key, raw in document.items()}
    name = shown(path.name)
    if values and all(isinstance(value, dict) for value in values.values()):
        shapes = {tuple(value) for value in values.values()}
        if len(shapes) == 1 and len(values) > 1 and "0" in next(iter(shapes)):
            values = {key: list(value.values()) for key, value in values.items()}
        else:
            for key, value in values.items():
                yield f"{name}, key {shown(key)}", {"_key": key, **value}
            return
    lengths = {len(value) if isinstance(value, list) else -1 for value in values.values()}
    if len(values) > 1 and len(lengths) == 1 and lengths != {-1}:
        for number, cells in enumerate(zip(*values.values(), strict=True), start=1):
            yield f"{name}, row {number}", dict(zip(values, cells, strict=True))
        return
    if any(key in values for key in ("question", "prompt", "messages", "conversations")):
        yield name, values
        return
    raise SuiteError(
        f"{shown(path)} holds no rows: an object with {shown(', '.join(values))}",
        fix="make it an array of objects with image, question and answer",
    )


def read_parquet(path: Path, _: Findings) -> Rows:
    """The rows of one file, a few at a time: they may hold pictures.

    Raises: SuiteError for a damaged file, or when pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile  # an extra
    except ImportError as exc:
        raise SuiteError(
            f"{shown(path)}: pyarrow is not installed", fix=install_command("parquet")
        ) from exc
    with open_regular(path) as file:
        try:
            number = 0
            for batch in ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{shown(path.name)}, row {number}", row
        except (ArrowException, OSError, ValueError) as exc:
            raise SuiteError(
                f"{shown(path)} is not a whole Parquet file: {shown(str(exc))}",
                fix="download it again",
            ) from exc


def unfolded(rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """The questions in each row: those of chats, and of objects within objects."""
    for where, row in rows:
        try:
            yield from ((where, it) for it in layouts.unfold(row))
        except SuiteError as error:
            raise SuiteError(f"{where}: {error.problem}", fix=error.fix) from None
