"""Whatever a server sends: bounded in memory and time, shown inert, stored faithfully."""

from __future__ import annotations

import gzip
import http.server
import json
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.adapters import Target
from harness.adapters.openai import OpenAIChat
from harness.errors import BadReply, CallError
from harness.records import Record, Reply
from harness.transport import Limits, Transport
from tests.conftest import (
    Answer,
    Evalrun,
    VisionServer,
    body,
    chat,
    clean_environment,
    fail,
    say,
    stream,
)

TITLE = "\x1b]0;owned\x07"
LINK = "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\"
EVIL = f"{TITLE}{LINK}\u202egnihton\u2066\x00\x9b31m\u200byes"


def only_reply(tmp_path: Path) -> Reply:
    (path,) = store.runs(tmp_path / "results")
    (record,) = store.read(path).records()
    assert isinstance(record, Record)
    assert isinstance(record.outcome, Reply)
    return record.outcome


def ask_one(evalrun: Evalrun, suite: Path, server: VisionServer, *more: str) -> Any:
    command = ["--suite", suite, "--model", "m", "--base-url", server.url, "--limit", "1"]
    return evalrun(*command, *more)


def test_escapes_links_titles_and_overrides_act_nowhere_and_are_kept(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say(EVIL, choice={"finish_reason": EVIL})

    done = ask_one(evalrun, suite, vision_server)
    shown = [evalrun("show", "m", "--all"), evalrun("runs")]

    for text in [
        done.stdout,
        done.stderr,
        *(part for it in shown for part in (it.stdout, it.stderr)),
    ]:
        assert not set("\x1b\x00\x07\x9b\u202e\u2066\u200b") & set(text)
    assert only_reply(tmp_path).text == EVIL
    assert evalrun("export", "m").returncode == 0


@pytest.mark.parametrize("status", [400, 401, 500])
def test_the_words_of_a_hostile_error_are_inert_too(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, status: int
) -> None:
    vision_server.default = fail(status, EVIL + "\ud800")

    done = ask_one(evalrun, suite, vision_server, "--tries", "1")

    assert not set("\x1b\x00\x07\x9b\u202e") & set(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr


HALF = b'{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "\\udfff"}]}'
JOINED = stream(
    {"choices": [{"delta": {"content": "\ud83d"}}]},
    {"choices": [{"delta": {"content": "\ude00"}, "finish_reason": "stop"}]},
    "data: [DONE]\n\n",
)


@pytest.mark.parametrize(
    ("answer", "text"), [(body(200, HALF), "a\ufffdb"), (JOINED, "😀")], ids=["lone", "cut in two"]
)
def test_half_characters_are_stored_shown_and_exported(
    evalrun: Evalrun,
    suite: Path,
    vision_server: VisionServer,
    tmp_path: Path,
    answer: Answer,
    text: str,
) -> None:
    vision_server.default = answer

    done = ask_one(evalrun, suite, vision_server)

    assert done.returncode == 0, done.stderr
    assert only_reply(tmp_path).text == text
    assert text in evalrun("export", "m").stdout
    assert evalrun("show", "m").returncode == 0


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


ODD_BODIES = {
    "deep": nested(100_000),
    "deep content": f'{{"choices": [{{"message": {{"content": {nested(400)}}}}}]}}',
    "deep error": f'{{"error": {{"message": {nested(480)}}}}}',
    "deep part": '{"choices":[{"message":{"content":'
    + '[{"text":' * 300
    + '"x"'
    + "}]" * 300
    + "}}]}",
    "delta is a text": '{"choices": [{"delta": "x"}]}',
    "choice is a text": '{"choices": ["x"]}',
    "message is null": '{"choices": [{"message": null}]}',
    "a number": "7",
    "not a number": "NaN",
    "long number": '{"choices": ' + "9" * 5000 + "}",
    "no UTF-8": "ÿþ",
}


@pytest.mark.parametrize("sort", ["plain", "streamed"])
@pytest.mark.parametrize("name", ODD_BODIES)
def test_an_odd_body_is_a_call_not_heard_or_an_empty_answer_and_no_crash(
    vision_server: VisionServer, name: str, sort: str
) -> None:

    odd = ODD_BODIES[name]
    plain = body(200, odd.encode("latin-1"))
    vision_server.default = plain if sort == "plain" else stream(f"data: {odd}\n\ndata: [DONE]\n\n")

    with Transport(vision_server.url, Limits(tries=1)) as transport:
        try:
            call = transport.post("x", b"{}", OpenAIChat(transport, Target(model="m")).read)
            text, words = call.value.text, ""
        except CallError as error:
            text, words = "", error.as_failure().message

    assert text == ""
    assert len(words) < 1000


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**400, "completion_tokens": -5},
        {"prompt_tokens": True, "completion_tokens": "7"},
        {"prompt_tokens": 1.5, "completion_tokens": None},
        [],
    ],
)
def test_senseless_usage_is_not_known(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, usage: object
) -> None:
    timings = {"prompt_ms": float("inf"), "predicted_ms": -1}
    vision_server.default = body(
        200, json.dumps(chat("yes") | {"usage": usage, "timings": timings}).encode()
    )

    done = ask_one(evalrun, suite, vision_server)

    assert done.returncode == 0, done.stderr
    reply = only_reply(tmp_path)
    assert (reply.tokens_in, reply.tokens_out, reply.timings) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    ["yes " * 2_500_000, "\n".join(["yes"] * 100_000), "\x00" * 100_000],
    ids=["10 MB", "100,000 lines", "NULs"],
)
def test_a_huge_reply_is_stored_whole_and_shown_short(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, text: str
) -> None:
    vision_server.default = say(text)

    done = ask_one(evalrun, suite, vision_server)
    shown = evalrun("show", "m", "--all")

    assert done.returncode == 0, done.stderr
    assert only_reply(tmp_path).text == text
    assert len(done.stdout + done.stderr) < 10_000
    assert len(shown.stdout) < 20_000


