"""A suite to start from: a small one that works, or rows to fill in for a folder of photos."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import SuiteError
from harness.images import header
from harness.images.drawn import samples
from harness.images.files import read_regular, shown
from harness.suites.suite import write_whole

_COLUMNS = (
    *("id", "file_name", "question", "answer", "options", "category", "difficulty"),
    *("grader", "tolerance", "unit", "aliases"),
)
_ROWS = """\
dots-1,dots.png,How many dots are there? Answer with a number.,7,,Counting,easy,integer,,,
dots-2,dots.png,Which colour do most of the dots have?,B,red; blue; green,Colours,easy,,,,
dots-3,dots.png,Is there a green dot? Answer yes or no.,no,,Colours,medium,yes_no,,,
label-1,label.png,What is the part number on the label?,AX-0417,,Reading,easy,code,,,
label-2,label.png,What is printed above it?,PART NO.,,Reading,hard,text,,,PART NO; PART NUMBER
chart-1,chart.png,How many kg were made on Tuesday?,45,,Reading,hard,decimal,2,kg,
"""
_README = """\
# {name}: a suite for evalrun

`questions.csv` has a row for each question; pictures lie in `images/`.
Needed: file_name, question, answer. `options` (a; b; c) are sent with letters.
`grader` says how answers are compared, with tolerance, unit or aliases; empty: inferred.

    evalrun check {path}                  # what is wrong, and how each answer is graded
    evalrun --suite {path} --model NAME   # ask a model

Replace the rows and pictures by your own, the pictures under any names.
"""


class Started(Struct, frozen=True, kw_only=True):
    """What was written."""

    questions: Path
    rows: int
    pictures: int
    left_out: tuple[str, ...] = ()
    """Files that are no pictures, and why."""


def start(folder: Path, photos: Path | None = None) -> Started:
    """Make `folder` a suite: of three drawn pictures, or a row to fill in for each photo.

    Raises: SuiteError when there is a suite already, no photo, or no room.
    """
    questions = folder / "questions.csv"
    if os.path.lexists(questions) or any(folder.glob("prompts/*.toml")):
        raise SuiteError(f"{shown(folder)} is a suite already", fix="name another folder")
    if photos is not None:
        return _of_photos(folder, photos, questions)
    for name, data in samples().items():
        write_whole(folder / "images" / name, data)
    rows = [row.split(",") for row in _ROWS.splitlines()]
    _write(folder, questions, rows)
    return Started(questions=questions, rows=len(rows), pictures=len(samples()))


def _of_photos(folder: Path, photos: Path, questions: Path) -> Started:
    try:
        found = sorted(it for it in photos.iterdir() if it.is_file() and it.name[0] != ".")
    except OSError as exc:
        raise SuiteError(
            f"{shown(photos)} cannot be read: {exc.strerror}", fix="name a folder of photos"
        ) from exc
    rows, left_out = [], []
    for photo in found:
        try:
            data = read_regular(photo)
            header(data, shown(photo.name))
        except SuiteError as error:
            left_out.append(f"{error.problem}: {error.fix}")
            continue
        if not photo.resolve().is_relative_to(folder.resolve()):
            write_whole(folder / "images" / photo.name, data)
        rows.append((photo.stem, photo.name, *[""] * (len(_COLUMNS) - 2)))
    if not rows:
        raise SuiteError(f"{shown(photos)} holds no picture", fix="name a folder of photos")
    _write(folder, questions, rows)
    return Started(
        questions=questions, rows=len(rows), pictures=len(rows), left_out=tuple(left_out)
    )


def _write(folder: Path, questions: Path, rows: Iterable[Sequence[str]]) -> None:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([_COLUMNS, *rows])
    write_whole(questions, table.getvalue().encode())
    if not (folder / "README.md").exists():
        readme = _README.format(name=folder.resolve().name, path=folder)
        write_whole(folder / "README.md", readme.encode(errors="replace"))
