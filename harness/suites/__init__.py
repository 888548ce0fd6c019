"""Suites: questions about pictures, in our TOML or a format people already have.

A path --read--> (Suite, Findings) --load--> Suite, or one SuiteError that names every problem
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

import harness
from harness import graders
from harness.errors import SuiteError
from harness.images.files import read_regular, shown
from harness.records import Case, RunHeader
from harness.suites import hub, layouts, own, rows
from harness.suites.fields import SideFile
from harness.suites.formats import READERS
from harness.suites.pictures import Pictures
from harness.suites.suite import Findings as Findings
from harness.suites.suite import Placed
from harness.suites.suite import Suite as Suite
from harness.suites.suite import select as select

READABLE = (".toml", *READERS)
UNVERSIONED = "unversioned"
_QUESTIONS = "questions.csv"
_NOT_A_SUITE = re.compile(
    r"^(pyproject|evalrun)\.toml$|\.graders\.toml$|\.schema\.json$"
    r"|^(package|state|dataset_infos?|dataset_dict)\.json$|^cache-.*\.arrow$|^\."
)
"""Files that may lie in a suite's folder and hold no cases."""
_MAX_NAME_CHARS = 200


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
    return replace(suite, remarks=tuple(findings.remarks))


def read(path: Path, *, images: Path | None = None) -> tuple[Suite, Findings]:
    """The sound cases of a suite, and what is wrong with the others.

    Raises: SuiteError when there is no suite at all.
    """
    findings = Findings()
    facts: dict[str, Any] = {"image_max_side_px": 0}
    if images is not None and not images.is_dir():
        raise SuiteError(f"--images {shown(images)} is not a folder", fix="name the folder")
    if str(path).startswith("hf:/"):
        facts["suite"], facts["version"], fetched, files = hub.fetch(path, READABLE)
        root, name, images = files[0].parent, "", images or fetched
    else:
        files, root, name = _files(path)
    pictures = Pictures(root, images)
    if files[0].suffix.lower() == ".toml":
        facts, placed = own.read(files, findings)
        cases: Iterable[Placed] = placed
    else:
        side = SideFile(files[0].with_name(f"{hub.table_of(files[0])}.graders.toml"), findings)
        read_rows = chain.from_iterable(READERS[it.suffix.lower()](it, findings) for it in files)
        cases = rows.cases_of(layouts.unfolded(read_rows), pictures, side, findings)
    sound = tuple(_sound(cases, pictures, findings))
    if not sound and not findings.count:
        findings.problem(shown(path), "has no cases", "write some")
    suite = Suite(
        name=facts.get("suite", name),
        version=facts.get("version", UNVERSIONED),
        license=facts.get("license"),
        folders=pictures.folders,
        cases=sound,
        sha256="",
        image_max_side_px=facts.get("image_max_side_px"),
        remarks=tuple(findings.remarks),
    )
    return replace(suite, sha256=_sha256(suite, pictures)), findings


def of_run(header: RunHeader, path: Path | None = None) -> Suite:
    """The suite that a run asked: at `path`, else where the run says that it lay, else the built-in
    one; its pictures also lie in the folder that the run named.

    A run file may be a stranger's: nothing is downloaded for it, and what lies where it says is its
    suite only when the hash agrees.

    Raises: SuiteError when there is no suite at `path`.
    """
    images = header.images_path if os.path.isdir(header.images_path or "") else None
    folder = Path(images) if images else None
    if path:
        return load(path, images=folder, skip_broken=True)
    if os.path.exists(header.suite_path or ""):
        with suppress(SuiteError):
            suite, _ = read(Path(str(header.suite_path)), images=folder)
            if suite.sha256 == header.suite_sha256:
                return suite
    return read(builtin())[0]


def address(path: Path) -> str:
    """Where a suite or its pictures lie, as a run remembers it: absolute, or on the hub."""
    text = str(path)
    return text.replace("hf:/", "hf://", 1) if text.startswith("hf:/") else str(path.resolve())


def builtin() -> Path:
    """The root of the suite that ships with evalrun: in the wheel, else in the checkout."""
    package = Path(harness.__file__).parent
    for root in (package / "data", package.parent):
        if (root / "prompts").is_dir():
            return root
    raise SuiteError(
        "this installation has no suite of its own", fix="install evalrun again, or name a suite"
    )


# --- files ----------------------------------------------------------------------------------


def _files(path: Path) -> tuple[list[Path], Path, str]:
    """The files that hold the cases, the folder that pictures are named from, and a name.

    Raises: SuiteError when there is no suite, or several.
    """
    if not os.path.isdir(path):  # unlike Path.is_dir, it takes any name
        if path.suffix.lower() not in READABLE:
            layouts.refuse_file(path, ", ".join(READABLE))
        own_folder = path.suffix.lower() == ".toml" and path.parent.name == "prompts"
        root = path.parent.parent if own_folder else path.parent
        return [path], root, path.resolve().parent.name if path.stem == "questions" else path.stem
    name = path.resolve().name
    if files := sorted(path.glob("prompts/*.toml")):
        return files, path, name
    found = _candidates(path)
    named = [it for it in found if it.name == _QUESTIONS]
    tomls = [it for it in found if it.suffix == ".toml"]
    if tomls and not named:
        root = path.parent if name == "prompts" else path
        return tomls, root, root.resolve().name
    return _one_table(path, named or found), path, name


