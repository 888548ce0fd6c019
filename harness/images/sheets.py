"""Contact sheets: many pictures with their captions on one, for a person to look at."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from PIL import Image, ImageDraw, ImageFont

from harness.images.canonical import encode

_CELL_PX = 480
_MARGIN_PX = 16
_TEXT_PX = 15
_LINE_PX = 20
_LINE_CHARS = 58
_MAX_LINES = 8


class Thumbnail(Struct, frozen=True, kw_only=True):
    """A picture and what stands under it."""

    picture: Path
    heading: str
    lines: tuple[str, ...]


def contact_sheet(title: str, thumbnails: Sequence[Thumbnail], *, columns: int = 3) -> bytes:
    """A PNG with all pictures in a grid, each over its heading and lines.

    Raises: SuiteError when a picture cannot be read.
    """
    rows = -(-len(thumbnails) // columns)
    step_x = _CELL_PX + _MARGIN_PX
    step_y = _CELL_PX + _LINE_PX * (_MAX_LINES + 1) + _MARGIN_PX
    top = 4 * _MARGIN_PX
    sheet = Image.new("RGB", (columns * step_x + _MARGIN_PX, rows * step_y + top), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN_PX, _MARGIN_PX), title, "black", ImageFont.load_default(26))
    for at, thumbnail in enumerate(thumbnails):
        corner = (_MARGIN_PX + at % columns * step_x, top + at // columns * step_y)
        _paste(sheet, draw, thumbnail, corner)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, thumbnail: Thumbnail, corner: tuple[int, int]
) -> None:
    small = encode(thumbnail.picture, longest_side_px=_CELL_PX)
    with Image.open(io.BytesIO(small.data), formats=("PNG", "JPEG")) as picture:
        sheet.paste(picture, (corner[0], corner[1] + _CELL_PX - small.height_px))
    below = corner[1] + _CELL_PX + 4
    draw.text((corner[0], below), thumbnail.heading, "#0550ae", ImageFont.load_default(_TEXT_PX))
    wrapped = [part for line in thumbnail.lines for part in textwrap.wrap(line, _LINE_CHARS)]
    draw.multiline_text(
        (corner[0], below + _LINE_PX),
        "\n".join(wrapped[:_MAX_LINES]),
        "black",
        ImageFont.load_default(_TEXT_PX),
        spacing=3,
    )
