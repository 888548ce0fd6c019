"""Suites: questions about pictures, in our TOML or a format people already have.

A path --read--> (Suite, Findings) --load--> Suite, or one SuiteError that names every problem

Here: what a suite is, our own format, and what every case must satisfy. `formats`, `layouts`,
`fields` and `rows` read everybody else's; `writing` and `lint` are for whoever makes a suite.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

import harness
from harness import graders
from harness.errors import SuiteError, UsageError, reworded
from harness.images import read_regular, shown
from harness.records import Case, RunHeader
from harness.suites import files
from harness.suites.pictures import Pictures, located
from harness.text import nearest, one_line

UNVERSIONED, UNCATEGORIZED = "unversioned", "Uncategorized"
LONGEST_SIDE_PX = 1024
"""What is sent of a picture whose suite does not say."""
_SHOWN, _KEPT = 20, 1000
"""Problems that are shown of a suite that cannot be run, and that are kept at all."""
_MAX_CHARS, _NAME_CHARS = 400, 200
Placed = tuple[str, Case]
"""Where a case stands, for messages; and the case."""


class Level(StrEnum):
    """How much a finding matters."""

    PROBLEM = "problem"
    """The suite must not be used as it is."""
    WARNING = "warning"
    """Somebody should look at it; a problem where `--strict` asks for it."""
    NOTE = "note"
    """Worth knowing; nothing to correct."""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was found, and where."""

    level: Level
    where: str
    """A case's id, a file and a row, a picture or a category."""
    what: str
    fix: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" (fix: {self.fix})" if self.fix else "")


class Findings(Struct):
    """Counts every problem; keeps the first thousand, and all remarks."""

    problems: list[Finding] = []
    remarks: list[Finding] = []
    count: int = 0
    places: set[str] = set()
    """Where the problems are."""

    def problem(self, where: str, what: str, fix: str | None = None) -> None:
        self.count += 1
        self.places.add(where)
        if self.count <= _KEPT:
            self.problems.append(_finding(Level.PROBLEM, where, what, fix))

    def error(self, where: str, error: SuiteError) -> None:
        self.problem(where, error.problem, error.fix)

    def warning(self, where: str, what: str, fix: str | None = None) -> None:
        self.remarks.append(_finding(Level.WARNING, where, what, fix))

    def note(self, where: str, what: str) -> None:
        self.remarks.append(_finding(Level.NOTE, where, what))

    def raise_for(self, path: Path) -> None:
        """
        Raises: SuiteError that lists the problems, when there are any.
        """
        listed = self.problems[:_SHOWN]
        fixes = {it.fix for it in listed}
        common = fixes.pop() if len(fixes) == 1 else None
        lines = [f"  {it.where}: {it.what}" if common else f"  {it}" for it in listed]
        if self.count > _SHOWN:
            lines.append(f"  and {self.count - _SHOWN:,} more")
        if lines:
            raise SuiteError(
                "\n".join([f"{shown(path)} cannot be run:", *lines]),
                fix=f"{common or 'correct the rows'}; `evalrun check` lists all problems, and"
                " --skip-broken leaves such rows out",
            )


def _finding(level: Level, where: str, what: str, fix: str | None = None) -> Finding:
    """With texts that are bounded, and cannot act on a terminal: they may quote the suite."""
    what, fix = one_line(what, _MAX_CHARS), fix and one_line(fix, _MAX_CHARS)
    return Finding(level=level, where=where, what=what, fix=fix)


class Suite(Struct, frozen=True, kw_only=True):
    """Questions, and the folders in which their pictures lie."""

    name: str
    version: str = UNVERSIONED
    license: str | None = None
    folders: tuple[Path, ...]
    """What the pictures' paths are relative to: the first that has the picture."""
    cases: tuple[Case, ...]
    sha256: str = ""
    """Of name, version, licence, every field of every case and every picture's bytes; in whatever
    order and files the cases stand."""
    image_max_side_px: int | None = None
    """The longest side its pictures need to be sent with; 0: their own size; None: unstated."""
    remarks: tuple[Finding, ...] = ()
    """What whoever runs the suite should know: columns not used, rows left out."""

    @property
    def root(self) -> Path:
        return self.folders[0]

    def pictures(self, case: Case) -> tuple[Path, ...]:
        return tuple(located(self.folders, name) for name in case.pictures)

    def side_px(self, asked: int | None = None) -> int:
        """The longest side to send: what was asked for, else what the suite states."""
        stated = LONGEST_SIDE_PX if self.image_max_side_px is None else self.image_max_side_px
        return stated if asked is None else asked

    @property
    def categories(self) -> tuple[str, ...]:
        """In the suite's order."""
        return tuple(dict.fromkeys(case.category for case in self.cases))


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
    if images is not None and not images.is_dir():
        raise SuiteError(f"--images {shown(images)} is not a folder", fix="name the folder")
    found = files.find(path)
    pictures = Pictures(found.root, images or found.pictures)
    facts: dict[str, Any] = {"name": found.name}
    if found.tables[0].suffix.lower() == ".toml":
        cases: Iterable[Placed] = _read_toml(found.tables, facts, findings)
    else:
        from harness.suites import rows  # a run of our own format needs none of the readers

        facts |= {"version": found.version or UNVERSIONED, "image_max_side_px": 0}
        cases = rows.cases_of(found.tables, pictures, findings)
    sound = tuple(_sound(cases, pictures, findings))
    if not sound and not findings.count:
        findings.problem(shown(path), "has no cases", "write some")
    suite = Suite(cases=sound, folders=pictures.folders, remarks=tuple(findings.remarks), **facts)
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
    what = "this installation has no suite of its own"
    raise SuiteError(what, fix="install evalrun again, or name a suite")


