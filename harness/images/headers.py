"""What a picture file says of itself before a pixel is decoded, and why it cannot go as it is."""

from __future__ import annotations

import importlib
import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct
from PIL import Image
from PIL.ImageFile import ImageFile

from harness.errors import EvalrunError, SuiteError
from harness.images.colour import moves_colours
from harness.images.files import shown

MAX_PIXELS = 50_000_000
_MAX_SCANS = 100
"""A progressive JPEG has about ten; thousands of them keep a decoder busy for hours."""
_ORIENTATION = 0x0112
"""Exif tag, CIPA DC-008."""

_UNREADABLE = (SyntaxError, struct.error, LookupError, TypeError, ValueError)
"""What Pillow raises on Exif that is out of order."""

_READERS: tuple[tuple[str, bytes, str], ...] = (
    ("JPEG", rb"\xff\xd8\xff", "JpegImagePlugin.JpegImageFile"),
    ("PNG", rb"\x89PNG\r\n\x1a\n", "PngImagePlugin.PngImageFile"),
    ("WebP", rb"RIFF....WEBP", "WebPImagePlugin.WebPImageFile"),
    ("GIF", rb"GIF8[79]a", "GifImagePlugin.GifImageFile"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]", "TiffImagePlugin.TiffImageFile"),
    ("AVIF", rb"....ftyp(?:.{0,40})avi[fs]", "AvifImagePlugin.AvifImageFile"),
    ("BMP", rb"BM", "BmpImagePlugin.BmpImageFile"),
)
"""Name, how such a file begins, and the one class of Pillow that may read it: no guessing, which
would try three dozen formats, Ghostscript among them. Imported when met: all take 0.1 s."""

_UNSUPPORTED: tuple[tuple[bytes, str, str], ...] = (
    (rb"\Z", "is empty (0 bytes)", "copy the picture again"),
    (rb"version https://git-lfs", "is a Git LFS pointer, not the picture", "run `git lfs pull`"),
    (rb"....ftyp", "is HEIC or another format that cannot be read here", "save it as JPEG or PNG"),
    (rb"\s*(?:<\?xml.{0,2000}?)?(?:<!--.{0,2000}?)?<svg", "is SVG", "export it as PNG"),
    (rb"\s*<(?:!doctype\s+html|html|head|body)", "is a web page", "download the picture itself"),
    (rb"%PDF", "is PDF", "export the page as PNG"),
    (rb"%!PS", "is PostScript", "export it as PNG"),
)


class Header(Struct, frozen=True, kw_only=True):
    """A picture's header."""

    format: str
    width_px: int
    height_px: int
    quirks: tuple[str, ...]
    """Why the file cannot be sent as it is, in words; empty for a canonical one of any size."""


def header(data: bytes, name: str) -> Header:
    """Read the header alone. `name` stands in messages.

    Raises: SuiteError for what is no picture, has several frames or more than 50 megapixels.
    """
    picture = opened(data, name)
    with wrap_errors(name):
        return header_of(picture, data)


def header_of(picture: ImageFile, data: bytes) -> Header:
    return Header(
        format=str(picture.format),
        width_px=picture.width,
        height_px=picture.height,
        quirks=quirks(picture, data),
    )


def opened(data: bytes, name: str) -> ImageFile:
    """The picture, not decoded yet, by the only reader its first bytes allow."""
    kind, reader = _reader(data, name)
    with wrap_errors(name):
        picture = reader(io.BytesIO(data))
        if picture.width * picture.height > MAX_PIXELS:
            raise SuiteError(
                f"{name} has {picture.width} x {picture.height} pixels,"
                f" more than {MAX_PIXELS // 10**6} million",
                fix="make the picture smaller",
            )
        if getattr(picture, "is_animated", False):
            raise SuiteError(
                f"{name} has several frames ({kind})",
                fix="save the one frame that is meant as PNG",
            )
        if "progressive" in picture.info and data.count(b"\xff\xda") > _MAX_SCANS:
            raise SuiteError(f"{name} has over {_MAX_SCANS} scans", fix="save it again as JPEG")
    return picture


def quirks(picture: ImageFile, data: bytes) -> tuple[str, ...]:
    """Why these bytes are not the canonical form of their picture, in words."""
    match picture.format:
        case "JPEG":
            found = list(_jpeg_quirks(picture, data))
        case "PNG":
            found = list(_png_quirks(picture, data))
        case _:
            found = [f"{picture.format}, which not every server reads"]
    if orientation(picture, data) != 1:
        found.append("turned by its Exif tag")
    if moves_colours(picture.info.get("icc_profile") or b""):
        found.append("a colour profile other than sRGB")
    return tuple(found)


def orientation(picture: ImageFile, data: bytes) -> int:
    """The Exif orientation: 1 (upright) to 8. Exif that cannot be read turns nothing."""
    try:
        if picture.format == "PNG" and b"eXIf" not in data:
            # A PNG's own getexif would decode the pixels, to find an Exif chunk behind them.
            turned = Image.Image.getexif(picture).get(_ORIENTATION, 1)
        else:
            turned = picture.getexif().get(_ORIENTATION, 1)
    except _UNREADABLE:
        return 1
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1


@contextmanager
def wrap_errors(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on damaged bytes into a SuiteError that names the file.

    Its readers raise a dozen types (OSError, SyntaxError, struct.error, KeyError, MemoryError...),
    and none of them is a bug of ours: the bytes come from anywhere.
    """
    try:
        yield
    except EvalrunError:
        raise
    except Exception as exc:
        raise SuiteError(
            f"{name} is damaged: {shown(str(exc)) or type(exc).__name__}",
            fix="export or copy the picture again",
        ) from exc


def _reader(data: bytes, name: str) -> tuple[str, Callable[[io.BytesIO], ImageFile]]:
    for kind, beginning, where in _READERS:
        if re.match(beginning, data, re.DOTALL):
            module, reader = where.split(".")
            return kind, getattr(importlib.import_module(f"PIL.{module}"), reader)
    for beginning, what, fix in _UNSUPPORTED:
        if re.match(beginning, data, re.DOTALL | re.IGNORECASE):
            raise SuiteError(f"{name} {what}", fix=fix)
    raise SuiteError(
        f"{name} is not a picture",
        fix=f"use {', '.join(kind for kind, _, _ in _READERS)}",
    )


def _jpeg_quirks(picture: ImageFile, data: bytes) -> Iterator[str]:
    if picture.mode != "RGB":
        yield {"L": "grey"}.get(picture.mode, picture.mode)
    elif picture.info.get("adobe_transform") == 0:
        yield "RGB stored as such, not as YCbCr"
    if _jpeg_frame(data) not in (0xC0, 0xC1, 0xC2):
        yield "neither baseline nor progressive Huffman coding"


def _jpeg_frame(data: bytes) -> int:
    """The start-of-frame marker, which tells the coding: 0xC0 is baseline, 0xC2 progressive."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker
        if marker == 0xFF:  # a fill byte
            at += 1
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return 0


def _png_quirks(picture: ImageFile, data: bytes) -> Iterator[str]:
    depth, colour_type = data[24:26]
    if depth != 8:
        yield f"{depth}-bit"
    if colour_type != 2:
        yield {0: "grey", 3: "palette", 4: "grey with alpha", 6: "alpha"}.get(colour_type, "")
    elif "transparency" in picture.info:
        yield "a transparent colour"
    if picture.info.get("interlace"):
        yield "interlaced"
