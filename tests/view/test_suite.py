"""The suite in the browser: its cases, what `check` says, and changes to a suite of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import suites
from harness.errors import SuiteError
from harness.view.suite import rewrite_case
from tests.report.conftest import QUESTIONS, Elements
from tests.view.conftest import Pages, Serve


def test_cases_are_shown_with_their_pictures_and_what_check_says(
    pages: Pages, own: suites.Suite
) -> None:
    shown = pages.get("/suite").text
    found = Elements(pages.get("/suite/findings").text).text
    picture = pages.get("/suite/picture", name="images/plate.png")
    outside = pages.get("/suite/picture", name="../secret.png")

    for _, _, question, _, _ in QUESTIONS.values():
        assert question in shown
    assert "Check:" in found
    assert picture.headers["content-type"].startswith("image/")
    assert outside.status_code == 404


def test_a_category_can_be_shown_alone(pages: Pages) -> None:
    text = Elements(pages.get("/suite", category="Reading").text).text

    assert "What is the serial number?" in text
    assert "How many eggs are there?" not in text


def test_a_case_is_changed_where_it_stands(pages: Pages, own: suites.Suite) -> None:
    answer = pages.post(
        "/suite/case", id="c-01", question="How many bolts can you see?", expected="6"
    )

    changed = {it.id: it for it in suites.load(own.root).cases}
    assert answer.status_code == 200
    assert (changed["c-01"].question, changed["c-01"].expected) == (
        "How many bolts can you see?",
        "6",
    )
    assert {id_: it for id_, it in changed.items() if id_ != "c-01"} == {
        it.id: it for it in own.cases if it.id != "c-01"
    }


def test_an_answer_that_cannot_be_graded_is_not_saved(pages: Pages, own: suites.Suite) -> None:
    answer = pages.post("/suite/case", id="c-01", question="How many bolts?", expected="many")

    assert answer.status_code == 409
    assert suites.load(own.root).cases == own.cases


def test_a_case_is_taken_out(pages: Pages, own: suites.Suite) -> None:
    pages.post("/suite/delete", id="r-02")

    assert [it.id for it in suites.load(own.root).cases] == ["r-01", "c-01", "c-02", "c-03"]


def test_a_case_is_added_to_a_new_suite(serve: Serve, own: suites.Suite, tmp_path: Path) -> None:
    pages = serve(suite=tmp_path / "new")
    data = (own.root / "images" / "tray.png").read_bytes()
    taken = pages.client.post("/try/picture", content=data, headers=pages.posting).json()

    before = pages.get("/suite")
    added = pages.post(
        "/suite/case",
        picture=taken["picture"],
        question="How many eggs are there?",
        expected="9",
        category="Counting",
    )

    (case,) = suites.load(tmp_path / "new").cases
    assert "A new suite" in before.text
    assert "saved" in added.text
    assert (case.category, case.expected, case.grader) == ("Counting", "9", "integer")


def test_what_is_typed_is_checked(pages: Pages) -> None:
    good = pages.post("/suite/check", question="How many?", expected="5")
    empty = pages.post("/suite/check", question="How many?", expected=" ")

    assert "graded as integer" in good.text
    assert "missing" in empty.text


def test_the_built_in_suite_is_shown_and_not_changed(serve: Serve) -> None:
    pages = serve()

    shown = pages.get("/suite")
    refused = pages.post("/suite/delete", id="dd-01-jars-chipped-rim")

    assert "Defect Detection" in shown.text
    assert "Edit" not in Elements(shown.text).text
    assert refused.status_code == 400
    assert "--suite DIR" in refused.text


def test_only_the_case_that_is_meant_changes_in_the_file(own: suites.Suite) -> None:
    path = own.root / "prompts" / "all.toml"
    comment = "# counted twice, by hand\n"
    path.write_text(path.read_text() + comment)
    case = own.cases[-1]

    rewrite_case(own.root, "r-01", own.cases[0])
    rewrite_case(own.root, "r-02", None)

    assert path.read_text().endswith(comment)
    assert suites.load(own.root).cases[-1] == case


def test_a_file_that_cannot_be_changed_safely_is_left_alone(own: suites.Suite) -> None:
    path = own.root / "prompts" / "all.toml"
    tricky = path.read_text().replace(
        'question = "What is the serial number?"',
        'question = """\nWhat is\n[[case]]\nthe serial number?"""',
    )
    path.write_text(tricky)

    with pytest.raises(SuiteError, match="without risk"):
        rewrite_case(own.root, "c-01", None)

    assert path.read_text() == tricky
