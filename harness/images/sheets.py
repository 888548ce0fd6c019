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
_MARGIN_PX = 20
_TEXT_PX = 15
_LINE_PX = 21
_LINE_CHARS = 58
_MAX_LINES = 12
_COLUMNS = 3


class Thumbnail(Struct, frozen=True, kw_only=True):
    """A picture and what stands under it."""

    picture: Path
    heading: str
    lines: tuple[str, ...]


def contact_sheet(title: str, thumbnails: Sequence[Thumbnail]) -> bytes:
    """A PNG with all pictures in rows of three, each over its heading and lines.

    Raises: SuiteError when a picture cannot be read.
    """
    rows = [
        _row(thumbnails[start : start + _COLUMNS]) for start in range(0, len(thumbnails), _COLUMNS)
    ]
    top = 4 * _MARGIN_PX
    width = _COLUMNS * (_CELL_PX + _MARGIN_PX) + _MARGIN_PX
    sheet = Image.new("RGB", (width, top + sum(row.height for row in rows)), "white")
    ImageDraw.Draw(sheet).text((_MARGIN_PX, _MARGIN_PX), title, "black", _font(26))
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def _row(thumbnails: Sequence[Thumbnail]) -> Image.Image:
    """As high as its highest picture and its longest caption."""
    pictures = [_small(thumbnail.picture) for thumbnail in thumbnails]
    captions = [_wrapped(thumbnail.lines) for thumbnail in thumbnails]
    below = max(picture.height for picture in pictures) + 4
    height = below + _LINE_PX * (1 + max(map(len, captions))) + _MARGIN_PX
    row = Image.new("RGB", (_COLUMNS * (_CELL_PX + _MARGIN_PX) + _MARGIN_PX, height), "white")
    draw = ImageDraw.Draw(row)
    for at, thumbnail in enumerate(thumbnails):
        left = _MARGIN_PX + at * (_CELL_PX + _MARGIN_PX)
        row.paste(pictures[at], (left, 0))
        draw.text((left, below), thumbnail.heading, "#0550ae", _font(_TEXT_PX))
        for number, line in enumerate(captions[at], start=1):
            draw.text((left, below + number * _LINE_PX), line, "black", _font(_TEXT_PX))
    return row


def _small(picture: Path) -> Image.Image:
    sent = encode(picture, longest_side_px=_CELL_PX)
    with Image.open(io.BytesIO(sent.data), formats=("PNG", "JPEG")) as small:
        small.load()
        return small


def _wrapped(lines: Sequence[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, _LINE_CHARS)][:_MAX_LINES]


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
