"""Pictures: whatever a suite names, read safely and made the one canonical picture that is sent.

A file --header--> format, size, quirks; --encode--> JPEG or PNG, 8-bit RGB, upright, sRGB, no alpha
"""

from __future__ import annotations

import hashlib
import importlib
import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import cast

from msgspec import Struct
from msgspec.structs import replace
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from harness.errors import EvalrunError, SuiteError
from harness.images.files import read_regular, shown, split_page
from harness.images.pixels import canonical_pixels, moves_colours
from harness.records import EncodedImage

# Pillow warns of metadata that is out of order. What matters in a picture is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")

MAX_PIXELS = 50_000_000
_MAX_SCANS = 100
"""A progressive JPEG has about ten; thousands of them keep a decoder busy for hours."""
_PNG_LEVEL = 3
"""Half the time of zlib's default, a few per cent longer."""
_ORIENTATION = 0x0112
"""Exif tag, CIPA DC-008."""

_READERS = (
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

_UNSUPPORTED = (
    (rb"\Z", "is empty (0 bytes)", "copy the picture again"),
    (rb"version https://git-lfs", "is a Git LFS pointer, not the picture", "run `git lfs pull`"),
    (rb"....ftyp", "is HEIC or another format that cannot be read here", "save it as JPEG or PNG"),
    (rb"\s*(?:<\?xml.{0,2000}?)?(?:<!--.{0,2000}?)?<svg", "is SVG", "export it as PNG"),
    (rb"\s*<(?:!doctype\s+html|html|head|body)", "is a web page", "download the picture itself"),
    (rb"%!PS", "is PostScript", "export it as PNG"),
    (rb"", "is not a picture", f"use {', '.join(kind for kind, _, _ in _READERS)}"),
)


class Header(Struct, frozen=True, kw_only=True):
    """What a picture's file says of itself before a pixel is decoded."""

    format: str
    width_px: int
    height_px: int
    quirks: tuple[str, ...]
    """Why the file cannot be sent as it is, in words; empty for a canonical one of any size."""


def encode(path: Path, *, longest_side_px: int) -> EncodedImage:
    """Return the picture that stands for `path` in a request.

    A file that is canonical already goes as its own bytes, once they are seen to decode to the
    end. Any other is turned upright, moved to sRGB, laid on white, shrunk (Lanczos) until its
    longer side fits (0: its own size), and becomes a lossless PNG. Nothing is ever enlarged.

    Shapes:  max(height_px, width_px) == min(max(H, W), longest_side_px), aspect kept to the pixel
    Units:   pixels. `width_px`/`height_px` describe what is sent, so a box the model gives in
             these pixels scales back to the (upright) file by W / width_px.
    Returns: bytes that depend on the file, the limit and the Pillow build only.
    Raises:  SuiteError, naming the file: missing, no picture, truncated or damaged, more than 50
             megapixels (read from the header, before decoding), several frames, no regular file.
             Flipped bits inside a JPEG's scan are the one damage that Pillow does not tell.
    """
    file, page = split_page(str(path))
    name, data = shown(path), read_regular(Path(file) if page else path)
    with wrap_errors(name):
        if data.startswith(b"%PDF"):
            from harness.images.pdf import rendered

            return _as_png(rendered(data, page, name, longest_side_px=longest_side_px))
        picture = _opened(data, name)
        size = picture.size
        limit = longest_side_px or max(size)
        orientation = _orientation(picture, data)
        if max(size) <= limit and not _quirks(picture, data, orientation):
            _verify(picture, data)
            return _encoded(data, size, "image/jpeg" if picture.format == "JPEG" else "image/png")
        if picture.format == "PNG":
            _verify_checksums(data)
        made = _as_png(canonical_pixels(picture, limit, lambda: _orientation(picture, data)))
        turned = orientation > 4 and picture.format != "TIFF"  # whose size is the upright one
        return replace(made, file_size_px=size[::-1] if turned else size)


def header(data: bytes, name: str, *, page: str | None = None, whole: bool = False) -> Header:
    """Read the header; where it must be `whole`, see that the picture decodes to its end, too.

    `page` is the one of a PDF that is meant; `name` stands in messages.

    Raises: SuiteError as `encode` does, for damage behind the header only where it is looked for.
    """
    with wrap_errors(name):
        if data.startswith(b"%PDF"):
            from harness.images.pdf import size_px

            width, height = size_px(data, page, name)
            return Header(format="PDF", width_px=width, height_px=height, quirks=("a PDF page",))
        picture = _opened(data, name)
        found = Header(
            format=str(picture.format),
            width_px=picture.width,
            height_px=picture.height,
            quirks=_quirks(picture, data, _orientation(picture, data)),
        )
        if whole:
            _verify(picture, data)
        return found


@lru_cache(maxsize=8)
def plain(colour: str, width_px: int, height_px: int) -> EncodedImage:
    """A picture of one colour, by its CSS name or hex code: what preflight asks about.

    >>> plain("red", 8, 4).media_type
    'image/png'
    """
    return _as_png(Image.new("RGB", (width_px, height_px), colour))


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


def _opened(data: bytes, name: str) -> ImageFile:
    """The picture, not decoded yet, by the only reader its first bytes allow."""
    reader = next((it for _, start, it in _READERS if re.match(start, data, re.DOTALL)), None)
    if reader is None:
        flags = re.DOTALL | re.IGNORECASE
        raise next(
            SuiteError(f"{name} {what}", fix=fix)
            for start, what, fix in _UNSUPPORTED
            if re.match(start, data, flags)
        )
    module, function = reader.split(".")
    made = getattr(importlib.import_module(f"PIL.{module}"), function)(io.BytesIO(data))
    picture = cast(ImageFile, made)
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise SuiteError(
            f"{name} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million",
            fix="make the picture smaller",
        )
    if getattr(picture, "is_animated", False):
        raise SuiteError(
            f"{name} has several frames", fix="save the one frame that is meant as PNG"
        )
    if "progressive" in picture.info and data.count(b"\xff\xda") > _MAX_SCANS:
        raise SuiteError(f"{name} has over {_MAX_SCANS} scans", fix="save it again as JPEG")
    return picture


def _orientation(picture: ImageFile, data: bytes) -> int:
    """The Exif orientation: 1 (upright) to 8. Exif that cannot be read turns nothing."""
    with suppress(SyntaxError, struct.error, LookupError, TypeError, ValueError):
        # A PNG's own getexif would decode the pixels, to find an Exif chunk behind them.
        cheap = picture.format == "PNG" and b"eXIf" not in data
        exif = Image.Image.getexif(picture) if cheap else picture.getexif()
        turned = exif.get(_ORIENTATION, 1)
        return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1
    return 1


def _quirks(picture: ImageFile, data: bytes, orientation: int) -> tuple[str, ...]:
    """Why these bytes are not the canonical form of their picture, in words."""
    depth, colour_type = data[24:26]
    profile = picture.info.get("icc_profile")
    if picture.format == "JPEG":
        frame = next((it for it, _ in _jpeg_headers(data) if it in _JPEG_FRAMES), 0)
        found = {
            {"L": "grey"}.get(picture.mode, picture.mode): picture.mode != "RGB",
            "RGB stored as such, not as YCbCr": picture.info.get("adobe_transform") == 0
            and picture.mode == "RGB",
            "neither baseline nor progressive Huffman coding": frame not in (0xC0, 0xC1, 0xC2),
        }
    elif picture.format == "PNG":
        kinds = {0: "grey", 3: "palette", 4: "grey with alpha", 6: "alpha"}
        found = {
            f"{depth}-bit": depth != 8,
            kinds.get(colour_type, ""): colour_type in kinds,
            "a transparent colour": colour_type == 2 and "transparency" in picture.info,
            "interlaced": bool(picture.info.get("interlace")),
        }
    else:
        found = {f"{picture.format}, which not every server reads": True}
    found["turned by its Exif tag"] = orientation != 1
    found["a colour profile other than sRGB"] = bool(profile) and moves_colours(profile)
    return tuple(quirk for quirk, true in found.items() if true)


# --- whether a file is whole ----------------------------------------------------------------

_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of a start of frame, which tell the coding: 0xC0 is baseline, 0xC2 progressive."""
_START_OF_SCAN = 0xDA
_TASTE_BYTES = 2048
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan: anything but a stuffed byte, a restart or filling."""
_PNG_END = b"IEND\xaeB`\x82"


def _verify(picture: ImageFile, data: bytes) -> None:
    """See that the file decodes to its end, as cheaply as that can be known."""
    if picture.format == "PNG":
        _verify_checksums(data)
    if picture.format != "JPEG" or not is_whole(data):
        _decode_coarsely(picture)


def _decode_coarsely(picture: ImageFile) -> None:
    """An eighth of the size still walks the whole entropy stream of a JPEG."""
    picture.draft(None, (max(1, picture.width // 8), max(1, picture.height // 8)))
    picture.load()


def _jpeg_headers(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers up to the first scan, each with where its segment ends."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        marker = data[at + 1]
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        yield marker, at
        if marker == _START_OF_SCAN:
            return


def is_whole(data: bytes) -> bool:
    """True for an ordinary JPEG that reaches its end; False says only that decoding must tell.

    Sound headers, one scan, and nothing but its end marker after it: the decoder would read as
    far, and finds no more (flipped bits inside the scan it does not tell either). What the
    headers hold is tried on the first bytes of the scan: an eighth of the time of decoding.

    Source: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.1 and B.2
    """
    ends = dict(_jpeg_headers(data))
    scan = ends.get(_START_OF_SCAN, len(data))
    found = _JPEG_MARKER.search(data, scan)
    if not ends.keys() & {0xC0, 0xC1} or found is None or data[found.start() :] != b"\xff\xd9":
        return False
    with suppress(OSError, ValueError, SyntaxError, SuiteError):
        taste = data[: scan + _TASTE_BYTES].removesuffix(b"\xff\xd9") + b"\xff\xd9"
        _decode_coarsely(_opened(taste, ""))
        return True
    return False


def _verify_checksums(data: bytes) -> None:
    """Those of a PNG's chunks, which decoding does not ask for."""
    PngImageFile(io.BytesIO(data)).verify()
    if _PNG_END not in data[-256:]:
        raise ValueError("it ends too early")


def _as_png(picture: Image.Image) -> EncodedImage:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=_PNG_LEVEL)
    return _encoded(buffer.getvalue(), picture.size, "image/png")


def _encoded(data: bytes, size: tuple[int, int], media_type: str) -> EncodedImage:
    return EncodedImage(
        data=data,
        media_type=media_type,  # type: ignore[arg-type]
        width_px=size[0],
        height_px=size[1],
        sha256=hashlib.sha256(data).hexdigest(),
    )
