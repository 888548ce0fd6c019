"""From a path to a checked suite: which reader, what every case must satisfy, the suite's hash."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import msgspec

import harness
from harness import graders
from harness.errors import SuiteError
from harness.images import shown
from harness.records import Case
from harness.suites.pictures import Pictures
from harness.suites.problems import Problems
from harness.suites.readers import csv, jsonl, toml, tsv
from harness.suites.source import Source
from harness.suites.suite import Suite

Reader = Callable[[Path, Problems], Source]

_READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".toml": toml.read_file,
        ".csv": csv.read,
        ".jsonl": jsonl.read,
        ".ndjson": jsonl.read,
        ".tsv": tsv.read,
    }
)
"""File type: its reader."""
_QUESTIONS = "questions.csv"
_NO_CASES = re.compile(r"^(pyproject|evalrun)\.toml$|\.graders\.toml$")
"""TOML files that may lie in a suite's folder and are no part of it."""
_MAX_NAME_CHARS = 200


def load(path: Path | None = None) -> Suite:
    """The suite at `path`: a folder, or a file of a known type. None: the built-in one.

    Raises: SuiteError that lists what is wrong with any of its cases.
    """
    path = path or builtin()
    suite, problems = read(path)
    problems.raise_for(path)
    return suite


def read(path: Path) -> tuple[Suite, Problems]:
    """The sound cases of a suite, and what is wrong with the others.

    Raises: SuiteError when there is no suite at all.
    """
    problems = Problems()
    source = _source(path, problems)
    pictures = Pictures(source.root)
    cases = tuple(_sound(source.cases, pictures, problems))
    if not cases and not problems.count:
        problems.add(shown(path), "has no cases")
    suite = Suite(
        name=source.name,
        version=source.version,
        license=source.license,
        root=source.root,
        cases=cases,
        sha256=_sha256(source, cases, pictures),
        image_max_side_px=source.image_max_side_px,
    )
    return suite, problems


def builtin() -> Path:
    """The root of the suite that ships with evalrun: in the wheel, else in the checkout."""
    package = Path(harness.__file__).parent
    for root in (package / "data", package.parent):
        if (root / "prompts").is_dir():
            return root
    raise SuiteError(
        "this installation has no suite of its own", fix="install evalrun anew, or name a suite"
    )


def foreign_files(folder: Path) -> list[Path]:
    """Files right in the folder that may be a suite, in the order of their names.

    Raises: SuiteError when the folder cannot be read.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _READERS)
    except OSError as exc:
        raise SuiteError(
            f"{shown(folder)} cannot be read: {exc.strerror}", fix="make it a folder you may read"
        ) from exc
    return [path for path in found if not _NO_CASES.search(path.name)]


def _source(path: Path, problems: Problems) -> Source:
    if os.path.isdir(path):  # unlike Path.is_dir, it takes any name
        return _folder(path, problems)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise SuiteError(
            f"{shown(path)} is no suite",
            fix=f"name a folder, or a file that ends in {', '.join(_READERS)}",
        )
    return reader(path, problems)


def _folder(folder: Path, problems: Problems) -> Source:
    """Our own suite, or the one foreign file in it; `questions.csv` before any other."""
    if files := sorted(folder.glob("prompts/*.toml")):
        return toml.read_files(folder, files, problems)
    found = foreign_files(folder)
    named = [path for path in found if path.name == _QUESTIONS]
    own = [path for path in found if path.suffix == ".toml"]
    if own and not named:
        root = folder.parent if folder.resolve().name == "prompts" else folder
        return toml.read_files(root, own, problems)
    rest = named or found
    if len(rest) != 1:
        raise SuiteError(
            f"{shown(folder)} holds {'several suites' if rest else 'no suite'}",
            fix=f"put prompts/*.toml or {_QUESTIONS} into it, or name the file",
        )
    return _READERS[rest[0].suffix.lower()](rest[0], problems)


def _sound(
    rows: Iterable[tuple[str, Case]], pictures: Pictures, problems: Problems
) -> Iterator[Case]:
    seen: set[str] = set()
    for where, case in rows:
        faults = list(_faults(case, pictures))
        if case.id in seen:
            faults.append("its id was used before")
        seen.add(case.id)
        for fault in faults:
            problems.add(where, fault)
        if not faults:
            yield case


def _faults(case: Case, pictures: Pictures) -> Iterator[str]:
    for what, name in (("id", case.id), ("category", case.category)):
        if len(name) > _MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
            yield f"its {what} is not one plain line of at most {_MAX_NAME_CHARS} characters"
    for image in case.pictures:
        try:
            pictures.sha256(image)
        except SuiteError as error:
            yield error.problem
    options = msgspec.json.encode(case.options) if case.options else b"{}"
    yield from _misfits(case.grader, case.question, case.expected, options)


@lru_cache(maxsize=4096)
def _misfits(
    grader: str, question: str, expected: str | tuple[str, ...], options: bytes
) -> list[str]:
    """What its grader finds wrong; remembered, as large suites ask the same again and again."""
    return graders.problems(
        Case(
            id="",
            category="",
            question=question,
            image="",
            expected=expected,
            grader=grader,
            options=msgspec.json.decode(options),
        )
    )


def _sha256(source: Source, cases: tuple[Case, ...], pictures: Pictures) -> str:
    total = hashlib.sha256(msgspec.json.encode([source.name, source.version, source.license]))
    for case in sorted(cases, key=lambda case: case.id):
        fields = {**msgspec.structs.asdict(case), "image_sha256": pictures.sha256(case.image)}
        if case.images:
            fields["images_sha256"] = [pictures.sha256(image) for image in case.images]
        for later in ("images", "difficulty"):  # than 0.1: a suite without them keeps its hash
            if not fields[later]:
                del fields[later]
        total.update(b"\n" + msgspec.json.encode(fields, order="sorted"))
    return total.hexdigest()
