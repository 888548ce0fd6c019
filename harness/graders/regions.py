"""Points and boxes, in any of the usual conventions of coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from harness.graders.extract import Rank, Reply, refusal
from harness.graders.kinds import Check, Grader, Misfit, Task, failed
from harness.graders.patterns import pattern, regex
from harness.records import GradeContext, Verdict

Box = tuple[float, float, float, float]
SCALES = {"pixel": None, "unit": 1.0, "percent": 100.0, "1000": 1000.0, "1024": 1024.0}
"""What the far edge of the picture is; a pixel is one of the picture that was sent."""
BOX_FORMS, POINT_FORMS = ("xyxy", "yxyx", "xywh", "cxcywh"), ("xy", "yx")
CONVENTIONS = tuple(f"{a}-{b}" for a, b in product(SCALES, (*BOX_FORMS, *POINT_FORMS)))
"""Every name that `--coordinates`, the catalogue and a case's `coordinates` may hold."""
_NUMBER = regex(r"(?<![\w.])-?\d{1,6}(?:\.\d{1,9})?(?![\w])")
_KEYS = pattern("coordinate names")
_GROUP = pattern("groups of numbers")
_LOC = regex(r"(?:<loc(\d{4})>){2,4}")
_LOC_EACH = regex(r"<loc(\d{4})>")
_PAIR = regex(r"\((-?[\d.]+), ?(-?[\d.]+)\),? ?\((-?[\d.]+), ?(-?[\d.]+)\)")
_XY = regex(r"\b(x|y)\d?=\"(-?[\d.]+)\"")


def in_file_px(numbers: Sequence[float], convention: str, context: GradeContext) -> list[float]:
    """Coordinates as x0, y0, x1, y1 (or x, y) in pixels of the file. Raises: Misfit.

    >>> it = GradeContext(file_size_px=(2000, 1000), sent_size_px=(1000, 500))
    >>> in_file_px((100, 500, 200, 600), "1000-yxyx", it)
    [1000.0, 100.0, 1200.0, 200.0]
    >>> in_file_px((500, 250, 100, 50), "pixel-cxcywh", it), in_file_px((0.5, 0.5), "unit-xy", it)
    ([900.0, 450.0, 1100.0, 550.0], [1000.0, 500.0])
    """
    scale, _, form = convention.partition("-")
    far = SCALES[scale]
    sent, file = context.sent_size_px or context.file_size_px, context.file_size_px
    if far is not None and file is None:
        raise Misfit(f"{convention} needs the picture's size, which is not known")
    across, down = (far, far) if far is not None else (sent or (1, 1))
    width, height = file or (across, down)
    if form.startswith("y"):
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        numbers = [number for y, x in pairs for number in (x, y)]
    scaled = [n * (height / down if at % 2 else width / across) for at, n in enumerate(numbers)]
    if form in ("xywh", "cxcywh"):
        x, y, w, h = scaled
        x, y = (x - w / 2, y - h / 2) if form == "cxcywh" else (x, y)
        scaled = [x, y, x + w, y + h]
    return scaled


def for_count(convention: str, count: int) -> str:
    """A convention of boxes as it goes for points, and the other way round.

    >>> for_count("1000-yxyx", 2), for_count("unit-xy", 4)
    ('1000-yx', 'unit-xyxy')
    """
    scale, _, form = convention.partition("-")
    if count == 2:
        return f"{scale}-{'yx' if form.startswith('y') else 'xy'}"
    return f"{scale}-{ {'xy': 'xyxy', 'yx': 'yxyx'}.get(form, form) }"


def groups_in(text: str, count: int) -> tuple[list[tuple[float, ...]], str | None]:
    """Groups of so many numbers, and the convention that their notation itself tells.

    >>> groups_in('{"x": 10, "y": 20.5}', 2)[0], groups_in("[[1,2],[3,4]]", 4)[0]
    ([(10.0, 20.5)], [(1.0, 2.0, 3.0, 4.0)])
    >>> groups_in("<loc0100><loc0200><loc0300><loc0400> cat", 4)
    ([(100.0, 200.0, 300.0, 400.0)], '1024-yxyx')
    >>> groups_in("<box>(1,2),(3,4)</box>", 4)[0], groups_in('<point x="50.5" y="2">', 2)
    ([(1.0, 2.0, 3.0, 4.0)], ([(50.5, 2.0)], 'percent-xy'))
    """
    if locs := [_floats_of(_LOC_EACH.findall(m[0])) for m in _LOC.finditer(text)]:
        return [it for it in locs if len(it) == count], for_count("1024-yxyx", count)
    if "<point" in text and count == 2 and (found := _XY.findall(text)):
        values = [float(value) for _, value in found]
        return list(zip(values[::2], values[1::2], strict=False)), "percent-xy"
    if count == 4 and (pairs := [_floats_of(m.groups()) for m in _PAIR.finditer(text)]):
        return list(dict.fromkeys(pairs)), None
    plain = _KEYS.sub(" ", text)
    groups = [_floats_of(_NUMBER.findall(group[0])) for group in _GROUP.finditer(plain)]
    if fitting := [group for group in groups if len(group) == count]:
        return list(dict.fromkeys(fitting)), None
    everything = _floats_of(_NUMBER.findall(plain))
    return ([everything] if len(everything) == count else []), None


