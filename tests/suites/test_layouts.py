"""The layouts of other people's files: those of docs/suites.md, and what is special about some."""

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import SuiteError
from harness.records import Case
from harness.suites import Findings, Suite, load, read
from harness.suites.fields import NAMES

from .conftest import Workshop

DOCS = (Path(__file__).parents[2] / "docs" / "suites.md").read_text(encoding="utf-8")
SAMPLES = re.findall(
    r"^`([\w.-]+)`\n```\w+\n(.*?)```\ngives `(.+?)`: (.+?) = `(.+?)` \((\w+)\)$",
    DOCS,
    re.DOTALL | re.MULTILINE,
)
ASK_LETTER = "Answer with the letter of the right option."


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def shop(shop: Workshop) -> Workshop:
    shop.picture("p1.png")
    shop.picture("p2.png", "blue")
    return shop


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "PNG")
    return buffer.getvalue()


def rows(shop: Workshop, *objects: dict[str, Any], name: str = "q.jsonl") -> Suite:
    shop.write(name, "\n".join(map(json.dumps, objects)))
    return shop.load(name)


def one(shop: Workshop, **cells: Any) -> Case:
    """A row about one picture, unless it names others."""
    row = {"question": "What is it?", "answer": "a dot"} | cells
    if "answers" in cells:
        del row["answer"]
    if not any("im" in name for name in cells):
        row["image"] = "p1.png"
    return rows(shop, row).cases[0]


def remarks(suite: Suite) -> str:
    return "\n".join(f"{it.level}: {it}" for it in suite.remarks)


def test_the_documentation_has_samples() -> None:
    assert len(SAMPLES) > 15
    for name in [*NAMES["question"][:5], *NAMES["answer"][:4]]:
        assert f"`{name}`" in DOCS


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample[0])
def test_every_layout_of_the_documentation_is_read_as_it_says(
    shop: Workshop, sample: tuple[str, ...]
) -> None:
    name, content, case_id, question, expected, grader = sample
    shop.write(name, content)

    case = shop.load(name).cases[0]

    said = " ".join(case.question.split())
    assert (case.id, said, case.expected, case.grader) == (case_id, question, expected, grader)
    assert case.pictures[0] == "p1.png"


# --- options and keys -----------------------------------------------------------------------

COLOURS = ["red", "green", "blue"]


@pytest.mark.parametrize(
    "cells",
    [
        {"options": COLOURS, "answer": "B"},
        {"choices": COLOURS, "answer": "green"},
        {"choices": COLOURS, "answer": "(B) green"},
        {"options": json.dumps(COLOURS), "answer": "B."},
        {"options": str(COLOURS), "answer": "b"},
        {"options": {"A": "red", "B": "green", "C": "blue"}, "answer": "B"},
        {"options": {"text": COLOURS, "label": ["A", "B", "C"]}, "answer": "B"},
        {"options": [{"label": "A", "text": it} for it in COLOURS], "answer": "B"},
        {"option": "A. red; B. green; C. blue", "answer": "B"},
        {"options": "A) red\nB) green\nC) blue", "answer": "B"},
        {"options": ["A. red", "B. green", "C. blue"], "answer": "B"},
        {"options": COLOURS, "answer": "Option B"},
        {"options": COLOURS, "answer_idx": 1, "answer": None},
        {"option1": "red", "option2": "green", "option3": "blue", "answer": "2"},
        {"question": {"stem": "Which?", "choices": COLOURS}, "answerKey": "B", "answer": None},
        {"A": "red", "B": "green", "C": "blue", "answer": "B"},
        {"option_a": "red", "option_b": "green", "option_c": "blue", "answer": "B"},
        {"Option 1": "red", "Option 2": "green", "Option 3": "blue", "answer": "green"},
        {"A": "red", "B": "green", "C": "blue", "D": "nan", "answer": "B"},
        {"options": "['red', 'green', 'blue']", "answer": "B"},
    ],
    ids=lambda cells: ", ".join(cells),
)
def test_options_however_they_are_written_are_shown_with_letters(
    shop: Workshop, cells: dict[str, Any]
) -> None:
    case = one(shop, **{"question": "Which?", "hint": "Look well.", **cells})

    assert case.question == f"Look well.\nWhich?\nA. red\nB. green\nC. blue\n{ASK_LETTER}"
    assert (case.grader, case.expected) == ("choice", "B")
    assert case.options == {"choices": COLOURS}


