"""Colour profiles: pixels that mean other colours than sRGB would are moved to sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from itertools import product

from PIL import Image, ImageChops

_ROUNDING = 2
"""Levels of 255 by which a true sRGB profile may move a colour."""


@lru_cache(maxsize=16)
def moves_colours(profile: bytes) -> bool:
    """Whether the pixels of an RGB picture with this profile would look different without it.

    Judged by what it does to a cube of 125 colours, as there are many sRGB profiles. One that
    cannot be read, or is not for RGB, moves nothing: viewers ignore it too.
    """
    levels = (0, 64, 128, 192, 255)
    cube = Image.frombytes(
        "RGB", (5, 25), bytes(v for rgb in product(levels, repeat=3) for v in rgb)
    )
    difference = ImageChops.difference(cube, in_srgb(cube, profile))
    return max(difference.tobytes()) > _ROUNDING


def in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """An RGB, L or CMYK picture as RGB in sRGB; taken for sRGB when the profile is of no use."""
    if profile:
        from PIL import ImageCms  # 10 ms, and few pictures need it

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            moved = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            moved = None
        if moved is not None:
            return moved
    return picture.convert("RGB")
