"""What looking a suite over brings to light."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from harness.suites.lint.policies import Policy
from harness.suites.suite import Suite


class Level(StrEnum):
    """How much a finding matters."""

    PROBLEM = "problem"
    """The suite must not be used as it is."""
    WARNING = "warning"
    """Somebody should look at it; a problem where `--strict` asks for it."""
    NOTE = "note"
    """Worth knowing; nothing to mend."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was found, and where."""

    level: Level
    where: str
    """A case's id, a row, a picture or a category."""
    what: str


class Report(Struct, frozen=True, kw_only=True):
    """All that is known of a suite without asking a model."""

    suite: Suite
    pictures: int
    """Distinct ones, by their bytes."""
    findings: tuple[Finding, ...]
    unlisted: int
    """Problems beyond the first thousand, which `findings` does not hold."""
    policies: tuple[Policy, ...]

    def count(self, level: Level) -> int:
        listed = sum(finding.level is level for finding in self.findings)
        return listed + (self.unlisted if level is Level.PROBLEM else 0)

    @property
    def sound(self) -> bool:
        return self.count(Level.PROBLEM) == 0


def stern(findings: Sequence[Finding]) -> list[Finding]:
    """Warnings made problems."""
    return [
        Finding(level=Level.PROBLEM, where=it.where, what=it.what)
        if it.level is Level.WARNING
        else it
        for it in findings
    ]
