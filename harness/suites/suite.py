"""A suite that was read and checked, and the choice of its cases."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import SuiteError, UsageError
from harness.images.files import shown, split_page
from harness.records import Case
from harness.suites.findings import Finding

UNVERSIONED = "unversioned"


class Source(Struct, frozen=True, kw_only=True):
    """A suite before it is checked: what a reader makes of a file."""

    name: str
    version: str = UNVERSIONED
    license: str | None = None
    image_max_side_px: int | None = 0
    """Pictures of somebody else's suite are sent in their own size."""
    cases: Iterable[tuple[str, Case]]
    """Where it stands, and the case; may be a generator over a file that is still being read."""


LONGEST_SIDE_PX = 1024
"""What is sent of a picture whose suite does not say."""


class Suite(Struct, frozen=True, kw_only=True):
    """Questions, and the folders in which their pictures lie."""

    name: str
    version: str
    license: str | None
    folders: tuple[Path, ...]
    """What the pictures' paths are relative to: the first that has the picture."""
    cases: tuple[Case, ...]
    sha256: str
    """Of name, version, licence, every field of every case and every picture's bytes; in whatever
    order and files the cases stand."""
    image_max_side_px: int | None = None
    """The longest side its pictures need to be sent with; 0: their own size; None: unstated."""
    remarks: tuple[Finding, ...] = ()
    """What whoever runs the suite should know: columns not used, rows left out."""

    @property
    def root(self) -> Path:
        return self.folders[0]

    def pictures(self, case: Case) -> tuple[Path, ...]:
        return tuple(located(self.folders, name) for name in case.pictures)

    def side_px(self, asked: int | None = None) -> int:
        """The longest side to send: what was asked for, else what the suite states."""
        stated = LONGEST_SIDE_PX if self.image_max_side_px is None else self.image_max_side_px
        return stated if asked is None else asked

    @property
    def categories(self) -> tuple[str, ...]:
        """In the suite's order."""
        return tuple(dict.fromkeys(case.category for case in self.cases))


def located(folders: Sequence[Path], name: str) -> Path:
    """Where the picture lies; in the first folder when it lies nowhere."""
    file, _ = split_page(name)
    for folder in folders:
        if "\0" not in file and os.path.lexists(folder / file):
            return folder / name
    return folders[0] / name


def select(
    suite: Suite,
    *,
    categories: Sequence[str] = (),
    prompts: Sequence[str] = (),
    limit: int | None = None,
) -> tuple[Case, ...]:
    """The cases of these categories and with these ids, the first `limit` of them.

    A category may be written as it is or as a slug (`defect-detection`). Empty means all.

    Raises: UsageError for a name that the suite does not have, or when nothing is left.
    """
    by_slug = {slug(category): category for category in suite.categories}
    wanted = {by_slug[found] for found in _known(map(slug, categories), by_slug, "category")}
    ids = set(_known(prompts, {case.id for case in suite.cases}, "prompt"))
    chosen = [
        case
        for case in suite.cases
        if (not wanted or case.category in wanted) and (not ids or case.id in ids)
    ]
    if not chosen:
        raise UsageError(
            "no prompt is in the chosen categories and has a chosen id",
            fix="leave out one of the two choices",
        )
    return tuple(chosen[:limit])


def slug(text: str) -> str:
    """
    >>> slug("Defect Detection")
    'defect-detection'
    """
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file of a suite, creating its folder; two processes may write it at once.

    Raises: SuiteError when there is no room or no right to; then `path` is as it was.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as exc:
        unfinished.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise SuiteError(
            f"{shown(path)} cannot be written: {exc.strerror}",
            fix="make room there and the folder writable, or choose another",
        ) from exc


def _known(names: Iterable[str], known: Iterable[str], what: str) -> list[str]:
    listed = list(known)
    chosen = list(names)
    strange = next((name for name in chosen if name not in listed), None)
    if strange is None:
        return chosen
    near = difflib.get_close_matches(strange, listed, n=3, cutoff=0.4) or listed[:8]
    raise UsageError(
        f"the suite has no {what} {shown(strange)}",
        fix=f"did you mean {', '.join(map(shown, near))}?",
    )
