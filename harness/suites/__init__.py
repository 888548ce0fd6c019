"""Suites: questions about pictures, in our TOML or a format people already have.

A path --read--> (Suite, Problems) --load--> Suite, or one SuiteError that names every problem
"""

from harness.suites.append import append_case
from harness.suites.loading import builtin, load, read
from harness.suites.problems import Problems
from harness.suites.suite import Suite, select

__all__ = ["Problems", "Suite", "append_case", "builtin", "load", "read", "select"]
