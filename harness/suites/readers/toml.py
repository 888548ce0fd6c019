"""Our own format: a TOML file per category, pictures by their path from the suite's folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import SuiteError
from harness.images import read_regular, shown
from harness.records import Case
from harness.suites.problems import Problems
from harness.suites.source import UNVERSIONED, Source

_MAX_BYTES = 256 * 2**20
_FACTS = ("suite", "version", "license")
_SIDE = "image_max_side_px"
_TOP = {*_FACTS, _SIDE, "category", "case"}
_TEXTS = ("id", "question", "image", "grader", "category")
_FIELDS = {*_TEXTS, "expected", "images", "difficulty"}
_DIFFICULTIES = ("easy", "medium", "hard")


def read_file(path: Path, problems: Problems) -> Source:
    """One TOML file; its pictures lie beside it, or beside the `prompts` folder it is in."""
    root = path.parent.parent if path.parent.name == "prompts" else path.parent
    return _read(root, [path], path.stem, problems)


def read_files(root: Path, files: Sequence[Path], problems: Problems) -> Source:
    """All TOML files of the suite whose folder is `root`."""
    return _read(root, files, root.resolve().name, problems)


def parsed(path: Path) -> dict[str, Any]:
    """
    Raises: SuiteError, naming the file and the line.
    """
    try:
        return tomllib.loads(read_regular(path, limit_bytes=_MAX_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise SuiteError(f"{shown(path)} is no TOML: {exc}", fix="mend the file") from exc


def _read(root: Path, files: Sequence[Path], name: str, problems: Problems) -> Source:
    documents: list[tuple[Path, dict[str, Any]]] = []
    for path in files:
        try:
            documents.append((path, parsed(path)))
        except SuiteError as error:
            problems.add(shown(path.name), error.problem)
    facts = _facts(documents, problems)
    sides = {side for _, document in documents if (side := document.get(_SIDE)) is not None}
    if len(sides) > 1 or any(type(side) is not int or side < 0 for side in sides):
        problems.add(shown(name), f"{_SIDE} is not one number of pixels, or 0 for their own size")
        sides = set()
    return Source(
        name=facts.get("suite", name),
        version=facts.get("version", UNVERSIONED),
        license=facts.get("license"),
        root=root,
        image_max_side_px=next(iter(sides), None),
        cases=_cases(documents, problems),
    )


def _facts(documents: list[tuple[Path, dict[str, Any]]], problems: Problems) -> dict[str, str]:
    """What the files say of the suite as a whole; those that say something must agree."""
    facts: dict[str, str] = {}
    for path, document in documents:
        for key in document.keys() - _TOP:
            problems.add(shown(path.name), f"unknown key {shown(key)}")
        for key in _FACTS:
            stated = document.get(key, facts.get(key))
            if stated is None:
                continue
            if not _is_text(stated):
                problems.add(shown(path.name), f"{key} is not a text in quotes")
            elif facts.setdefault(key, stated) != stated:
                problems.add(
                    shown(path.name),
                    f"{key} is {shown(stated)}, and {shown(facts[key])} in another file",
                )
    return facts


def _cases(
    documents: list[tuple[Path, dict[str, Any]]], problems: Problems
) -> Iterator[tuple[str, Case]]:
    for path, document in documents:
        tables = document.get("case", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            problems.add(shown(path.name), "its cases are not [[case]] tables")
            continue
        for number, table in enumerate(tables, start=1):
            given = table.get("id")
            label = shown(given) if isinstance(given, str) else str(number)
            where = f"{shown(path.name)}, case {label}"
            case = _case({"category": document.get("category"), **table}, where, problems)
            if case is not None:
                yield where, case


def _case(table: dict[str, Any], where: str, problems: Problems) -> Case | None:
    images = table.get("images", [])
    listed = isinstance(images, list) and images and all(map(_is_text, images))
    if listed:
        table = {"image": images[0], **table}
    faults = [
        f"{key} is missing" if table.get(key) is None else f"{key} is not a text"
        for key in _TEXTS
        if not _is_text(table.get(key))
    ]
    expected: Any = table.get("expected")
    if isinstance(expected, list) and expected and all(map(_is_text, expected)):
        expected = tuple(expected)
    elif not _is_text(expected):
        faults.append("expected is neither a text in quotes nor a list of such")
    if "images" in table and not (listed and table["image"] == images[0]):
        faults.append("images is not a list of paths that begins with image")
    difficulty = table.get("difficulty")
    if difficulty is not None and difficulty not in _DIFFICULTIES:
        faults.append(f"difficulty {shown(str(difficulty))} is not one of easy, medium, hard")
    for fault in faults:
        problems.add(where, fault)
    if faults:
        return None
    return Case(
        **{key: table[key] for key in _TEXTS},
        expected=expected,
        options={key: value for key, value in table.items() if key not in _FIELDS},
        images=tuple(images) if len(images) > 1 else (),
        difficulty=difficulty,
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
