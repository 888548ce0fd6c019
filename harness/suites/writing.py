"""Suites of one's own: begun, and grown a case at a time."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness import graders
from harness.errors import SuiteError, reworded
from harness.images import header, read_regular, shown
from harness.images.drawn import samples
from harness.records import Case
from harness.suites import parse_toml, slug
from harness.suites.pictures import write_whole

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STEM_CHARS = 80
_COLUMNS = "id,file_name,question,answer,options,category,difficulty,grader,tolerance,unit,aliases"
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


def append_case(folder: Path, case: Case, *pictures: Path) -> Path:
    """Add a case to the TOML suite in `folder`, which need not exist yet; return the file it is in.

    Pictures are copied to `images/` under the case's id, unless they lie in the suite already;
    `case.image` is not looked at.

    Raises: SuiteError when the suite, the case or the picture is not sound, or cannot be written.
    """
    for picture in pictures:
        header(read_regular(picture), shown(picture), whole=True)
    check_case(case)
    if case.id in _ids(folder):
        what = f"{shown(folder)} has a case {shown(case.id)} already"
        raise SuiteError(what, fix="choose another id")
    names = [case.id, *(f"{case.id}-{number}" for number in range(2, len(pictures) + 1))]
    kept = tuple(_kept(folder, *it) for it in zip(names, pictures, strict=True))
    case = replace(case, image=kept[0], images=kept if len(kept) > 1 else ())
    path = folder / "prompts" / f"{_stem(case.category)}.toml"
    suite, category = _value(folder.resolve().name), _value(case.category)
    text = f"suite = {suite}\ncategory = {category}"
    if path.exists():
        text = path.read_text("utf-8-sig").rstrip("\n")
    added = case_text(case, tomllib.loads(text).get("category"))
    write_whole(path, f"{text}\n\n{added}".encode())
    return path


def with_free_id(folder: Path, case: Case) -> Case:
    """The case under an id that the suite does not have yet.

    Raises: SuiteError when the folder holds something other than a TOML suite.
    """
    known = _ids(folder)
    free = (f"{case.id}-{number}" if number > 1 else case.id for number in range(1, len(known) + 2))
    return replace(case, id=next(it for it in free if it not in known))


def check_case(case: Case) -> None:
    """Raises: SuiteError when its answer does not fit its grader."""
    if wrong := graders.problems(case):
        raise SuiteError(f"{shown(case.id)}: {wrong[0]}", fix="name another answer or grader")


def _ids(folder: Path) -> set[str]:
    """Those of the cases in a folder."""
    paths = sorted(folder.glob("prompts/*.toml"))
    if not paths and os.path.lexists(folder) and not folder.is_dir():
        raise SuiteError(f"{shown(folder)} cannot be written: a file", fix="name a folder")
    for other in () if paths else folder.glob("*"):
        if other.suffix in (".csv", ".tsv", ".json", ".jsonl"):
            what = f"{shown(folder)} is not a suite that can be appended to"
            fix = "name a folder that holds prompts/*.toml, or one that does not exist yet"
            raise SuiteError(f"{what}: it has {shown(other.name)}", fix=fix)
    return {str(table.get("id")) for path in paths for table in parse_toml(path).get("case", [])}


def _kept(folder: Path, name: str, picture: Path) -> str:
    """Where the picture lies, or now lies, in the suite."""
    if picture.resolve().is_relative_to(folder.resolve()):
        return picture.resolve().relative_to(folder.resolve()).as_posix()
    data = read_regular(picture)
    target = folder / "images" / f"{_stem(name)}{picture.suffix.lower()}"
    if target.exists() and read_regular(target) != data:
        raise SuiteError(f"{shown(target)} is there already", fix="choose another id")
    write_whole(target, data)
    return target.relative_to(folder).as_posix()


def _stem(name: str) -> str:
    return slug(name)[:_STEM_CHARS] or "other"


def case_text(case: Case, category: object) -> str:
    """The case as TOML, in a file that states this category for all."""
    fields: dict[str, Any] = {
        "id": case.id,
        "category": case.category if category != case.category else None,
        "question": case.question,
        "images": case.images or None,
        "image": None if case.images else case.image,
        "expected": case.expected,
        "grader": case.grader,
        **case.options,
        "difficulty": case.difficulty,
    }
    given = (f"{_key(key)} = {_value(it)}" for key, it in fields.items() if it is not None)
    return "\n".join(["[[case]]", *given, ""])


def _value(value: Any) -> str:
    """
    >>> _value(("x", 1)), _value({"a b": 0.5})
    ('["x", 1]', '{"a b" = 0.5}')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(value[key])}" for key in value) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # a JSON scalar is a TOML one, but for DEL in a text
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


class Started(Struct, frozen=True, kw_only=True):
    """What was written."""

    questions: Path
    rows: int
    pictures: int
    left_out: list[str]
    """Files that are no pictures, and why."""


def start(folder: Path, photos: Path | None = None) -> Started:
    """Make `folder` a suite: of three drawn pictures, or a row to fill in for each photo.

    Raises: SuiteError when there is a suite already, no photo, or no room.
    """
    questions = folder / "questions.csv"
    if os.path.lexists(questions) or any(folder.glob("prompts/*.toml")):
        raise SuiteError(f"{shown(folder)} is a suite already", fix="name another folder")
    rows, left_out = [row.split(",") for row in _ROWS.splitlines()], list[str]()
    if photos is not None:
        rows = _rows_of(folder, photos, left_out)
    for name, data in samples().items() if photos is None else ():
        write_whole(folder / "images" / name, data)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([_COLUMNS.split(","), *rows])
    write_whole(questions, table.getvalue().encode())
    if not (folder / "README.md").exists():
        readme = _README.format(name=folder.resolve().name, path=folder)
        write_whole(folder / "README.md", readme.encode(errors="replace"))
    pictures = len({row[1] for row in rows})
    return Started(questions=questions, rows=len(rows), pictures=pictures, left_out=left_out)


def _rows_of(folder: Path, photos: Path, left_out: list[str]) -> list[list[str]]:
    """A row for each picture in the folder of photos, which is copied into the suite."""
    what, fix = f"{shown(photos)} cannot be read", "name a folder of photos"
    with reworded(SuiteError, what, fix, OSError):
        found = sorted(it for it in photos.iterdir() if it.is_file() and it.name[0] != ".")
    rows = []
    for photo in found:
        try:
            data = read_regular(photo)
            header(data, shown(photo.name))
        except SuiteError as error:
            left_out.append(f"{error.problem}: {error.fix}")
            continue
        if not photo.resolve().is_relative_to(folder.resolve()):
            write_whole(folder / "images" / photo.name, data)
        rows.append([photo.stem, photo.name, *[""] * _COLUMNS.count(",")][:-1])
    if not rows:
        raise SuiteError(f"{shown(photos)} holds no picture", fix=fix)
    return rows
