"""Sets on the Hugging Face hub, by their address: `hf://owner/set[@revision][/split or path]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import SuiteError
from harness.images import shown

_ADDRESS = re.compile(
    r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[\w.-]+|[\w.%-]+))?(?:/(?P<part>.+))?"
)
_PICTURES = ["*.png", "*.jpg", "*.jpeg", "*.webp", "*.gif", "*.bmp", "*.tif", "*.tiff", "*.pdf"]


class Fetched(Struct, frozen=True, kw_only=True):
    """A set that lies in the hub's cache now."""

    name: str
    revision: str
    root: Path
    files: tuple[Path, ...]


def is_address(path: Path) -> bool:
    return str(path).startswith("hf:/")


def fetch(path: Path, _: Sequence[str]) -> Fetched:
    """Download the one table of the set, and its pictures where they are files.

    Raises: SuiteError when there is no such set, revision or table, or several tables.
    """
    raise SuiteError(f"{shown(path)} cannot be read yet", fix="download the files and name them")
