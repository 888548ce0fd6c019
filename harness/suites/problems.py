"""All that is wrong with a suite, collected so that it can be said at once, and in bounds."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from harness.errors import SuiteError
from harness.images import shown

_SHOWN = 20
_KEPT = 1000
_MAX_CHARS = 400


class Problem(Struct, frozen=True):
    """One thing wrong, and where: a file and a case, or a row."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Problems:
    """Counts every problem; keeps the first thousand."""

    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.count = 0

    def add(self, where: str, what: str) -> None:
        self.count += 1
        if self.count <= _KEPT:
            self.kept.append(Problem(where, _one_line(what)))

    def raise_for(self, path: Path) -> None:
        """
        Raises: SuiteError that lists the problems, when there are any.
        """
        if not self.count:
            return
        lines = [f"  {problem}" for problem in self.kept[:_SHOWN]]
        if self.count > _SHOWN:
            lines.append(f"  and {self.count - _SHOWN:,} more")
        raise SuiteError(
            "\n".join([f"{shown(path)} cannot be run:", *lines]),
            fix="mend the suite; `evalrun check` names everything it finds",
        )


def _one_line(text: str) -> str:
    """Bounded, and without what could act on a terminal: it may quote the suite."""
    line = " ".join(text.split())
    line = line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 1]}…"
    return line if line.isprintable() else ascii(line)
