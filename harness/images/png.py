"""Whether a PNG is whole: Pillow asks neither for the pixels' checksums nor for all the rows."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type: samples a pixel."""
_PIECE_BYTES = 2**20
_LAST_FILTER = 4


def verify_png(data: bytes) -> None:
    """Check every checksum, and that each row is there with a filter that exists.

    Raises: ValueError, struct.error or zlib.error for a PNG that is cut short or damaged.
    Source: https://www.w3.org/TR/png-3/
    """
    chunks = list(_chunks(data))
    width, height, depth, colour_type, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if interlaced:  # rows of seven sizes: left to the decoder
        return
    row = 1 + (width * _CHANNELS[colour_type] * depth + 7) // 8
    seen = 0
    for piece in _inflated([content for kind, content in chunks if kind == b"IDAT"]):
        if max(piece[-seen % row :: row], default=0) > _LAST_FILTER:
            raise ValueError("a row with an unknown filter")
        seen += len(piece)
        if seen > height * row:
            break
    if seen < height * row:
        raise ValueError(f"{seen // row} of {height} rows")


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and content of each chunk up to the end; their checksums are right."""
    view = memoryview(data)
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(view[at + 4 : end]):
            raise ValueError(f"wrong checksum in its {kind.decode('latin-1')} chunk")
        yield kind, view[at + 8 : end]
        at = end + 4


def _inflated(parts: list[memoryview]) -> Iterator[bytes]:
    """The pixel data, in pieces: a few kB may unfold to gigabytes."""
    inflater = zlib.decompressobj()
    for part in parts:
        rest: bytes | memoryview = part
        while rest and not inflater.eof:
            yield inflater.decompress(rest, _PIECE_BYTES)
            rest = inflater.unconsumed_tail
    if not inflater.eof:
        raise ValueError("its pixel data ends too early")