@pytest.mark.parametrize(
    ("answers", "keys"),
    [([0, 1, 2], "ABC"), ([1, 2, 3], "ABC"), (["0", "2"], "AC"), ([3, 1], "CA")],
)
def test_numbers_as_keys_are_counted_as_the_whole_file_tells(
    shop: Workshop, answers: list[Any], keys: str
) -> None:
    suite = rows(
        shop,
        *(
            {"image": "p1.png", "question": f"{number}?", "choices": COLOURS, "answer": answer}
            for number, answer in enumerate(answers)
        ),
    )

    assert "".join(str(case.expected) for case in suite.cases) == keys


def test_numbers_that_no_answer_places_are_warned_of(shop: Workshop) -> None:
    suite = rows(shop, {"image": "p1.png", "question": "?", "choices": COLOURS, "answer": 1})

    assert suite.cases[0].expected == "B"
    assert "counted from 0: no answer tells" in remarks(suite)


def test_numbers_that_are_options_are_texts(shop: Workshop) -> None:
    case = one(shop, question="How many?", choices=[2, 3, 4], answer=3)

    assert case.expected == "B"


def test_a_key_that_is_a_letter_is_a_letter_first(shop: Workshop) -> None:
    assert one(shop, A="C", B="D", C="A", D="B", answer="D").expected == "D"


def test_options_that_the_question_lists_already_are_not_listed_twice(shop: Workshop) -> None:
    question = "Which?\n(A) red\n(B) green"

    assert one(shop, question=question, options=["red", "green"], answer="A").question == question


def test_several_right_options_must_all_be_named(shop: Workshop) -> None:
    case = one(shop, options=COLOURS, answer=["A", "C"])

    assert (case.expected, case.grader) == (("A", "C"), "list")
    assert "letters of all right options" in case.question


def test_a_key_that_is_no_option_is_named_with_its_row(shop: Workshop) -> None:
    row = {"image": "p1.png", "question": "?", "options": COLOURS}
    shop.write("q.jsonl", f"{json.dumps(row | {'answer': 'E'})}\n{json.dumps(row)}")

    said = shop.refused("q.jsonl")

    assert "q.jsonl, line 1: 'E' is none of the options A. red, B. green, C. blue" in said
    assert "q.jsonl, line 2: no answer" in said


# --- answers --------------------------------------------------------------------------------


def test_of_several_answers_any_passes(shop: Workshop) -> None:
    case = one(shop, question="Who signed?", answers=["Ann Lee", "A. Lee", "Ann Lee"])

    assert (case.expected, case.grader) == ("Ann Lee", "text")
    assert case.options == {"aliases": ["A. Lee"]}


@pytest.mark.parametrize(
    ("question", "answer", "grader"),
    [
        ("What is the area in square metres?", "1.0144", "decimal"),
        ("What is the value of $x + 1$ in the triangle?", "4", "integer"),
        ("What is the value?", "31.12.2024", "date"),
        ("Is there a line?", "0", "yes_no"),
    ],
)
def test_the_grader_is_inferred_from_question_and_answer(
    shop: Workshop, question: str, answer: str, grader: str
) -> None:
    assert one(shop, question=question, answer=answer).grader == grader


def test_all_of_several_must_be_named_where_the_side_file_says_so(shop: Workshop) -> None:
    shop.write("q.graders.toml", '[all]\ngrader = "list"')

    assert one(shop, answer=["nut", "bolt"]).expected == ("nut", "bolt")


