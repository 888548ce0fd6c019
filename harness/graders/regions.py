"""Points and boxes, in any of the usual conventions of coordinates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import product

import msgspec

from harness.graders.decide import Check, Misfit, no_answer, one
from harness.graders.extract import Reply, refusal
from harness.graders.words import pattern, phrase
from harness.records import Case, GradeContext, Verdict

Box = tuple[float, ...]
SCALES = {"pixel": None, "unit": 1.0, "percent": 100.0, "1000": 1000.0, "1024": 1024.0}
"""What the far edge of the picture is; a pixel is one of the picture that was sent."""
BOX_FORMS, POINT_FORMS = ("xyxy", "yxyx", "xywh", "cxcywh"), ("xy", "yx")
CONVENTIONS = tuple(f"{a}-{b}" for a, b in product(SCALES, (*BOX_FORMS, *POINT_FORMS)))
"""Every name that `--coordinates`, the catalogue and a case's `coordinates` may hold."""
_NUMBER = pattern(r"(?<![\w.])-?\d{1,6}(?:\.\d{1,9})?(?!\w)", "a coordinate")
_KEYS, _GROUP = phrase("names of coordinates"), phrase("(1,2),(3,4) or [1, 2, 3, 4]")
_LOC = pattern(r"(?:<loc\d{4}>){2,4}", "<loc0100>: 1024ths, y first")


def in_file_px(given: Sequence[float], convention: str, context: GradeContext) -> Box:
    """Coordinates as x0, y0, x1, y1 (or x, y) in pixels of the file. Raises: Misfit.

    >>> it = GradeContext(file_size_px=(2000, 1000), sent_size_px=(1000, 500))
    >>> in_file_px((100, 500, 200, 600), "1000-yxyx", it)
    (1000.0, 100.0, 1200.0, 200.0)
    >>> in_file_px((500, 250, 100, 50), "pixel-cxcywh", it), in_file_px((0.5, 0.5), "unit-xy", it)
    ((900.0, 450.0, 1100.0, 550.0), (1000.0, 500.0))
    """
    scale, _, form = convention.partition("-")
    far, file = SCALES[scale], context.file_size_px
    if far is not None and file is None:
        raise Misfit(f"{convention} needs the picture's size, which is not known")
    across, down = (far, far) if far else context.sent_size_px or file or (1, 1)
    width, height = file or (across, down)
    turned = form.startswith("y")
    pairs = [(y, x) if turned else (x, y) for x, y in zip(given[::2], given[1::2], strict=True)]
    pairs = [(x * (width / across), y * (height / down)) for x, y in pairs]
    if form in ("xywh", "cxcywh"):
        (x, y), (w, h) = pairs
        x, y = (x - w / 2, y - h / 2) if form == "cxcywh" else (x, y)
        pairs = [(x, y), (x + w, y + h)]
    return tuple(number for pair in pairs for number in pair)


def _for_count(convention: str, count: int) -> str:
    """A convention of boxes as it goes for points, and the other way round."""
    scale, _, form = convention.partition("-")
    if count == 2:
        return f"{scale}-{'yx' if form.startswith('y') else 'xy'}"
    return f"{scale}-{form * 2 if form in POINT_FORMS else form}"


def groups_in(text: str, count: int) -> tuple[list[Box], str | None]:
    """Groups of so many numbers, and the convention that their notation itself tells.

    >>> groups_in('{"x": 10, "y": 20.5}', 2)[0], groups_in("[[1,2],[3,4]]", 4)[0]
    ([(10.0, 20.5)], [(1.0, 2.0, 3.0, 4.0)])
    >>> groups_in("<loc0100><loc0200><loc0300><loc0400> cat", 4)
    ([(100.0, 200.0, 300.0, 400.0)], '1024-yxyx')
    >>> groups_in("<box>(1,2),(3,4)</box>", 4)[0], groups_in('<point x="50.5" y="2">', 2)
    ([(1.0, 2.0, 3.0, 4.0)], ([(50.5, 2.0)], 'percent-xy'))
    """
    known = "1024-yxyx" if _LOC.search(text) else "percent-xy" if "<point" in text else None
    plain = _LOC.sub(lambda it: f"[{', '.join(re.findall(r'[0-9]{4}', it[0]))}]", text)
    plain = _KEYS.sub(" ", plain)
    groups = [tuple(map(float, _NUMBER.findall(group))) for group in _GROUP.findall(plain)]
    groups = [group for group in groups if len(group) == count]
    everything = tuple(map(float, _NUMBER.findall(plain)))
    return list(dict.fromkeys(groups)) or [everything] * (len(everything) == count), known


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
    return [_sorted(in_file_px(group, f"pixel-{form}", GradeContext())) for group in groups]


