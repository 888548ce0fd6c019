"""Points and boxes, in any of the usual conventions of coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from msgspec.structs import replace

from harness.graders.decide import Check, Misfit, no_answer, one, require
from harness.graders.extract import Reply, refusal
from harness.graders.words import PHRASES, pattern
from harness.records import Case, GradeContext, Verdict

Box = tuple[float, ...]
Judged = tuple[bool, str, dict[str, float]]
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
    plain = _LOC.sub(lambda it: f"[{it[0].replace('<loc', '').replace('>', ', ')}]", text)
    plain = PHRASES["names of coordinates"].sub(" ", plain)
    parts = PHRASES["(1,2),(3,4) or [1, 2, 3, 4]"].findall(plain)
    groups = [tuple(map(float, _NUMBER.findall(part))) for part in (*parts, plain)]
    found = list(dict.fromkeys(group for group in groups[:-1] if len(group) == count))
    return found or [group for group in groups[-1:] if len(group) == count], known


def region(case: Case) -> Check:
    """A point, or boxes, judged in pixels of the file."""
    form, convention = case.options.get("format", "xyxy"), case.options.get("coordinates")
    require(form in ("xyxy", "xywh"), "format is xyxy or xywh")
    known_forms = f"coordinates {convention!r} is not one of {', '.join(CONVENTIONS)}"
    require(convention in (None, *CONVENTIONS), known_forms)
    require(0 < case.options.get("iou", 0.5) <= 1, "iou is a share above 0, at most 1")
    boxes = [in_file_px(it, f"pixel-{form}", GradeContext()) for it in groups_in(one(case), 4)[0]]
    require(boxes, f"{case.expected!r} is not a box of four numbers")
    count, judge, noun, expected = 4, _box, "boxes", len(boxes)
    if case.grader == "point":
        count, judge, noun, expected = 2, _point, "points", 1

    def check(reply: Reply, context: GradeContext) -> Verdict:
        found = groups_in(reply.answer or "", count)
        groups, known = found if found[0] else groups_in(reply.body, count)
        if not groups:
            return no_answer(refusal(reply.text) or f"no {count} coordinates in the reply")
        default = f"pixel-{form if count == 4 else 'xy'}"
        read_as = convention or known or context.coordinates or default
        answer = "; ".join(", ".join(f"{number:g}" for number in group) for group in groups)
        if len(groups) != expected:
            several = "several answers: " if expected == 1 else ""
            return no_answer(f"{several}{len(groups)} {noun}, expected {expected}", answer)
        try:
            found_px = [in_file_px(group, read_as, context) for group in groups]
        except Misfit as error:
            return no_answer(str(error), answer)
        passed, reason, measures = judge(case, boxes, found_px)
        verdict = Verdict(passed=passed, answer=answer, reason=reason, measures=measures)
        return replace(verdict, coordinates=read_as)

    return check


def _point(case: Case, boxes: Sequence[Box], found: Sequence[Box]) -> Judged:
    """Inside the box that is expected, or `distance` pixels off."""
    (x, y), *_ = found
    nearest = [(min(max(x, x0), x1), min(max(y, y0), y1)) for x0, y0, x1, y1 in boxes]
    off_px, box = min((math.dist((x, y), it), box) for it, box in zip(nearest, boxes, strict=True))
    inside = off_px <= float(case.options.get("distance", 0))
    centre_px = math.dist((x, y), ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    where = "the box " + ", ".join(f"{number:g}" for number in box)
    reason = f"{'inside' if inside else 'outside'} {where}"
    return inside, reason, {"distance_px": round(centre_px, 2)}


def _box(case: Case, boxes: Sequence[Box], found: Sequence[Box]) -> Judged:
    """Each overlaps one that is expected, and each of those one that was found."""
    both = [(boxes, found), (found, boxes)]
    overlaps = [max(iou(box, it) for it in others) for these, others in both for box in these]
    needed, mean = float(case.options.get("iou", 0.5)), sum(overlaps) / len(overlaps)
    reason = f"overlap (IoU) {min(overlaps):.2f}, needed {needed:.2f}"
    return min(overlaps) >= needed, reason, {"iou": round(mean, 4)}


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (sum((it[2] - it[0]) * (it[3] - it[1]) for it in (a, b)) - shared or 1.0)
