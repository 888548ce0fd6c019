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
_CELL_PX, _CELL_HEIGHT_PX, _MARGIN_PX, _LINE_PX, _COLUMNS = 480, 760, 20, 21, 3
_LINE_CHARS = 58
_DOTS = ((90, 110), (230, 70), (380, 130), (540, 90), (130, 330), (300, 280), (500, 350))
_KG = {"Mon": 30, "Tue": 45, "Wed": 20, "Thu": 35}
_font = ImageFont.load_default


def lighter(image: EncodedImage, *, most_bytes: int) -> EncodedImage:
    """The picture itself if it is light enough, else the best JPEG that is, else the lightest."""
    if len(data := image.data) <= most_bytes:
        return image
    pixels = _opened(image)
    for longest_side_px, quality in _STEPS:
        pixels.thumbnail((longest_side_px, longest_side_px))
        if len(data := _saved(pixels, "JPEG", quality=quality)) <= most_bytes:
            break
    sha256, (width, height) = hashlib.sha256(data).hexdigest(), pixels.size
    fields = {"data": data, "media_type": "image/jpeg", "sha256": sha256}
    return replace(image, **fields, width_px=width, height_px=height)


def contact_sheet(title: str, captions: Sequence[tuple[Path, Sequence[str]]]) -> bytes:
    """A PNG with all pictures in rows of three, each over its lines.

    Raises: SuiteError when a picture cannot be read.
    """
    step, top = _CELL_PX + _MARGIN_PX, 4 * _MARGIN_PX
    height = top + -(-len(captions) // _COLUMNS) * _CELL_HEIGHT_PX
    sheet = Image.new("RGB", (_COLUMNS * step + _MARGIN_PX, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN_PX, _MARGIN_PX), title, "black", _font(26))
    for number, (path, lines) in enumerate(captions):
        row, column = divmod(number, _COLUMNS)
        left, cell_top = _MARGIN_PX + column * step, top + row * _CELL_HEIGHT_PX
        picture = _opened(encode(path, longest_side_px=_CELL_PX))
        sheet.paste(picture, (left, cell_top))
        wrapped = [part for line in lines for part in textwrap.wrap(line, _LINE_CHARS)]
        room = (_CELL_HEIGHT_PX - _MARGIN_PX - picture.height) // _LINE_PX
        for at, line in enumerate(wrapped[:room]):
            place = (left, cell_top + picture.height + 4 + at * _LINE_PX)
            draw.text(place, line, "black" if at else "#0550ae", _font(15))
    return _saved(sheet, "PNG")


def samples() -> Mapping[str, bytes]:
    """File name: PNG. Seven dots, a label with a part number, a bar chart of weights a day."""
    dots, label, chart = (Image.new("RGB", (640, 480), it) for it in ("white", "#9aa5ab", "white"))
    draw = ImageDraw.Draw(dots)
    for number, (x, y) in enumerate(_DOTS):
        draw.circle((x, y), 34, "#c62828" if number < 2 else "#1565c0")
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
    pictures = {"dots.png": dots, "label.png": label, "chart.png": chart}
    return {name: _saved(picture, "PNG") for name, picture in pictures.items()}


def _opened(image: EncodedImage) -> Image.Image:
    with Image.open(io.BytesIO(image.data), formats=("PNG", "JPEG")) as picture:
        return picture.convert("RGB")


def _saved(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()
