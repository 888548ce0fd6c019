"""Formats people already have: CSV, JSONL, TSV with pictures inside, a folder with questions."""

import base64
import contextlib
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import SuiteError
from harness.records import Case
from harness.suites import load

from .conftest import Workshop

COUNT = "How many bolts are there? Answer with a number."


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of a TSV are unpacked below this folder, not into the tester's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "PNG")
    return buffer.getvalue()


def inside(colour: str = "red") -> str:
    return base64.b64encode(png(colour)).decode()


def table(*rows: list[str], delimiter: str = ",") -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue()


def only(shop: Workshop, name: str) -> Case:
    (case,) = shop.load(name).cases
    return case


# --- CSV ------------------------------------------------------------------------------------


def test_a_csv_is_read_with_its_images_folder(shop: Workshop) -> None:
    shop.picture("images/tray.png")
    shop.write("bolts.csv", f"file_name,prompt,answer,category\ntray.png,{COUNT},7,Counting\n")

    suite = shop.load("bolts.csv")

    (case,) = suite.cases
    assert (suite.name, suite.version, suite.license) == ("bolts", "unversioned", None)
    assert (case.id, case.category, case.question) == ("0001-tray", "Counting", COUNT)
    assert (case.expected, case.grader, case.image) == ("7", "integer", "images/tray.png")
    assert suite.pictures(case)[0].is_file()


def test_two_questions_on_one_picture_have_ids_of_their_own(shop: Workshop) -> None:
    shop.write("a.csv", f"file_name,prompt,answer\na.png,{COUNT},7\na.png,Is it red?,yes\n")

    assert [case.id for case in shop.load("a.csv").cases] == ["0001-a", "0002-a"]


@pytest.mark.parametrize("columns", ["image,question,answer", "File Name,Prompt,Expected"])
def test_columns_go_by_their_customary_names(shop: Workshop, columns: str) -> None:
    shop.write("a.csv", f"{columns}\na.png,{COUNT},7\n")

    assert only(shop, "a.csv").category == "Uncategorized"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
    ],
    ids=["byte order mark", "CRLF", "CR", "UTF-16", "semicolons", "blank lines"],
)
def test_a_csv_as_spreadsheets_save_it_is_read(
    shop: Workshop, encode: Callable[[str], bytes]
) -> None:
    shop.write("a.csv", encode("file_name,prompt,answer\na.png,Wie heißt er?,Müller\n"))

    assert only(shop, "a.csv").expected == "Müller"


def test_leading_zeros_and_spaces_inside_survive(shop: Workshop) -> None:
    shop.write("a.csv", 'file_name,prompt,answer\na.png,What is the code?," 007 8 "\n')

    assert only(shop, "a.csv").expected == "007 8"


def test_a_field_of_a_megabyte_is_read(shop: Workshop) -> None:
    long = "word " * 200_000
    shop.write("a.csv", f"file_name,prompt,answer\na.png,{long},yes\n")

    assert only(shop, "a.csv").question == long.strip()


def test_windows_paths_are_understood(shop: Workshop) -> None:
    shop.picture("images/deep/b.png")
    shop.write("a.csv", f"file_name,prompt,answer\nimages\\deep\\b.png,{COUNT},7\n")

    assert only(shop, "a.csv").image == "images/deep/b.png"


def test_every_broken_row_is_named(shop: Workshop) -> None:
    shop.write(
        "a.csv",
        "file_name,prompt,answer\n"
        "a.png,Is it a nut, or a bolt?,nut\n"
        "a.png,What?\n"
        "a.png,What?,\n"
        ",What?,x\n"
        "nope.png,What is it?,nut\n"
        "http://example.org/a.png,What is it?,nut\n"
        "../a.png,What is it?,nut\n",
    )

    said = shop.refused("a.csv")

    for part in [
        "a.csv, line 2: 4 cells in a table of 3 columns (fix: put a text with commas in quotes)",
        "a.csv, line 3: 2 cells in a table of 3 columns",
        "a.csv, line 4: no answer: `answer` is empty",
        "a.csv, line 5: no picture: `file_name` is empty",
        "nope.png: there is no such file",
        "is an address, not a path",
        "is not a path inside the suite",
    ]:
        assert part in said