def test_what_three_of_ten_people_say_is_right(shop: Workshop) -> None:
    said = ["4"] * 5 + ["3"] * 3 + ["5", "many"]
    row = {"question": "How many?", "answers": [{"answer": it} for it in said]}

    case = one(shop, **row)

    assert (case.expected, case.options) == ("4", {"aliases": ["3"]})


def test_an_object_as_an_answer_is_graded_as_json(shop: Workshop) -> None:
    case = one(shop, answer={"total": 24.1})

    assert (case.grader, json.loads(str(case.expected))) == ("json", {"total": 24.1})


def test_our_own_columns_set_grader_and_options(shop: Workshop) -> None:
    shop.write(
        "a.csv",
        "image,question,answer,grader,tolerance,unit,aliases,difficulty\n"
        "p1.png,What is the pressure?,2.5,,0.1,bar,,easy\n"
        "p1.png,What is it?,nut,text,,,hex nut;M6 nut,Hard\n",
    )

    one, two = shop.load("a.csv").cases

    assert (one.grader, one.options) == ("decimal", {"tolerance": 0.1, "unit": "bar"})
    assert (two.grader, two.options) == ("text", {"aliases": ["hex nut", "M6 nut"]})
    assert (one.difficulty, two.difficulty) == ("easy", "hard")


SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


@pytest.mark.parametrize("schema", ["total.schema.json", json.dumps(SCHEMA), SCHEMA], ids=type)
def test_a_schema_is_a_file_of_the_suite_or_stands_in_the_row(shop: Workshop, schema: Any) -> None:
    shop.write("total.schema.json", json.dumps(SCHEMA))

    case = one(shop, answer='{"total": 24.1}', schema=schema)

    assert (case.grader, case.options) == ("json", {"schema": SCHEMA})


def test_what_is_no_schema_is_named(shop: Workshop) -> None:
    shop.write("list.json", "[]")
    row = {"image": "p1.png", "question": "?", "answer": '{"a": 1}'}
    named = [{**row, "schema": name} for name in ("list.json", "no.json", "/etc/passwd", {"a": 1})]
    shop.write("q.jsonl", "\n".join(map(json.dumps, named)))

    said = shop.refused("q.jsonl").splitlines()

    for line, part in enumerate(
        ["is not a JSON object", "no such file", "not a path inside", "is not a JSON schema"],
        start=1,
    ):
        [one] = [each for each in said if f"line {line}: " in each]
        assert part in one


@pytest.mark.parametrize("answer", ["[40, 20, 80, 60]", [40, 20, 80, 60]], ids=type)
def test_a_list_is_one_box_where_the_grader_is_box(shop: Workshop, answer: Any) -> None:
    case = one(shop, question="Where is the dot?", answer=answer, grader="box")

    assert (case.grader, case.expected) == ("box", "40, 20, 80, 60")


# --- chats ----------------------------------------------------------------------------------

TURNS = [
    {"from": "human", "value": "<image>\nWhat colour is the dot?"},
    {"from": "gpt", "value": "Red."},
    {"from": "human", "value": "How many of them are there?"},
    {"from": "gpt", "value": "1"},
]


def test_every_turn_of_a_chat_is_asked_with_those_before_it(shop: Workshop) -> None:
    suite = rows(shop, {"id": "7", "image": "p1.png", "conversations": TURNS})

    first, second = suite.cases
    assert (first.id, first.question, first.expected) == ("7", "What colour is the dot?", "Red.")
    assert (second.id, second.expected, second.grader) == ("7-2", "1", "integer")
    assert second.question == (
        "Question: What colour is the dot?\nAnswer: Red.\nHow many of them are there?"
    )


def test_only_the_last_turn_is_asked_where_a_column_holds_the_answer(shop: Workshop) -> None:
    suite = rows(
        shop, {"id": "7", "image": "p1.png", "messages": TURNS[:3], "target": "1", "hint": "Look."}
    )

    (case,) = suite.cases
    assert (case.id, case.expected) == ("7", "1")
    assert case.question.splitlines() == [
        "Look.",
        "Question: What colour is the dot?",
        "Answer: Red.",
        "How many of them are there?",
    ]


