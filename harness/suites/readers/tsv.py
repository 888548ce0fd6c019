"""The TSV that benchmarks of vision models circulate: `index, image, question, answer[, A, B...]`.

`image` is base64, or the index of another row that shows the same picture. The pictures are
unpacked into the user's cache by their sha256, one at a time.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from msgspec import Struct

from harness.errors import SuiteError
from harness.images import header, shown
from harness.suites.files import write_whole
from harness.suites.problems import Problems
from harness.suites.readers import csv, rows
from harness.suites.readers.rows import Row
from harness.suites.source import Source

_LETTERS = "ABCDEFGH"
_ASKED = "Answer with the letter of the right option."
_INDEX_CHARS = 64
"""No picture is as short as this in base64, and no index longer."""


class _Held(Struct, frozen=True):
    """A row whose picture may be that of a row still to come."""

    where: str
    cells: dict[str, str]
    """Without the picture."""
    shows: str
    """The index of the row whose picture this is about; its own as a rule."""


def read(path: Path, problems: Problems) -> Source:
    """A table without base64 is read as one of paths."""
    records = csv.records(path, problems)
    first = next(records, None)
    if first is not None:
        records = chain([first], records)
    if first is None or "." in first[1].get("image", "."):
        found = rows.from_fields(records, path.parent, problems)
        return rows.source(path, path.parent, found, problems)
    import platformdirs  # few suites need it, and every run would wait for it

    cache = Path(platformdirs.user_cache_dir("evalrun")) / "pictures"
    return rows.source(path, cache, _rows(records, cache, problems), problems)


def _rows(
    records: Iterable[tuple[str, dict[str, str]]], cache: Path, problems: Problems
) -> Iterator[Row]:
    unpacked: dict[str, str] = {}
    """Index: name of its picture in the cache."""
    held = list(_held(records, unpacked, cache, problems))
    for number, row in enumerate(held, start=1):
        if row.shows not in unpacked:
            what = shown(row.shows) or "nothing"
            problems.add(row.where, f"its picture is neither base64 nor the index of a row: {what}")
        else:
            yield from _row(row, number, unpacked[row.shows], problems)


def _held(
    records: Iterable[tuple[str, dict[str, str]]],
    unpacked: dict[str, str],
    cache: Path,
    problems: Problems,
) -> Iterator[_Held]:
    for number, (where, cells) in enumerate(records, start=1):
        image = cells.pop("image")
        index = cells.get("index") or str(number)
        if len(image) <= _INDEX_CHARS:
            yield _Held(where, cells, image)
            continue
        try:
            unpacked[index] = _unpack(image, cache)
        except SuiteError as error:
            problems.add(where, error.problem)
        else:
            yield _Held(where, cells, index)


def _row(row: _Held, number: int, image: str, problems: Problems) -> Iterator[Row]:
    cells = row.cells
    question, answer = cells.get("question"), cells.get("answer")
    if not question or not answer:
        problems.add(row.where, f"no {'answer' if question else 'question'}")
        return
    options = {letter: cells[letter] for letter in _LETTERS if cells.get(letter)}
    by_text = {text.casefold(): letter for letter, text in options.items()}
    lines = [cells.get("hint"), question, *(f"{key}. {text}" for key, text in options.items())]
    yield Row(
        where=row.where,
        number=number,
        about=question,
        image=image,
        question="\n".join(filter(None, [*lines, _ASKED if options else None])),
        expected=by_text.get(answer.casefold(), answer),
        category=cells.get("category"),
        grader="choice" if options else None,
    )


def _unpack(image: str, cache: Path) -> str:
    """Put a picture into the cache, unless it is there; return its name.

    Raises: SuiteError for what is no picture, or when the cache cannot be written.
    """
    if image.startswith("["):
        raise SuiteError("it shows several pictures", fix="leave such rows out")
    try:
        data = base64.b64decode(image.rpartition(",")[2], validate=True)
    except ValueError as exc:
        raise SuiteError(f"its picture is no base64: {exc}", fix="mend the row") from exc
    kind = header(data, "its picture").format.lower()
    name = f"{hashlib.sha256(data).hexdigest()}.{kind}"
    path = cache / name
    if not path.exists() or path.read_bytes() != data:
        write_whole(path, data)
    return name
