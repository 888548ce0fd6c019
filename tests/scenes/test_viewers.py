"""What viewers are handed, and how their answers are counted."""

import json
from pathlib import Path

from PIL import Image

from fixtures.scenes import viewers

QUESTION = {
    "id": "oc-01-bolts",
    "question": "How many bolts are there? Answer with a number.",
    "expected": "7",
    "grader": "integer",
    "options": {},
}


def test_a_quiz_has_every_question_under_its_picture_and_no_answer(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24), "red").save(tmp_path / "oc-01.jpg")
    manifest = {"pictures": {"oc-01": {"image": "oc-01.jpg", "questions": [QUESTION]}}}

    assert viewers.write_quiz(manifest, tmp_path, tmp_path / "quiz") == 1

    text = (tmp_path / "quiz" / "questions.md").read_text(encoding="utf-8")
    assert "## 01.png\n- `oc-01-bolts`: How many bolts are there?" in text
    assert "7" not in text
    assert '"picture": "01", "mark": ' in (tmp_path / "quiz" / "realism.md").read_text("utf-8")
    with Image.open(tmp_path / "quiz" / "01.png") as image:
        assert image.size == (32, 24)


def test_answers_are_graded_and_counted_by_the_kind_of_viewer(tmp_path: Path) -> None:
    for name, response in (("careful-1", "7"), ("one-look-1", "seven"), ("one-look-2", "8")):
        line = json.dumps({"prompt": QUESTION["id"], "response": response})
        (tmp_path / f"{name}.jsonl").write_text(line + "\n", encoding="utf-8")

    assert viewers.right_of(QUESTION, tmp_path) == ["1/1", "1/2"]


def test_a_question_nobody_was_asked_has_no_figures(tmp_path: Path) -> None:
    assert viewers.right_of(QUESTION, tmp_path) == ["", ""]