def test_columns_of_one_name_are_a_problem(shop: Workshop) -> None:
    shop.write("a.csv", "file_name,prompt,answer,Answer\na.png,What?,x,y\n")

    assert "two columns have the same name" in shop.refused("a.csv")


def test_half_a_character_in_a_picture_name_is_no_crash(shop: Workshop) -> None:
    shop.write("a.jsonl", '{"image": "\\ud800.png", "question": "What?", "answer": "x"}')

    assert "a.jsonl, line 1: " in shop.refused("a.jsonl")


def test_columns_in_any_script_are_told_apart(shop: Workshop) -> None:
    shop.write("a.csv", "图片,问题,答案\na.png,几个?,7\n")
    shop.write("a.graders.toml", '[columns]\npicture = "图片"\nquestion = "问题"\nanswer = "答案"')

    assert only(shop, "a.csv").question == "几个?"


def test_missing_columns_are_named_with_those_that_are_there(shop: Workshop) -> None:
    shop.write("a.csv", "file_name,foo\na.png,bar\n")

    assert "no question: among file_name, foo" in shop.refused("a.csv")


def test_an_open_quote_does_not_swallow_the_rest_unsaid(shop: Workshop) -> None:
    shop.write("a.csv", 'file_name,prompt,answer\na.png,"What?,nut\na.png,What?,nut\n')

    assert "the rest of the file was not read" in shop.refused("a.csv")


def test_what_windows_calls_ansi_is_read_and_said_once(shop: Workshop) -> None:
    rows = "a.png,Größe in €?,7\na.png,Maß?,8\n"
    shop.write("a.csv", f"file_name,prompt,answer\n{rows}".encode("cp1252"))

    suite = shop.load("a.csv")

    assert [case.question for case in suite.cases] == ["Größe in €?", "Maß?"]
    said = [it for it in suite.remarks if "Windows-1252" in it.what]
    assert [it.where for it in said] == ["a.csv"]


def test_what_is_no_text_in_any_encoding_says_so(shop: Workshop) -> None:
    shop.write("a.csv", b"file_name,prompt,answer\na.png,\x81\x8d?,7\n")

    assert "is not UTF-8 text" in shop.refused("a.csv")


def test_utf16_that_is_cut_short_says_so(shop: Workshop) -> None:
    shop.write("a.csv", "file_name,prompt,answer\na.png,What?,7\n".encode("utf-16")[:-1])

    assert "is not UTF-8 text" in shop.refused("a.csv")


@pytest.mark.parametrize("content", ["", "\n", "file_name,prompt,answer\n", "\0\0\0"])
def test_a_csv_without_rows_has_no_cases(shop: Workshop, content: str) -> None:
    shop.write("a.csv", content)

    assert "has no cases" in shop.refused("a.csv")


# --- a folder with questions ----------------------------------------------------------------


def test_a_folder_of_pictures_with_questions_is_a_suite(shop: Workshop) -> None:
    shop.write("questions.csv", f"file_name,prompt,answer\na.png,{COUNT},7\n")

    suite = shop.load()

    assert suite.name == "suite"
    assert suite.cases[0].image == "a.png"


def test_the_one_foreign_file_of_a_folder_is_taken(shop: Workshop) -> None:
    shop.write("a.jsonl", json.dumps({"image": "a.png", "question": COUNT, "answer": 7}))
    assert shop.load().cases

    shop.write("b.csv", f"file_name,prompt,answer\na.png,{COUNT},7\n")
    assert "holds several suites" in shop.refused()