def select(
    suite: Suite,
    *,
    categories: Sequence[str] = (),
    prompts: Sequence[str] = (),
    limit: int | None = None,
) -> tuple[Case, ...]:
    """The cases of these categories and with these ids, the first `limit` of them.

    A category may be written as it is or as a slug (`defect-detection`). Empty means all.

    Raises: UsageError for a name that the suite does not have, or when nothing is left.
    """
    wanted = _known([slug(it) for it in categories], map(slug, suite.categories), "category")
    ids = _known(prompts, (case.id for case in suite.cases), "prompt")
    of_these = [it for it in suite.cases if not wanted or slug(it.category) in wanted]
    chosen = [it for it in of_these if not ids or it.id in ids]
    if not chosen:
        what = "no prompt is in the chosen categories and has a chosen id"
        raise UsageError(what, fix="leave out one of the two choices")
    return tuple(chosen[:limit])


def _known(names: Sequence[str], known: Iterable[str], what: str) -> set[str]:
    listed = dict.fromkeys(known) if names else {}
    for name in names:
        if name not in listed:
            near = ", ".join(map(shown, nearest(name, listed) or list(listed)[:8]))
            raise UsageError(f"the suite has no {what} {shown(name)}", fix=f"did you mean {near}?")
    return set(names)


def slug(text: str) -> str:
    """
    >>> slug("Defect Detection")
    'defect-detection'
    """
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")


class _Document(Struct, kw_only=True):
    """A TOML file. What it says of the suite as a whole must agree with the other files."""

    suite: str | None = None
    version: str | None = None
    license: str | None = None
    image_max_side_px: Annotated[int, Meta(ge=0)] | None = None
    category: str | None = None
    case: list[dict[str, Any]] = []


def parse_toml(path: Path) -> dict[str, Any]:
    """
    Raises: SuiteError, naming the file and the line.
    """
    what = f"{shown(path)} is not valid TOML"
    with reworded(SuiteError, what, "correct the line", ValueError, RecursionError):
        return tomllib.loads(read_regular(path).decode("utf-8-sig"))


def _read_toml(
    paths: Sequence[Path], facts: dict[str, Any], findings: Findings
) -> Iterator[Placed]:
    """The cases, each with where it stands; what the files say of the suite goes into `facts`."""
    stated: dict[str, Any] = {}
    for path in paths:
        name = shown(path.name)
        try:
            table = parse_toml(path)
            document = msgspec.convert(table, _Document)
        except SuiteError as error:
            findings.error(name, error)
            continue
        except msgspec.ValidationError as exc:
            findings.problem(name, str(exc), "correct the value")
            continue
        for key in table.keys() - set(_Document.__struct_fields__):
            findings.problem(name, f"unknown key {shown(key)}", "delete it, or correct its name")
        for key in ("suite", "version", "license", "image_max_side_px"):
            value = getattr(document, key)
            if value is not None and stated.setdefault(key, value) != value:
                what = f"{key} is {value}, and {stated[key]} in another file"
                findings.problem(name, what, "make them agree")
        for number, row in enumerate(document.case, start=1):
            label = it if isinstance(it := row.get("id"), str) else str(number)
            where = f"{name}, case {shown(label)}"
            try:
                yield where, _case({"category": document.category, **row})
            except msgspec.ValidationError as exc:
                findings.problem(where, str(exc), "correct the field; texts stand in quotes")
    facts |= {("name" if key == "suite" else key): value for key, value in stated.items()}


def _case(table: dict[str, Any]) -> Case:
    """Raises: msgspec.ValidationError, naming the field."""
    fields = set(Case.__struct_fields__) - {"options"}
    known = {key: value for key, value in table.items() if key in fields and value is not None}
    images = known.get("images")
    if isinstance(images, list) and images:
        known = {"image": images[0], **known}
    options = {key: value for key, value in table.items() if key not in fields}
    case = msgspec.convert({**known, "options": options}, Case)
    if images and case.image != images[0]:
        raise msgspec.ValidationError("`images` is a list that does not begin with `image`")
    return case if len(case.images) > 1 else replace(case, images=())


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
            if not (name.isprintable() and name == name.strip() and 0 < len(name) <= _NAME_CHARS):
                what = f"its {what} is not one plain line of at most {_NAME_CHARS} characters"
                findings.problem(where, what, "write a short name")
        if not case.question.strip():
            findings.problem(where, "its question is empty", "write one")
        for misfit in () if _plainly_fits(case) else graders.problems(case):
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
    """The case with the JSON schema that it names by its path in the suite."""
    named = case.options.get("schema")
    if not isinstance(named, str):
        return case
    what = f"schema {shown(named)} is not a JSON object"
    with reworded(SuiteError, what, "correct the file", ValueError, RecursionError):
        schema = msgspec.json.decode(read_regular(pictures.path(named)), type=dict[str, Any])
    return replace(case, options={**case.options, "schema": schema})


def _plainly_fits(case: Case) -> bool:
    """Plain texts, counts and letters, which are most of a large suite, need no grader to tell."""
    expected, options = case.expected, case.options
    if not isinstance(expected, str) or not expected.strip():
        return False
    if case.grader == "choice":
        lettered = len(expected) == 1 and f"\n{expected}. " in case.question
        return lettered and options.keys() == {"choices"}
    counted = case.grader == "integer" and expected.isdecimal() and expected.isascii()
    return not options and (counted or case.grader == "text")


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