def test_messages_in_a_row_are_one_question(shop: Workshop) -> None:
    turns = [{"role": "user", "content": it} for it in ("Look at it.", "Is it red?", [3])]
    suite = rows(shop, {"image": "p1.png", "messages": [*turns, TURNS[1]]})

    assert [case.question for case in suite.cases] == ["Look at it.\nIs it red?"]


def test_pictures_shown_in_an_earlier_turn_are_shown_again(shop: Workshop) -> None:
    def turn(text: str, *pictures: str) -> dict[str, Any]:
        parts = [{"type": "image", "image": name} for name in pictures]
        return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}

    said = {"role": "assistant", "content": "yes"}
    suite = rows(
        shop, {"messages": [turn("Is it red?", "p1.png"), said, turn("And here?", "p2.png"), said]}
    )

    assert [case.pictures for case in suite.cases] == [("p1.png",), ("p1.png", "p2.png")]


@pytest.mark.parametrize(
    "row",
    [
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}},
        {"key": "1", "request": {"contents": [{"role": "user", "parts": [{"text": "What?"}]}]}},
    ],
    ids=["OpenAI", "Gemini"],
)
def test_batches_of_requests_are_refused_with_a_recipe(shop: Workshop, row: dict[str, Any]) -> None:
    shop.write("q.jsonl", json.dumps(row))

    with pytest.raises(
        SuiteError, match=r"q\.jsonl, line 1: this is a batch of requests"
    ) as caught:
        load(shop.root / "q.jsonl")
    assert "write a questions.csv" in caught.value.fix


# --- pictures -------------------------------------------------------------------------------

BASE64 = base64.b64encode(png()).decode()


@pytest.mark.parametrize(
    "image",
    [
        BASE64,
        f"data:image/png;base64,{BASE64}",
        {"bytes": BASE64, "path": None},
        {"path": "p1.png"},
        {"url": "p1.png"},
        "./p1.png",
        "file://p1.png",
        ["p1.png"],
    ],
    ids=str,
)
def test_a_picture_however_it_is_given_is_found(shop: Workshop, image: Any) -> None:
    suite = rows(shop, {"image": image, "question": "What?", "answer": "x"})

    assert suite.pictures(suite.cases[0])[0].read_bytes() == png()


@pytest.mark.parametrize(
    "cells",
    [
        {"image": ["p1.png", "p2.png"]},
        {"image": "p1.png", "image2": "p2.png"},
        {"image_1": "p1.png", "image_2": "p2.png"},
        {"image": "p1.png", "images": ["p1.png", "p2.png"]},
        {"image": "['p1.png', 'p2.png']"},
        {"image": "p1.png; p2.png"},
        {"images": [{"path": "p1.png"}, {"path": "p2.png"}]},
    ],
    ids=str,
)
def test_several_pictures_keep_their_order(shop: Workshop, cells: dict[str, Any]) -> None:
    case = one(shop, **cells)

    assert case.pictures == case.images == ("p1.png", "p2.png")


def test_of_two_columns_of_pictures_the_one_whose_file_is_there_is_taken(shop: Workshop) -> None:
    assert one(shop, file_name="COCO_1.jpg", image="p1.png").image == "p1.png"


def test_the_context_in_the_metadata_of_a_row_is_not_shown_to_the_model(shop: Workshop) -> None:
    case = one(shop, image="p1.png", metadata={"context": "table", "task": "reading"})

    assert (case.question, case.category) == ("What is it?", "reading")


