"""Every picture of a suite, decoded to its end."""

from __future__ import annotations

import hashlib
from collections import Counter

from msgspec import Struct, field

from harness.errors import SuiteError
from harness.images import inspect, shown
from harness.suites.lint.findings import Finding, Level
from harness.suites.suite import Suite


class Looked(Struct, kw_only=True):
    """What the pictures were found to be."""

    sha256: dict[str, str] = field(default_factory=dict)
    """By the path that cases name."""
    findings: list[Finding] = field(default_factory=list)


def look(suite: Suite, *, longest_side_px: int) -> Looked:
    """Decode each picture once; say which are damaged, alike, or not sent as they are."""
    looked = Looked()
    quirks: Counter[str] = Counter()
    for image in dict.fromkeys(case.image for case in suite.cases):
        path = suite.root / image
        with path.open("rb") as file:
            looked.sha256[image] = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            header = inspect(path)
        except SuiteError as error:
            looked.findings.append(_finding(Level.PROBLEM, shown(image), error.problem))
            continue
        quirks.update(header.quirks)
        if max(header.width_px, header.height_px) > longest_side_px:
            quirks[f"longer than {longest_side_px} px"] += 1
    for quirk, count in quirks.most_common():
        what = f"{count} will be sent as PNG, made from: {quirk}"
        looked.findings.append(_finding(Level.NOTE, "pictures", what))
    copies = len(looked.sha256) - len(set(looked.sha256.values()))
    if copies:
        what = f"{copies} are copies of others under another name"
        looked.findings.append(_finding(Level.NOTE, "pictures", what))
    return looked


def _finding(level: Level, where: str, what: str) -> Finding:
    return Finding(level=level, where=where, what=what)
