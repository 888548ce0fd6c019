"""What the parts of the graders make of a text, by example."""

from __future__ import annotations

from typing import Any

import pytest

from harness.graders import grade
from harness.graders.audit import Tally
from harness.graders.choices import lettered
from harness.graders.extract import plain, spelled_value, take_apart, without_reasoning, without_tex
from harness.graders.inference import options_in
from harness.graders.notations import cells, dates, places, times
from harness.graders.quantities import (
    UNITS,
    Quantity,
    counted,
    dimensions_in,
    numbers,
    parsed,
)
from harness.graders.regions import groups_in, in_file_px
from harness.graders.structures import json_in, rows_of
from harness.graders.words import folded, kin, stem
from harness.records import GradeContext
from tests.graders.cases import case_of


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<think>3? no, 4</think>4", "4"),
        ("so 3</think> 4", "4"),
        ("<think>a<think>b</think>c</think>4", "4"),
        ("[THINK]3[/THINK]4", "4"),
        ("<think>hm, 4 or 5", ""),
    ],
)
def test_reasoning_is_left_out_also_when_it_never_ends(raw: str, read: str) -> None:
    assert without_reasoning(raw).strip() == read


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("**Answer:** `4`", "Answer: 4"),
        ("It is $\\boxed{4}$.", "It is \nAnswer: 4\n."),
        ("\\boxed{\\frac{\\sqrt{3}}{2}}", "Answer: frac √32"),
        ('{"answer": 4}', "Answer: 4"),
        (r"$\frac{1}{2} \mathrm{~cm}$", "1/2 cm"),
    ],
)
def test_markup_is_taken_off(raw: str, read: str) -> None:
    assert plain(raw) == read


def test_mathematics_is_read_as_it_is_said() -> None:
    said = without_tex(r"$16 \sqrt { 5 }$ and 12{,}000, $55^{\circ}$")
    assert said == "16 √ 5 and 12,000, 55°"


def test_a_reply_is_taken_apart_into_statements() -> None:
    statements = take_apart("I see two. **Answer:** `2`").statements
    assert [it.text for it in statements] == ["I see two.", "2"]


def test_a_value_of_json_is_spelled_as_a_person_writes_it() -> None:
    assert [*map(spelled_value, (True, 4.0, ["a", 2], None))] == ["yes", "4", "a, 2", "null"]


def test_numbers_are_found_in_digits_and_in_words() -> None:
    text = "1,250 or twenty-one; 2.5 million, 1/2, one hundred; 3 square feet"
    found = [str(it.value.number) for it in numbers(text)]
    assert found == ["1250", "21", "2500000.0", "0.5", "100", "3"]
    assert numbers(text)[-1].value.unit == UNITS["ft2"]
    assert numbers("P3, 10:30, 7th, a hundred-odd") == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.250", ["1.250", "1250"]),
        ("2,5", ["2.5"]),
        ("12,345.6", ["12345.6"]),
        ("1.234.567", ["1234567"]),
        ("1 250", ["1250"]),
    ],
)
def test_a_number_may_be_written_in_any_notation(written: str, meant: list[str]) -> None:
    assert [*map(str, parsed(written))] == meant


def test_a_quantity_is_compared_in_the_unit_of_another_one() -> None:
    warm, boiling = Quantity(parsed("213"), UNITS["°f"]), Quantity(parsed("100"), UNITS["°c"])
    off = warm.off(boiling)
    assert off is not None
    assert round(off, 2) == parsed("0.56")[0]
    assert warm.off(Quantity(parsed("3"), UNITS["kg"])) is None


@pytest.mark.parametrize(
    ("find", "text", "values"),
    [
        (dates, "21st of November 2017", [[(2017, 11, 21)]]),
        (dates, "5/6/2020", [[(2020, 5, 6), (2020, 6, 5)]]),
        (places, "the upper-left corner, right above the centre", [["left", "top"], ["center"]]),
        (cells, "R2C3, column 4 of row 1, first row, fifth column",
         [["C3", "R2"], ["C4", "R1"], ["C5", "R1"]]),
    ],
)  # fmt: skip
def test_dates_and_places_are_found_in_their_notations(find: Any, text: str, values: Any) -> None:
    assert [sorted(it.value) for it in find(text)] == values


