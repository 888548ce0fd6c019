"""The suite that evalrun brings: whole, sound, hard to guess, and answerable by looking."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from harness import suites
from harness.graders import grade
from tests.conftest import Evalrun

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "fixtures" / "images"
PROMPTS = {
    "Defect Detection": 15,
    "Document Understanding": 9,
    "Object Counting": 10,
    "Object Understanding": 14,
    "Spatial Understanding": 19,
}
AGREED_SHARE = 65 / 67


def test_it_is_sound_and_cannot_be_guessed(evalrun: Evalrun) -> None:
    done = evalrun("check")
    assert done.returncode == 0, done.stdout
    assert "sound: nothing to mend" in done.stdout


def test_it_has_67_prompts_in_five_categories() -> None:
    categories = [case.category for case in suites.load().cases]
    assert {name: categories.count(name) for name in categories} == PROMPTS


def test_about_a_third_of_each_category_is_of_each_difficulty() -> None:
    cases = suites.load().cases
    counted = Counter((case.category, case.difficulty) for case in cases)
    for category, prompts in PROMPTS.items():
        for difficulty in ("easy", "medium", "hard"):
            assert 0.2 <= counted[category, difficulty] / prompts <= 0.45, (category, difficulty)


def test_yes_and_no_balance_in_each_category() -> None:
    asked = [case for case in suites.load().cases if case.grader == "yes_no"]
    answers = Counter((case.category, case.expected) for case in asked)
    assert len(asked) <= 16
    assert all(answers[category, "yes"] == answers[category, "no"] for category in PROMPTS)


def test_its_pictures_are_those_that_the_scenes_wrote_and_take_less_than_20_MB() -> None:
    facts = json.loads((IMAGES / "scenes.json").read_text(encoding="utf-8"))["pictures"]
    for name, fact in facts.items():
        data = (REPOSITORY / fact["image"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == fact["sha256"], name
    assert {path.stem for path in IMAGES.rglob("*.jpg")} == set(facts)
    assert sum(path.stat().st_size for path in IMAGES.rglob("*")) < 20e6


VIEWERS = REPOSITORY / "fixtures" / "viewers"


def right_and_asked(file: Path) -> tuple[int, int]:
    """Of the questions that are still those that the viewer was asked."""
    cases = {case.id: case for case in suites.load().cases}
    said = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    right = [grade(cases[line["prompt"]], line["response"]).passed for line in said]
    return sum(right), len(right)


@pytest.mark.parametrize("file", sorted(VIEWERS.glob("careful-*.jsonl")), ids=lambda it: it.stem)
def test_careful_viewers_who_had_not_seen_the_key_agree_with_it(file: Path) -> None:
    right, asked = right_and_asked(file)

    assert asked == len(suites.load().cases)
    assert right >= AGREED_SHARE * asked


def test_viewers_at_one_look_are_right_on_40_to_52_of_67_in_the_mean() -> None:
    marks = [right_and_asked(file) for file in sorted(VIEWERS.glob("one-look-*.jsonl"))]

    assert len(marks) >= 2
    assert {asked for _, asked in marks} == {len(suites.load().cases)}
    assert all(right < AGREED_SHARE * asked for right, asked in marks)
    assert 40 <= sum(right for right, _ in marks) / len(marks) <= 52


def test_every_picture_was_judged_for_realism() -> None:
    names = set(json.loads((IMAGES / "scenes.json").read_text(encoding="utf-8"))["pictures"])
    files = sorted((VIEWERS / "realism").glob("*.jsonl"))

    assert len(files) >= 3
    for file in files:
        judged = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert {it["picture"] for it in judged} == names
        assert all(0 <= it["mark"] <= 10 and it["remark"] for it in judged)