# --- JSONL ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        ("image", "question", "answer"),
        ("image", "prompt", "answer"),
        ("image", "prefix", "suffix"),
        ("file_name", "question", "expected"),
    ],
)
def test_jsonl_is_read_by_its_customary_keys(shop: Workshop, keys: tuple[str, ...]) -> None:
    row = dict(zip(keys, ("a.png", COUNT, "7"), strict=True))
    shop.write("a.jsonl", json.dumps(row) + "\n")

    case = only(shop, "a.jsonl")

    assert (case.id, case.question, case.expected, case.grader) == ("0001-a", COUNT, "7", "integer")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(7, "7"), (7.5, "7.5"), (True, "yes"), ("007", "007"), (["nut"], "nut"), ('["nut"]', "nut")],
)
def test_json_values_become_the_answers_they_stand_for(
    shop: Workshop, answer: object, expected: object
) -> None:
    shop.write("a.jsonl", json.dumps({"image": "a.png", "question": "What?", "answer": answer}))

    assert only(shop, "a.jsonl").expected == expected


def test_broken_lines_of_jsonl_are_named(shop: Workshop) -> None:
    deep = "[" * 100_000
    shop.write("a.jsonl", f'\ufeff{{"image": 3}}\n\n[]\n{{"image": "a.png"\n{deep}\n\xff\n')

    said = shop.refused("a.jsonl")

    for part in ["line 1: no question", "line 3: no JSON object", "line 4: no JSON", "line 5: no"]:
        assert f"a.jsonl, {part}" in said


# --- TSV ------------------------------------------------------------------------------------


def test_a_tsv_carries_its_pictures_and_lettered_options(shop: Workshop, cache: Path) -> None:
    shop.write(
        "bench.tsv",
        table(
            ["index", "image", "hint", "question", "A", "B", "C", "D", "answer", "category"],
            ["5", inside(), "Look well.", "What is it?", "nut", "bolt", "", "", "B", "Parts"],
            delimiter="\t",
        ),
    )

    suite = shop.load("bench.tsv")

    (case,) = suite.cases
    assert case.question == (
        "Look well.\nWhat is it?\nA. nut\nB. bolt\nAnswer with the letter of the right option."
    )
    assert (case.id, case.expected, case.grader) == ("5", "B", "choice")
    assert suite.pictures(case)[0].read_bytes() == png()
    assert suite.pictures(case)[0].is_relative_to(cache)


def test_an_answer_written_out_finds_its_letter(shop: Workshop) -> None:
    rows = [["image", "question", "A", "B", "answer"], [inside(), "What?", "Nut", "Bolt", "bolt"]]
    shop.write("a.tsv", table(*rows, delimiter="\t"))

    assert only(shop, "a.tsv").expected == "B"


def test_an_answer_that_is_no_option_is_a_problem(shop: Workshop) -> None:
    rows = [["image", "question", "A", "B", "answer"], [inside(), "What?", "nut", "bolt", "E"]]
    shop.write("a.tsv", table(*rows, delimiter="\t"))

    assert "a.tsv, line 2: 'E'" in shop.refused("a.tsv")


def test_rows_may_show_the_picture_of_another_row(shop: Workshop) -> None:
    rows = [
        ["index", "image", "question", "answer"],
        ["10", "30", "Is it red?", "no"],
        ["20", inside("red"), "Is it red?", "yes"],
        ["30", inside("blue"), "Is it blue?", "yes"],
        ["40", "20", "Is it green?", "no"],
    ]
    shop.write("a.tsv", table(*rows, delimiter="\t"))

    suite = shop.load("a.tsv")

    one, two, three, four = suite.cases
    assert one.image == three.image != two.image == four.image
    assert one.id == "10"


def test_a_tsv_of_paths_is_read_as_a_table(shop: Workshop) -> None:
    shop.write("a.tsv", f"image\tquestion\tanswer\na.png\t{COUNT}\t7\n")

    assert only(shop, "a.tsv").image == "a.png"


def test_unpacked_pictures_are_kept_once_and_mended(shop: Workshop, cache: Path) -> None:
    rows = [
        ["index", "image", "question", "answer"],
        *([str(number), inside(), "Is it red?", "yes"] for number in range(3)),
    ]
    shop.write("a.tsv", table(*rows, delimiter="\t"))
    suite = shop.load("a.tsv")
    (kept,) = (path for path in cache.rglob("*") if path.is_file())

    kept.write_bytes(b"damaged")

    assert shop.load("a.tsv").sha256 == suite.sha256
    assert kept.read_bytes() == png()


