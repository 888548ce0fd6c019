"""The side file `<suite>.graders.toml`: what no rule can guess of somebody else's suite.

[columns]                    # field = column, or a list of them
question = "ask"
[all]                        # every case
[category."Serial numbers"]  # the cases of a category; wins over [all]
[case.0003-plate]            # one case; wins over both
grader = "decimal"
tolerance = 0.5
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.images.files import shown
from harness.suites import toml
from harness.suites.fields import NAMES, SETTINGS, bare
from harness.suites.findings import Findings

_SECTIONS = {"columns", "all", "category", "case"}
_FIELDS = {*NAMES, *SETTINGS}
Graded = tuple[str, dict[str, Any]]
"""A grader and its options."""


class SideFile:
    """The side file of one suite; a missing one changes nothing."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self._name, self._findings = shown(path.name), findings
        document = toml.parsed(path) if os.path.exists(path) else {}
        for key in document.keys() - _SECTIONS:
            findings.problem(self._name, f"unknown section {shown(key)}")
        self._all = self._table(document.get("all", {}), "all")
        self.columns = self._columns(self._table(document.get("columns", {}), "columns"))
        self._tables = {
            (section, name): self._table(table, f"{section}.{name}")
            for section in ("category", "case")
            for name, table in self._table(document.get(section, {}), section).items()
        }
        self._unused = set(self._tables)

    def apply(self, inferred: Graded, *, case_id: str, category: str) -> Graded:
        """The grader and options that hold for a case; options of another grader fall away."""
        grader, options = inferred
        for table in (self._all, self._used("category", category), self._used("case", case_id)):
            changed = {key: value for key, value in table.items() if key != "grader"}
            if table.get("grader", grader) != grader:
                grader, options = str(table["grader"]), {}
            if changed:
                options = {**options, **changed}
        return grader, options

    def report_unused(self, columns: Iterable[str] | None) -> None:
        """Name what the suite does not have; `columns` are those with content, None: no rows."""
        for section, name in sorted(self._unused):
            self._findings.problem(self._name, f"the suite has no {section} {shown(name)}")
        there = None if columns is None else {bare(name) for name in columns}
        for name in (name for names in self.columns.values() for name in names):
            if there is not None and bare(name) not in there:
                self._findings.problem(
                    self._name, f"columns: the suite has no column {shown(name)} with content"
                )

    def _used(self, section: str, name: str) -> dict[str, Any]:
        self._unused.discard((section, name))
        return self._tables.get((section, name), {})

    def _columns(self, table: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        columns = {}
        for key, value in table.items():
            what = "picture" if key in ("image", "images", "pictures") else key
            names = value if isinstance(value, list) else [value]
            if what not in _FIELDS:
                known = ", ".join(NAMES)
                self._findings.problem(self._name, f"columns: {shown(key)} is not one of {known}")
            elif not all(isinstance(name, str) for name in names):
                self._findings.problem(self._name, f"columns.{key} is not the name of a column")
            else:
                columns[what] = tuple(names)
        return columns

    def _table(self, value: Any, label: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._findings.problem(self._name, f"{shown(label)} is not a table")
        return {}
