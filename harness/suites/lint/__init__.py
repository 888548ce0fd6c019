"""Looks a suite over before anybody is asked: `evalrun check`.

A path --lint--> Report: findings, the scores of policies that never look, the graders in use
"""

from harness.suites.findings import Finding, Level
from harness.suites.lint.guessing import Policy
from harness.suites.lint.report import Report, lint, write_sheets

__all__ = ["Finding", "Level", "Policy", "Report", "lint", "write_sheets"]
