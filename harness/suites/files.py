"""Writes files of a suite whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from harness.errors import SuiteError
from harness.images import shown


def write_whole(path: Path, data: bytes) -> None:
    """Replace `path`, creating its folder. Two processes may write the same file at once.

    Raises: SuiteError when there is no room or no right to; then `path` is as it was.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as exc:
        with suppress(OSError):
            unfinished.unlink()
        raise SuiteError(
            f"{shown(path)} cannot be written: {exc.strerror}",
            fix="make room there and the folder writable, or choose another",
        ) from exc
