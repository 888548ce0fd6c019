"""Points and boxes: conventions of coordinates, notations, several boxes, limits of a case."""

from __future__ import annotations

from typing import Any

import pytest

from harness.graders import grade, problems
from harness.graders.regions import CONVENTIONS
from harness.records import GradeContext
from tests.graders.cases import case_of

FILE, SENT = (2000, 1000), (1000, 500)
BOX = "[400, 200, 800, 600]"
"""In pixels of the file."""


def context(coordinates: str | None = None) -> GradeContext:
    return GradeContext(file_size_px=FILE, sent_size_px=SENT, coordinates=coordinates)


def a_box(**options: Any) -> Any:
    return case_of("Where is the cat?", BOX, "box", options)


@pytest.mark.parametrize(
    ("convention", "said"),
    [
        ("pixel-xyxy", "[200, 100, 400, 300]"),
        ("pixel-xywh", "[200, 100, 200, 200]"),
        ("pixel-cxcywh", "[300, 200, 200, 200]"),
        ("1000-xyxy", '{"bbox_2d": [200, 200, 400, 600], "label": "cat"}'),
        ("1000-yxyx", '```json\n[{"box_2d": [200, 200, 600, 400], "label": "cat"}]\n```'),
        ("1000-xyxy", "<box>(200,200),(400,600)</box>"),
        ("1000-xyxy", "<|box_start|>(200,200),(400,600)<|box_end|>"),
        ("unit-xyxy", "(0.2, 0.2, 0.4, 0.6)"),
        ("unit-cxcywh", "0.3 0.4 0.2 0.4"),
        ("percent-xyxy", "x1: 20, y1: 20, x2: 40, y2: 60"),
        (None, "<loc0205><loc0205><loc0614><loc0410> cat"),
    ],
)
def test_a_box_is_read_in_the_convention_of_the_model(convention: str | None, said: str) -> None:
    verdict = grade(a_box(iou=0.9), said, context=context(convention))
    assert verdict.passed, verdict
    assert verdict.coordinates == (convention or "1024-yxyx")
    assert verdict.measures["iou"] > 0.9


def test_the_case_comes_before_the_model_and_without_both_pixels_are_meant() -> None:
    case = a_box(coordinates="unit-xyxy")
    assert grade(case, "[0.2, 0.2, 0.4, 0.6]", context=context("1000-yxyx")).passed
    assert grade(a_box(), "[200, 100, 400, 300]", context=context()).coordinates == "pixel-xyxy"
    assert grade(a_box(), BOX).passed


def test_a_share_of_a_picture_whose_size_nobody_knows_is_not_guessed() -> None:
    verdict = grade(a_box(coordinates="unit-xyxy"), "[0.2, 0.2, 0.4, 0.6]")
    assert not verdict.passed
    assert "size" in verdict.reason


def test_several_boxes_are_matched_and_one_too_many_fails() -> None:
    case = case_of("Where are the cats?", "[[0, 0, 10, 10], [20, 20, 30, 30]]", "box", {})
    assert grade(case, "[[20, 20, 30, 30], [0, 0, 10, 10]]").passed
    assert not grade(case, "[[20, 20, 30, 30], [5, 5, 15, 15]]").passed
    assert grade(case, "[0, 0, 10, 10]").reason == "1 boxes, expected 2"
    assert "several answers" in grade(a_box(), f"{BOX} or [1, 1, 2, 2]").reason


def test_a_point_may_miss_by_the_distance_of_its_case() -> None:
    near = case_of("Where is the cat?", BOX, "point", {"distance": 50})
    assert grade(near, "(840, 300)").passed
    assert not grade(near, "(860, 300)").passed
    molmo = '<point x="30.0" y="40.0" alt="cat">cat</point>'
    found = grade(case_of("Where is it?", BOX, "point", {}), molmo, context=context("pixel-xyxy"))
    assert (found.passed, found.coordinates, found.measures) == (
        True, "percent-xy", {"distance_px": 0.0},
    )  # fmt: skip


def test_an_unknown_convention_is_named_before_anything_is_asked() -> None:
    (problem,) = problems(a_box(coordinates="2000-xyxy"))
    assert "'2000-xyxy' is not one of pixel-xyxy" in problem
    assert {"pixel-xyxy", "1000-xyxy", "1000-yxyx", "unit-xyxy", "pixel-xy"} <= set(CONVENTIONS)


def test_pixels_do_not_pass_where_shares_were_asked_for() -> None:
    case = a_box(coordinates="1000-xyxy")
    assert not grade(case, BOX, context=context()).passed
