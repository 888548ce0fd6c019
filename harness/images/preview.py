"""A lighter copy of a picture, for people to look at; no model is ever sent it."""

from __future__ import annotations

import hashlib
import io

from msgspec.structs import replace
from PIL import Image

from harness.records import EncodedImage

_STEPS = ((4096, 82), (800, 75), (560, 70), (400, 65))
"""Longest side in pixels and JPEG quality, the best first."""


def lighter(image: EncodedImage, *, most_bytes: int) -> EncodedImage:
    """The picture itself if it is light enough, else the best JPEG that is, else the lightest."""
    if len(image.data) <= most_bytes:
        return image
    copy = image
    with Image.open(io.BytesIO(image.data), formats=("PNG", "JPEG")) as opened:
        pixels = opened.convert("RGB")
        for longest_side_px, quality in _STEPS:
            pixels.thumbnail((longest_side_px, longest_side_px))
            copy = _jpeg(image, pixels, quality)
            if len(copy.data) <= most_bytes:
                break
    return copy


def _jpeg(image: EncodedImage, pixels: Image.Image, quality: int) -> EncodedImage:
    buffer = io.BytesIO()
    pixels.save(buffer, format="JPEG", quality=quality)
    data = buffer.getvalue()
    return replace(
        image,
        data=data,
        media_type="image/jpeg",
        width_px=pixels.width,
        height_px=pixels.height,
        sha256=hashlib.sha256(data).hexdigest(),
    )
