"""Our own format: what is read, what the hash covers, and how much is said about mistakes."""

import base64
import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import SuiteError, UsageError
from harness.suites import load, select

from .conftest import Workshop

ONE_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
)


def test_a_suite_is_read_from_its_folder(shop: Workshop) -> None:
    shop.toml(
        shop.case(id="one", tolerance=2, grader="decimal", expected="7.5"),
        head='suite = "plant"\nversion = "3"\nlicense = "CC0-1.0"',
    )
    shop.toml(
        shop.case(id="two", expected=["1", "2"], grader="list"),
        name="prompts/zz.toml",
        head='suite = "plant"\n',
    )

    suite = shop.load()

    assert (suite.name, suite.version, suite.license) == ("plant", "3", "CC0-1.0")
    one, two = suite.cases
    assert (one.id, one.category, one.expected, one.options) == (
        "one",
        "Counting",
        "7.5",
        {"tolerance": 2},
    )
    assert two.expected == ("1", "2")
    assert suite.pictures(one)[0] == shop.root / "a.png"


@pytest.mark.parametrize("name", ["prompts/a.toml", "a.toml"])
@pytest.mark.parametrize("as_file", [True, False])
def test_pictures_are_named_from_the_folder_that_holds_the_prompts(
    shop: Workshop, name: str, as_file: bool
) -> None:
    path = shop.toml(shop.case(), name=name)

    suite = load(path if as_file else shop.root)

    assert suite.pictures(suite.cases[0])[0].resolve() == (shop.root / "a.png").resolve()


def test_the_prompts_folder_itself_names_the_suite_too(shop: Workshop) -> None:
    shop.toml(shop.case())

    assert load(shop.root / "prompts").sha256 == shop.load().sha256


def test_a_case_may_have_a_category_of_its_own(shop: Workshop) -> None:
    shop.toml(shop.case(category="Reading"), shop.case(id="b"))

    assert shop.load().categories == ("Reading", "Counting")


def test_what_a_suite_leaves_unsaid_is_not_invented(shop: Workshop) -> None:
    shop.toml(shop.case())

    suite = shop.load()

    assert (suite.name, suite.version, suite.license) == ("suite", "unversioned", None)


def test_a_byte_order_mark_and_windows_line_ends_are_read(shop: Workshop) -> None:
    path = shop.toml(shop.case())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert shop.load().cases[0].id == "bolts"


def test_a_case_may_have_several_pictures_and_a_difficulty(shop: Workshop) -> None:
    shop.picture("b.png", "blue")
    shop.toml(
        shop.case(image=None, images=["a.png", "b.png"], difficulty="hard"),
        head="image_max_side_px = 1536",
    )

    suite = shop.load()

    (case,) = suite.cases
    assert (case.image, case.images, case.difficulty) == ("a.png", ("a.png", "b.png"), "hard")
    assert suite.pictures(case) == (shop.root / "a.png", shop.root / "b.png")
    assert suite.image_max_side_px == 1536


def test_a_list_of_pictures_and_a_difficulty_are_checked(shop: Workshop) -> None:
    shop.toml(
        shop.case(id="a", images=["b.png", "a.png"]),
        shop.case(id="b", image=None, images=["a.png", "nope.png"]),
        shop.case(id="c", images=3),
        shop.case(id="d", difficulty="brutal"),
    )
    shop.toml(shop.case(), name="prompts/b.toml", head='image_max_side_px = "big"')

    said = shop.refused()

    for part in [
        "case a: `images` is a list that does not begin with `image`",
        "case b: ",
        "nope.png: there is no such file",
        "case c: Expected `array`, got `int` - at `$.images`",
        "case d: Invalid enum value 'brutal' - at `$.difficulty`",
        "b.toml: Expected `int | null`, got `str` - at `$.image_max_side_px`",
    ]:
        assert part in said


# --- the hash -------------------------------------------------------------------------------


def test_the_hash_does_not_depend_on_files_and_order(shop: Workshop) -> None:
    one, two = shop.case(id="one"), shop.case(id="two")
    path = shop.toml(one, two)
    before = shop.load().sha256

    path.unlink()
    shop.toml(two, name="prompts/a.toml")
    shop.toml(one, name="prompts/b.toml")

    assert shop.load().sha256 == before


@pytest.mark.parametrize(
    "change",
    [
        {"id": "nuts"},
        {"question": "How many bolts are there in all? Answer with a number."},
        {"image": "b.png"},
        {"expected": "8"},
        {"grader": "decimal"},
        {"grader": "decimal", "tolerance": 1},
        {"category": "Reading"},
    ],
    ids=lambda change: " ".join(change),
)
def test_every_field_is_in_the_hash(shop: Workshop, change: dict[str, object]) -> None:
    shop.picture("b.png")
    shop.toml(shop.case())
    before = shop.load().sha256

    shop.toml(shop.case(**change))

    assert shop.load().sha256 != before


