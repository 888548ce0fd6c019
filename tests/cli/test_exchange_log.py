"""What was sent and what came back: --log, -v, and show --raw."""

from __future__ import annotations

import json
from pathlib import Path

from harness import store
from tests.conftest import Evalrun, VisionServer, fail, say

KEY = "sk-a-key-that-must-not-be-seen"


def test_every_exchange_is_a_line_without_key_or_picture(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(say("yes"), fail(400, "odd picture"))
    options = ("--suite", suite, "--base-url", vision_server.url, "--api-key-env", "OUR_KEY")

    done = evalrun("--model", "tiny", *options, "--log", "l.jsonl", "-v", env={"OUR_KEY": KEY})
    text = (tmp_path / "l.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]

    assert done.returncode == 5
    assert len(lines) == len(vision_server.seen) == 4
    assert KEY not in text + done.stderr
    assert sorted("error" in it for it in lines) == [False, False, False, True]
    assert all(line in done.stderr for line in text.splitlines())
    (run,) = store.runs(tmp_path / "results")
    sent = {it.case.id: it.image_sha256 for it in store.read(run).records() if it.answered}
    for line in lines:
        (message,) = line["request"]["messages"]
        assert line["address"] == f"{vision_server.url}/chat/completions"
        assert line["request"]["model"] == "tiny"
        if line["prompt"] in sent:
            assert f"(sha256 {sent[line['prompt']]})" in message["content"][0]["image_url"]["url"]
            assert line["reply"]["text"] == "yes"


def test_show_raw_prints_the_request_that_was_sent_and_the_reply(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("Yes.\x1b[31m")
    evalrun(
        *("--model", "tiny", "--suite", suite, "--base-url", vision_server.url),
        *("--log", "l.jsonl", "--system", "Be brief.", "--seed", "7"),
    )
    logged = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]

    done = evalrun("show", "tiny", "--prompt", "p-02", "--raw")
    shown = json.loads(done.stdout)

    (line,) = (it for it in logged if it["prompt"] == "p-02")
    assert shown["request"] == line["request"]
    assert shown["reply"]["text"] == line["reply"]["text"] == "Yes.\x1b[31m"
    assert "\x1b" not in done.stdout


def test_ask_writes_the_same_log(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    picture = suite / "images" / "p0.png"
    options = ("--model", "tiny", "--base-url", vision_server.url, "--log", "l.jsonl")

    done = evalrun("ask", picture, "Is it?", *options)
    (line,) = map(json.loads, (tmp_path / "l.jsonl").read_text().splitlines())

    assert done.returncode == 0
    assert line["request"]["messages"][0]["content"][1]["text"] == "Is it?"


def test_a_log_that_cannot_be_written_is_said_before_anything_is_asked(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    options = ("--suite", suite, "--model", "tiny", "--base-url", vision_server.url)

    done = evalrun(*options, "--log", "no/such/folder/l.jsonl")

    assert done.returncode == 2
    assert "--log no/such/folder/l.jsonl: No such file or directory" in done.stderr
    assert not vision_server.seen
