"""What was sent and what came back: --log, -v, and show --raw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from harness import store
from tests.conftest import Evalrun, VisionServer, body, fail, say

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


def test_show_raw_says_that_a_picture_went_as_jpeg(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("yes")
    reading = suite / "prompts" / "reading.toml"
    reading.write_text(reading.read_text().replace("p0.png", "p0.jpg"))
    Image.new("RGB", (24, 16), "red").save(suite / "images" / "p0.jpg")
    where = ("--suite", suite, "--base-url", vision_server.url)
    evalrun("--model", "tiny", *where, "--prompt", "p-00", "--log", "l.jsonl")

    sent = last_of(tmp_path / "l.jsonl")

    assert raw(evalrun, "tiny", "p-00") == sent["request"]
    assert "image/jpeg" in json.dumps(sent["request"])


def test_show_raw_knows_body_thinking_and_what_the_endpoint_refused(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("yes")
    vision_server.then(fail(400, "max_tokens is not supported, use max_completion_tokens"))
    evalrun(
        *("--model", "tiny", "--suite", suite, "--base-url", vision_server.url, "--limit", "1"),
        *("--log", "l.jsonl", "--body", "top_k=3", "--thinking", "low", "--image-detail", "high"),
    )

    sent = last_of(tmp_path / "l.jsonl")

    assert raw(evalrun, "tiny", sent["prompt"]) == sent["request"]
    assert {"top_k", "reasoning_effort", "max_completion_tokens"} <= sent["request"].keys()


def test_show_raw_asks_for_more_room_as_the_run_did(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(say("Let me see", choice={"finish_reason": "length"}), say("yes"))
    options = ("--suite", suite, "--base-url", vision_server.url, "--limit", "1")
    evalrun("--model", "tiny", *options, "--log", "l.jsonl")

    sent = last_of(tmp_path / "l.jsonl")

    assert raw(evalrun, "tiny", sent["prompt"]) == sent["request"]
    assert sent["request"]["max_tokens"] == 4096


def test_show_raw_prints_the_anthropic_form_and_the_endpoints_own_id(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    content = [{"type": "text", "text": "yes"}]
    message = {"type": "message", "content": content, "stop_reason": "end_turn", "usage": {}}
    vision_server.default = body(200, json.dumps(message).encode())
    (tmp_path / "evalrun.toml").write_text(
        f'[presets.ours]\nbase_url = "{vision_server.url}"\nsource = "us"\nas_of = "2026-01-01"\n'
        '[models.m]\nhosted = [{ preset = "ours", model_id = "claude-x" }]\n'
    )
    options = ("--backend", "anthropic", "--base-url", vision_server.url, "--limit", "1")
    evalrun("--model", "m", "--suite", suite, *options, "--thinking", "low", "--log", "l.jsonl")

    sent = last_of(tmp_path / "l.jsonl")

    assert raw(evalrun, "m", sent["prompt"]) == sent["request"]
    assert (sent["request"]["model"], "seed" in sent["request"]) == ("claude-x", False)


def last_of(log: Path) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return line


def raw(evalrun: Evalrun, run: str, prompt: str) -> object:
    """The request that `show --raw` prints."""
    return json.loads(evalrun("show", run, "--prompt", prompt, "--raw").stdout)["request"]


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
