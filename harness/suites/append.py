"""Grows a suite of one's own, a case at a time."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from harness import graders
from harness.errors import SuiteError
from harness.images import header
from harness.images.files import read_regular, shown
from harness.records import Case
from harness.suites import toml
from harness.suites.loading import foreign_files, load
from harness.suites.suite import slug, write_whole

_STEM_CHARS = 80
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def append_case(folder: Path, case: Case, *pictures: Path) -> Path:
    """Add a case to the TOML suite in `folder`, which need not exist yet; return the file it is in.

    Pictures are copied to `images/` under the case's id, unless they lie in the suite already;
    `case.image` is not looked at.

    Raises: SuiteError when the suite, the case or the picture is not sound, or cannot be written.
    """
    for picture in pictures:
        header(read_regular(picture), shown(picture), whole=True)
    if wrong := graders.problems(case):
        raise SuiteError(f"{shown(case.id)}: {wrong[0]}", fix="name another answer or grader")
    if folder.is_dir():
        _refuse_clashes(folder, case)
    stems = [case.id, *(f"{case.id}-{number}" for number in range(2, len(pictures) + 1))]
    kept = tuple(map(partial(_kept, folder), stems, pictures))
    case = msgspec.structs.replace(case, image=kept[0], images=kept if len(kept) > 1 else ())
    path = folder / "prompts" / f"{_stem(case.category)}.toml"
    before = path.read_text("utf-8-sig").rstrip("\n") + "\n" if path.exists() else ""
    category = toml.parsed(path).get("category") if before else case.category
    if not before:
        before = f"suite = {_value(folder.resolve().name)}\ncategory = {_value(case.category)}\n"
    write_whole(path, f"{before}\n{case_table(case, category)}".encode())
    return path


def with_free_id(folder: Path, case: Case) -> Case:
    """The case under an id that the suite does not have yet.

    Raises: SuiteError when the folder holds something other than a TOML suite.
    """
    if not folder.exists():
        return case
    if not folder.is_dir() or (any(folder.iterdir()) and not any(folder.glob("prompts/*.toml"))):
        raise SuiteError(
            f"{shown(folder)} is not a suite that can be appended to",
            fix="name a folder that holds prompts/*.toml, or one that does not exist yet",
        )
    if not any(folder.iterdir()):
        return case
    known = {it.id for it in load(folder).cases}
    free = (f"{case.id}-{number}" if number > 1 else case.id for number in range(1, len(known) + 2))
    return msgspec.structs.replace(case, id=next(it for it in free if it not in known))


def _refuse_clashes(folder: Path, case: Case) -> None:
    if not any(folder.glob("prompts/*.toml")):
        if others := foreign_files(folder):
            raise SuiteError(
                f"{shown(folder)} holds {shown(others[0].name)}, which would be read no more",
                fix="choose another folder",
            )
    elif case.id in {known.id for known in load(folder).cases}:
        raise SuiteError(
            f"{shown(folder)} has a case {shown(case.id)} already", fix="choose another id"
        )


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


def case_table(case: Case, category: object) -> str:
    fields: dict[str, Any] = {"id": case.id}
    if category != case.category:
        fields["category"] = case.category
    fields["question"] = case.question
    fields |= {"images": case.images} if case.images else {"image": case.image}
    fields |= {"expected": case.expected, "grader": case.grader, **case.options}
    fields |= {"difficulty": case.difficulty} if case.difficulty else {}
    return "\n".join(["[[case]]", *(f"{_key(key)} = {_value(fields[key])}" for key in fields), ""])


def _value(value: Any) -> str:
    """
    >>> _value('a "b"'), _value(("x", 1)), _value({"a b": 0.5})
    ('"a \\\\"b\\\\""', '["x", 1]', '{"a b" = 0.5}')
    """
    match value:
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_value(value[key])}" for key in value) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:  # a JSON scalar is a TOML one, but for DEL in a text
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)
