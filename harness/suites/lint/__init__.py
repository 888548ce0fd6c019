"""Looks a suite over before anybody is asked: `evalrun check`.

A path --lint--> Report: findings, the scores of policies that never look, the graders in use
"""

from harness.suites.findings import Finding, Level
from harness.suites.lint.findings import Report
from harness.suites.lint.policies import Policy
from harness.suites.lint.sheets import write_sheets
from harness.suites.lint.whole import lint

__all__ = ["Finding", "Level", "Policy", "Report", "lint", "write_sheets"]