def test_a_suite_without_what_came_later_keeps_its_hash(shop: Workshop) -> None:
    """As version 0.1 computed it."""
    shop.write("a.png", ONE_PIXEL)
    shop.toml(
        shop.case(id="bolts", grader="decimal", tolerance=0.5, image="a.png"), head='suite = "s"'
    )

    assert shop.load().sha256 == "e638d3af876a329c563b9748dc933b2d3773b05aea5d7c8ec761c3d0e1038fb8"


def test_every_picture_of_several_is_in_the_hash(shop: Workshop) -> None:
    shop.picture("b.png", "blue")
    shop.toml(shop.case(image=None, images=["a.png", "b.png"]))
    before = shop.load().sha256

    shop.picture("b.png", "green")

    assert shop.load().sha256 != before


@pytest.mark.parametrize("head", ['suite = "b"', 'version = "2"', 'license = "MIT"'])
def test_name_version_and_licence_are_in_the_hash(shop: Workshop, head: str) -> None:
    shop.toml(shop.case())
    before = shop.load().sha256

    shop.toml(shop.case(), head=head)

    assert shop.load().sha256 != before


def test_the_bytes_of_the_pictures_are_in_the_hash(shop: Workshop) -> None:
    shop.toml(shop.case())
    before = shop.load().sha256

    shop.picture("a.png", "blue")

    assert shop.load().sha256 != before


# --- mistakes -------------------------------------------------------------------------------


def test_every_mistake_is_named_at_once_with_file_and_case(shop: Workshop) -> None:
    shop.toml(
        shop.case(id="a", question=None),
        shop.case(id="b", expected=7),
        shop.case(id="c", image="nope.png"),
        shop.case(id="d"),
        shop.case(id="d"),
        shop.case(id=None),
        shop.case(id="e", question=["x"]),
        shop.case(id="f", expected=[]),
        shop.case(id="g", grader="  "),
        head='sutie = "x"',
    )
    shop.write("prompts/broken.toml", "category = ")

    said = shop.refused()

    for part in [
        "counting.toml: unknown key sutie",
        "counting.toml, case a: Object missing required field `question`",
        "counting.toml, case b: Expected `str | array`, got `int` - at `$.expected`",
        "counting.toml, case c: ",
        "nope.png: there is no such file",
        "counting.toml, case d: its id was used before",
        "counting.toml, case 6: Object missing required field `id`",
        "counting.toml, case e: Expected `str`, got `array` - at `$.question`",
        "counting.toml, case f: this grader needs one expected answer, not a list",
        "counting.toml, case g: grader ' ' is not one of",
        "broken.toml: ",
        "is not valid TOML",
    ]:
        assert part in said


def test_a_file_without_a_category_says_so(shop: Workshop) -> None:
    shop.write("prompts/a.toml", shop.case())

    assert "case bolts: Object missing required field `category`" in shop.refused()


@pytest.mark.parametrize("name", ["a\nb", " a", "a\x1b", "x" * 201])
def test_ids_and_categories_are_plain_lines(shop: Workshop, name: str) -> None:
    shop.toml(shop.case(id=name), shop.case(id="b", category=name))

    said = shop.refused()

    assert "its id is not one plain line" in said
    assert "its category is not one plain line" in said


def test_a_picture_may_have_a_colon_in_its_name(shop: Workshop) -> None:
    shop.picture("tray: 1.png")
    shop.toml(shop.case(image="tray: 1.png"))

    assert shop.load().cases


def test_files_that_disagree_about_their_suite_are_named(shop: Workshop) -> None:
    shop.toml(shop.case(), head='version = "1"')
    shop.toml(shop.case(id="b"), name="prompts/b.toml", head='version = "2"')

    assert "version is 1, and 2 in another file" in shop.refused()


def test_10000_duplicates_make_a_message_of_bounded_length(shop: Workshop) -> None:
    shop.toml(*[shop.case()] * 10_001)

    said = shop.refused()

    assert "and 9,980 more" in said
    assert len(said) < 3_000


@pytest.mark.parametrize("content", ["", "case = 3", "case = [1]", "[case]\nid = 'a'"])
def test_a_file_without_cases_is_no_suite(shop: Workshop, content: str) -> None:
    shop.write("prompts/a.toml", content)

    assert shop.refused()


def test_a_folder_without_a_suite_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="holds no suite") as caught:
        load(tmp_path)
    assert "prompts/*.toml" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no.toml", "no such file"),
        ("a.png", "is not a suite"),
        ("x" * 5_000, "is not a suite"),
        ("x" * 5_000 + ".csv", "cannot be opened"),
        ("a\0.toml", "cannot be opened"),
    ],
)
def test_a_path_that_is_no_suite_is_named(shop: Workshop, name: str, said: str) -> None:
    assert said in shop.refused(name)