def _candidates(folder: Path) -> list[Path]:
    """Files right in the folder that may be a suite, in the order of their names."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in READABLE)
    except OSError as exc:
        raise SuiteError(
            f"{shown(folder)} cannot be read: {exc.strerror}", fix="make it a folder you may read"
        ) from exc
    return [path for path in found if not _NOT_A_SUITE.search(path.name)]


def _one_table(folder: Path, found: list[Path]) -> list[Path]:
    """The one table in a folder; its shards, or those of a folder `data` in it, are one."""
    if not found and (folder / "data").is_dir():
        found = _candidates(folder / "data")
    if len(found) == 2 and all(it.suffix == ".json" for it in found):  # VQA's
        found = [it for it in found if "questions" in it.name.casefold()] or found
    groups: dict[str, list[Path]] = {}
    for it in found:
        groups.setdefault(hub.table_of(it) + it.suffix, []).append(it)
    if len(groups) == 1:
        return next(iter(groups.values()))
    if groups:
        files = ", ".join(shown(files[0]) for files in list(groups.values())[:8])
        raise SuiteError(f"{shown(folder)} holds several suites", fix=f"name one of {files}")
    nested = {
        it.parent if it.suffix == ".arrow" else it
        for it in sorted(folder.glob("*/*"))
        if it.suffix.lower() in READABLE
    }
    raise SuiteError(
        f"{shown(folder)} holds no suite",
        fix=f"put prompts/*.toml or {_QUESTIONS} into it, or name the file"
        + (f", e.g. {', '.join(map(shown, sorted(nested)[:4]))}" if nested else ""),
    )


# --- what every case must satisfy -----------------------------------------------------------


def _sound(placed: Iterable[Placed], pictures: Pictures, findings: Findings) -> Iterator[Case]:
    seen: set[str] = set()
    for where, case in placed:
        before = findings.count
        try:
            case = _with_schema(case, pictures)
        except SuiteError as error:
            findings.error(where, error)
            case = replace(case, options={})
        for what, name in (("id", case.id), ("category", case.category)):
            plain = name.isprintable() and name == name.strip()
            if not (plain and 0 < len(name) <= _MAX_NAME_CHARS):
                what = f"its {what} is not one plain line of at most {_MAX_NAME_CHARS} characters"
                findings.problem(where, what, "write a short name")
        if not case.question.strip():
            findings.problem(where, "its question is empty", "write one")
        for misfit in _misfits(case):
            findings.problem(where, misfit, "correct the answer, or name another grader")
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
    try:
        schema = msgspec.json.decode(read_regular(pictures.path(named)), type=dict[str, Any])
    except (ValueError, RecursionError) as exc:
        raise SuiteError(
            f"schema {shown(named)} is not a JSON object: {exc}", fix="correct the file"
        ) from exc
    return replace(case, options={**case.options, "schema": schema})


def _misfits(case: Case) -> Sequence[str]:
    """What its grader finds wrong; plain counts, letters and texts need not wait for it."""
    expected, options = case.expected, case.options
    counts = case.grader == "integer" and not options
    letters = case.question.endswith(rows.ASK_LETTER) and f"\n{expected}. " in case.question
    if isinstance(expected, str) and (
        (case.grader == "text" and not options and expected.strip())
        or (counts and expected.isdecimal() and expected.isascii())
        or (letters and case.grader == "choice" and options.keys() == {"choices"})
    ):
        return ()
    return _remembered(case.grader, case.question, expected, msgspec.json.encode(options))


@lru_cache(maxsize=4096)
def _remembered(
    grader: str, question: str, expected: str | tuple[str, ...], options: bytes
) -> list[str]:
    """Large suites ask the same again and again."""
    case = graders.field_case(grader, expected, msgspec.json.decode(options), question)
    return graders.problems(case)


def _sha256(suite: Suite, pictures: Pictures) -> str:
    total = hashlib.sha256(msgspec.json.encode([suite.name, suite.version, suite.license]))
    for case in sorted(suite.cases, key=lambda case: case.id):
        fields = {**asdict(case), "image_sha256": pictures.sha256(case.image)}
        if case.images:
            fields["images_sha256"] = [pictures.sha256(image) for image in case.images]
        for later in ("images", "difficulty"):  # than 0.1: a suite without them keeps its hash
            if not fields[later]:
                del fields[later]
        total.update(b"\n" + msgspec.json.encode(fields, order="sorted"))
    return total.hexdigest()
