"""The two files a local model consists of: text weights and mmproj."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from harness.adapters.base import Target
from harness.errors import TargetError

_QUANTIZATION = re.compile(
    r"(?<![A-Za-z0-9])(?P<type>(?:I?Q|TQ)(?P<bits>\d)_[A-Z0-9]+(?:_(?:XXS|XS|S|M|L|XL|NL))?"
    r"|BF16|F16|F32|MXFP4)(?![A-Za-z0-9])",
    re.IGNORECASE,
)


class Files(Struct, frozen=True, kw_only=True):
    """Weights that lie on this machine."""

    gguf: Path
    mmproj: Path
    context_tokens: int | None = None
    """What the catalogue says they need."""


def files(target: Target) -> Files:
    """The files the target names, else those of its catalogue entry, fetched when missing.

    Raises: TargetError when there are none, or one is missing.
    """
    if target.gguf is None:
        raise TargetError(
            f"nothing says which weights {target.model!r} is",
            fix="name them with --gguf FILE --mmproj FILE",
        )
    gguf = _existing(target.gguf, "--gguf")
    if target.mmproj is not None:
        return Files(gguf=gguf, mmproj=_existing(target.mmproj, "--mmproj"))
    return Files(gguf=gguf, mmproj=_beside(gguf, target))


def _existing(path: Path, option: str) -> Path:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise TargetError(f"{path} {what}", fix=f"name a .gguf file with {option}")
    return path


def _beside(gguf: Path, target: Target) -> Path:
    """The only mmproj in the model's folder: where every download puts it."""
    found = sorted(path for path in gguf.parent.glob("*.gguf") if "mmproj" in path.name.lower())
    if len(found) != 1:
        listed = ", ".join(path.name for path in found)
        raise TargetError(
            f"{gguf.name} cannot see without its mmproj file, and its folder holds "
            + (f"several: {listed}" if found else "none"),
            fix="name it with --mmproj FILE",
        )
    target.notify(f"taking {found[0].name}, which lies beside {gguf.name}")
    return found[0]


def quantization_in(name: str) -> str | None:
    """
    >>> quantization_in("Mistral-Small-3.1-24B-Instruct-2503-UD-Q4_K_XL.gguf")
    'Q4_K_XL'
    >>> quantization_in("gemma-3-4b-it-IQ2_M.gguf"), quantization_in("demo-f32.gguf")
    ('IQ2_M', 'F32')
    >>> quantization_in("model.gguf")
    """
    found = _QUANTIZATION.search(name)
    return found["type"].upper() if found else None
