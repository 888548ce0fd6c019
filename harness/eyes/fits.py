"""What the readings show together: how far pictures are shrunk, and which coordinates are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.graders.regions import BOX_FORMS, SCALES

_SLOPES = (4.0, 8.0, 16.0)
_CHANCE, _LAPSE = 0.05, 0.02
_WEIGHT = 1 / 3
"""The ten characters of a line succeed together: they count as about three."""
_WITHIN = 1.92
"""Log likelihood below the best that a 95 % range still holds."""
_FITS_WITHIN = 0.06
"""Mean distance from the truth, as a share of the picture, up to which coordinates are meant so."""


class LineRead(Struct, frozen=True):
    """How much of one line of an acuity chart was read."""

    side_px: int
    height_px: float
    right: int
    chars: int


class Shrinking(Struct, frozen=True, kw_only=True):
    """To what longest side pictures are shrunk on the way; None: not below the largest asked."""

    to_px: int | None
    low_px: int
    high_px: int | None
    legible_px: float
    """Height of capitals, as they arrive, of which half of the characters are read."""


def shrinking(lines: Sequence[LineRead]) -> Shrinking:
    """Fit acuity and shrinking at once; something must have been read.

    A character of height h in a picture of side L arrives h * min(1, S / L) high. It is read with
    a chance that rises with the logarithm of that height, from guessing to nearly always.
    """
    side = np.array([it.side_px for it in lines], dtype=float)
    height = np.array([it.height_px for it in lines])
    right = np.array([it.right for it in lines], dtype=float)
    wrong = np.array([it.chars for it in lines]) - right
    largest = float(side.max())
    sizes = np.append(np.geomspace(160, largest * 0.93, 90), np.inf)
    thresholds = np.geomspace(2, 90, 90)
    arriving = height * np.minimum(1, sizes[:, None] / side)
    best = np.full(len(sizes), -np.inf)
    legible = np.zeros(len(sizes))
    for slope in _SLOPES:
        likelihood = _log_likelihood(arriving, thresholds, slope, right, wrong)
        top = likelihood.argmax(axis=1)
        better = likelihood[np.arange(len(sizes)), top] > best
        best = np.maximum(best, likelihood.max(axis=1))
        legible[better] = thresholds[top[better]]
    place = int(best.argmax())
    within = sizes[best >= best[place] - _WITHIN]
    whole = bool(np.isinf(within).any())
    return Shrinking(
        to_px=None if whole else round(float(sizes[place])),
        low_px=round(float(within[0])) if np.isfinite(within[0]) else round(largest),
        high_px=None if whole else round(float(within[-1])),
        legible_px=float(legible[place]),
    )


def _log_likelihood(
    arriving: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    slope: float,
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Shapes: (sizes, lines), (thresholds,), (lines,), (lines,) -> (sizes, thresholds)."""
    distance = np.log(arriving)[:, None, :] - np.log(thresholds)[None, :, None]
    chance = _CHANCE + (1 - _CHANCE - _LAPSE) / (1 + np.exp(-slope * distance))
    terms = right * np.log(chance) + wrong * np.log1p(-chance)
    summed: NDArray[np.float64] = _WEIGHT * terms.sum(axis=2)
    return summed


class Located(Struct, frozen=True):
    """Numbers that a model gave for a place: two of a point, four of a box."""

    numbers: tuple[float, ...]
    truth: tuple[float, ...]
    """x, y or x0, y0, x1, y1 as shares of the picture."""


class Coordinates(Struct, frozen=True, kw_only=True):
    """The convention that explains the answers best."""

    name: str
    error: float
    """Mean distance from the truth, as a share of the picture's side."""
    picture_px: tuple[int, int] | None = None
    """Of the shrunk picture, when the answers are its pixels and not the sent one's."""


_OF_TOKENS = "1024"
"""The scale of `<loc0512>` tokens. Too near to 1000 to be told from it by the numbers."""
_ORDERS = {"xy": "xyxy", "yx": "yxyx"}


