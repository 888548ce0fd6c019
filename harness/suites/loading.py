"""From a path to a checked suite: which reader, what every case must satisfy, the suite's hash."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

import harness
from harness import graders
from harness.errors import SuiteError
from harness.images.files import read_regular, shown
from harness.records import Case
from harness.suites import hub, layouts, objects, rows, tables, toml
from harness.suites.findings import Findings
from harness.suites.pictures import Pictures
from harness.suites.sidefile import SideFile
from harness.suites.suite import Source, Suite

_TABLES: Mapping[str, Callable[[Path, Findings], tables.Rows]] = MappingProxyType(
    {
        ".csv": tables.read_text,
        ".tsv": tables.read_text,
        ".xlsx": tables.read_workbook,
        ".json": objects.read_document,
        ".jsonl": objects.read_lines,
        ".ndjson": objects.read_lines,
        ".parquet": objects.read_parquet,
    }
)
"""File type: its reader."""
READABLE = (".toml", *_TABLES)
_QUESTIONS = "questions.csv"
_NOT_A_SUITE = re.compile(
    r"^(pyproject|evalrun)\.toml$|\.graders\.toml$|\.schema\.json$|^(package|state|dataset_infos?|dataset_dict)\.json$"
    r"|^\."
)
"""Files that may lie in a suite's folder and hold no cases."""
_MAX_NAME_CHARS = 200
_MAX_SCHEMA_BYTES = 2**20


def load(
    path: Path | None = None, *, images: Path | None = None, skip_broken: bool = False
) -> Suite:
    """The suite at `path`: a folder, a file of a known type, or `hf://owner/set`. None: the
    built-in one. `images` is a folder in which its pictures lie, beside the suite's own.

    Raises: SuiteError that lists what is wrong with any of its cases; with `skip_broken` only
        when there is no sound one.
    """
    path = path or builtin()
    suite, findings = read(path, images=images)
    if not (skip_broken and suite.cases):
        findings.raise_for(path)
        return suite
    broken = len(findings.places)
    skipped = f"{broken:,} with problems are left out, {len(suite.cases):,} prompts are sound"
    findings.note("rows", skipped if broken else "all are sound")
    return msgspec.structs.replace(suite, remarks=tuple(findings.remarks))


def read(path: Path, *, images: Path | None = None) -> tuple[Suite, Findings]:
    """The sound cases of a suite, and what is wrong with the others.

    Raises: SuiteError when there is no suite at all.
    """
    findings = Findings()
    if images is not None and not images.is_dir():
        raise SuiteError(f"--images {shown(images)} is not a folder", fix="name the folder")
    if hub.is_address(path):
        fetched = hub.fetch(path, READABLE)
        pictures = Pictures(fetched.files[0].parent, images or fetched.root)
        source = _foreign(fetched.files, fetched.name, pictures, findings)
        source = msgspec.structs.replace(source, version=fetched.revision)
    else:
        files, root, name = _files(path)
        pictures = Pictures(root, images)
        own = files[0].suffix.lower() == ".toml"
        source = (
            toml.read(files, name, findings) if own else _foreign(files, name, pictures, findings)
        )
    cases = tuple(_sound(source.cases, pictures, findings))
    if not cases and not findings.count:
        findings.problem(shown(path), "has no cases")
    suite = Suite(
        name=source.name,
        version=source.version,
        license=source.license,
        folders=pictures.folders,
        cases=cases,
        sha256=_sha256(source, cases, pictures),
        image_max_side_px=source.image_max_side_px,
        remarks=tuple(findings.remarks),
    )
    return suite, findings


def builtin() -> Path:
    """The root of the suite that ships with evalrun: in the wheel, else in the checkout."""
    package = Path(harness.__file__).parent
    for root in (package / "data", package.parent):
        if (root / "prompts").is_dir():
            return root
    raise SuiteError(
        "this installation has no suite of its own", fix="install evalrun again, or name a suite"
    )


