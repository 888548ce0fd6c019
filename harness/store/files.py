"""Names and places: which files in a results folder are runs, and how a small file is replaced."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from pathlib import Path

from harness.errors import ResultsError

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 80
_LEFT_BEHIND_S = 60.0


def folder_name(model: str) -> str:
    """A folder name that any file system takes, and that stays unique for odd model names.

    >>> folder_name("mistral-small-3.1")
    'mistral-small-3.1'
    >>> folder_name("org/model:free")
    'org_model_free-0ccb26a8'
    """
    safe = _UNSAFE.sub("_", model).strip("._")[:_LONGEST]
    if safe == model:
        return safe
    return f"{safe}-{hashlib.sha256(model.encode(errors='surrogatepass')).hexdigest()[:8]}".lstrip(
        "-"
    )


def runs(results: Path) -> list[Path]:
    """Every run file, oldest first; a missing folder holds none."""
    return sorted(results.glob("*/*.jsonl"), key=lambda path: (path.stem, path.parent.name))


def model_runs(results: Path, model: str) -> list[Path]:
    """The run files of one model, oldest first."""
    return sorted((results / folder_name(model)).glob("*.jsonl"), key=lambda path: path.stem)


def asked_file(run: Path) -> Path:
    """Beside a run: which of its replies a person asked to see again."""
    return run.with_suffix(".asked.json")


def replace_text(path: Path, text: str) -> None:
    """Write a derived file in one step: readers see the old one or the new one, never a half."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent, f".{path.name}-*")
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(temporary).chmod(0o666 & ~umask())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def clear_leftovers(folder: Path, pattern: str) -> None:
    """Remove unfinished files that a kill left behind; others may be at work on younger ones."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _LEFT_BEHIND_S:
                path.unlink()


def umask() -> int:
    """What this process takes away from the rights of new files."""
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
