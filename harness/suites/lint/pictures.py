"""Every picture of a suite, decoded to its end."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from msgspec import Struct, field

from harness.errors import SuiteError
from harness.images import MAX_FILE_BYTES, Header, inspect, read_regular, shown, split_page
from harness.suites.findings import Finding, Level
from harness.suites.suite import Suite


class Looked(Struct, kw_only=True):
    """What the pictures were found to be, by the paths that cases name."""

    sha256: dict[str, str] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    """Of those that decode to their end."""
    size_bytes: int = 0
    """All of them together."""
    findings: list[Finding] = field(default_factory=list)


def look(suite: Suite) -> Looked:
    """Decode each picture once; say which are damaged, alike, or not sent as they are."""
    looked = Looked()
    paths: dict[str, Path] = {}
    for case in suite.cases:
        paths.update(zip(case.pictures, suite.pictures(case), strict=True))
    for image, path in paths.items():
        data = read_regular(Path(split_page(str(path))[0]), limit_bytes=MAX_FILE_BYTES)
        looked.sha256[image] = hashlib.sha256(data).hexdigest()
        looked.size_bytes += len(data)
        try:
            looked.headers[image] = inspect(path)
        except SuiteError as error:
            looked.findings.append(_finding(Level.PROBLEM, shown(image), error.problem))
    quirks = Counter(
        it for header in looked.headers.values() for it in why_not_as_is(header, suite)
    )
    for quirk, count in quirks.most_common():
        what = f"{count} will be sent as PNG, made from: {quirk}"
        looked.findings.append(_finding(Level.NOTE, "pictures", what))
    copies = len(looked.sha256) - len(set(looked.sha256.values()))
    if copies:
        what = f"{copies} are copies of others under another name"
        looked.findings.append(_finding(Level.NOTE, "pictures", what))
    return looked


def why_not_as_is(header: Header, suite: Suite) -> list[str]:
    """Why a picture is not sent as its own bytes, at the suite's limit on its longest side."""
    limit = suite.side_px()
    too_long = 0 < limit < max(header.width_px, header.height_px)
    return [*header.quirks, *([f"longer than {limit} px"] if too_long else [])]


def _finding(level: Level, where: str, what: str) -> Finding:
    return Finding(level=level, where=where, what=what)
