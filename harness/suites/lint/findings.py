"""What looking a suite over brings to light."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from harness.suites.findings import Finding, Level
from harness.suites.lint.policies import Policy
from harness.suites.suite import Suite


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


def stricter(findings: Sequence[Finding]) -> list[Finding]:
    """Warnings made problems."""
    return [
        structs.replace(it, level=Level.PROBLEM) if it.level is Level.WARNING else it
        for it in findings
    ]
