"""A suite that was read and checked, what was found in it, and the choice of its cases."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal

from msgspec import Struct

from harness.errors import SuiteError, UsageError
from harness.images.files import shown, split_page
from harness.records import Case
from harness.text import nearest, one_line

Difficulty = Literal["easy", "medium", "hard"]
LONGEST_SIDE_PX = 1024
"""What is sent of a picture whose suite does not say."""
_SHOWN = 20
_KEPT = 1000
_MAX_CHARS = 400


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


def finding(level: Level, where: str, what: str, fix: str | None = None) -> Finding:
    """With texts that are bounded, and cannot act on a terminal: they may quote the suite."""
    what, fix = one_line(what, _MAX_CHARS), fix and one_line(fix, _MAX_CHARS)
    return Finding(level=level, where=where, what=what, fix=fix)


class Findings:
    """Counts every problem; keeps the first thousand, and all remarks."""

    def __init__(self) -> None:
        self.problems: list[Finding] = []
        self.count = 0
        self.places: set[str] = set()
        """Where the problems are."""
        self.remarks: list[Finding] = []

    def problem(self, where: str, what: str, fix: str | None = None) -> None:
        self.count += 1
        self.places.add(where)
        if self.count <= _KEPT:
            self.problems.append(finding(Level.PROBLEM, where, what, fix))

    def error(self, where: str, error: SuiteError) -> None:
        self.problem(where, error.problem, error.fix)

    def warning(self, where: str, what: str, fix: str | None = None) -> None:
        self.remarks.append(finding(Level.WARNING, where, what, fix))

    def note(self, where: str, what: str) -> None:
        self.remarks.append(finding(Level.NOTE, where, what))

    def raise_for(self, path: str | Path) -> None:
        """
        Raises: SuiteError that lists the problems, when there are any.
        """
        if not self.count:
            return
        listed = self.problems[:_SHOWN]
        fixes = {it.fix for it in listed}
        common = fixes.pop() if len(fixes) == 1 else None
        lines = [f"  {it.where}: {it.what}" if common else f"  {it}" for it in listed]
        if self.count > _SHOWN:
            lines.append(f"  and {self.count - _SHOWN:,} more")
        raise SuiteError(
            "\n".join([f"{shown(path)} cannot be run:", *lines]),
            fix=f"{common or 'correct the rows'}; `evalrun check` lists all problems, and"
            " --skip-broken leaves such rows out",
        )


class Suite(Struct, frozen=True, kw_only=True):
    """Questions, and the folders in which their pictures lie."""

    name: str
    version: str
    license: str | None
    folders: tuple[Path, ...]
    """What the pictures' paths are relative to: the first that has the picture."""
    cases: tuple[Case, ...]
    sha256: str
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


def located(folders: Sequence[Path], name: str) -> Path:
    """Where the picture lies; in the first folder when it lies nowhere."""
    file, _ = split_page(name)
    there = (it for it in folders if "\0" not in file and os.path.lexists(it / file))
    return next(there, folders[0]) / name


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
    chosen = [
        case
        for case in suite.cases
        if (not wanted or slug(case.category) in wanted) and (not ids or case.id in ids)
    ]
    if not chosen:
        raise UsageError(
            "no prompt is in the chosen categories and has a chosen id",
            fix="leave out one of the two choices",
        )
    return tuple(chosen[:limit])


def _known(names: Sequence[str], known: Iterable[str], what: str) -> set[str]:
    listed = dict.fromkeys(known) if names else {}
    for name in names:
        if name not in listed:
            near = nearest(name, listed) or list(listed)[:8]
            raise UsageError(
                f"the suite has no {what} {shown(name)}",
                fix=f"did you mean {', '.join(map(shown, near))}?",
            )
    return set(names)


def slug(text: str) -> str:
    """
    >>> slug("Defect Detection")
    'defect-detection'
    """
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file of a suite, creating its folder; two processes may write it at once.

    Raises: SuiteError when there is no room or no right to; then `path` is as it was.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as exc:
        unfinished.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise SuiteError(
            f"{shown(path)} cannot be written: {exc.strerror}",
            fix="make room there and the folder writable, or choose another",
        ) from exc