def _floats_of(found: Sequence[str]) -> tuple[float, ...]:
    return tuple(float(number) for number in found)


def _wanted(task: Task, kind: str) -> list[Box]:
    """The expected boxes in pixels of the file; for a box all of them count. Raises: Misfit."""
    form = str(task.options.get("format", "xyxy"))
    if form not in ("xyxy", "xywh"):
        raise Misfit("format is xyxy or xywh")
    convention = task.options.get("coordinates")
    if convention is not None and convention not in CONVENTIONS:
        raise Misfit(f"coordinates {convention!r} is not one of {', '.join(CONVENTIONS)}")
    groups, _ = groups_in(task.one(kind), 4)
    if not groups:
        raise Misfit(f"{task.expected!r} is not a box of four numbers")
    nothing = GradeContext()
    return [_sorted(in_file_px(group, f"pixel-{form}", nothing)) for group in groups]


def _sorted(box: Sequence[float]) -> Box:
    x0, y0, x1, y1 = box
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _said(
    reply: Reply, task: Task, count: int, context: GradeContext | None
) -> tuple[list[list[float]], str, str] | Verdict:
    """The coordinates of a reply in pixels of the file, the convention taken, and the words."""
    if reply.fault:
        return failed(reply.fault)
    stated = [s.text for s in reply.statements if s.rank == Rank.ANSWER and s.text]
    groups, told = groups_in(stated[-1] if stated else "", count)
    if not groups:
        groups, told = groups_in(reply.body, count)
    if not groups:
        return failed(refusal(reply.text[:4000]) or f"no {count} coordinates in the reply")
    context = context or GradeContext()
    named = task.options.get("coordinates") or told or context.coordinates
    default = str(task.options.get("format", "xyxy")) if count == 4 else "xy"
    convention = for_count(str(named or f"pixel-{default}"), count)
    try:
        found = [in_file_px(group, convention, context) for group in groups]
    except Misfit as error:
        return failed(str(error))
    words = "; ".join(", ".join(f"{number:g}" for number in group) for group in groups)
    return found, convention, words


def _point(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("point", "[10, 10, 50, 40]", "(30, 20)").passed
    True
    >>> try_out("point", "[10, 10, 50, 40]", "x=60, y=20").reason
    'outside the box 10, 10, 50, 40'
    """
    boxes = _wanted(task, "point")
    within_px = float(task.options.get("distance", 0))

    def check(reply: Reply, context: GradeContext | None = None) -> Verdict:
        said = _said(reply, task, 2, context)
        if isinstance(said, Verdict):
            return said
        points, convention, words = said
        if len(points) > 1:
            return failed(f"several answers: {len(points)} sets of coordinates")
        x, y = points[0]
        off = [_distance(x, y, box) for box in boxes]
        passed = min(off) <= within_px
        box = boxes[off.index(min(off))]
        where = "the box " + ", ".join(f"{number:g}" for number in box)
        centre_px = math.dist((x, y), ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        return Verdict(
            passed=passed,
            answer=words,
            reason=f"{'inside' if passed else 'outside'} {where}",
            coordinates=convention,
            measures={"distance_px": round(centre_px, 2)},
        )

    return check


def _distance(x: float, y: float, box: Box) -> float:
    """From a point to a box; 0 inside."""
    return math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))


def _box(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("box", "[0, 0, 10, 10]", '{"box": [0, 0, 10, 8]}').reason
    'overlap (IoU) 0.80, needed 0.50'
    """
    boxes = _wanted(task, "box")
    needed = float(task.options.get("iou", 0.5))
    if not 0 < needed <= 1:
        raise Misfit("iou is a share above 0, at most 1")

    def check(reply: Reply, context: GradeContext | None = None) -> Verdict:
        said = _said(reply, task, 4, context)
        if isinstance(said, Verdict):
            return said
        found, convention, words = said
        if len(found) != len(boxes):
            several = f"several answers: {len(found)} sets of coordinates"
            counts = f"{len(found)} boxes, expected {len(boxes)}"
            return failed(counts if len(boxes) > 1 else several, words)
        overlaps = _matched(boxes, [_sorted(box) for box in found])
        least = min(overlaps)
        return Verdict(
            passed=least >= needed,
            answer=words,
            reason=f"overlap (IoU) {least:.2f}, needed {needed:.2f}",
            coordinates=convention,
            measures={"iou": round(sum(overlaps) / len(overlaps), 4)},
        )

    return check


def _matched(wanted: Sequence[Box], found: Sequence[Box]) -> list[float]:
    """The overlap of every wanted box with the found one that is left and overlaps it most."""
    left, overlaps = list(found), []
    for box in wanted:
        best = max(left, key=lambda it: iou(box, it))
        left.remove(best)
        overlaps.append(iou(box, best))
    return overlaps


def iou(a: Box, b: Box) -> float:
    """Intersection over union.

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2)), iou((0, 0, 1, 1), (5, 5, 6, 6))
    (0.3333333333333333, 0.0)
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (areas - width * height)


_OPTIONS: dict[str, Any] = {"format": str, "coordinates": str}
POINT = Grader(
    name="point",
    check=_point,
    options={"distance": (int, float), **_OPTIONS},
    literal=False,
    sees_context=True,
)
BOX = Grader(
    name="box",
    check=_box,
    options={"iou": (int, float), **_OPTIONS},
    literal=False,
    sees_context=True,
)
