"""Pictures: whatever a suite names, read safely and made the one canonical picture that is sent.

A file --header--> format, size, quirks; --encode--> JPEG or PNG, 8-bit RGB, upright, sRGB, no alpha
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import re
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace
from PIL import Image, ImageChops
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from harness.errors import EvalrunError, SuiteError
from harness.records import EncodedImage
from harness.text import one_line

# Pillow warns of metadata that is out of order. What matters in a picture is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")

MAX_FILE_BYTES = 512 * 2**20
"""50 megapixels of 16-bit RGBA take 400 MB uncompressed."""
MAX_PIXELS = 50_000_000
_MAX_SCANS = 100
"""A progressive JPEG has about ten; thousands of them keep a decoder busy for hours."""
_PNG_LEVEL = 3
"""Half the time of zlib's default, a few per cent longer."""
_DRAFT = 2
"""A JPEG may be decoded at a fraction of its size as long as this many times the wanted size
remain: half the time on 12 megapixels, and nothing to be seen."""
_ROUNDING = 2
"""Levels of 255 by which a true sRGB profile may move a colour."""
_ORIENTATION = 0x0112
"""Exif tag, CIPA DC-008."""
_UPRIGHT = dict(zip(range(2, 9), map(Image.Transpose, (0, 3, 1, 5, 4, 6, 2)), strict=True))
"""Exif orientation: what makes it upright."""
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan: anything but a stuffed byte, a restart or filling."""
_TASTE_BYTES = 2048
_MODES = {"L": "grey", "LA": "grey with alpha", "RGBA": "alpha", "P": "palette"}
_PAGE = re.compile(r"(?P<file>.+\.pdf)#(?P<page>\d{1,5}(?:@\d{2,4})?)", re.IGNORECASE | re.DOTALL)

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

_NAMES = ", ".join(kind for kind, _, _ in _READERS)
_FOREIGN = (
    (rb"version https://git-lfs", "is a Git LFS pointer, not the picture", "run `git lfs pull`"),
    (rb"....ftyp", "is HEIC or another format that cannot be read here", "save it as JPEG or PNG"),
)
"""How a file begins that users do have, what it is, and what to do."""


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
    with _wrap_errors(name):
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
        made = _as_png(_canonical(picture, data, limit))
        turned = orientation > 4 and picture.format != "TIFF"  # whose size is the upright one
        return replace(made, file_size_px=size[::-1] if turned else size)


def header(data: bytes, name: str, *, page: str | None = None, whole: bool = False) -> Header:
    """Read the header; where it must be `whole`, see that the picture decodes to its end, too.

    `page` is the one of a PDF that is meant; `name` stands in messages.

    Raises: SuiteError as `encode` does, for damage behind the header only where it is looked for.
    """
    with _wrap_errors(name):
        if data.startswith(b"%PDF"):
            from harness.images.pdf import size_px

            width, height = size_px(data, page, name)
            return Header(format="PDF", width_px=width, height_px=height, quirks=("a PDF page",))
        picture = _opened(data, name)
        (width, height), kind = picture.size, str(picture.format)
        quirks = _quirks(picture, data, _orientation(picture, data))
        if whole:
            _verify(picture, data)
        return Header(format=kind, width_px=width, height_px=height, quirks=quirks)


@lru_cache(maxsize=8)
def plain(colour: str, width_px: int, height_px: int) -> EncodedImage:
    """A picture of one colour, by its CSS name or hex code: what preflight asks about.

    >>> plain("red", 8, 4).media_type
    'image/png'
    """
    return _as_png(Image.new("RGB", (width_px, height_px), colour))


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
    """Open a regular file for reading, never waiting on a FIFO or a device.

    Raises: SuiteError, naming the file, for whatever else the path names.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        what = f"{shown(path)}: there is no such file"
        raise SuiteError(what, fix="correct the path, or put the file there") from exc
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the name
        what = f"{shown(path)} cannot be opened: {getattr(exc, 'strerror', exc)}"
        raise SuiteError(what, fix="make it a file you may read") from exc
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
            data = file.read() if os.fstat(file.fileno()).st_size <= limit_bytes else None
        except OSError as exc:
            what = f"{shown(path)} cannot be read: {exc.strerror}"
            raise SuiteError(what, fix="copy it here again") from exc
    if data is None or len(data) > limit_bytes:
        limit_mib = limit_bytes // 2**20
        raise SuiteError(f"{shown(path)} is larger than {limit_mib} MiB", fix="name a smaller file")
    return data


