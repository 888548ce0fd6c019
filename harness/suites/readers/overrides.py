"""The side file `<suite>.graders.toml`: graders for a foreign suite where inference falls short.

[all]                        # every case
[category."Serial numbers"]  # the cases of a category; wins over [all]
[case.0003-plate]            # one case; wins over both
grader = "decimal"
tolerance = 0.5
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.images import shown
from harness.suites.problems import Problems
from harness.suites.readers import toml

_SECTIONS = {"all", "category", "case"}
Choice = tuple[str, dict[str, Any]]
"""A grader and its options."""


class Overrides:
    """The side file of one suite; a missing one changes nothing."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._name, self._problems = shown(path.name), problems
        document = toml.parsed(path) if os.path.exists(path) else {}
        for key in document.keys() - _SECTIONS:
            problems.add(self._name, f"unknown section {shown(key)}")
        self._all = self._table(document.get("all", {}), "all")
        self._tables = {
            (section, name): self._table(table, f"{section}.{name}")
            for section in ("category", "case")
            for name, table in self._table(document.get(section, {}), section).items()
        }
        self._unused = set(self._tables)

    def apply(self, inferred: Choice, *, case_id: str, category: str) -> Choice:
        """The grader and options that hold for a case; options of another grader fall away."""
        grader, options = inferred
        for table in (self._all, self._used("category", category), self._used("case", case_id)):
            changed = {key: value for key, value in table.items() if key != "grader"}
            if table.get("grader", grader) != grader:
                grader, options = str(table["grader"]), {}
            options = {**options, **changed}
        return grader, options

    def report_unused(self) -> None:
        for section, name in sorted(self._unused):
            self._problems.add(self._name, f"the suite has no {section} {shown(name)}")

    def _used(self, section: str, name: str) -> dict[str, Any]:
        self._unused.discard((section, name))
        return self._tables.get((section, name), {})

    def _table(self, value: Any, label: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._problems.add(self._name, f"{shown(label)} is no table")
        return {}
