"""Writes the demonstration model into the user's cache, once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from msgspec import Struct
from platformdirs import user_cache_path

from harness.errors import TargetError

REVISION = 1
"""Goes up whenever the weights change."""


class Pair(Struct, frozen=True, kw_only=True):
    """Text weights, and the projector that turns a picture into their tokens."""

    gguf: Path
    mmproj: Path


def pair(folder: Path | None = None) -> Pair:
    """The demonstration model's files in `folder` (the user's cache); written when missing.

    Returns: the same bytes every time, on every machine.
    Raises:  TargetError when `gguf` is not installed or the folder cannot be written.
    """
    folder = folder or user_cache_path("evalrun") / f"demo-{REVISION}"
    found = Pair(gguf=folder / "demo-f32.gguf", mmproj=folder / "mmproj-demo-f32.gguf")
    if found.gguf.is_file() and found.mmproj.is_file():
        return found
    try:
        _write(found)
    except OSError as error:
        raise TargetError(
            f"the demonstration model cannot be written to {folder}: {error.strerror or error}",
            fix="make the folder writable, or name another cache with XDG_CACHE_HOME=DIR",
        ) from error
    return found


def _write(wanted: Pair) -> None:
    """Both files appear whole or not at all, also when two evalruns write them at once."""
    try:
        from harness.adapters.demo import text, vision
    except ImportError as error:
        raise TargetError(
            f"the demonstration model needs the package {error.name!r}, which is not installed",
            fix="pip install 'evalrun[local]'",
        ) from error
    folder = wanted.gguf.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
        text.write(Path(scratch, "text"))
        vision.write(Path(scratch, "vision"))
        os.replace(Path(scratch, "text"), wanted.gguf)
        os.replace(Path(scratch, "vision"), wanted.mmproj)
