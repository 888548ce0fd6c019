"""Opens the files that a suite names: regular ones only, never waiting on a FIFO or a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from harness.errors import SuiteError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_SHOWN_CHARS = 200


def shown(name: str | Path) -> str:
    """The name as it may stand in a message: one line, no control characters, bounded.

    >>> shown("a\\x1b[2Jb.png")
    "'a\\\\x1b[2Jb.png'"
    """
    text = str(name)
    text = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
    return text if text.isprintable() else ascii(text)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; whatever else the path names is refused at once.

    Raises: SuiteError, naming the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        raise SuiteError(
            f"{shown(path)}: there is no such file", fix="correct the path, or put the file there"
        ) from exc
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the name
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise SuiteError(
            f"{shown(path)} cannot be opened: {why}", fix="make it a file you may read"
        ) from exc
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise SuiteError(
            f"{shown(path)} is {_KINDS.get(kind, 'no regular file')}", fix="name a regular file"
        )
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, *, limit_bytes: int) -> bytes:
    """The whole content of a regular file.

    Raises: SuiteError, naming the file, also when it is longer than `limit_bytes`.
    """
    with open_regular(path) as file:
        try:
            # Not `limit_bytes` at once: room for that many would be made, and given back.
            size = min(limit_bytes, os.fstat(file.fileno()).st_size)
            data = file.read(size + 1)
            if len(data) > size:  # it grows, or tells no size
                data += file.read(limit_bytes + 1 - len(data))
        except OSError as exc:
            raise SuiteError(
                f"{shown(path)} cannot be read: {exc.strerror}",
                fix="copy it again, or repair the disk",
            ) from exc
    if len(data) > limit_bytes:
        raise SuiteError(
            f"{shown(path)} is larger than {limit_bytes // 2**20} MiB",
            fix="name a smaller file",
        )
    return data
