"""Recorded answers in the place of a model."""

from __future__ import annotations

import json
from pathlib import Path

from harness import store
from tests.conftest import Evalrun
from tools import example_answers


def recorded(path: Path, *prompts: str, **more: str) -> Path:
    lines = ({"prompt": prompt, "response": "yes"} | more for prompt in prompts)
    path.write_text("".join(json.dumps(it) + "\n" for it in lines))
    return path


def test_a_replay_is_named_after_the_model_in_the_file(
    evalrun: Evalrun, suite: Path, tmp_path: Path
) -> None:
    answers = recorded(tmp_path / "a.jsonl", *(f"p-0{it}" for it in range(4)), model="theirs")

    first = evalrun("--replay", answers, "--suite", suite)
    (run,) = store.runs(tmp_path / "results")
    again = evalrun("--replay", run, "--suite", suite, "--json")
    named = evalrun("--replay", answers, "--model", "mine", "--suite", suite, "--json")

    assert first.returncode == 0, first.stderr
    assert store.read(run).header.model == "theirs"
    assert json.loads(again.stdout)["model"] == "theirs"
    assert json.loads(named.stdout)["model"] == "mine"


def test_recorded_answers_to_unknown_prompts_are_reported(
    evalrun: Evalrun, suite: Path, tmp_path: Path
) -> None:
    known = [f"p-0{it}" for it in range(4)]
    answers = recorded(tmp_path / "a.jsonl", *known, *(f"x-{it}" for it in range(7)))

    done = evalrun("--replay", answers, "--suite", suite)

    assert done.returncode == 0
    assert "7 recorded answers are to no prompt of tiny: x-0, x-1, x-2, x-3, x-4, …" in done.stderr


def test_the_example_answers_are_to_the_built_in_suite_and_of_every_kind(evalrun: Evalrun) -> None:
    assert example_answers.OUT.read_text(encoding="utf-8") == example_answers.written(), (
        "run `python -m tools.example_answers`"
    )

    shown = evalrun("--replay", "example", "--json")
    records = json.loads(evalrun("show", "example", "--json").stdout)

    in_words = " ".join(evalrun("show", "example").stdout.split())

    assert json.loads(shown.stdout)["model"] == "example"
    assert "verdict fail" in in_words
    assert "verdict cut" in in_words
    assert {it["verdict"] for it in records} == {"pass", "fail", "cut"}
    assert any("help with that picture" in it["response"] for it in records)
    assert any(it["truncated"] for it in records)