def test_an_endless_body_is_cut_off_within_bounds(
    suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    """A gigabyte of address space would not hold two of the bodies offered."""

    def endless(handler: Any, request: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * (1 << 20))

    vision_server.default = endless
    command = ["--suite", suite, "--model", "m", "--base-url", vision_server.url]
    process = limited([*command, "--limit", "1", "--tries", "1"], tmp_path, 1 << 30)

    assert process.returncode == 5, process.stderr
    assert "longer than 64 MiB" in process.stderr


def limited(command: list[Any], folder: Path, address_space: int) -> Any:
    """evalrun with so much address space and no more."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, command)],
        cwd=folder,
        env=clean_environment(MALLOC_ARENA_MAX="1"),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space)),
    )


def test_a_line_of_a_stream_without_end_is_cut_off(vision_server: VisionServer) -> None:

    vision_server.default = stream("data: " + "x" * (65 << 20))

    with (
        Transport(vision_server.url, Limits(tries=1)) as transport,
        pytest.raises(BadReply, match="64 MiB"),
    ):
        transport.post("x", b"{}", OpenAIChat(transport, Target(model="m")).read)


def test_a_gzip_bomb_stays_folded(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    bomb = gzip.compress(b" " * (256 << 20), compresslevel=1)
    vision_server.default = body(200, bomb, content_encoding="gzip")

    done = ask_one(evalrun, suite, vision_server, "--tries", "1")

    assert done.returncode == 5
    assert "compressed" in done.stdout + done.stderr


def test_huge_headers_are_refused(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.default = body(200, b"{}", x_huge="x" * (1 << 20))

    done = ask_one(evalrun, suite, vision_server, "--tries", "1")

    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert len(done.stderr + done.stdout) < 5000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["other host", "file:///etc/passwd"])
def test_a_redirect_is_never_followed_and_nobody_else_gets_the_key(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, status: int, where: str
) -> None:
    called = threading.Event()

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.set()

        def do_POST(self) -> None:
            called.set()

    trap = http.server.HTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=trap.serve_forever, args=(0.02,))
    thread.start()
    location = f"http://127.0.0.1:{trap.server_port}/v1" if where == "other host" else where
    vision_server.default = fail(status, location=location)
    try:
        done = evalrun(
            *("--suite", suite, "--model", "m", "--base-url", vision_server.url, "--limit", "1"),
            *("--api-key-env", "CANARY_KEY"),
            env={"CANARY_KEY": "canary-5d41402a"},
        )
    finally:
        trap.shutdown()
        thread.join()
        trap.server_close()

    assert done.returncode == 4
    assert "never sent on" in done.stderr
    assert not called.is_set()