def test_texts_made_to_be_slow_are_read_at_once(shop: Workshop) -> None:
    slow = {
        "image": "a.b" * 3_000 + ";",
        "question": "<image" * 3_000,
        "options": "A. " * 3_000,
        "answer": "A " * 3_000,
        "hint": "[" * 3_000,
    }
    shop.write("q.jsonl", json.dumps(slow))

    assert "q.jsonl, line 1: " in shop.refused("q.jsonl")


def test_a_question_about_more_pictures_than_there_are_is_a_problem(shop: Workshop) -> None:
    row = {"image": "p1.png", "question": "Is <image 2> older?", "answer": "yes"}
    shop.write("q.jsonl", json.dumps(row))

    assert "speaks of 2 pictures, and the row has 1" in shop.refused("q.jsonl")


def test_a_path_as_a_web_tool_exports_it_is_found(shop: Workshop) -> None:
    shop.picture("images/my photo.png")
    shop.write("q.csv", "image,question,answer\nimages/my%20photo.png,What?,x\n")

    (case,) = load(shop.root / "q.csv").cases

    assert case.image == "images/my photo.png"


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("deep.png", "did you mean images/a/deep.png?"),
        ("P1.PNG", "did you mean p1.png?"),
        ("p1.jpg", "did you mean p1.png?"),
        ("up.png", "the pictures lie one folder up: add --images"),
        ("beside.png", "it lies in another folder: add --images"),
        ("nowhere.png", "name the pictures' folder: --images DIR"),
    ],
)
def test_a_picture_that_lies_elsewhere_is_pointed_to(shop: Workshop, name: str, fix: str) -> None:
    shop.picture("images/a/deep.png")
    shop.picture("../up.png")
    shop.picture("../photos/beside.png")
    shop.write("q.jsonl", json.dumps({"image": name, "question": "What?", "answer": "x"}))

    with pytest.raises(SuiteError) as caught:
        load(shop.root / "q.jsonl")

    assert f"{name}: there is no such file" in caught.value.problem
    assert fix in caught.value.fix


def test_pictures_of_another_folder_are_read_where_it_is_named(shop: Workshop) -> None:
    shop.picture("../photos/tray.png")
    shop.write("q.jsonl", json.dumps({"image": "tray.png", "question": "?", "answer": "x"}))

    suite = load(shop.root / "q.jsonl", images=shop.root.parent / "photos")

    assert suite.pictures(suite.cases[0])[0].resolve() == shop.root.parent / "photos" / "tray.png"


def test_pictures_go_by_their_number_in_the_pair_of_vqa(shop: Workshop) -> None:
    shop.picture("val2014/COCO_val2014_000000000007.jpg")
    asked = {"question_id": 70, "image_id": 7, "question": "How many dots are there?"}
    said = {"question_id": 70, "image_id": 7, "multiple_choice_answer": "2", "answers": []}
    shop.write("v2_questions.json", json.dumps({"info": {}, "questions": [asked]}))
    shop.write("v2_annotations.json", json.dumps({"info": {}, "annotations": [said]}))

    for name in ("v2_questions.json", "v2_annotations.json", ""):
        (case,) = shop.load(name).cases
        assert (case.id, case.expected) == ("70", "2")
        assert case.image == "val2014/COCO_val2014_000000000007.jpg"


# --- remarks --------------------------------------------------------------------------------


def test_two_columns_that_may_be_the_question_are_warned_of(shop: Workshop) -> None:
    row = {"image": "p1.png", "question": "How many?", "prompt": "Count!", "answer": "3"}

    said = remarks(rows(shop, row, row))

    assert "warning: q.jsonl, line 1: two columns may be its question" in said
    assert "prompt differs (and 1 more rows)" in said


def test_of_several_splits_in_a_file_those_not_read_are_named(shop: Workshop) -> None:
    row = {"image": "p1.png", "question": "What?", "answer": "x"}
    shop.write("q.json", json.dumps({"train": [row], "test": [row]}))

    assert "warning: q.json: not read: train" in remarks(shop.load("q.json"))


