"""A JSON object a line: `image`, `question|prompt|prefix`, `answer|suffix`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.images import open_regular, shown
from harness.suites.problems import Problems
from harness.suites.readers import rows
from harness.suites.readers.rows import Fields
from harness.suites.source import Source

_MAX_LINE_BYTES = 64 * 2**20
_BOM = b"\xef\xbb\xbf"


def read(path: Path, problems: Problems) -> Source:
    found = rows.from_fields(_records(path, problems), path.parent, problems)
    return rows.source(path, path.parent, found, problems)


def _records(path: Path, problems: Problems) -> Iterator[tuple[str, Fields]]:
    with open_regular(path) as file:
        number = 0
        while line := file.readline(_MAX_LINE_BYTES):
            number += 1
            where = f"{shown(path.name)}, line {number}"
            if not line.removeprefix(_BOM).strip():
                continue
            try:
                found = msgspec.json.decode(line.removeprefix(_BOM), type=dict[str, Any])
            except (ValueError, RecursionError) as exc:
                problems.add(where, f"no JSON object: {exc}")
                continue
            yield where, {key: _answer(value) for key, value in found.items()}


def _answer(value: object) -> str | tuple[str, ...]:
    """A value as an answer is written; what cannot be one is empty.

    >>> _answer(True), _answer(7.5), _answer(["a", 2]), _answer({"a": 1})
    ('yes', '7.5', ('a', '2'), '')
    """
    if not isinstance(value, list):
        return _text(value)
    parts = tuple(map(_text, value))
    return parts if all(parts) else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip() if isinstance(value, str | int | float) else ""
