"""A suite that was read and checked, and the choice of its cases."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import UsageError
from harness.images import shown
from harness.records import Case


class Suite(Struct, frozen=True, kw_only=True):
    """Questions, and the folder in which their pictures lie."""

    name: str
    version: str
    license: str | None
    root: Path
    """What the pictures' paths are relative to."""
    cases: tuple[Case, ...]
    sha256: str
    """Of name, version, licence, every field of every case and every picture's bytes; in whatever
    order and files the cases stand."""

    image_max_side_px: int | None = None
    """The longest side its pictures need to be sent with; 0: their own size; None: unstated."""

    def pictures(self, case: Case) -> tuple[Path, ...]:
        return tuple(self.root / name for name in case.pictures)

    @property
    def categories(self) -> tuple[str, ...]:
        """In the suite's order."""
        return tuple(dict.fromkeys(case.category for case in self.cases))


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
