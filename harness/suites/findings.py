"""What is wrong with a suite, or worth knowing of it: collected, said at once, and in bounds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from harness.errors import SuiteError
from harness.images.files import shown

_SHOWN = 20
_KEPT = 1000
_MAX_CHARS = 400


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
            self.problems.append(_finding(Level.PROBLEM, where, what, fix))

    def error(self, where: str, error: SuiteError) -> None:
        self.problem(where, error.problem, error.fix)

    def warning(self, where: str, what: str, fix: str | None = None) -> None:
        self.remarks.append(_finding(Level.WARNING, where, what, fix))

    def note(self, where: str, what: str) -> None:
        self.remarks.append(_finding(Level.NOTE, where, what, None))

    def raise_for(self, path: str | Path) -> None:
        """
        Raises: SuiteError that lists the problems, when there are any.
        """
        if not self.count:
            return
        fixes = {finding.fix for finding in self.problems[:_SHOWN]}
        common = fixes.pop() if len(fixes) == 1 else None
        lines = [
            f"  {it.where}: {it.what}" if common or not it.fix else f"  {it}"
            for it in self.problems[:_SHOWN]
        ]
        if self.count > _SHOWN:
            lines.append(f"  and {self.count - _SHOWN:,} more")
        raise SuiteError(
            "\n".join([f"{shown(path)} cannot be run:", *lines]),
            fix=f"{common or 'correct the rows'}; `evalrun check` lists all problems, and"
            " --skip-broken leaves such rows out",
        )


def _finding(level: Level, where: str, what: str, fix: str | None) -> Finding:
    return Finding(level=level, where=where, what=_one_line(what), fix=fix and _one_line(fix))


def _one_line(text: str) -> str:
    """Bounded, and without what could act on a terminal: it may quote the suite."""
    line = " ".join(text.split())
    line = line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 1]}…"
    return line if line.isprintable() else ascii(line)
