"""What the flat print says is what its facts say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rendercv_fonts", reason="the typefaces come with the scenes extra")
pytest.importorskip("matplotlib", reason="the chart comes with the scenes extra")

from fixtures.scenes import print2d
from fixtures.scenes.print2d.barcode import SYMBOLS, modules
from fixtures.scenes.print2d.dials import polar
from fixtures.scenes.print2d.floorplan import feet
from fixtures.scenes.print2d.signs import MEANINGS, PLASTICS

Maker = Callable[[np.random.Generator], tuple[Image.Image, dict[str, Any]]]
DOCUMENTS: dict[str, Maker] = {
    "receipt": print2d.receipt,
    "invoice": lambda rng: print2d.invoice(rng, lines=12, other=4),
    "manifest": print2d.manifest,
    "report": print2d.report,
    "floorplan": print2d.floorplan,
    "chart": print2d.chart,
    "transcript": print2d.transcript,
    "form": print2d.form,
    "plate": print2d.plate,
    "shipping": print2d.shipping,
    "pallet_tag": print2d.pallet_tag,
}


def made(maker: Maker, seed: int = 3) -> tuple[Image.Image, dict[str, Any]]:
    return maker(np.random.default_rng(seed))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_seed_gives_the_same_sheet_and_another_seed_another(name: str) -> None:
    (one, facts), (two, again) = made(DOCUMENTS[name]), made(DOCUMENTS[name])
    other, _ = made(DOCUMENTS[name], seed=4)
    assert facts == again
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_marked_region_lies_on_its_sheet(name: str) -> None:
    for seed in (5,):
        _, facts = made(DOCUMENTS[name], seed)
        for region, (left, top, right, bottom) in facts["regions"].items():
            assert 0 <= left < right <= 1, region
            assert 0 <= top < bottom <= 1, region


@pytest.mark.parametrize("seed", range(4))
def test_a_receipt_adds_up(seed: int) -> None:
    _, facts = made(print2d.receipt, seed)
    goods = sum(line["quantity"] * line["cents"] for line in facts["items"])
    assert facts["goods"] == goods
    assert facts["subtotal"] == goods - facts["discount"]
    assert facts["total"] == facts["subtotal"] + facts["tax"]
    assert facts["cash"] >= facts["total"]
    assert len({facts[key] for key in ("goods", "discount", "subtotal", "tax", "total")}) == 5


@pytest.mark.parametrize("seed", range(4))
def test_an_invoice_falls_due_as_its_terms_say_and_names_the_lines_of_another_article(
    seed: int,
) -> None:
    _, facts = made(DOCUMENTS["invoice"], seed)
    invoiced = date.fromisoformat(facts["invoiced"])
    assert facts["due"] == str(invoiced + timedelta(days=int(facts["days"])))
    lines = facts["lines"]
    off = [
        sum(a != b for a, b in zip(line["ordered"], line["delivered"], strict=True))
        for line in lines
    ]
    assert [place for place, count in enumerate(off, 1) if count == 1] == facts["other"]
    assert sum(off) == 4
    assert facts["net"] == sum(line["quantity"] * line["cents"] for line in lines)
    assert facts["due"] not in (facts["invoiced"], facts["ordered"], facts["delivered"])


def test_a_manifest_has_one_consignment_twice_and_all_others_differ_in_two_characters() -> None:
    for seed in range(3):
        _, facts = made(print2d.manifest, seed)
        codes = [row["consignment"] for row in facts["rows"]]
        assert [i for i, code in enumerate(codes, 1) if code == facts["twice"]] == list(
            facts["places"]
        )
        for one, other in combinations(set(codes), 2):
            assert sum(a != b for a, b in zip(one, other, strict=True)) > 1


def test_no_two_lines_of_a_report_are_equal_in_a_measure_of_a_week() -> None:
    _, facts = made(print2d.report)
    for week in facts["weeks"]:
        for measure in ("Good", "Rework", "Scrap"):
            cells = [facts["cells"][f"{week}/Line {line}/{measure}"] for line in range(1, 7)]
            assert len(set(cells)) == 6


@pytest.mark.parametrize("seed", range(4))
def test_the_first_room_to_the_store_is_two_doors_away_and_differs_in_size_from_all(
    seed: int,
) -> None:
    _, facts = made(print2d.floorplan, seed)
    order = list(facts["rooms"])
    assert abs(order.index("STORE") - order.index(facts["leads"])) == 2
    assert list(facts["printed"].values()).count(facts["printed"][facts["leads"]]) == 1
    for room, (wide, deep) in facts["rooms"].items():
        assert facts["printed"][room] == f"{feet(wide)} x {feet(deep)}"


def test_a_term_is_the_sum_of_its_courses() -> None:
    _, facts = made(print2d.transcript)
    for term, rows in facts["terms"].items():
        assert facts["credits"][term] == sum(row["credits"] for row in rows)
        assert len(rows) >= 5


def test_ticks_stand_in_the_boxes_that_the_facts_name_and_nowhere_else() -> None:
    image, facts = made(print2d.form)
    pixels = np.asarray(image).astype(int)
    blue = pixels[..., 2] - pixels[..., 0] > 60
    drawn = [a + b for a, b in zip(facts["marks"], facts["struck"], strict=True)]
    for place, mark in enumerate(drawn, 1):
        for column in print2d.form_columns:
            left, top, right, bottom = facts["regions"][f"{column}_{place}"]
            rows = slice(int(top * image.height), int(bottom * image.height))
            inside = blue[rows, int(left * image.width) : int(right * image.width)]
            assert bool(inside.sum() > 40) == (column in mark)
    assert facts["open"] == [i for i, m in enumerate(facts["marks"], 1) if m == ["Defect"]]


@pytest.mark.parametrize("unit", ["bar", "psi", "MPa"])
def test_the_needle_of_a_gauge_points_at_its_value(unit: str) -> None:
    image, facts = print2d.gauge(np.random.default_rng(8), unit=unit)
    share = (facts["value"] - facts["low"]) / (facts["high"] - facts["low"])
    assert facts["needle_deg"] == pytest.approx(-135 + 270 * share)
    x, y = (value / 100 * image.width for value in polar(50, 50, 20, facts["needle_deg"]))
    pixel = image.getpixel((round(x), round(y)))[:3]  # type: ignore[index]
    assert min(pixel) > 160 if facts["dark"] else max(pixel) < 90


def test_the_hands_of_a_clock_show_its_time() -> None:
    for seed in range(5):
        _, facts = made(print2d.clock, seed)
        assert facts["minute_deg"] == facts["minute"] * 6
        assert facts["hour_deg"] == pytest.approx((facts["hour"] % 12 + facts["minute"] / 60) * 30)
        assert facts["time"] == f"{facts['hour']:02}:{facts['minute']:02}"


def test_a_knob_points_at_its_setting() -> None:
    _, facts = made(print2d.knob)
    assert facts["degrees"][facts["steps"].index(facts["setting"])] == facts["pointer_deg"]


def test_a_bar_code_reads_back_with_a_valid_check_symbol() -> None:
    words = "MF384282"
    bits = modules(words)
    symbols = [bits[place : place + 11] for place in range(0, len(bits) - 13, 11)]
    table = {
        "".join("10"[k % 2] * int(w) for k, w in enumerate(s)): i for i, s in enumerate(SYMBOLS)
    }
    values = [table[symbol] for symbol in symbols]
    assert values[0] == 104
    assert "".join(chr(value + 32) for value in values[1:-1]) == words
    assert values[-1] == (104 + sum(k * v for k, v in enumerate(values[1:-1], 1))) % 103
    assert bits.endswith("1100011101011")


def test_every_sign_and_every_recycling_mark_looks_different() -> None:
    signs = {print2d.sign(np.random.default_rng(1), meaning)[0].tobytes() for meaning in MEANINGS}
    marks = {
        print2d.recycling(np.random.default_rng(1), number)[0].tobytes() for number in PLASTICS
    }
    assert len(signs) == len(MEANINGS)
    assert len(marks) == len(PLASTICS)


def test_a_battery_shows_as_many_lit_cells_as_its_facts_say() -> None:
    image, facts = made(print2d.battery)
    row = np.asarray(image)[image.height // 2 + 10].astype(int)
    lit = (row.max(-1) - row.min(-1) > 90).astype(int)
    assert int((np.diff(lit) == 1).sum()) == facts["filled"]
