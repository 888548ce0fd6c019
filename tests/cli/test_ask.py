"""`evalrun ask` as a process, against scripted servers on real sockets; reading who agrees."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.runner.consensus import consensus
from harness.suites import load
from tests.conftest import Evalrun, VisionServer, fail, on_a_terminal, say, stream

QUESTION = "How many bolts are there? Answer with a number."


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "bolts.png"
    Image.new("RGB", (40, 30), "grey").save(path)
    return path


def by_model(server: VisionServer, **answers: str) -> None:
    """Answer each model in its own words."""

    def answer(handler: object, request: dict[str, object]) -> None:
        text = answers[str(request["model"])]
        (fail(500, text[1:]) if text.startswith("!") else say(text))(handler, request)  # type: ignore[arg-type]

    server.default = answer


def models(*names: str) -> list[str]:
    return [part for name in names for part in ("--model", name)]


def test_every_model_sees_the_same_picture_and_question_and_answers_side_by_side(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path
) -> None:
    by_model(vision_server, a="Four.", b="I count 4 bolts.", c="5")

    done = evalrun("ask", picture, QUESTION, *models(*"abc"), "--base-url", vision_server.url)

    contents = [it["messages"][0]["content"] for it in vision_server.seen]
    assert done.returncode == 0
    assert len(contents) == 3
    assert all(it == contents[0] for it in contents)
    assert contents[0][0]["type"] == "image_url"
    assert contents[0][1]["text"] == QUESTION
    for text in ("Four.", "I count 4 bolts.", "They differ: 4 (", "5 (c)"):
        assert text in done.stdout


@pytest.mark.parametrize("expected", [(), ("--expected", "4")])
def test_a_reply_that_is_cut_is_asked_for_once_more_with_more_room_as_in_a_run(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, expected: tuple[str, ...]
) -> None:
    vision_server.then(say("Let me see", choice={"finish_reason": "length"}), say("Four."))
    where = ("--model", "a", "--base-url", vision_server.url)

    done = evalrun("ask", picture, QUESTION, *where, *expected)

    assert done.returncode == 0
    assert "Four." in done.stdout
    assert [it["max_tokens"] for it in vision_server.seen] == [512, 4096]

    vision_server.then(say("Let me see", choice={"finish_reason": "length"}))
    evalrun("ask", picture, QUESTION, *where, *expected, "--max-tokens", "9")
    assert [it["max_tokens"] for it in vision_server.seen[2:]] == [9]


def test_several_pictures_are_sent_in_their_order_and_saved_together(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    second = tmp_path / "nuts.png"
    Image.new("RGB", (40, 30), "blue").save(second)
    vision_server.default = say("The second.")
    asked = ("ask", second, picture, "Which is grey?", "--model", "a")
    kept = ("--expected", "the second", "--save", tmp_path / "mine", "--json")

    done = evalrun(*asked, "--base-url", vision_server.url, *kept)

    assert done.returncode == 0, done.stderr
    (content,) = [it["messages"][0]["content"] for it in vision_server.seen]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert json.loads(done.stdout)["images"] == [str(second), str(picture)]
    (case,) = load(tmp_path / "mine").cases
    assert len(case.images) == 2


def test_the_answers_come_with_times_speed_and_agreement_as_json(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path
) -> None:
    part = {"choices": [{"delta": {"content": "Four."}}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 300, "completion_tokens": 40}}
    vision_server.then(stream(part, usage, "data: [DONE]\n\n", wait_s=0.02), say("4"))

    done = evalrun(
        *("ask", picture, QUESTION, *models("a", "b"), "--json"),
        *("--base-url", f"a={vision_server.url}", "--base-url", f"b={vision_server.url}"),
    )

    told = json.loads(done.stdout)
    streamed = next(it for it in told["answers"] if it["text"] == "Four.")
    assert told["agreement"]["agree"] is True
    assert told["agreement"]["grader"] == "integer"
    assert 0 < streamed["ttft_s"] < streamed["latency_s"]
    assert streamed["tokens_per_s"] > 0
    assert streamed["cost_usd"] is None
    assert len(told["image_sha256"]) == 64


def test_a_model_that_fails_does_not_hide_the_others(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, free_port: int
) -> None:
    by_model(vision_server, a="4")

    done = evalrun(
        *("ask", picture, QUESTION, *models("a", "gone")),
        *("--base-url", f"a={vision_server.url}"),
        *("--base-url", f"gone=http://127.0.0.1:{free_port}/v1"),
        timeout=120.0,
    )

    assert done.returncode == 5
    assert "error" in done.stdout
    assert "\n4\n" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_name_that_nobody_knows_does_not_hide_the_others_either(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path
) -> None:
    by_model(vision_server, a="4")

    done = evalrun(
        *("ask", picture, QUESTION, *models("a", "no-such-model"), "--json"),
        *("--base-url", f"a={vision_server.url}"),
    )

    answers = {it["model"]: it for it in json.loads(done.stdout)["answers"]}
    assert done.returncode == 5
    assert answers["a"]["text"] == "4"
    assert "no model named 'no-such-model'" in answers["no-such-model"]["error"]


def test_a_single_model_that_cannot_be_reached_exits_as_a_run_would(
    evalrun: Evalrun, picture: Path
) -> None:
    done = evalrun("ask", picture, QUESTION, "--model", "no-such-model")

    assert done.returncode == 4
    assert "fix:" in done.stderr


def test_hostile_replies_cannot_act_on_the_terminal(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path
) -> None:
    by_model(vision_server, a="\x1b]0;owned\x07[bold]four\u202e", b="\x1b[2J[/]4")

    done = evalrun("ask", picture, QUESTION, *models("a", "b"), "--base-url", vision_server.url)

    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "\\x1b]0;owned" in done.stdout
    assert "[bold]four" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "nothing is asked"),
        (["What?", "--task", "ocr"], "brings a question of its own"),
        (["--task", "vqa"], "nothing is asked"),
        (["What?", "--save", "mine"], "--save needs the right answer"),
        (["What?", "--model", "a", "--base-url", "b=http://x"], "names a model that is not asked"),
        (
            ["What?", "--base-url", "http://x", "--base-url", "http://y"],
            "is a second server",
        ),
        (["What?", *models("a", "a"), "--base-url", "http://127.0.0.1:1/v1"], "named twice"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_what_makes_no_sense_is_refused(
    evalrun: Evalrun, picture: Path, arguments: list[str], problem: str
) -> None:
    done = evalrun("ask", picture, *arguments)

    assert done.returncode == 2
    assert problem in done.stderr
    assert "fix:" in done.stderr


def test_a_picture_that_is_none_is_refused_before_anybody_is_asked(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    (tmp_path / "page.png").write_text("<html>")

    done = evalrun("ask", "page.png", QUESTION, "--model", "a", "--base-url", vision_server.url)

    assert done.returncode == 3
    assert "is not a picture: it begins with <" in done.stderr
    assert vision_server.seen == []


def test_a_task_brings_its_prompt_and_leaves_out_models_that_lack_it(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "evalrun.toml").write_text(
        '[models.reader]\nvision_tasks = ["OCR"]\n[models.talker]\nvision_tasks = ["Captioning"]\n'
    )
    by_model(vision_server, reader="STOP\nHERE", stranger="Stop here")

    done = evalrun(
        *("ask", picture, "--task", "ocr", *models("reader", "talker", "stranger")),
        *("--base-url", vision_server.url),
    )

    asked = {it["model"]: it["messages"][0]["content"][1]["text"] for it in vision_server.seen}
    assert done.returncode == 0
    assert asked.keys() == {"reader", "stranger"}
    assert "Read the text" in asked["reader"]
    assert "talker is not asked: the catalogue lists Captioning, not OCR" in done.stderr
    assert "stranger: no source says whether it does ocr" in done.stderr
    assert "They agree" in done.stdout


def test_when_no_model_has_the_task_nobody_is_asked(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "evalrun.toml").write_text('[models.talker]\nvision_tasks = ["Captioning"]\n')

    done = evalrun(
        *("ask", picture, "--task", "ocr", "--model", "talker", "--base-url", vision_server.url)
    )

    assert done.returncode == 4
    assert "none of the models has the task ocr" in done.stderr
    assert vision_server.seen == []


def test_the_list_price_of_a_hosted_model_gives_the_cost(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    url = vision_server.url.replace("127.0.0.1", "0.0.0.0")  # this machine by no local name
    (tmp_path / "evalrun.toml").write_text(
        f'[presets.ours]\nbase_url = "{url}"\n'
        "[models.dear]\nprice_in_usd_per_mtok = 10\nprice_out_usd_per_mtok = 200\n"
        'hosted = [{ preset = "ours", model_id = "us/dear" }]\n'
    )
    vision_server.default = say("4")

    done = evalrun("ask", picture, QUESTION, "--model", "dear", "--backend", "ours", "--json")

    told = json.loads(done.stdout)["answers"][0]
    assert vision_server.seen[0]["model"] == "us/dear"
    assert told["cost_usd"] == pytest.approx((300 * 10 + 5 * 200) / 1e6)


def test_a_saved_question_is_graded_now_and_runs_later(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    by_model(vision_server, a="Five.", b="There are 4.")
    arguments = ("--base-url", vision_server.url, "--save", "mine", "--expected", "5")

    first = evalrun("ask", picture, QUESTION, *models("a", "b"), *arguments)
    second = evalrun("ask", picture, QUESTION, "--model", "a", *arguments, "--category", "Nuts")
    run = evalrun("run", "--suite", "mine", "--model", "a", "--base-url", vision_server.url)

    saved = tomllib.loads((tmp_path / "mine" / "prompts" / "asked.toml").read_text())["case"]
    assert (first.returncode, second.returncode, run.returncode) == (0, 0, 0)
    assert "pass: says 5" in first.stdout
    assert "fail: off by -1" in first.stdout
    assert "saved in mine/prompts/asked.toml (grader: integer)" in first.stderr
    assert [it["expected"] for it in saved] == ["5"]
    assert (tmp_path / "mine" / saved[0]["image"]).read_bytes() == picture.read_bytes()
    assert "saved in mine/prompts/nuts.toml" in second.stderr
    assert (tmp_path / "mine" / "prompts" / "nuts.toml").is_file()
    assert "(2/2)" in run.stdout


def test_nothing_is_appended_to_a_folder_that_is_no_suite_of_ours(
    evalrun: Evalrun, vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "questions.csv").write_text("file_name,prompt,answer\n")

    done = evalrun(
        *("ask", picture, QUESTION, "--model", "a", "--base-url", vision_server.url),
        *("--save", "photos", "--expected", "5"),
    )

    assert done.returncode == 3
    assert "is not a suite that can be appended to" in done.stderr
    assert vision_server.seen == []
    assert [it.name for it in (tmp_path / "photos").iterdir()] == ["questions.csv"]


def test_on_a_terminal_the_answers_stand_beside_each_other(
    vision_server: VisionServer, picture: Path, tmp_path: Path
) -> None:
    by_model(vision_server, a="Four.", b="Five.")
    command = ["ask", str(picture), QUESTION, *models("a", "b"), "--base-url", vision_server.url]

    shown = on_a_terminal(command, tmp_path)

    line = next(it for it in shown.splitlines()[::-1] if "Four." in it)
    assert "Five." in line
    assert "They differ" in shown


@pytest.mark.parametrize(
    ("question", "replies", "agree", "answers"),
    [
        ("How many?", ["Four.", "I see 4.", "**4**"], True, ["4"]),
        ("How many bolts?", ["4", "There are no bolts."], False, ["4", "0"]),
        ("Is there a crack?", ["Yes, on the left.", "No cracks visible."], False, ["yes", "no"]),
        ("Is there a crack?", ["Yes.", "I cannot tell."], None, ["yes"]),
        ("Is it open or closed?", ["The valve is open", "Open."], True, ["Open"]),
        ("What colour is the car?", ["The car is red.", "It's a red car"], True, ["red"]),
        ("What colour is the car?", ["Red", "Blue"], False, ["red", "Blue"]),
        ("What is the serial number?", ["AX-0417", "It is AX 0417."], True, ["AX-0417"]),
        ("What time is it?", ["10:10", "ten past ten"], True, ["10:10"]),
        ("What does the gauge read?", ["2.5 bar", "2.50 bar"], True, ["2.5 bar"]),
        ("Describe it.", ["A man walks his dog by the sea.", "A person on a beach."], None, []),
        ("How many?", ["", "4"], None, ["4"]),
    ],
    ids=lambda it: it[:30] if isinstance(it, str) else "",
)
def test_answers_are_held_against_each_other_as_the_graders_read_them(
    question: str, replies: list[str], agree: bool | None, answers: list[str]
) -> None:
    said = consensus(question, {str(at): text for at, text in enumerate(replies)})

    assert said.agree is agree
    assert [group.answer for group in said.groups] == answers


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=80), min_size=2, max_size=4))
def test_whatever_is_said_everybody_is_in_one_place(question: str, replies: list[str]) -> None:
    named = {str(at): text for at, text in enumerate(replies)}

    said = consensus(question, named)

    placed = [model for group in said.groups for model in group.models] + list(said.unread)
    assert sorted(placed) == sorted(named)


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=10**6), st.integers(min_value=0, max_value=10**6))
def test_two_numbers_agree_exactly_when_they_are_the_same(one: int, other: int) -> None:
    said = consensus("How many are there?", {"a": str(one), "b": f"I count {other}."})

    assert said.agree is (one == other)
