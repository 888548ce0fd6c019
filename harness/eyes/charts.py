"""The charts: drawn with Pillow and the typeface inside it, from a seed, with their truth."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

from msgspec import Struct
from PIL import Image, ImageDraw, ImageFont

from harness.records import EncodedImage

Point = tuple[float, float]
Form = Literal["PNG", "JPEG", "WEBP"]

CODE_CHARS = "ACDEFHJKLMNPRTUVWXY34679"
"""Without those that look alike at any size (O and 0, I and 1, B and 8, S and 5, ...)."""
COLOURS = {
    "red": (214, 32, 32),
    "green": (20, 140, 50),
    "blue": (30, 70, 220),
    "yellow": (250, 220, 40),
    "orange": (255, 140, 0),
    "purple": (125, 40, 170),
    "pink": (255, 150, 190),
    "brown": (120, 70, 30),
    "black": (10, 10, 10),
    "white": (250, 250, 250),
    "grey": (128, 128, 128),
    "cyan": (0, 200, 220),
}
_CAP_HEIGHT = 0.7
"""Of the typeface: height of a capital / font size."""
LINE_CHARS = 10
SMALLEST_PX, MIDDLE_PX, LARGEST_PX, STEP = 5.0, 22.4, 64.0, 1.16


class Line(Struct, frozen=True):
    """A line of an acuity chart: its text, and the height of its capitals in the picture."""

    text: str
    height_px: float


@cache
def _font(cap_height_px: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(cap_height_px / _CAP_HEIGHT)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def code(rng: random.Random, length: int = 5) -> str:
    return "".join(rng.choices(CODE_CHARS, k=length))


def code_chart(text: str, *, side_px: int = 512, colour: str = "black") -> Image.Image:
    """One code in large type on white."""
    picture = Image.new("RGB", (side_px, side_px), "white")
    height = side_px * 0.62 / len(text)
    middle = (side_px / 2, side_px / 2)
    ImageDraw.Draw(picture).text(middle, text, COLOURS[colour], _font(height), anchor="mm")
    return picture


def line_heights(side_px: int, *, large: bool) -> list[float]:
    """Heights of a chart's lines, large to small: up to 22 px, or from there to the largest.

    Two charts, because readers that look for lines lose small ones beside much larger ones. Only
    what fits is written; larger pictures have larger lines.
    """
    largest = LARGEST_PX * max(1.0, min(side_px / 1024, 2.5)) if large else MIDDLE_PX
    heights, height = [], MIDDLE_PX if large else SMALLEST_PX
    while height <= largest and height * LINE_CHARS < side_px:
        heights.append(height)
        if sum(map(_line_space, heights)) > 0.94 * side_px:
            return heights[-2::-1]
        height *= STEP
    return heights[::-1]


def _line_space(height: float) -> float:
    return 1.75 * height + 4


def acuity_chart(
    rng: random.Random, side_px: int, *, large: bool
) -> tuple[Image.Image, tuple[Line, ...]]:
    """Lines of random capitals and digits, each smaller than the one above."""
    picture = Image.new("RGB", (side_px, side_px), "white")
    draw, y = ImageDraw.Draw(picture), side_px * 0.03
    heights = line_heights(side_px, large=large)
    lines = tuple(Line(code(rng, LINE_CHARS), height) for height in heights)
    for line in lines:
        draw.text((side_px * 0.03, y), line.text, "black", _font(line.height_px), anchor="la")
        y += _line_space(line.height_px)
    return picture, lines


def marks_chart(marks: Sequence[str], width_px: int, height_px: int) -> Image.Image:
    """Five short codes: top left, top right, middle, bottom left, bottom right."""
    picture = Image.new("RGB", (width_px, height_px), "white")
    draw, cap = ImageDraw.Draw(picture), min(width_px, height_px) * 0.09
    x, y = cap * 2.2, cap * 1.2
    places = [
        (x, y),
        (width_px - x, y),
        (width_px / 2, height_px / 2),
        (x, height_px - y),
        (width_px - x, height_px - y),
    ]
    for mark, place in zip(marks, places, strict=True):
        draw.text(place, mark, "black", _font(cap), anchor="mm")
    return picture


def sides_chart(marks: Sequence[str], side_px: int = 512) -> Image.Image:
    """A short code at each side (top, right, bottom, left): shows how the picture was turned."""
    picture = Image.new("RGB", (side_px, side_px), "white")
    draw, far = ImageDraw.Draw(picture), side_px * 0.84
    near, middle = side_px - far, side_px / 2
    places = [(middle, near), (far, middle), (middle, far), (near, middle)]
    for mark, place in zip(marks, places, strict=True):
        draw.text(place, mark, "black", _font(side_px * 0.1), anchor="mm")
    return picture


def crosses_chart(places: dict[str, Point], width_px: int, height_px: int) -> Image.Image:
    """A cross of its own colour at each place; places are shares of width and height."""
    picture = Image.new("RGB", (width_px, height_px), (238, 238, 232))
    draw, arm = ImageDraw.Draw(picture), min(width_px, height_px) * 0.04
    for colour, (across, down) in places.items():
        x, y = across * width_px, down * height_px
        for dx, dy in ((1, 1), (1, -1)):
            ends = (x - dx * arm, y - dy * arm, x + dx * arm, y + dy * arm)
            draw.line(ends, COLOURS[colour], width=max(3, round(arm / 4)))
    return picture


def boxes_chart(
    boxes: dict[str, tuple[float, float, float, float]], width_px: int, height_px: int
) -> Image.Image:
    """A filled rectangle of its own colour at each place (x0, y0, x1, y1 as shares)."""
    picture = Image.new("RGB", (width_px, height_px), (238, 238, 232))
    draw = ImageDraw.Draw(picture)
    for colour, (x0, y0, x1, y1) in boxes.items():
        corners = (x0 * width_px, y0 * height_px, x1 * width_px, y1 * height_px)
        draw.rectangle(corners, fill=COLOURS[colour])
    return picture


def dots_chart(rng: random.Random, count: int, side_px: int = 512) -> Image.Image:
    """Black dots that do not touch, on a jittered grid."""
    picture = Image.new("RGB", (side_px, side_px), "white")
    draw, cell = ImageDraw.Draw(picture), side_px / 4
    for place in rng.sample(range(16), count):
        x = (place % 4 + 0.5 + rng.uniform(-0.15, 0.15)) * cell
        y = (place // 4 + 0.5 + rng.uniform(-0.15, 0.15)) * cell
        radius = cell * 0.22
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill="black")
    return picture


def patches_chart(colours: Iterable[str], side_px: int = 512) -> Image.Image:
    """Twelve patches, three rows of four, with grey gaps."""
    picture = Image.new("RGB", (side_px, side_px * 3 // 4), (175, 175, 175))
    draw, cell = ImageDraw.Draw(picture), side_px / 4
    for place, colour in enumerate(colours):
        x, y = place % 4 * cell, place // 4 * cell
        draw.rectangle((x + 8, y + 8, x + cell - 8, y + cell - 8), fill=COLOURS[colour])
    return picture


def halves_chart(left: str, right: str, side_px: int = 384) -> Image.Image:
    """Two coloured halves."""
    picture = Image.new("RGB", (side_px, side_px), COLOURS[left])
    picture.paste(COLOURS[right], (side_px // 2, 0, side_px, side_px))
    return picture


def plain_chart(colour: str, side_px: int = 256) -> Image.Image:
    return Image.new("RGB", (side_px, side_px), COLOURS[colour])


def transparent(picture: Image.Image) -> Image.Image:
    """Black on nothing: on white it reads well, on black not at all."""
    ink = picture.convert("L").point(lambda value: 255 - value)
    clear = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    clear.putalpha(ink)
    return clear


def turned_jpeg(picture: Image.Image) -> EncodedImage:
    """Stored lying on its side, with the Exif note that says how to turn it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif.tobytes())


def encoded(picture: Image.Image, form: Form = "PNG", *, exif: bytes = b"") -> EncodedImage:
    """The chart exactly as it is sent."""
    buffer = io.BytesIO()
    more = {"exif": exif} if exif else {}
    picture.save(buffer, form, **({"lossless": True} if form == "WEBP" else {}), **more)
    data = buffer.getvalue()
    return EncodedImage(
        data=data,
        media_type=f"image/{form.lower()}",  # type: ignore[arg-type]
        width_px=picture.width,
        height_px=picture.height,
        sha256=hashlib.sha256(data).hexdigest(),
    )
