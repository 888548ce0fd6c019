"""Names and places: which files in a results folder are runs, and how a small file is replaced."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

from harness.errors import ResultsError

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 80


def folder_name(model: str) -> str:
    """A folder name that any file system takes, and that stays unique for odd model names.

    >>> folder_name("mistral-small-3.1")
    'mistral-small-3.1'
    >>> folder_name("org/model:free")
    'org_model_free-2fc92149'
    """
    safe = _UNSAFE.sub("_", model).strip("._")[:_LONGEST]
    if safe == model:
        return safe
    return f"{safe}-{hashlib.sha256(model.encode()).hexdigest()[:8]}".lstrip("-")


def runs(results: Path) -> list[Path]:
    """Every run file, oldest first; a missing folder holds none."""
    return sorted(results.glob("*/*.jsonl"), key=lambda path: (path.stem, path.parent.name))


def model_runs(results: Path, model: str) -> list[Path]:
    """The run files of one model, oldest first."""
    return sorted((results / folder_name(model)).glob("*.jsonl"), key=lambda path: path.stem)


def replace_text(path: Path, text: str) -> None:
    """Write a derived file in one step: readers see the old one or the new one, never a half."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def unwritable(path: Path, error: OSError) -> ResultsError:
    """The one wording for a results file that cannot be written."""
    return ResultsError(
        f"{path} cannot be written: {error.strerror or error}",
        fix="free some space or name a folder you may write to with --results DIR; "
        "what is recorded so far is safe, and the same command resumes it",
    )