def _sorted(box: Sequence[float]) -> Box:
    x0, y0, x1, y1 = box
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _checking(case: Case, count: int, judge: Callable[[list[Box], str], Verdict]) -> Check:
    """A check that reads groups of so many coordinates, in pixels of the file, and judges them."""

    def check(reply: Reply, context: GradeContext | None = None) -> Verdict:
        found = groups_in(reply.answer or "", count)
        groups, known = found if found[0] else groups_in(reply.body, count)
        if not groups:
            return no_answer(refusal(reply.text) or f"no {count} coordinates in the reply")
        context = context or GradeContext()
        default = f"pixel-{case.options.get('format', 'xyxy') if count == 4 else 'xy'}"
        named = case.options.get("coordinates") or known or context.coordinates or default
        convention = _for_count(named, count)
        said = "; ".join(", ".join(f"{number:g}" for number in group) for group in groups)
        try:
            scaled = [in_file_px(group, convention, context) for group in groups]
        except Misfit as error:
            return no_answer(str(error))
        return msgspec.structs.replace(judge(scaled, said), coordinates=convention)

    return check


def point(case: Case) -> Check:
    """A place inside the box that is expected, or `distance` pixels off."""
    boxes, within_px = _wanted(case), float(case.options.get("distance", 0))

    def judge(points: list[Box], said: str) -> Verdict:
        if len(points) > 1:
            return no_answer(f"several answers: {len(points)} sets of coordinates")
        x, y = points[0]
        off_px, box = min((_distance(x, y, box), box) for box in boxes)
        passed = off_px <= within_px
        centre_px = math.dist((x, y), ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        where = "the box " + ", ".join(f"{number:g}" for number in box)
        return Verdict(
            passed=passed,
            answer=said,
            reason=f"{'inside' if passed else 'outside'} {where}",
            measures={"distance_px": round(centre_px, 2)},
        )

    return _checking(case, 2, judge)


def _distance(x: float, y: float, box: Box) -> float:
    """From a point to a box; 0 inside."""
    return math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))


def box(case: Case) -> Check:
    """Boxes that overlap with those expected."""
    boxes, needed = _wanted(case), float(case.options.get("iou", 0.5))
    if not 0 < needed <= 1:
        raise Misfit("iou is a share above 0, at most 1")

    def judge(found: list[Box], said: str) -> Verdict:
        if len(found) != len(boxes):
            several = f"several answers: {len(found)} sets of coordinates"
            counts = f"{len(found)} boxes, expected {len(boxes)}"
            return no_answer(counts if len(boxes) > 1 else several, said)
        left, overlaps = [_sorted(it) for it in found], []
        for wanted in boxes:  # each with the one that is left and overlaps it most
            best = max(left, key=lambda it: iou(wanted, it))
            overlaps.append(iou(wanted, best))
            left.remove(best)
        return Verdict(
            passed=min(overlaps) >= needed,
            answer=said,
            reason=f"overlap (IoU) {min(overlaps):.2f}, needed {needed:.2f}",
            measures={"iou": round(sum(overlaps) / len(overlaps), 4)},
        )

    return _checking(case, 4, judge)


def iou(a: Box, b: Box) -> float:
    """Intersection over union.

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2)), iou((0, 0, 1, 1), (5, 5, 6, 6))
    (0.3333333333333333, 0.0)
    """
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (sum((it[2] - it[0]) * (it[3] - it[1]) for it in (a, b)) - shared)
