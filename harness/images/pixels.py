"""From whatever a file decodes to, to what is sent: 8-bit RGB, upright, sRGB, laid on white."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from itertools import product

from PIL import Image, ImageChops
from PIL.ImageFile import ImageFile

_DRAFT = 2
"""A JPEG may be decoded at a fraction of its size as long as this many times the wanted size
remain, which Lanczos then shrinks: half the time on 12 megapixels, and nothing to be seen."""
_ROUNDING = 2
"""Levels of 255 by which a true sRGB profile may move a colour."""
_TURNS = dict(
    zip(range(2, 9), map(Image.Transpose, (0, 3, 1, 5, 4, 6, 2)), strict=True),
)
"""Exif orientation: what makes it upright."""


def canonical_pixels(
    picture: ImageFile, longest_side_px: int, orientation: Callable[[], int]
) -> Image.Image:
    """Decode a picture of any format and mode; nothing of its metadata is left.

    `orientation` is asked when it is decoded: Pillow turns a TIFF itself.

    Raises: whatever Pillow does; ValueError for pixels that have no 8-bit meaning.
    """
    profile = picture.info.get("icc_profile") or b""
    size = fitted(picture.size, longest_side_px)
    box = None
    if size != picture.size and (
        drafted := picture.draft(None, (size[0] * _DRAFT, size[1] * _DRAFT))
    ):
        box = drafted[1]
    pixels = _expanded(picture)
    if size != picture.size or box:
        pixels = pixels.resize(size, Image.Resampling.LANCZOS, box=box)
    flat = _in_srgb(pixels.convert("RGB") if pixels.mode == "RGBA" else pixels, profile)
    if pixels.mode == "RGBA":
        flat = Image.composite(flat, Image.new("RGB", size, "white"), pixels.getchannel("A"))
    if (turned := orientation()) in _TURNS:
        flat = flat.transpose(_TURNS[turned])
    flat.info.clear()  # or the PNG would carry the profile on
    return flat


def fitted(size: tuple[int, int], longest_side_px: int) -> tuple[int, int]:
    """The size at which the longer side fits; never larger.

    >>> fitted((4000, 3000), 1024), fitted((4000, 1), 1024), fitted((60, 30), 1024)
    ((1024, 768), (1024, 1), (60, 30))
    """
    longest = max(size)
    if longest <= longest_side_px:
        return size
    width, height = (max(1, round(side * longest_side_px / longest)) for side in size)
    return width, height


@lru_cache(maxsize=16)
def moves_colours(profile: bytes) -> bool:
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

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            if moved := ImageCms.profileToProfile(picture, source, target, outputMode="RGB"):
                return moved
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return picture.convert("RGB")


def _expanded(picture: ImageFile) -> Image.Image:
    """The same pixels in a mode that can be shrunk and coloured: L, RGB, RGBA or CMYK, 8 bits."""
    picture.load()
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda level: level * (1 / 257) + 0.5).convert("L")
    if picture.mode in ("I", "F"):
        raise ValueError("32 bits a pixel have no agreed brightness; save it with 8 or 16")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode in ("L", "CMYK"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")
