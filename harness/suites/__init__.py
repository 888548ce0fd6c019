"""Suites: questions about pictures, in our TOML or a format people already have.

A path --read--> (Suite, Findings) --load--> Suite, or one SuiteError that names every problem
"""

from harness.suites.append import append_case
from harness.suites.findings import Finding, Findings, Level
from harness.suites.loading import builtin, load, read
from harness.suites.suite import Suite, select

__all__ = [
    "Finding",
    "Findings",
    "Level",
    "Suite",
    "append_case",
    "builtin",
    "load",
    "read",
    "select",
]
