"""Where the weights of a target are: files that were named, the local cache, or the hub."""

from __future__ import annotations

import os
from pathlib import Path

from harness.adapters.base import Target
from harness.adapters.llamacpp.hub import cached, fetch
from harness.adapters.llamacpp.weights import Files
from harness.errors import TargetError


def locate(target: Target) -> Files:
    """The files the target names, else those of its catalogue entry, fetched when missing.

    Raises: TargetError when there are none, or one is missing.
    """
    if target.gguf is None:
        return _from_the_hub(target)
    gguf = _existing(target.gguf, "--gguf")
    if target.mmproj is not None:
        mmproj = _existing(target.mmproj, "--mmproj")
    else:
        mmproj = _beside(gguf, target)
    source = target.weights
    return Files(
        gguf=gguf,
        mmproj=mmproj,
        context_tokens=source.context_tokens if source else None,
        quantization=source.quantization if source else None,
    )


def _from_the_hub(target: Target) -> Files:
    if target.weights is None:
        raise TargetError(
            f"nothing says which weights {target.model!r} is",
            fix="name them with --gguf FILE --mmproj FILE",
        )
    return cached(target.weights, os.environ) or fetch(target.weights, target.notify)


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
