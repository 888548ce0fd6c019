"""Opens the files that a suite names: regular ones only, never waiting on a FIFO or a device."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from harness.errors import SuiteError
from harness.text import one_line

MAX_FILE_BYTES = 512 * 2**20
"""50 megapixels of 16-bit RGBA take 400 MB uncompressed."""
_PAGE = re.compile(r"(?P<file>.+\.pdf)#(?P<page>\d{1,5}(?:@\d{2,4})?)", re.IGNORECASE | re.DOTALL)


def shown(name: str | Path) -> str:
    r"""The name as it may stand in a message: one line, no control characters, bounded.

    >>> shown("a\x1b[2Jb.png")
    'a\\x1b[2Jb.png'
    """
    text = str(name)
    return text if text.isprintable() and len(text) <= 200 else one_line(text, 200)


def split_page(name: str) -> tuple[str, str | None]:
    """A file, and which of its pages is meant: `invoice.pdf#2`, or `#2@300` at 300 dots an inch.

    >>> split_page("a/invoice.pdf#2"), split_page("a#2.png")
    (('a/invoice.pdf', '2'), ('a#2.png', None))
    """
    match = _PAGE.fullmatch(name)
    return (match["file"], match["page"]) if match else (name, None)


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
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "a FIFO, a device or a socket"
        raise SuiteError(f"{shown(path)} is {kind}", fix="name a regular file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, *, limit_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The whole content of a regular file.

    Raises: SuiteError, naming the file, also when it is longer than `limit_bytes`.
    """
    with open_regular(path) as file:
        try:
            if os.fstat(file.fileno()).st_size <= limit_bytes:
                data = file.read()
                if len(data) <= limit_bytes:
                    return data
        except OSError as exc:
            raise SuiteError(
                f"{shown(path)} cannot be read: {exc.strerror}",
                fix="copy it again, or repair the disk",
            ) from exc
    raise SuiteError(
        f"{shown(path)} is larger than {limit_bytes // 2**20} MiB", fix="name a smaller file"
    )