@contextmanager
def _wrap_errors(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on damaged bytes into a SuiteError that names the file.

    Its readers raise a dozen types (OSError, SyntaxError, struct.error, KeyError, MemoryError...),
    and none of them is a bug of ours: the bytes come from anywhere.
    """
    try:
        yield
    except EvalrunError:
        raise
    except Exception as exc:
        what = f"{name} is damaged: {shown(str(exc)) or type(exc).__name__}"
        raise SuiteError(what, fix="export or copy the picture again") from exc


def _opened(data: bytes, name: str) -> ImageFile:
    """The picture, not decoded yet, by the only reader its first bytes allow."""
    reader = next((it for _, start, it in _READERS if re.match(start, data, re.DOTALL)), None)
    if reader is None:
        for begins, what, fix in _FOREIGN:
            if re.match(begins, data, re.DOTALL):
                raise SuiteError(f"{name} {what}", fix=fix)
        start = shown(data[:24].decode("latin-1")) or "nothing"
        fix = f"save or download it again, as one of {_NAMES}"
        raise SuiteError(f"{name} is not a picture: it begins with {start}", fix=fix)
    module, function = reader.split(".")
    read = getattr(importlib.import_module(f"PIL.{module}"), function)
    picture: ImageFile = read(io.BytesIO(data))
    width, height = picture.size
    if width * height > MAX_PIXELS:
        what = f"{name} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million"
        raise SuiteError(what, fix="make the picture smaller")
    if getattr(picture, "is_animated", False):
        raise SuiteError(f"{name} has several frames", fix="save the one that is meant as PNG")
    if "progressive" in picture.info and data.count(_START_OF_SCAN) > _MAX_SCANS:
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
    profile = picture.info.get("icc_profile")
    is_jpeg, is_png = picture.format == "JPEG", picture.format == "PNG"
    as_rgb = picture.mode == "RGB" and picture.info.get("adobe_transform") == 0
    found = {
        f"{picture.format}, which not every server reads": not is_jpeg and not is_png,
        _MODES.get(picture.mode, picture.mode): picture.mode != "RGB" and (is_jpeg or is_png),
        "RGB stored as such, not as YCbCr": is_jpeg and as_rgb,
        "not Huffman coded": is_jpeg and b"\xff\xc4" not in data,  # it holds no Huffman table
        "not 8-bit": is_png and data[24] != 8,
        "a transparent colour": is_png and picture.mode == "RGB" and "transparency" in picture.info,
        "interlaced": is_png and bool(picture.info.get("interlace")),
        "turned by its Exif tag": orientation != 1,
        "a colour profile other than sRGB": bool(profile) and _moves_colours(profile),
    }
    return tuple(quirk for quirk, true in found.items() if true)


def _canonical(picture: ImageFile, data: bytes, longest_side_px: int) -> Image.Image:
    """Decoded, of any format and mode; nothing of its metadata is left."""
    profile = picture.info.get("icc_profile") or b""
    is_jpeg = picture.format == "JPEG"
    pixels = picture if is_jpeg else _in_8_bits(picture)
    limit = (longest_side_px, longest_side_px)
    pixels.thumbnail(limit, Image.Resampling.LANCZOS, reducing_gap=_DRAFT if is_jpeg else None)
    flat = _in_srgb(pixels.convert("RGB") if pixels.mode == "RGBA" else pixels, profile)
    if pixels.mode == "RGBA":
        flat = Image.composite(flat, Image.new("RGB", flat.size, "white"), pixels.getchannel("A"))
    # Asked again, now that it is decoded: Pillow turns a TIFF itself.
    if (turned := _orientation(picture, data)) in _UPRIGHT:
        flat = flat.transpose(_UPRIGHT[turned])
    flat.info.clear()  # or the PNG would carry the profile on
    return flat


def _in_8_bits(picture: ImageFile) -> Image.Image:
    """The same pixels in a mode that can be shrunk and coloured: L, RGB, RGBA or CMYK."""
    picture.load()
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda level: level * (1 / 257) + 0.5).convert("L")
    if picture.mode in ("I", "F"):
        raise ValueError("32 bits a pixel have no agreed brightness; save it with 8 or 16")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode == "CMYK":
        return picture
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


@lru_cache(maxsize=16)
def _moves_colours(profile: bytes) -> bool:
    """Whether the pixels of an RGB picture with this profile would look different without it.

    Judged by what it does to a cube of 125 colours, as there are many sRGB profiles. One that
    cannot be read, or is not for RGB, moves nothing: viewers ignore it too.
    """
    levels = product((0, 64, 128, 192, 255), repeat=3)
    cube = Image.frombytes("RGB", (5, 25), bytes(v for rgb in levels for v in rgb))
    return max(ImageChops.difference(cube, _in_srgb(cube, profile)).tobytes()) > _ROUNDING


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """An RGB, L or CMYK picture as RGB in sRGB; taken for sRGB when the profile is of no use."""
    if profile:
        from PIL import ImageCms  # 10 ms, and few pictures need it

        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            source, target = io.BytesIO(profile), ImageCms.createProfile("sRGB")
            if moved := ImageCms.profileToProfile(picture, source, target, outputMode="RGB"):
                return moved
    return picture.convert("RGB")


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


def is_whole(data: bytes) -> bool:
    """True for a JPEG that reaches its end; False says only that decoding must tell.

    Nothing but its end marker follows the last scan: the decoder would read as far, and finds no
    more (flipped bits inside the scan it does not tell either). Whatever stands before is tried
    with the first bytes of that scan: a quarter of the time of decoding.

    Source: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.1 and B.2
    """
    scan = data.rfind(_START_OF_SCAN)
    found = _JPEG_MARKER.search(data, scan + 2)
    if scan < 0 or found is None or data[found.start() :] != _END_OF_IMAGE:
        return False
    with suppress(OSError, ValueError, SyntaxError, SuiteError):
        taste = data[: scan + _TASTE_BYTES].removesuffix(_END_OF_IMAGE) + _END_OF_IMAGE
        _decode_coarsely(_opened(taste, ""))
        return True
    return False


def _verify_checksums(data: bytes) -> None:
    """Those of a PNG's chunks, which decoding does not ask for."""
    PngImageFile(io.BytesIO(data)).verify()
    if b"IEND\xaeB`\x82" not in data[-256:]:
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
