"""The one canonical picture of a file: what every model is sent, down to the byte."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path
from typing import Literal

from msgspec.structs import replace
from PIL import Image
from PIL.ImageFile import ImageFile

from harness.images.files import read_regular, shown
from harness.images.headers import Header, header_of, opened, quirks, wrap_errors
from harness.images.jpeg import decode_coarsely, is_whole
from harness.images.pdf import rendered, split_page
from harness.images.pixels import canonical_pixels
from harness.images.png import verify_png
from harness.records import EncodedImage

MAX_FILE_BYTES = 512 * 2**20
"""50 megapixels of 16-bit RGBA take 400 MB uncompressed."""
_PNG_LEVEL = 3
"""Half the time of zlib's default, a few per cent longer."""


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
    name = shown(path)
    data, page = _read(path)
    if data.startswith(b"%PDF"):
        with wrap_errors(name):
            return _as_png(rendered(data, page, name, longest_side_px=longest_side_px))
    picture = opened(data, name)
    longest_side_px = longest_side_px or max(picture.size)
    with wrap_errors(name):
        size = picture.size
        if max(size) <= longest_side_px and not quirks(picture, data):
            _verify(picture, data)
            return _encoded(data, size, "image/jpeg" if picture.format == "JPEG" else "image/png")
        if picture.format == "PNG":
            verify_png(data)
        made = _as_png(canonical_pixels(picture, data, longest_side_px=longest_side_px))
        turned = (size[0] > size[1]) != (made.width_px > made.height_px) and size[0] != size[1]
        return replace(made, file_size_px=size[::-1] if turned else size)


def inspect(path: Path) -> Header:
    """The header of a picture that was seen to decode to the end.

    Raises: SuiteError, as `encode` does.
    """
    name = shown(path)
    data, page = _read(path)
    if data.startswith(b"%PDF"):
        with wrap_errors(name):
            width_px, height_px = rendered(data, page, name, longest_side_px=0).size
        return Header(format="PDF", width_px=width_px, height_px=height_px, quirks=("a PDF page",))
    picture = opened(data, name)
    with wrap_errors(name):
        found = header_of(picture, data)
        _verify(picture, data)
    return found


def _read(path: Path) -> tuple[bytes, str | None]:
    """The content of a file, and which of its pages is meant."""
    file, page = split_page(str(path))
    return read_regular(Path(file) if page else path, limit_bytes=MAX_FILE_BYTES), page


@lru_cache(maxsize=8)
def plain(colour: str, width_px: int, height_px: int) -> EncodedImage:
    """A picture of one colour, by its CSS name or hex code: what preflight asks about.

    >>> plain("red", 8, 4).media_type
    'image/png'
    """
    return _as_png(Image.new("RGB", (width_px, height_px), colour))


def _verify(picture: ImageFile, data: bytes) -> None:
    """See that the file decodes to its end, as cheaply as that can be known."""
    if picture.format == "PNG" and not picture.info.get("interlace"):
        verify_png(data)
        return
    if picture.format == "JPEG" and is_whole(data):
        return
    decode_coarsely(picture)


def _as_png(picture: Image.Image) -> EncodedImage:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=_PNG_LEVEL)
    return _encoded(buffer.getvalue(), picture.size, "image/png")


def _encoded(
    data: bytes, size: tuple[int, int], media_type: Literal["image/jpeg", "image/png"]
) -> EncodedImage:
    return EncodedImage(
        data=data,
        media_type=media_type,
        width_px=size[0],
        height_px=size[1],
        sha256=hashlib.sha256(data).hexdigest(),
    )
