"""The sha256 of files of many gigabytes, computed once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from harness.adapters.llamacpp.weights import in_words

_WORTH_TELLING_BYTES = 1 << 30


def sha256(path: Path, notify: Callable[[str], None], *, cache: Path | None = None) -> str:
    """The file's sha256; remembered by its path, size and time of change in the user's cache."""
    path = path.resolve()
    found = path.stat()
    seen = f"{path}\n{found.st_size}\n{found.st_mtime_ns}"
    folder = cache or user_cache_path("evalrun") / "sha256"
    note = folder / hashlib.sha256(seen.encode("utf-8", "surrogateescape")).hexdigest()
    with contextlib.suppress(OSError):
        remembered = note.read_text()
        if len(remembered) == 64:
            return remembered
    if found.st_size >= _WORTH_TELLING_BYTES:
        notify(f"computing the sha256 of {path.name}, {in_words(found.st_size)} (once)")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # an unwritable cache only costs time
        _remember(note, digest)
    return digest


def _remember(note: Path, digest: str) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    draft = note.with_name(f".{secrets.token_hex(8)}")
    draft.write_text(digest)
    os.replace(draft, note)
