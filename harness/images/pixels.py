"""From whatever a file decodes to, to what is sent: 8-bit RGB, upright, sRGB, laid on white."""

from __future__ import annotations

from PIL import Image
from PIL.ImageFile import ImageFile

from harness.images.colour import in_srgb
from harness.images.headers import orientation

_DRAFT = 2
"""A JPEG may be decoded at a fraction of its size as long as this many times the wanted size
remain, which Lanczos then shrinks: half the time on 12 megapixels, and nothing to be seen."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Exif orientation: what makes it upright."""


def canonical_pixels(picture: ImageFile, data: bytes, *, longest_side_px: int) -> Image.Image:
    """Decode a picture of any format and mode; nothing of its metadata is left.

    Raises: whatever Pillow does; ValueError for pixels that have no 8-bit meaning.
    """
    profile = picture.info.get("icc_profile") or b""
    flat = _on_white(_shrunk(picture, fitted(picture.size, longest_side_px)), profile)
    turned = orientation(picture, data)  # asked last: Pillow turns a TIFF itself as it decodes it
    upright = flat.transpose(_TURNS[turned]) if turned in _TURNS else flat
    upright.info.clear()  # or the PNG would carry the profile on
    return upright


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


def _shrunk(picture: ImageFile, size: tuple[int, int]) -> Image.Image:
    if picture.size == size:
        return _expanded(picture)
    drafted = picture.draft(None, (size[0] * _DRAFT, size[1] * _DRAFT))
    box = drafted[1] if drafted else None  # only a JPEG can be drafted
    return _expanded(picture).resize(size, Image.Resampling.LANCZOS, box=box)


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


def _on_white(picture: Image.Image, profile: bytes) -> Image.Image:
    if picture.mode != "RGBA":
        return in_srgb(picture, profile)
    colour = in_srgb(picture.convert("RGB"), profile)
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(colour, mask=picture.getchannel("A"))
    return flat