# --- weapons --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "../secret.png",
        "x/../../secret.png",
        "/etc/passwd",
        "http://example.org/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "C:\\pictures\\a.png",
        "..\\secret.png",
        "link.png",
        "folder/secret.png",
        "loop.png",
        "a\0.png",
        "fifo.png",
        "/dev/zero",
        "device.png",
        ".",
        "prompts",
        "x" * 5_000,
    ],
)
def test_a_picture_is_a_file_inside_its_suite(shop: Workshop, image: str) -> None:
    secret = shop.root.parent / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    (shop.root / "link.png").symlink_to(secret)
    (shop.root / "folder").symlink_to(shop.root.parent)
    (shop.root / "loop.png").symlink_to(shop.root / "loop.png")
    (shop.root / "device.png").symlink_to("/dev/zero")
    os.mkfifo(shop.root / "fifo.png")
    shop.toml(shop.case(image=image))

    assert "case bolts: " in shop.refused()


def test_a_link_inside_the_suite_is_followed(shop: Workshop) -> None:
    (shop.root / "b.png").symlink_to("a.png")
    shop.toml(shop.case(image="b.png"))

    assert shop.load().cases


def test_a_suite_reached_through_a_link_is_read(shop: Workshop, tmp_path: Path) -> None:
    shop.toml(shop.case())
    (tmp_path / "link").symlink_to(shop.root)

    assert load(tmp_path / "link").sha256 == shop.load().sha256


def test_a_picture_that_is_none_is_found_before_any_model_is_asked(shop: Workshop) -> None:
    shop.write("b.png", "<html>404</html>")
    shop.toml(shop.case(image="b.png"))

    assert "b.png is not a picture: it begins with <html>404" in shop.refused()


def test_names_cannot_write_to_the_terminal(shop: Workshop) -> None:
    shop.toml(shop.case(id="\x1b]0;title\x07", image="\x1b[2J.png"))

    assert "\x1b" not in shop.refused()


@pytest.mark.parametrize("suite", ["fifo.toml", "folder.toml", "device.toml"])
def test_a_suite_that_is_no_regular_file_is_refused_at_once(shop: Workshop, suite: str) -> None:
    os.mkfifo(shop.root / "fifo.toml")
    (shop.root / "folder.toml").mkdir()
    (shop.root / "device.toml").symlink_to("/dev/zero")

    assert shop.refused(suite)


def test_deep_nesting_and_giant_numbers_are_refused(shop: Workshop) -> None:
    shop.write("deep.toml", "a = " + "[" * 50_000)
    shop.write("long.toml", "a = " + "9" * 10_000)

    assert "is not valid TOML" in shop.refused("deep.toml")
    assert "long.toml" in shop.refused("long.toml")


TABLES = st.dictionaries(
    st.sampled_from(["id", "question", "image", "expected", "grader", "category", "case", "x"]),
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(["a.png", "integer", "choice", "7"]),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.lists(st.text(max_size=3), max_size=3),
    ),
)


def toml_value(value: object) -> str:
    if isinstance(value, float) and value != value:
        return "nan"
    return json.dumps(value).replace("Infinity", "inf").replace("\x7f", "\\u007f")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=200), st.lists(TABLES, min_size=1, max_size=3)))
def test_whatever_the_file_holds_it_is_a_suite_or_an_error(
    shop: Workshop, content: bytes | list[dict[str, object]]
) -> None:
    if isinstance(content, list):
        lines = [
            f"[[case]]\n{key} = {toml_value(value)}" if at == 0 else f"{key} = {toml_value(value)}"
            for table in content
            for at, (key, value) in enumerate(table.items())
        ]
        content = "\n".join(['category = "c"', *lines]).encode("utf-8", "surrogatepass")
    path = shop.write("fuzz.toml", content)

    with contextlib.suppress(SuiteError):
        assert load(path).cases


# --- choosing -------------------------------------------------------------------------------


@pytest.fixture
def plant(shop: Workshop) -> Workshop:
    shop.toml(shop.case(id="one"), shop.case(id="two"))
    shop.toml(shop.case(id="three", category="Defect Detection"), name="prompts/zz.toml")
    return shop


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        ({}, ["one", "two", "three"]),
        ({"limit": 2}, ["one", "two"]),
        ({"categories": ["Defect Detection"]}, ["three"]),
        ({"categories": ["defect-detection", "COUNTING"]}, ["one", "two", "three"]),
        ({"prompts": ["three", "one"]}, ["one", "three"]),
        ({"categories": ["counting"], "prompts": ["one"]}, ["one"]),
    ],
)
def test_cases_are_chosen_by_category_id_and_number(
    plant: Workshop, choice: dict[str, object], ids: list[str]
) -> None:
    assert [case.id for case in select(plant.load(), **choice)] == ids  # type: ignore[arg-type]


def test_an_unknown_choice_suggests_the_nearest(plant: Workshop) -> None:
    with pytest.raises(UsageError, match="no prompt thre") as caught:
        select(plant.load(), prompts=["thre"])
    assert "three" in caught.value.fix

    with pytest.raises(UsageError, match="no category defect-detecton") as caught:
        select(plant.load(), categories=["Defect Detecton"])
    assert "defect-detection" in caught.value.fix


def test_a_choice_that_leaves_nothing_is_refused(plant: Workshop) -> None:
    with pytest.raises(UsageError, match="no prompt is in the chosen categories"):
        select(plant.load(), categories=["counting"], prompts=["three"])
