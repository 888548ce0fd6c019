"""Localization: a point that must lie in a box, and a box that must overlap another."""

from __future__ import annotations

import re

from harness.graders.kinds import Check, Grader, Misfit, Options, Task, one
from harness.graders.lazily import lazy
from harness.graders.reading import Said, empty_because, refusal
from harness.records import Verdict

_NUMBER = r"-?\d{1,6}(?:\.\d{1,6})?"
_NUMBERS = lazy(rf"(?<![\w.]){_NUMBER}(?![\w])")
_KEY = lazy(
    r"[\"']?\b(?:x|y|x_?min|y_?min|x_?max|y_?max|x1|y1|x2|y2|left|top|right|bottom|width|height|w"
    r"|h)\b[\"']?\s?[:=]",
    re.IGNORECASE,
)
_GROUP = lazy(r"[\[({<][^\[\](){}<>]{3,200}[\])}>/]")
Box = tuple[float, float, float, float]


def _coordinates(text: str, count: int) -> list[tuple[float, ...]]:
    """Groups of so many numbers: in brackets if there are such, else all numbers of the text.

    >>> _coordinates('{"x": 10, "y": 20.5}', 2), _coordinates("[[1,2],[3,4]]", 4)
    ([(10.0, 20.5)], [(1.0, 2.0, 3.0, 4.0)])
    """
    plain = _KEY.sub(" ", text)
    groups = [_numbers(group) for group in _GROUP.findall(plain)]
    fitting = [group for group in groups if len(group) == count]
    if fitting:
        return list(dict.fromkeys(fitting))
    everything = _numbers(plain)
    return [everything] if len(everything) == count else []


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in _NUMBERS.findall(text))


def _box_of(expected: str, form: str) -> Box:
    found = _numbers(expected)
    if len(found) != 4:
        raise Misfit(f"{expected!r} is not a box of four numbers")
    return _as_corners(found, form)


def _as_corners(numbers: tuple[float, ...], form: str) -> Box:
    """
    >>> _as_corners((10, 10, 5, 5), "xywh")
    (10, 10, 15, 15)
    """
    x1, y1, x2, y2 = numbers
    if form == "xywh":
        x2, y2 = x1 + x2, y1 + y2
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _form(options: Options) -> str:
    form = str(options.get("format", "xyxy"))
    if form not in ("xyxy", "xywh"):
        raise Misfit("format is xyxy or xywh")
    return form


def _point(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("point", "[10, 10, 50, 40]", "(30, 20)").passed
    True
    >>> try_out("point", "[10, 10, 50, 40]", "x=60, y=20").reason
    'outside the box 10, 10, 50, 40'
    """
    left, top, right, bottom = _box_of(one(task.expected, "point"), _form(task.options))

    def check(said: Said) -> Verdict:
        found = _one_group(said, 2)
        if isinstance(found, Verdict):
            return found
        x, y = found
        inside = left <= x <= right and top <= y <= bottom
        where = f"the box {left:g}, {top:g}, {right:g}, {bottom:g}"
        return Verdict(
            passed=inside,
            answer=f"{x:g}, {y:g}",
            reason=f"{'inside' if inside else 'outside'} {where}",
        )

    return check


def _box(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("box", "[0, 0, 10, 10]", '{"box": [0, 0, 10, 8]}').reason
    'overlap (IoU) 0.80, needed 0.50'
    """
    form = _form(task.options)
    wanted = _box_of(one(task.expected, "box"), form)
    needed = float(task.options.get("iou", 0.5))
    if not 0 < needed <= 1:
        raise Misfit("iou is a share above 0, at most 1")

    def check(said: Said) -> Verdict:
        found = _one_group(said, 4)
        if isinstance(found, Verdict):
            return found
        overlap = iou(wanted, _as_corners(found, form))
        answer = ", ".join(f"{number:g}" for number in found)
        return Verdict(
            passed=overlap >= needed,
            answer=answer,
            reason=f"overlap (IoU) {overlap:.2f}, needed {needed:.2f}",
        )

    return check


def _one_group(said: Said, count: int) -> tuple[float, ...] | Verdict:
    if not said.statements:
        return Verdict(passed=False, answer=None, reason=empty_because(said))
    groups = _coordinates(said.body, count)
    if len(groups) == 1:
        return groups[0]
    if groups:
        return Verdict(
            passed=False, answer=None, reason=f"several answers: {len(groups)} sets of coordinates"
        )
    return Verdict(
        passed=False,
        answer=None,
        reason=refusal(said.text) or f"no {count} coordinates in the reply",
    )


def iou(a: Box, b: Box) -> float:
    """Intersection over union.

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2)), iou((0, 0, 1, 1), (5, 5, 6, 6))
    (0.3333333333333333, 0.0)
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (areas - shared)


POINT = Grader(name="point", check=_point, options={"format": str}, literal=False)
BOX = Grader(name="box", check=_box, options={"iou": (int, float), "format": str})
