"""The one writer of run files. What `append` was given is on disk when it returns."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import portalocker

from harness.errors import ResultsError
from harness.records import Correction, Record, RunHeader
from harness.store.files import asked_file, clear_leftovers, folder_name, umask, unwritable
from harness.store.reading import Run
from harness.text import nearest, valid_unicode

_ENCODER = msgspec.json.Encoder()
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PART = ".part"
"""A run file whose header is not on disk yet."""
_RUNS_A_SECOND = 10_000
_LOCK = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING


class RunWriter:
    """Holds the lock on one run file and appends to it."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._good_bytes = os.fstat(fd).st_size
        self._discarded = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if self._discarded:
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other runs are in there
                self.path.parent.rmdir()

    def discard(self) -> None:
        """Leave no file behind: nothing came of the run."""
        self._discarded = True

    def append(self, *lines: RunHeader | Record | Correction) -> None:
        """Write the lines and wait for the disk, once for all of them.

        Raises: ResultsError when the disk refuses; the file then ends with the last whole line.
        """
        data = _encoded(lines)
        try:
            _write_all(self._fd, data)
            os.fsync(self._fd)
            self._good_bytes += len(data)
            if os.fstat(self._fd).st_nlink == 0:
                self._restore()
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._good_bytes)
            raise unwritable(self.path, error) from error

    def truncate(self, size: int) -> None:
        """Drop what stands behind the last whole line."""
        os.ftruncate(self._fd, size)
        self._good_bytes = size

    def _restore(self) -> None:
        """Somebody removed the folder under us: put the file back, whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(os.dup(self._fd), "rb") as old, os.fdopen(os.dup(fd), "ab") as new:
            old.seek(0)
            shutil.copyfileobj(old, new)
        os.fsync(fd)
        portalocker.lock(fd, _LOCK)
        self._fd, old_fd = fd, self._fd
        os.close(old_fd)


def create(results: Path, header: RunHeader) -> RunWriter:
    """Start a run file; it appears under its name only with its whole header on disk.

    The header's `run` is made unique among runs of the same second.
    """
    folder = results / folder_name(header.model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder, f".*{_PART}")
        fd, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=_PART)
        os.close(fd)
        part = Path(name)
        try:
            fd = _open_locked(part)
            part.chmod(0o666 & ~umask())
            path = _published(fd, part, folder, header)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(folder)
        _sync_folder(results)
    except OSError as error:
        raise unwritable(folder, error) from error
    return RunWriter(path, fd)


def _published(fd: int, part: Path, folder: Path, header: RunHeader) -> Path:
    """Write the header into `part`, then link it to the first free name of its second."""
    stamp = header.started_at.strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, _RUNS_A_SECOND):
        stem = stamp if number == 1 else f"{stamp}-{number}"
        path = folder / f"{stem}.jsonl"
        os.ftruncate(fd, 0)
        _write_all(fd, _encoded([msgspec.structs.replace(header, run=f"{folder.name}/{stem}")]))
        os.fsync(fd)
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
            return path
    raise FileExistsError(
        errno.EEXIST, "ten thousand runs were started in this second", str(folder)
    )


def reopen(path: Path) -> RunWriter:
    """Go on with a run: take its lock and cut off a torn last line.

    Raises: ResultsError when another evalrun is writing it.
    """
    try:
        writer = RunWriter(path, _open_locked(path))
    except OSError as error:
        raise unwritable(path, error) from error
    writer.truncate(_whole_lines_bytes(path))
    return writer


def delete(path: Path) -> None:
    """Remove a run for good, and its model's folder with the last one.

    Raises: ResultsError when another evalrun is writing it.
    """
    try:
        with RunWriter(path, _open_locked(path)):
            path.unlink()
            asked_file(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    except OSError as error:
        raise unwritable(path, error) from error


def is_being_written(path: Path) -> bool:
    """Whether a run in another process, or of this one, holds the file."""
    try:
        os.close(_open_locked(path))
    except (ResultsError, OSError):
        return True
    return False


def append_correction(path: Path, correction: Correction) -> None:
    """Keep a person's verdict beside the record it is about."""
    answered = Run(path).answered_keys()
    if (correction.prompt, correction.repeat) not in answered:
        near = nearest(correction.prompt, [it for it, _ in answered], most=1)
        hint = f", e.g. {near[0]}" if near else ""
        raise ResultsError(
            f"{path} has no reply to {correction.prompt!r} (repeat {correction.repeat})",
            fix=f"name a prompt that `evalrun show --all` lists for this run{hint}",
        )
    with reopen(path) as writer:
        writer.append(correction)


def _open_locked(path: Path) -> int:
    fd = os.open(path, _FLAGS, 0o644)
    try:
        portalocker.lock(fd, _LOCK)
    except portalocker.LockException as error:
        os.close(fd)
        raise ResultsError(
            f"{path} is being written by another evalrun",
            fix="wait for it, or start a run of your own with --fresh",
        ) from error
    return fd


def _encoded(lines: Sequence[RunHeader | Record | Correction]) -> bytes:
    try:
        return _ENCODER.encode_lines(lines)
    except UnicodeEncodeError:  # half characters, out of an adapter or an argument
        return _ENCODER.encode_lines([_valid(msgspec.to_builtins(it)) for it in lines])


def _valid(value: Any) -> Any:
    match value:
        case str():
            return valid_unicode(value)
        case list():
            return [_valid(it) for it in value]
        case dict():
            return {_valid(key): _valid(it) for key, it in value.items()}
        case _:
            return value


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_folder(folder: Path) -> None:
    """A new file survives a power cut only once its folder is on disk as well."""
    if os.name == "nt":
        return  # Windows cannot open a folder, and NTFS keeps its own journal
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _whole_lines_bytes(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end > 0:
            start = max(0, end - (1 << 20))
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