def test_times_are_found_in_their_notations() -> None:
    found = times("quarter to three, 14:05 or 2 pm")
    assert [sorted(it.value[0]) for it in found] == [[165, 885], [845], [840]]


def test_dimensions_are_found_in_their_notations() -> None:
    found = dimensions_in("120 x 60 cm; 10' 6'' by 16 ft")
    sizes = [[f"{it.number} {it.unit.name}" for it in run.value] for run in found]
    assert sizes == [["120 cm", "60 cm"], ["10.5 ft", "16 ft"]]


def test_a_question_says_what_it_counts_and_offers() -> None:
    assert counted("How many red bolts are in the box?") == {"red", "bolt"}
    assert lettered("Which one? A) nuts B) bolts") == {"A": "nuts", "B": "bolts"}
    assert lettered("Pick: (a) a nut; (b) a bolt (a, b)") == {"A": "a nut", "B": "a bolt"}
    assert lettered("How many?\nOptions: A: none, B: 2") == {"A": "none", "B": "2"}
    quoted = "Is it 'upright' or 'tilted'?"
    assert options_in(quoted, "tilted") == ["upright", "tilted"]
    listed = "Which colour is it? Red, orange, green, or blue."
    assert options_in(listed, "green") == ["Red", "orange", "green", "blue"]


def test_coordinates_are_found_in_their_notations() -> None:
    assert groups_in('{"x": 10, "y": 20.5}', 2) == ([(10, 20.5)], None)
    assert groups_in("[[1,2],[3,4]]", 4) == ([(1, 2, 3, 4)], None)
    assert groups_in("<box>(1,2),(3,4)</box>", 4) == ([(1, 2, 3, 4)], None)
    assert groups_in('<point x="50.5" y="2">', 2) == ([(50.5, 2)], "percent-xy")
    locs = "<loc0100><loc0200><loc0300><loc0400> cat"
    assert groups_in(locs, 4) == ([(100, 200, 300, 400)], "1024-yxyx")


def test_coordinates_are_scaled_to_the_file() -> None:
    sizes = GradeContext(file_size_px=(2000, 1000), sent_size_px=(1000, 500))
    assert in_file_px((100, 500, 200, 600), "1000-yxyx", sizes) == (1000, 100, 1200, 200)
    assert in_file_px((500, 250, 100, 50), "pixel-cxcywh", sizes) == (900, 450, 1100, 550)
    assert in_file_px((0.5, 0.5), "unit-xy", sizes) == (1000, 500)


def test_tables_and_json_are_found_in_a_reply() -> None:
    assert rows_of("| a | - |\n|---|---|\n| B | 2 |") == [["a", ""], ["b", "2"]]
    assert json_in("Sure: {'x': 1} no, {\"x\": [1, 2]}.") == {"x": [1, 2]}


def test_words_are_compared_by_their_stems_and_have_rivals() -> None:
    assert folded(" **Nestlé.** ") == "nestle"
    assert folded("M&M’s") == "m&m's"
    stems = [stem(it) for it in ("boxes", "berries", "moving", "moved", "glass", "gas")]
    assert stems == ["box", "berr", "mov", "mov", "glass", "gas"]
    assert kin("closed") == ({"closed", "shut"}, {"open", "opened"})


def test_kappa_is_agreement_beyond_chance() -> None:
    """The worked example of https://en.wikipedia.org/wiki/Cohen%27s_kappa."""
    tally = Tally(both_pass=20, both_fail=15, wrong_pass=5, wrong_fail=10)
    assert round(tally.kappa, 3) == 0.4
    assert Tally().kappa == 1


def test_a_list_is_spoken_of_in_the_words_of_question_and_reply() -> None:
    case = case_of("List the colours.", ("white", "blue"), "list")

    verdict = grade(case, "blue, orange")

    assert verdict.answer == "blue, orange"
    assert verdict.reason == "missing: white"
    assert grade(case, "white, blue, orange").reason == "too many: orange"
