"""A suite of one's own grows by a case at a time, and stays readable."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import SuiteError
from harness.records import Case
from harness.suites import load
from harness.suites.writing import append_case

CASE = Case(
    id="tray-1",
    category="Bolts & Nuts",
    question='How many "M6" bolts?\nAnswer with a number.',
    image="",
    expected="7",
    grader="decimal",
    options={"tolerance": 0.5},
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "Camera Roll.PNG"
    Image.new("RGB", (32, 24), "red").save(path)
    return path


def test_a_new_suite_begins_with_its_first_case(tmp_path: Path, picture: Path) -> None:
    folder = tmp_path / "mine"

    path = append_case(folder, CASE, picture)

    suite = load(folder)
    assert path == folder / "prompts" / "bolts-nuts.toml"
    assert suite.name == "mine"
    assert suite.cases == (msgspec.structs.replace(CASE, image="images/tray-1.png"),)
    assert suite.pictures(suite.cases[0])[0].read_bytes() == picture.read_bytes()


def test_cases_follow_one_another_in_the_file_of_their_category(
    tmp_path: Path, picture: Path
) -> None:
    for case_id, category in [("a", "One"), ("b", "Two"), ("c", "One"), ("d", "ONE")]:
        append_case(
            tmp_path / "mine", msgspec.structs.replace(CASE, id=case_id, category=category), picture
        )

    cases = load(tmp_path / "mine").cases

    assert [(case.id, case.category) for case in cases] == [
        ("a", "One"),
        ("c", "One"),
        ("d", "ONE"),
        ("b", "Two"),
    ]


def test_several_pictures_are_kept_in_their_order(tmp_path: Path, picture: Path) -> None:
    second = tmp_path / "second.jpg"
    Image.new("RGB", (32, 24), "blue").save(second)

    append_case(tmp_path / "mine", CASE, picture, second)

    (case,) = load(tmp_path / "mine").cases
    assert case.pictures == ("images/tray-1.png", "images/tray-1-2.jpg")


def test_a_picture_in_the_suite_is_not_copied(tmp_path: Path, picture: Path) -> None:
    append_case(tmp_path, CASE, picture)

    assert load(tmp_path).cases[0].image == "Camera Roll.PNG"


def test_what_is_not_sound_is_not_written(tmp_path: Path, picture: Path) -> None:
    folder = tmp_path / "mine"
    append_case(folder, CASE, picture)
    before = load(folder)

    with pytest.raises(SuiteError, match="has a case tray-1 already"):
        append_case(folder, CASE, picture)
    with pytest.raises(SuiteError, match="seven"):
        append_case(
            folder,
            msgspec.structs.replace(
                CASE, id="x", expected="seven bolts", grader="integer", options={}
            ),
            picture,
        )
    with pytest.raises(SuiteError, match="no such file"):
        append_case(folder, msgspec.structs.replace(CASE, id="x"), tmp_path / "nope.png")

    assert load(folder) == before


def test_a_suite_of_another_format_is_not_hidden(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "questions.csv").write_text("file_name,prompt,answer\n")

    with pytest.raises(SuiteError, match="can be appended to"):
        append_case(tmp_path, CASE, picture)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "mine").write_text("a file where the folder should be")

    with pytest.raises(SuiteError, match="cannot be written"):
        append_case(tmp_path / "mine", CASE, picture)


LINES = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20).filter(
    str.strip
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(question=LINES, expected=LINES, category=LINES.filter(str.isprintable).map(str.strip))
def test_any_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    picture: Path,
    question: str,
    expected: str,
    category: str,
) -> None:
    folder = tmp_path_factory.mktemp("mine")
    case = Case(
        id="a", category=category, question=question, image="", expected=expected, grader="text"
    )

    append_case(folder, case, picture)

    assert load(folder).cases == (msgspec.structs.replace(case, image="images/a.png"),)
