"""The two files a local model consists of, text weights and mmproj, and what they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from platformdirs import user_cache_path

from harness.text import size_text

_QUANTIZATION = re.compile(
    r"(?<![A-Za-z0-9])(?P<type>(?:UD-)?(?:I?Q|TQ)\d_[A-Z0-9]+(?:_(?:XXS|XS|S|M|L|XL|NL))?"
    r"|BF16|F16|F32|MXFP4)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_SLOW_TO_HASH_BYTES = 1 << 30


class Files(Struct, frozen=True, kw_only=True):
    """Weights that lie on this machine."""

    gguf: Path
    mmproj: Path | None
    """None for a model that is sent no pictures."""
    context_tokens: int | None = None
    """What the catalogue says they need."""
    quantization: str | None = None
    """What the catalogue says they are."""


def quantization_in(name: str) -> str | None:
    """
    >>> quantization_in("Mistral-Small-3.1-24B-Instruct-2503-UD-Q4_K_XL.gguf")
    'UD-Q4_K_XL'
    >>> quantization_in("gemma-3-4b-it-IQ2_M.gguf"), quantization_in("demo-f32.gguf")
    ('IQ2_M', 'F32')
    >>> quantization_in("model.gguf")
    """
    found = _QUANTIZATION.search(name)
    return found["type"].upper() if found else None


def shards(model_file: str) -> list[str]:
    """All files of a model that is split; the server is given the first.

    >>> shards("big-00001-of-00003.gguf")[1:]
    ['big-00002-of-00003.gguf', 'big-00003-of-00003.gguf']
    >>> shards("small.gguf")
    ['small.gguf']
    """
    found = re.search(r"-00001-of-(\d{5})\.gguf$", model_file)
    if found is None:
        return [model_file]
    stem = model_file[: found.start()]
    return [f"{stem}-{at:05}-of-{found[1]}.gguf" for at in range(1, int(found[1]) + 1)]


def weights_of(gguf: Path) -> list[Path]:
    """The file and the rest of its parts, as far as they lie beside it."""
    parts = [gguf.with_name(name) for name in shards(gguf.name)]
    return [it for it in parts if it.is_file()]


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
    if found.st_size >= _SLOW_TO_HASH_BYTES:
        notify(f"computing the sha256 of {path.name}, {size_text(found.st_size)} (once)")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # an unwritable cache only costs time
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{secrets.token_hex(8)}"
        draft.write_text(digest)
        os.replace(draft, note)
    return digest
