"""A picture on its way to a model."""

from __future__ import annotations

from base64 import b64encode
from functools import cached_property
from typing import Literal

from msgspec import Struct


class EncodedImage(Struct, frozen=True, kw_only=True, dict=True):
    """The picture exactly as it is sent: JPEG or PNG, 8-bit RGB, upright, sRGB, no alpha."""

    data: bytes
    media_type: Literal["image/jpeg", "image/png"]
    width_px: int
    height_px: int
    sha256: str
    """Of `data`: the input the reply was scored on."""

    @cached_property
    def base64(self) -> bytes:
        """`data` as text, made when first asked for: all requests about the picture share it."""
        return b64encode(self.data)
