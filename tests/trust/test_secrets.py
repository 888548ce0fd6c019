"""A canary key in the environment is in no file, no output, no traceback and no process list."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.chaos import trials
from tests.conftest import (
    Answer,
    Evalrun,
    VisionServer,
    body,
    clean_environment,
    fail,
    hang,
    reset,
    say,
)

KEY = "canary-6f1ed002ab5595859014ebf0951522d9"
SECRETS = dict.fromkeys(("OUR_KEY", "OPENAI_API_KEY", "HF_TOKEN", "MISTRAL_API_KEY"), KEY)


def files_with_key(folder: Path) -> list[Path]:
    return [it for it in folder.rglob("*") if it.is_file() and KEY.encode() in it.read_bytes()]


OUTCOMES: dict[str, Answer] = {
    "success": say("yes"),
    "refused key": fail(401, "bad key"),
    "fault": fail(500),
    "echo": body(
        400, b'{"error": {"message": "you sent authorization: Bearer ' + KEY.encode() + b'"}}'
    ),
    "echo in the answer": say(f"yes, {KEY}"),
    "echo in 200": body(200, b"<html>Bearer " + KEY.encode() + b"</html>"),
    "reset": reset,
    "redirect": fail(307, location=f"http://127.0.0.1:9/v1?key={KEY}"),
    "silence": hang(1.0),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_key_is_nowhere_whatever_becomes_of_the_run(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, outcome: str
) -> None:
    vision_server.default = OUTCOMES[outcome]
    limits = ("--limit", "1", "--tries", "1", "--timeout", "0.3")

    done = evalrun(
        *("--suite", suite, "--model", "m", "--base-url", vision_server.url, *limits),
        *("--api-key-env", "OUR_KEY"),
        env=SECRETS,
    )

    assert vision_server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in done.stdout + done.stderr
    assert files_with_key(tmp_path) == []


def test_the_key_is_not_in_the_traceback_of_a_crash(
    suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    """A bug of ours, made by a wire that breaks in the middle of a call."""
    crash = (
        "import sys; from harness.adapters import openai\n"
        "def broken(*_, **__): raise ZeroDivisionError('a bug of ours')\n"
        "openai.OpenAIChat.read = broken\n"
        "from harness.cli import main; main()"
    )
    command = ["--suite", suite, "--model", "m", "--base-url", vision_server.url]
    done = subprocess.run(
        [sys.executable, "-c", crash, *map(str, command), "--api-key-env", "OUR_KEY"],
        cwd=tmp_path,
        env=clean_environment(**SECRETS),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert files_with_key(tmp_path) == []


def test_neither_key_nor_password_is_in_the_log_at_its_most_talkative(
    suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    url = vision_server.url.replace("http://", f"http://user:{KEY}@")
    talkative = "import logging; logging.basicConfig(level=1); from harness.cli import main; main()"
    for where in (
        ["--base-url", vision_server.url, "--api-key-env", "OUR_KEY"],
        ["--base-url", url],
    ):
        done = subprocess.run(
            [sys.executable, "-c", talkative, "--suite", suite, "--model", "m", *where],
            cwd=tmp_path,
            env=clean_environment(**SECRETS),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0
        assert "HTTP Request" in done.stderr
        assert KEY not in done.stdout + done.stderr


def test_the_key_is_nowhere_after_an_interruption(
    suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = hang(20)
    command = ["--suite", suite, "--model", "m", "--base-url", vision_server.url]
    process = trials.start(tmp_path, *command, "--api-key-env", "OUR_KEY", **SECRETS)
    assert trials.eventually(lambda: bool(vision_server.seen), within_s=20)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)

    assert process.wait(20) == 130
    assert files_with_key(tmp_path) == [], "stdout and stderr are among the files"


def test_a_password_in_the_address_is_used_and_shown_nowhere(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    url = vision_server.url.replace("http://", f"http://user:{KEY}@")
    command = ("--suite", suite, "--model", "m", "--base-url", url, "--concurrency", "1")
    vision_server.then(say("yes"), fail(400), body(200, b"<html>"))

    said = [evalrun(*command, "--tries", "1"), evalrun(*command, "--dry-run")]
    said.append(evalrun("runs"))
    said.append(evalrun("show", "m"))
    said.append(evalrun("report", "m", "--out", "report.html"))

    assert vision_server.headers[0]["authorization"].startswith("Basic ")
    assert [it.stdout + it.stderr for it in said if KEY in it.stdout + it.stderr] == []
    assert "http://USER:PASSWORD@127.0.0.1" in said[0].stderr
    assert files_with_key(tmp_path) == []


def test_a_key_in_the_query_of_an_address_is_refused_and_not_shown(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "m", "--base-url", f"{vision_server.url}?key={KEY}")
    )

    assert done.returncode == 4
    assert "--api-key-env" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert vision_server.headers == []


def test_a_password_in_an_address_that_does_not_answer_is_not_shown(
    evalrun: Evalrun, suite: Path, free_port: int, tmp_path: Path
) -> None:
    url = f"http://user:{KEY}@127.0.0.1:{free_port}/v1"

    for backend in ("openai", "llamacpp"):
        done = evalrun(
            *("--suite", suite, "--model", "m", "--base-url", url, "--backend", backend), timeout=60
        )
        assert done.returncode == 4
        assert KEY not in done.stdout + done.stderr
    assert files_with_key(tmp_path) == []


@pytest.fixture
def local_run(
    tmp_path: Path, sixty_seven: Path, weights: tuple[Path, Path]
) -> Iterator[subprocess.Popen[str]]:
    """A run on a server of our own, half-way through."""
    command = ["--suite", sixty_seven, "--model", "m", "--gguf", weights[0], "--mmproj", weights[1]]
    process = trials.start(tmp_path, *command, **SECRETS)
    try:
        assert trials.eventually(lambda: len(trials.answered_lines(tmp_path)) >= 2, within_s=20)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def test_neither_the_process_list_nor_the_local_servers_environment_holds_a_key(
    local_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    found = trials.processes(str(tmp_path))

    assert len(found) >= 3, "evalrun, the guard and the server"
    assert all(KEY not in line for _, line in found)
    for pid, _ in found:
        if pid != local_run.pid:
            assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert os.getpid() not in [pid for pid, _ in found]