def foreign_files(folder: Path) -> list[Path]:
    """Files right in the folder that may be a suite, in the order of their names.

    Raises: SuiteError when the folder cannot be read.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in READABLE)
    except OSError as exc:
        raise SuiteError(
            f"{shown(folder)} cannot be read: {exc.strerror}", fix="make it a folder you may read"
        ) from exc
    return [path for path in found if not _NOT_A_SUITE.search(path.name)]


def _foreign(files: Sequence[Path], name: str, pictures: Pictures, findings: Findings) -> Source:
    first = files[0]
    side = SideFile(first.with_name(f"{hub.table_of(first)}.graders.toml"), findings)
    read = chain.from_iterable(_TABLES[it.suffix.lower()](it, findings) for it in files)
    return Source(name=name, cases=rows.cases_of(objects.unfolded(read), pictures, side, findings))


def _files(path: Path) -> tuple[list[Path], Path, str]:
    """The files that hold the cases, the folder that pictures are named from, and a name.

    Raises: SuiteError when there is no suite, or several.
    """
    if not os.path.isdir(path):  # unlike Path.is_dir, it takes any name
        if path.suffix.lower() not in READABLE:
            layouts.refuse_file(path, ", ".join(READABLE))
        if path.suffix.lower() == ".toml":
            in_prompts = path.parent.name == "prompts"
            return [path], path.parent.parent if in_prompts else path.parent, path.stem
        name = path.stem if path.stem != "questions" else path.resolve().parent.name
        return [path], path.parent, name
    name = path.resolve().name
    if files := sorted(path.glob("prompts/*.toml")):
        return files, path, name
    found = foreign_files(path)
    named = [it for it in found if it.name == _QUESTIONS]
    own = [it for it in found if it.suffix == ".toml"]
    if own and not named:
        root = path.parent if name == "prompts" else path
        return own, root, root.resolve().name
    return _one_table(path, named or found), path, name


def _one_table(folder: Path, found: list[Path]) -> list[Path]:
    """The one table in a folder; its shards, or those of a folder `data` in it, are one."""
    if not found and (folder / "data").is_dir():
        found = foreign_files(folder / "data")
    if len(found) == 2 and all(it.suffix == ".json" for it in found):
        pair = [it for it in found if "questions" in it.name.casefold()]
        found = pair if len(pair) == 1 else found
    groups: dict[str, list[Path]] = {}
    for it in found:
        groups.setdefault(hub.table_of(it) + it.suffix, []).append(it)
    if len(groups) == 1:
        return next(iter(groups.values()))
    if groups:
        files = ", ".join(shown(files[0]) for files in list(groups.values())[:8])
        raise SuiteError(f"{shown(folder)} holds several suites", fix=f"name one of {files}")
    for it in folder.glob("*.arrow"):
        layouts.refuse_file(it, "")
    nested = [it for it in sorted(folder.glob("*/*")) if it.suffix.lower() in READABLE][:4]
    raise SuiteError(
        f"{shown(folder)} holds no suite",
        fix=f"put prompts/*.toml or {_QUESTIONS} into it, or name the file"
        + (f", e.g. {', '.join(map(shown, nested))}" if nested else ""),
    )


def _sound(
    placed: Iterable[tuple[str, Case]], pictures: Pictures, findings: Findings
) -> Iterator[Case]:
    seen: set[str] = set()
    for where, case in placed:
        before = findings.count
        try:
            case = _with_schema(case, pictures)
        except SuiteError as error:
            findings.error(where, error)
        for what, fix in _faults(case):
            findings.problem(where, what, fix)
        for image in case.pictures:
            try:
                pictures.sha256(image)
            except SuiteError as error:
                findings.error(where, error)
        if case.id in seen:
            findings.problem(where, "its id was used before", "give each case an id of its own")
        seen.add(case.id)
        if findings.count == before:
            yield case


def _with_schema(case: Case, pictures: Pictures) -> Case:
    """The case with the JSON schema that it names by its path in the suite.

    Raises: SuiteError when there is no such file, or it does not hold an object.
    """
    named = case.options.get("schema")
    if not isinstance(named, str):
        return case
    data = read_regular(pictures.path(named), limit_bytes=_MAX_SCHEMA_BYTES)
    try:
        schema = msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError) as exc:
        raise SuiteError(
            f"schema {shown(named)} is not a JSON object: {exc}", fix="correct the file"
        ) from exc
    return msgspec.structs.replace(case, options={**case.options, "schema": schema})


def _faults(case: Case) -> Iterator[tuple[str, str | None]]:
    for what, name in (("id", case.id), ("category", case.category)):
        if len(name) > _MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
            what = f"its {what} is not one plain line of at most {_MAX_NAME_CHARS} characters"
            yield what, "write a short name"
    if rows.fits(case):
        return
    options = msgspec.json.encode(case.options) if case.options else b"{}"
    for misfit in _misfits(case.grader, case.question, case.expected, options):
        yield misfit, "correct the answer, or name another grader"


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