def coordinates(
    located: Sequence[Located], width_px: int, height_px: int, *, in_tokens: bool = False
) -> Coordinates | None:
    """Find order, box form and scale by least squares; None when none fits within 6 %."""
    points = [it for it in located if len(it.numbers) == 2]
    boxes = [it for it in located if len(it.numbers) == 4]
    found: list[tuple[float, str, float, float]] = []
    for order, form in product(_ORDERS, BOX_FORMS):
        if boxes and points and (form == "yxyx") != (order == "yx"):
            continue
        pairs = [*_pairs(points, order), *_pairs(boxes, form)]
        across, down = _scale(pairs, "x"), _scale(pairs, "y")
        if across and down:
            errors = [abs(n / (across if axis == "x" else down) - t) for axis, n, t in pairs]
            found.append((float(np.mean(errors)), form if boxes else _ORDERS[order], across, down))
    if not found:
        return None
    error, form, across, down = min(found)
    if error > _FITS_WITHIN:
        return None
    off = {
        scale: max(abs(across / far - 1), abs(down / far - 1))
        for scale, far in SCALES.items()
        if far is not None and scale != _OF_TOKENS
    }
    nearest = min(off, key=lambda scale: off[scale])
    if off[nearest] < 0.08:
        scale = _OF_TOKENS if in_tokens else nearest
        return Coordinates(name=f"{scale}-{form}", error=error)
    if abs(across * height_px / (down * width_px) - 1) > 0.12:
        return None
    shrunk = abs(across / width_px - 1) > 0.08
    size_px = (round(across), round(down)) if shrunk else None
    return Coordinates(name=f"pixel-{form}", error=error, picture_px=size_px)


def _pairs(located: Sequence[Located], form: str) -> list[tuple[str, float, float]]:
    """(axis, number given, true share) of every number, were the numbers meant in this form."""
    return [
        (axis, number, share)
        for it in located
        for (axis, share), number in zip(_shares(it.truth, form), it.numbers, strict=True)
    ]


def _shares(truth: tuple[float, ...], form: str) -> list[tuple[str, float]]:
    x0, y0, *rest = truth
    if form in ("xy", "yx"):
        pair = [("x", x0), ("y", y0)]
        return pair if form == "xy" else pair[::-1]
    x1, y1 = rest
    match form:
        case "xyxy":
            return [("x", x0), ("y", y0), ("x", x1), ("y", y1)]
        case "yxyx":
            return [("y", y0), ("x", x0), ("y", y1), ("x", x1)]
        case "xywh":
            return [("x", x0), ("y", y0), ("x", x1 - x0), ("y", y1 - y0)]
    centre = [("x", (x0 + x1) / 2), ("y", (y0 + y1) / 2)]
    return [*centre, ("x", x1 - x0), ("y", y1 - y0)]


def _scale(pairs: Sequence[tuple[str, float, float]], axis: str) -> float | None:
    number = np.array([given for which, given, _ in pairs if which == axis])
    share = np.array([true for which, _, true in pairs if which == axis])
    if not number.size:
        return None
    scale = float(number @ share / (share @ share))
    return scale if scale > 0 else None


_GROUP = re.compile(r"[(\[{<][^()\[\]{}<>]*[)\]}>]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?|(?<=<loc)\d+")
"""Not the digit of a name such as x1."""


def numbers_in(reply: str, count: int) -> tuple[float, ...] | None:
    """The `count` numbers of a coordinate answer; None when there are no such.

    >>> numbers_in("The 2 marks: (512, 300)", 2), numbers_in("<loc0100><loc0200>", 2)
    ((512.0, 300.0), (100.0, 200.0))
    >>> numbers_in('{"x1": 5, "y1": 6, "x2": 7, "y2": 8}', 4)
    (5.0, 6.0, 7.0, 8.0)
    >>> numbers_in("somewhere", 2) is None
    True
    """
    groups = [_NUMBER.findall(it) for it in _GROUP.findall(reply)]
    every = [group for group in groups if len(group) == count]
    flat = _NUMBER.findall(reply)
    chosen = every[0] if every else flat[-count:]
    return tuple(map(float, chosen)) if len(chosen) == count else None
