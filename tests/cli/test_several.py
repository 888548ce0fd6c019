"""Several models in one command: in turn, resumed, compared; the gravest exit code of all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import store
from tests.conftest import Evalrun, VisionServer, fail, say


def models(tmp_path: Path) -> dict[str, int]:
    """Model -> its runs."""
    counts: dict[str, int] = {}
    for path in store.runs(tmp_path / "results"):
        model = store.read(path).header.model
        counts[model] = counts.get(model, 0) + 1
    return counts


def asked(server: VisionServer) -> list[str]:
    return [it["model"] for it in server.seen]


def test_models_are_asked_one_after_the_other_and_compared(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(*[say("yes")] * 4, *[say("no")] * 4)
    shared = ("--suite", suite, "--base-url", vision_server.url, "--concurrency", "1")

    done = evalrun("--model", "a", "-m", "b", *shared)

    assert done.returncode == 0, done.stderr
    assert asked(vision_server) == ["a"] * 4 + ["b"] * 4
    assert models(tmp_path) == {"a": 1, "b": 1}
    assert "100.0 % (4/4)" in done.stdout
    assert "vision tasks of a and b" in " ".join(done.stdout.split()), "compare closes the command"


def test_the_same_command_goes_on_and_a_finished_one_starts_anew(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(*[say("yes")] * 4, say("yes"), fail(400, "odd"), say("yes"), say("yes"))
    command = ("-m", "a", "-m", "b", "--suite", suite, "--base-url", vision_server.url)

    first = evalrun(*command, "--concurrency", "1")
    second = evalrun(*command, "--concurrency", "1")
    assert asked(vision_server) == ["a"] * 4 + ["b"] * 5
    third = evalrun(*command, "--concurrency", "1")

    assert [it.returncode for it in (first, second, third)] == [5, 0, 0]
    assert "finished already: evalrun" in second.stderr
    assert models(tmp_path) == {"a": 2, "b": 2}


def test_a_model_that_cannot_be_used_is_reported_and_the_rest_goes_on(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    def by_model(handler: Any, request: dict[str, Any]) -> None:
        (fail(404) if request["model"] == "gone" else say("no"))(handler, request)

    vision_server.default = by_model
    shared = ("--suite", suite, "--base-url", vision_server.url, "--fail-under", "50")

    done = evalrun("-m", "gone", "-m", "here", *shared)

    assert done.returncode == 4, "unusable is graver than below the bar"
    assert "no such model or path" in done.stderr
    assert models(tmp_path) == {"here": 1}


def test_a_file_gives_each_model_options_of_its_own(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    (tmp_path / "m.toml").write_text(
        '[[model]]\nmodel = "a"\nsystem = "Be brief."\nprompt = ["p-00", "p-01"]\n'
        '[[model]]\nmodel = "b"\nblind = true\n'
    )
    shared = ("--suite", suite, "--base-url", vision_server.url, "--seed", "5", "--limit", "2")

    done = evalrun("--models-file", "m.toml", *shared, "--concurrency", "1", "--json")

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["model"] for line in done.stdout.splitlines()] == ["a", "b"]
    assert asked(vision_server) == ["a", "a", "b", "b"]
    assert {it["seed"] for it in vision_server.seen} == {5}
    assert [it["messages"][0]["role"] for it in vision_server.seen] == ["system"] * 2 + ["user"] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model = 3", "has no [[model]] tables"),
        ("[[model]", "cannot be read"),
        ('[[model]]\nmodle = "a"', "modle is not an option of one model"),
        ('[[model]]\nmodel = "a"\nlimit = 0', "0 is not in the range"),
        ('[[model]]\nmodel = "a"\nresults = "x"', "results is not an option of one model"),
    ],
)
def test_a_mistake_in_the_file_is_said_before_anything_is_asked(
    evalrun: Evalrun,
    suite: Path,
    vision_server: VisionServer,
    tmp_path: Path,
    text: str,
    words: str,
) -> None:
    (tmp_path / "m.toml").write_text('[[model]]\nmodel = "first"\n' * (text[:2] == "[[") + text)

    done = evalrun("--models-file", "m.toml", "--suite", suite, "--base-url", vision_server.url)

    assert done.returncode == 2
    assert words in done.stderr
    assert not vision_server.seen