def test_columns_that_are_not_used_are_named(shop: Workshop) -> None:
    suite = rows(
        shop, {"image": "p1.png", "question": "?", "answer": "3", "split": "test", "note": None}
    )

    assert "note: columns: not used: split" in remarks(suite)
    assert "note" not in remarks(suite).split("not used:")[1].splitlines()[0]


def test_the_side_file_says_what_no_rule_guesses(shop: Workshop) -> None:
    shop.write(
        "q.graders.toml",
        '[columns]\nquestion = "ask"\nanswer = "truth"\npicture = ["left", "right"]\nid = "nr"',
    )

    suite = rows(
        shop, {"left": "p1.png", "right": "p2.png", "ask": "Same?", "truth": "no", "nr": 9}
    )

    (case,) = suite.cases
    assert (case.id, case.question, case.expected) == ("9", "Same?", "no")
    assert case.images == ("p1.png", "p2.png")


def test_mistakes_in_the_table_of_columns_are_named(shop: Workshop) -> None:
    shop.write("q.graders.toml", '[columns]\nquestin = "x"\ncategory = "kind"')
    shop.write("q.jsonl", json.dumps({"image": "p1.png", "question": "?", "answer": "x"}))

    said = shop.refused("q.jsonl")

    assert "columns: questin is not a field (fix: use id, picture, question" in said
    assert "the suite has no column kind with content" in said

    shop.write("q.graders.toml", "[columns]\nhint = 3")
    assert "Expected `str | array`, got `int` - at `$.columns[...]`" in shop.refused("q.jsonl")


def test_broken_rows_are_left_out_where_that_is_asked_for(shop: Workshop) -> None:
    sound = {"image": "p1.png", "question": "?", "answer": "x"}
    shop.write("q.jsonl", "\n".join(map(json.dumps, [sound, {**sound, "image": "no.png"}, sound])))

    suite = load(shop.root / "q.jsonl", skip_broken=True)

    assert [case.id for case in suite.cases] == ["0001-p1", "0003-p1"]
    assert "1 with problems are left out, 2 prompts are sound" in remarks(suite)


WORDS = st.sampled_from(
    [*(name for names in NAMES.values() for name in names), "A", "B", "x", "Split", "image2"]
)
CELLS = st.one_of(
    st.sampled_from(["p1.png", "p2.png", "red", "B", "7", "", "nan"]),
    st.integers(0, 3),
    st.booleans(),
    st.none(),
    st.lists(st.sampled_from(["red", "green", "p1.png"]), max_size=3),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(["csv", "tsv", "json", "jsonl"]),
    cells=st.dictionaries(WORDS, CELLS, max_size=6),
)
def test_no_column_with_content_is_dropped_in_silence(
    shop: Workshop, kind: str, cells: dict[str, Any]
) -> None:
    """Each is in a case, named as not used, named as a rival, or its row is a problem."""
    row = {"file_name": "p1.png", "question": "What is it?", "answer": "a dot", **cells}
    if kind in ("csv", "tsv"):
        mark = "," if kind == "csv" else "\t"
        flat = [json.dumps(it) if isinstance(it, list) else it for it in row.values()]
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=mark).writerows([row.keys(), flat])
        path = shop.write(f"fuzz.{kind}", buffer.getvalue())
    else:
        path = shop.write(f"fuzz.{kind}", json.dumps([row] if kind == "json" else row))
    try:
        suite, findings = read(path)
    except SuiteError:
        return
    if findings.count:
        return
    said = _said(suite, findings)
    for name, value in row.items():
        if suite.cases[0].grader == "choice" and name == "answer":  # a number becomes a letter
            continue
        texts = value if isinstance(value, list) else [value]
        for text in (str(it) for it in texts if it not in (None, "", "nan")):
            spelled = {"True": "yes", "False": "no"}.get(text, text)
            assert spelled in said or text in said or name in said, (name, said)


def _said(suite: Suite, findings: Findings) -> str:
    (case,) = suite.cases
    return repr(case) + "".join(map(str, findings.remarks))
