"""Signals at the awkward moments, and processes that must not stay behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.chaos import trials
from tests.conftest import VisionServer, say
from tests.llamacpp.tools import script

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def ended(process: subprocess.Popen[str]) -> int:
    """The exit code as a shell shows it."""
    code = process.wait(30)
    return code if code >= 0 else 128 - code


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_local_server_loads_ends_both(
    tmp_path: Path, sixty_seven: Path, weights: tuple[Path, Path], number: signal.Signals
) -> None:
    never_up = script(tmp_path / "llama-server", _NEVER_UP)
    process = trials.start(
        tmp_path,
        *("--suite", sixty_seven, "--model", "m", "--gguf", weights[0], "--mmproj", weights[1]),
        EVALRUN_LLAMA_SERVER=never_up,
    )
    loading = trials.eventually(lambda: (tmp_path / "loading").exists(), within_s=30)
    process.send_signal(number)

    assert loading
    assert ended(process) == SIGNALS[number]
    assert trials.eventually(lambda: trials.left_running(tmp_path) == [], within_s=15)
    assert "Traceback" not in (tmp_path / "stderr").read_text()
    assert trials.runs(tmp_path) == []


_NEVER_UP = """
case "$*" in *--help*) echo "--model --mmproj --port --host"; exit 0;; esac
touch "$(dirname "$0")/loading"
while true; do sleep 0.1; done
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_middle_of_a_local_run_ends_well_and_leaves_no_process(
    tmp_path: Path, sixty_seven: Path, weights: tuple[Path, Path], number: signal.Signals
) -> None:
    command = ["--suite", sixty_seven, "--model", "m", "--gguf", weights[0], "--mmproj", weights[1]]
    process = trials.start(tmp_path, *command)
    begun = trials.eventually(lambda: len(trials.answered_lines(tmp_path)) >= 3, within_s=30)
    process.send_signal(number)

    assert begun
    assert ended(process) == SIGNALS[number]
    assert "this finishes the run" in (tmp_path / "stderr").read_text()
    assert trials.eventually(lambda: trials.left_running(tmp_path) == [], within_s=15)
    assert trials.run(tmp_path, *command) == 0
    assert trials.complete(tmp_path) == []


def test_a_closed_terminal_ends_the_run_well(
    tmp_path: Path, sixty_seven: Path, vision_server: VisionServer
) -> None:
    """The window is closed: SIGHUP comes, and writing to the terminal fails from then on."""
    command = ["--suite", sixty_seven, "--model", "m", "--base-url", vision_server.url]
    vision_server.default = _slow
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, command), "--concurrency", "2"],
        cwd=tmp_path,
        env=trials.environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    assert trials.eventually(lambda: _drained(ours) and len(vision_server.seen) >= 4, within_s=30)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    process.wait(30)
    asked = len(vision_server.seen)

    assert len(trials.answered_lines(tmp_path)) == asked
    vision_server.default = _quick
    assert trials.run(tmp_path, *command, "--concurrency", "2") == 0
    assert len(vision_server.seen) == trials.PROMPTS


def _drained(fd: int) -> bool:
    try:
        os.read(fd, 1 << 16)
    except OSError:
        return True
    return True


def _slow(handler: object, request: dict[str, object]) -> None:
    time.sleep(0.2)
    _quick(handler, request)


def _quick(handler: object, request: dict[str, object]) -> None:
    say("yes")(handler, request)  # type: ignore[arg-type]
