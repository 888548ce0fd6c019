"""Whether a JPEG is whole, known for less than decoding it: its scan is walked, not decoded."""

from __future__ import annotations

import io
import re

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

_END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_FRAMES_OF_ONE_SCAN = (0xC0, 0xC1)
"""Baseline and extended sequential."""
_TASTE_BYTES = 2048
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan: anything but a stuffed byte, a restart or filling."""


def is_whole(data: bytes) -> bool:
    """True for an ordinary JPEG that reaches its end; False says only that decoding must tell.

    Sound headers, one scan, and nothing but its end marker after it: the decoder would read as
    far, and finds no more (flipped bits inside the scan it does not tell either). What the
    headers hold is tried on the first bytes of the scan.

    Source: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.1 and B.2
    """
    scan = _scan_at(data)
    if scan is None:
        return False
    found = _MARKER.search(data, scan)
    if found is None or found.start() != len(data) - len(_END) or not data.endswith(_END):
        return False
    taste = data[: scan + _TASTE_BYTES].removesuffix(_END) + _END
    try:
        with JpegImageFile(io.BytesIO(taste)) as picture:
            decode_coarsely(picture)
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def decode_coarsely(picture: ImageFile) -> None:
    """An eighth of the size still walks the whole entropy stream of a JPEG.

    Raises: what Pillow raises for a damaged picture.
    """
    picture.draft(None, (max(1, picture.width // 8), max(1, picture.height // 8)))
    picture.load()


def _scan_at(data: bytes) -> int | None:
    """Where the entropy-coded bytes of a JPEG with a single scan begin."""
    at, kinds = 2, []
    while at + 4 <= len(data) and data[at] == 0xFF:
        kinds.append(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if kinds[-1] == _START_OF_SCAN:
            one_scan = any(kind in _FRAMES_OF_ONE_SCAN for kind in kinds)
            return at if one_scan and at < len(data) else None
    return None
