"""Pictures for people: light copies, contact sheets, the samples that a new suite begins with."""

from __future__ import annotations

import hashlib
import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace
from PIL import Image, ImageDraw, ImageFont

from harness.images import encode
from harness.records import EncodedImage

_STEPS = ((4096, 82), (800, 75), (560, 70), (400, 65))
"""Longest side in pixels and JPEG quality of light copies, the best first."""
_CELL_PX, _MARGIN_PX, _TEXT_PX, _LINE_PX = 480, 20, 15, 21
_COLUMNS, _LINE_CHARS, _MAX_LINES = 3, 58, 13
_DOTS = ((90, 110), (230, 70), (380, 130), (540, 90), (130, 330), (300, 280), (500, 350))
_KG = {"Mon": 30, "Tue": 45, "Wed": 20, "Thu": 35}
_font = ImageFont.load_default


def lighter(image: EncodedImage, *, most_bytes: int) -> EncodedImage:
    """The picture itself if it is light enough, else the best JPEG that is, else the lightest."""
    if len(image.data) <= most_bytes:
        return image
    pixels = _opened(image)
    for longest_side_px, quality in _STEPS:
        pixels.thumbnail((longest_side_px, longest_side_px))
        if len(data := _saved(pixels, "JPEG", quality=quality)) <= most_bytes:
            break
    return replace(
        image,
        data=data,
        media_type="image/jpeg",
        width_px=pixels.width,
        height_px=pixels.height,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def contact_sheet(title: str, captions: Sequence[tuple[Path, Sequence[str]]]) -> bytes:
    """A PNG with all pictures in rows of three, each over its lines.

    Raises: SuiteError when a picture cannot be read.
    """
    cells = []
    for path, lines in captions:
        wrapped = [part for line in lines for part in textwrap.wrap(line, _LINE_CHARS)]
        cells.append((_opened(encode(path, longest_side_px=_CELL_PX)), wrapped[:_MAX_LINES]))
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    heights = [
        max(picture.height + _LINE_PX * len(lines) for picture, lines in row) + 2 * _MARGIN_PX
        for row in rows
    ]
    step, top = _CELL_PX + _MARGIN_PX, 4 * _MARGIN_PX
    sheet = Image.new("RGB", (_COLUMNS * step + _MARGIN_PX, top + sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN_PX, _MARGIN_PX), title, "black", _font(26))
    for row, height in zip(rows, heights, strict=True):
        for left, (picture, lines) in zip(range(_MARGIN_PX, sheet.width, step), row, strict=False):
            sheet.paste(picture, (left, top))
            for number, line in enumerate(lines):
                at = (left, top + picture.height + 4 + number * _LINE_PX)
                draw.text(at, line, "black" if number else "#0550ae", _font(_TEXT_PX))
        top += height
    return _saved(sheet, "PNG")


def samples() -> Mapping[str, bytes]:
    """File name: PNG. Seven dots, a label with a part number, a bar chart of weights a day."""
    dots, label, chart = (Image.new("RGB", (640, 480), it) for it in ("white", "#9aa5ab", "white"))
    draw = ImageDraw.Draw(dots)
    for number, (x, y) in enumerate(_DOTS):
        draw.ellipse((x - 34, y - 34, x + 34, y + 34), "#c62828" if number < 2 else "#1565c0")
    draw = ImageDraw.Draw(label)
    draw.rounded_rectangle((110, 130, 530, 350), 16, "white", "black", 4)
    draw.text((150, 165), "PART NO.", "black", _font(34))
    draw.text((150, 225), "AX-0417", "black", _font(78))
    draw = ImageDraw.Draw(chart)
    for kg in range(0, 60, 10):
        draw.line((80, 420 - 7 * kg, 620, 420 - 7 * kg), "#9aa5ab", 2)
        draw.text((30, 420 - 7 * kg), str(kg), "black", _font(26), anchor="lm")
    for left, (day, kg) in zip(range(110, 640, 130), _KG.items(), strict=False):
        draw.rectangle((left, 420 - 7 * kg, left + 80, 420), "#1565c0")
        draw.text((left + 40, 450), day, "black", _font(30), anchor="mm")
    draw.text((30, 40), "kg", "black", _font(26), anchor="lm")
    drawn = {"dots.png": dots, "label.png": label, "chart.png": chart}
    return {name: _saved(picture, "PNG") for name, picture in drawn.items()}


def _opened(image: EncodedImage) -> Image.Image:
    with Image.open(io.BytesIO(image.data), formats=("PNG", "JPEG")) as picture:
        return picture.convert("RGB")


def _saved(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()
