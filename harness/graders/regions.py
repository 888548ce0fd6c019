"""Points and boxes, in any of the usual conventions of coordinates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import product

from harness.graders.decide import Check, Misfit, no_answer, one
from harness.graders.extract import Reply, refusal
from harness.graders.words import PHRASES, pattern
from harness.records import Case, GradeContext, Verdict

Box = tuple[float, ...]
SCALES = {"pixel": None, "unit": 1.0, "percent": 100.0, "1000": 1000.0, "1024": 1024.0}
"""What the far edge of the picture is; a pixel is one of the picture that was sent."""
BOX_FORMS, POINT_FORMS = ("xyxy", "yxyx", "xywh", "cxcywh"), ("xy", "yx")
CONVENTIONS = tuple(f"{a}-{b}" for a, b in product(SCALES, (*BOX_FORMS, *POINT_FORMS)))
"""Every name that `--coordinates`, the catalogue and a case's `coordinates` may hold."""
_NUMBER = pattern(r"(?<![\w.])-?\d{1,6}(?:\.\d{1,9})?(?!\w)", "a coordinate")
_LOC = pattern(r"(?:<loc\d{4}>){2,4}", "<loc0100>: 1024ths, y first")


def in_file_px(given: Sequence[float], convention: str, context: GradeContext) -> Box:
    """Coordinates as x0, y0, x1, y1 (or x, y) in pixels of the file. Raises: Misfit."""
    scale, _, form = convention.partition("-")
    far, file = SCALES[scale], context.file_size_px
    if far is not None and file is None:
        raise Misfit(f"{convention} needs the picture's size, which is not known")
    across, down = (far, far) if far else context.sent_size_px or file or (1, 1)
    width, height = file or (across, down)
    xs, ys = (given[1::2], given[::2]) if form.startswith("y") else (given[::2], given[1::2])
    xs, ys = [x * width / across for x in xs], [y * height / down for y in ys]
    if form == "cxcywh":
        xs[0], ys[0] = xs[0] - xs[1] / 2, ys[0] - ys[1] / 2
    if form in ("xywh", "cxcywh"):
        xs[1], ys[1] = xs[0] + xs[1], ys[0] + ys[1]
    return tuple(it for pair in zip(sorted(xs), sorted(ys), strict=True) for it in pair)


def groups_in(text: str, count: int) -> tuple[list[Box], str | None]:
    """Groups of so many numbers, and the convention that their notation itself tells."""
    known = "1024-yxyx" if _LOC.search(text) else "percent-xy" if "<point" in text else None
    plain = _LOC.sub(lambda it: f"[{', '.join(re.findall(r'[0-9]{4}', it[0]))}]", text)
    plain = PHRASES["names of coordinates"].sub(" ", plain)
    parts = [*PHRASES["(1,2),(3,4) or [1, 2, 3, 4]"].findall(plain), None]
    groups = [tuple(map(float, _NUMBER.findall(plain if it is None else it))) for it in parts]
    found = list(dict.fromkeys(group for group in groups[:-1] if len(group) == count))
    return found or [group for group in groups[-1:] if len(group) == count], known


def _wanted(case: Case) -> list[Box]:
    """The expected boxes in pixels of the file. Raises: Misfit."""
    form, convention = case.options.get("format", "xyxy"), case.options.get("coordinates")
    if form not in ("xyxy", "xywh"):
        raise Misfit("format is xyxy or xywh")
    if convention is not None and convention not in CONVENTIONS:
        raise Misfit(f"coordinates {convention!r} is not one of {', '.join(CONVENTIONS)}")
    groups, _ = groups_in(one(case), 4)
    if not groups:
        raise Misfit(f"{case.expected!r} is not a box of four numbers")
    return [in_file_px(group, f"pixel-{form}", GradeContext()) for group in groups]


Judged = tuple[bool, str, dict[str, float]]
"""Whether coordinates are right, in words and figures."""


def _checking(case: Case, count: int, judge: Callable[[list[Box]], Judged]) -> Check:
    """A check that reads groups of so many coordinates, in pixels of the file, and judges them."""

    def check(reply: Reply, context: GradeContext) -> Verdict:
        found = groups_in(reply.answer or "", count)
        groups, known = found if found[0] else groups_in(reply.body, count)
        if not groups:
            return no_answer(refusal(reply.text) or f"no {count} coordinates in the reply")
        default = f"pixel-{case.options.get('format', 'xyxy') if count == 4 else 'xy'}"
        form = case.options.get("coordinates") or known or context.coordinates or default
        said = "; ".join(", ".join(f"{number:g}" for number in group) for group in groups)
        try:
            passed, reason, measures = judge([in_file_px(it, form, context) for it in groups])
        except Misfit as error:
            return no_answer(str(error), said)
        return Verdict(
            passed=passed, answer=said, reason=reason, measures=measures, coordinates=form
        )

    return check


def point(case: Case) -> Check:
    """A place inside the box that is expected, or `distance` pixels off."""
    boxes, within_px = _wanted(case), float(case.options.get("distance", 0))

    def judge(points: list[Box]) -> Judged:
        if len(points) > 1:
            raise Misfit(f"several answers: {len(points)} sets of coordinates")
        x, y = points[0]

        def off_px(box: Box) -> float:
            return math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))

        box = min(boxes, key=off_px)
        inside = off_px(box) <= within_px
        centre_px = math.dist((x, y), ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        where = "the box " + ", ".join(f"{number:g}" for number in box)
        reason = f"{'inside' if inside else 'outside'} {where}"
        return inside, reason, {"distance_px": round(centre_px, 2)}

    return _checking(case, 2, judge)


def box(case: Case) -> Check:
    """Boxes that overlap with those expected."""
    boxes, needed = _wanted(case), float(case.options.get("iou", 0.5))
    if not 0 < needed <= 1:
        raise Misfit("iou is a share above 0, at most 1")

    def judge(found: list[Box]) -> Judged:
        if len(found) != len(boxes):
            several = "several answers: " if len(boxes) == 1 else ""
            raise Misfit(f"{several}{len(found)} boxes, expected {len(boxes)}")
        left, overlaps = [*found], list[float]()
        for wanted in boxes:  # each with the one that is left and overlaps it most
            best = max(left, key=lambda it: iou(wanted, it))
            overlaps.append(iou(wanted, best))
            left.remove(best)
        reason = f"overlap (IoU) {min(overlaps):.2f}, needed {needed:.2f}"
        return min(overlaps) >= needed, reason, {"iou": round(sum(overlaps) / len(overlaps), 4)}

    return _checking(case, 4, judge)


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (sum((it[2] - it[0]) * (it[3] - it[1]) for it in (a, b)) - shared or 1.0)
