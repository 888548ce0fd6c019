"""Our own format: a TOML file per category, pictures by their path from the suite's folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import SuiteError
from harness.images.files import read_regular, shown
from harness.records import Case
from harness.suites.fields import DIFFICULTIES
from harness.suites.findings import Findings
from harness.suites.suite import UNVERSIONED, Source

_MAX_BYTES = 256 * 2**20
_FACTS = ("suite", "version", "license")
_SIDE = "image_max_side_px"
_TOP = {*_FACTS, _SIDE, "category", "case"}
_TEXTS = ("id", "question", "image", "grader", "category")
_FIELDS = {*_TEXTS, "expected", "images", "difficulty"}


def parsed(path: Path) -> dict[str, Any]:
    """
    Raises: SuiteError, naming the file and the line.
    """
    try:
        return tomllib.loads(read_regular(path, limit_bytes=_MAX_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise SuiteError(f"{shown(path)} is not valid TOML: {exc}", fix="correct the line") from exc


def read(files: Sequence[Path], name: str, findings: Findings) -> Source:
    """The suite in these files."""
    documents: list[tuple[Path, dict[str, Any]]] = []
    for path in files:
        try:
            documents.append((path, parsed(path)))
        except SuiteError as error:
            findings.error(shown(path.name), error)
    facts = _facts(documents, findings)
    sides = {side for _, document in documents if (side := document.get(_SIDE)) is not None}
    if len(sides) > 1 or any(type(side) is not int or side < 0 for side in sides):
        findings.problem(
            shown(name), f"{_SIDE} is not one number of pixels, or 0 for their own size"
        )
        sides = set()
    return Source(
        name=facts.get("suite", name),
        version=facts.get("version", UNVERSIONED),
        license=facts.get("license"),
        image_max_side_px=next(iter(sides), None),
        cases=_cases(documents, findings),
    )


def _facts(documents: list[tuple[Path, dict[str, Any]]], findings: Findings) -> dict[str, str]:
    """What the files say of the suite as a whole; those that say something must agree."""
    facts: dict[str, str] = {}
    for path, document in documents:
        for key in document.keys() - _TOP:
            findings.problem(shown(path.name), f"unknown key {shown(key)}")
        for key in _FACTS:
            stated = document.get(key, facts.get(key))
            if stated is None:
                continue
            if not _is_text(stated):
                findings.problem(shown(path.name), f"{key} is not a text in quotes")
            elif facts.setdefault(key, stated) != stated:
                findings.problem(
                    shown(path.name),
                    f"{key} is {shown(stated)}, and {shown(facts[key])} in another file",
                )
    return facts


def _cases(
    documents: list[tuple[Path, dict[str, Any]]], findings: Findings
) -> Iterator[tuple[str, Case]]:
    for path, document in documents:
        tables = document.get("case", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            findings.problem(shown(path.name), "its cases are not [[case]] tables")
            continue
        for number, table in enumerate(tables, start=1):
            given = table.get("id")
            label = shown(given) if isinstance(given, str) else str(number)
            where = f"{shown(path.name)}, case {label}"
            case = _case({"category": document.get("category"), **table}, where, findings)
            if case is not None:
                yield where, case


def _case(table: dict[str, Any], where: str, findings: Findings) -> Case | None:
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
    if difficulty is not None and difficulty not in DIFFICULTIES:
        faults.append(f"difficulty {shown(str(difficulty))} is not one of easy, medium, hard")
    for fault in faults:
        findings.problem(where, fault)
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
