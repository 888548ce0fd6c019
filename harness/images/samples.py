"""Three small pictures, drawn on the spot: what a new suite begins with."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

_SIZE_PX = (640, 480)
_DOTS = ((90, 110), (230, 70), (380, 130), (540, 90), (130, 330), (300, 280), (500, 350))
_RED_DOTS = 2


def samples() -> Mapping[str, bytes]:
    """File name: PNG. Seven dots, a label with a part number, a gauge that shows 4.5 bar."""
    return {"dots.png": _dots(), "label.png": _label(), "gauge.png": _gauge()}


def _dots() -> bytes:
    picture = Image.new("RGB", _SIZE_PX, "white")
    draw = ImageDraw.Draw(picture)
    for number, (x, y) in enumerate(_DOTS):
        draw.ellipse(
            (x - 34, y - 34, x + 34, y + 34), "#c62828" if number < _RED_DOTS else "#1565c0"
        )
    return _png(picture)


def _label() -> bytes:
    picture = Image.new("RGB", _SIZE_PX, "#9aa5ab")
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((110, 130, 530, 350), 16, "white", "black", 4)
    draw.text((150, 165), "PART NO.", "black", ImageFont.load_default(34))
    draw.text((150, 225), "AX-0417", "black", ImageFont.load_default(78))
    return _png(picture)


def _gauge() -> bytes:
    """A scale from 0 to 10 over three quarters of a circle, beginning at the lower left."""
    picture = Image.new("RGB", _SIZE_PX, "#e8eaed")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((110, 30, 530, 450), "white", "black", 6)
    for mark in range(11):
        draw.line((*_at(mark, 175), *_at(mark, 200)), "black", 5)
        draw.text(_at(mark, 148), str(mark), "black", ImageFont.load_default(30), anchor="mm")
    draw.text((320, 330), "bar", "black", ImageFont.load_default(30), anchor="mm")
    draw.line((320, 240, *_at(4.5, 120)), "#c62828", 9)
    draw.ellipse((306, 226, 334, 254), "black")
    return _png(picture)


def _at(mark: float, radius_px: float) -> tuple[float, float]:
    angle = math.radians(135 + 27 * mark)
    return 320 + radius_px * math.cos(angle), 240 + radius_px * math.sin(angle)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
