"""What a reader makes of a file: the facts of the suite, and its cases with their places."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from harness.records import Case

UNVERSIONED = "unversioned"


class Source(Struct, frozen=True, kw_only=True):
    """A suite before it is checked."""

    name: str
    version: str = UNVERSIONED
    license: str | None = None
    root: Path
    image_max_side_px: int | None = 0
    """Pictures of somebody else's suite are sent in their own size."""
    cases: Iterable[tuple[str, Case]]
    """Where it stands, and the case; may be a generator over a file that is still being read."""