def test_broken_pictures_of_a_tsv_are_named(shop: Workshop) -> None:
    bad = [inside() + "!", "['x" + inside() + "']", base64.b64encode(b"x" * 99).decode(), "77", ""]
    bad.append("é" * 80)
    rows = [["image", "question", "answer"], [inside(), "Is it red?", "yes"]]
    rows += [[cell, "Is it red?", "yes"] for cell in bad]
    shop.write("a.tsv", table(*rows, delimiter="\t"))

    said = shop.refused("a.tsv")

    for line, part in enumerate(
        [
            "is not valid base64",
            "is not valid base64",
            "is not a picture",
            "of a row: 77",
            "no picture: `image` is empty",
            "is not valid base64",
        ],
        3,
    ):
        assert any(f"line {line}: " in each and part in each for each in said.splitlines()), part


def test_a_cache_that_cannot_be_written_is_named(shop: Workshop, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    rows = [["image", "question", "answer"], [inside(), "Is it red?", "yes"]]
    shop.write("a.tsv", table(*rows, delimiter="\t"))

    assert "cannot be written" in shop.refused("a.tsv")


# --- graders --------------------------------------------------------------------------------


def test_a_side_file_overrules_the_inferred_graders(shop: Workshop) -> None:
    shop.write(
        "a.csv",
        "file_name,prompt,answer,category\n"
        "a.png,What is the pressure in bar?,2.5,Gauges\n"
        "a.png,What is the pressure in bar?,2.6,Gauges\n"
        "a.png,What is the code?,0042,Codes\n",
    )
    shop.write(
        "a.graders.toml",
        '[category.Gauges]\ngrader = "decimal"\ntolerance = 0.1\n'
        "[case.0002-a]\ntolerance = 0.2\n"
        '[category.Codes]\ngrader = "code"\n',
    )

    one, two, three = shop.load("a.csv").cases

    assert (one.grader, one.options["tolerance"]) == ("decimal", 0.1)
    assert two.options["tolerance"] == 0.2
    assert three.grader == "code"


def test_a_side_file_that_names_nothing_is_a_problem(shop: Workshop) -> None:
    shop.write("a.csv", f"file_name,prompt,answer\na.png,{COUNT},7\n")
    shop.write("a.graders.toml", '[case.0009-x]\ngrader = "code"\n')
    assert "a.graders.toml: the suite has no case 0009-x" in shop.refused("a.csv")

    shop.write("a.graders.toml", "[categry.x]\n")
    assert "a.graders.toml: Object contains unknown field `categry`" in shop.refused("a.csv")


# --- anything at all ------------------------------------------------------------------------

CELLS = st.one_of(
    st.sampled_from(["a.png", "yes", "7", "A", "image", "question", "answer", inside(), "", "0"]),
    st.text(max_size=12),
)
HEADERS = {
    "csv": "file_name,prompt,answer\n",
    "tsv": "index\timage\tquestion\tanswer\tA\tB\n",
    "jsonl": "",
    "json": "",
}


def lines_of(kind: str) -> st.SearchStrategy[str]:
    if kind in ("json", "jsonl"):
        keys = st.sampled_from(
            ["image", "question", "answer", "options", "messages", "input", "data", "id", "x", "A"]
        )
        values = st.recursive(
            st.one_of(CELLS, st.integers(), st.floats(), st.booleans(), st.none()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)
            ),
            max_leaves=6,
        )
        return st.dictionaries(keys, values).map(json.dumps)
    return st.lists(CELLS, min_size=3, max_size=6).map(
        lambda cells: table(cells, delimiter="\t" if kind == "tsv" else ",")
    )


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_the_file_holds_it_is_a_suite_or_an_error(
    shop: Workshop, kind: str, data: st.DataObject
) -> None:
    content = data.draw(
        st.one_of(
            st.binary(max_size=120),
            st.lists(lines_of(kind), max_size=4).map(
                lambda lines: (HEADERS[kind] + "\n".join(lines)).encode("utf-8", "surrogatepass")
            ),
        )
    )
    path = shop.write(f"fuzz.{kind}", content)

    with contextlib.suppress(SuiteError):
        assert load(path).cases
