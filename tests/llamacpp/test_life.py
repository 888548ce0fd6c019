"""A local server starts, is found fit, answers, and ends with us, whatever ends us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from harness.adapters import Adapter, Target
from harness.adapters.llamacpp.server import LocalServer, find, flags_for
from harness.adapters.llamacpp.weights import Weights
from harness.adapters.routes import opener
from harness.errors import TargetError
from tests.llamacpp.tools import Notes, altered, eventually, prompt, running, script

open_llamacpp = opener("llamacpp")


def server_pids(parent: int | None = None) -> list[int]:
    """The guard and the server below `parent` (us)."""
    children = [
        int(pid)
        for task in Path(f"/proc/{parent or os.getpid()}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    ours = [pid for pid in children if b"\0guard\0" in command_of(pid)]
    return ours + [int(pid) for it in ours for pid in children_of(it)]


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def said_by(adapter: Adapter, colour: str | None) -> str:
    return adapter.ask(prompt(colour)).text


def test_it_is_put_on_record(target: Target, pair: Weights) -> None:
    with open_llamacpp(target) as adapter:
        facts = adapter.opened.server
    assert facts is not None
    assert facts.build is not None
    assert facts.build.startswith("xllamacpp ")
    assert (facts.model_file, facts.quantization) == (pair.gguf.name, "F32")
    assert facts.mmproj_file == pair.mmproj.name
    for digest in (facts.model_sha256, facts.mmproj_sha256, facts.chat_template_sha256):
        assert digest is not None
        assert len(digest) == 64
    assert (facts.context_tokens, facts.slots, facts.sees_images) == (4096, 1, True)
    assert facts.system_info is not None
    assert "n_threads = 1 | CPU" in facts.system_info


def test_the_second_question_on_a_picture_is_warm_and_the_first_is_not(target: Target) -> None:
    with open_llamacpp(target) as adapter:
        cached = [
            adapter.ask(prompt(colour)).image_cached for colour in ("red", "red", "green", "red")
        ]
    # The last one comes back out of the server's memory of prompts that gave up their slot.
    assert cached == [False, True, False, True]


def test_cold_switches_the_cache_off(target: Target) -> None:
    with open_llamacpp(msgspec.structs.replace(target, cold=True)) as adapter:
        replies = [adapter.ask(prompt("red")) for _ in range(3)]
    assert [reply.tokens_cached for reply in replies] == [0, 0, 0]
    assert not any(reply.image_cached for reply in replies)


def test_every_slot_has_the_whole_context_and_calls_in_flight_are_as_many(target: Target) -> None:
    with open_llamacpp(msgspec.structs.replace(target, concurrency=3)) as adapter:
        facts = adapter.opened.server
        assert adapter.opened.concurrency == 3
        said: dict[int, str] = {}
        colours = ["red", "blue", "yellow", "cyan", "magenta", "red"]
        workers = [
            threading.Thread(target=lambda at=at: said.update({at: said_by(adapter, colours[at])}))
            for at in range(len(colours))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert facts is not None
    assert (facts.slots, facts.context_tokens) == (3, 4096)
    assert [said[at] for at in range(len(colours))] == colours


def test_the_key_is_in_no_command_line_and_no_log(target: Target, pair: Weights) -> None:
    program = find()
    flags = flags_for(program, target, pair)
    with closing(LocalServer(program, flags, target.notify)) as server:
        server.wait_until_ready()
        assert len(server.key) >= 32
        pids = server_pids()
        assert len(pids) == 2
        assert all(server.key.encode() not in command_of(pid) for pid in pids)
        assert server.key not in server.log()


def test_inherited_settings_of_llama_cpp_do_not_reach_the_server(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "environment"
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "64")
    monkeypatch.setenv("LLAMA_ARG_N_PARALLEL", "7")
    monkeypatch.setenv(
        "EVALRUN_LLAMA_SERVER",
        script(tmp_path / "llama-server", f'env >> "{seen}"\nexec $CHILD "$@"'),
    )
    with open_llamacpp(target) as adapter:
        assert said_by(adapter, "cyan") == "cyan"
    assert "LLAMA_ARG_" not in seen.read_text()
    assert "LLAMA_API_KEY=" in seen.read_text()


def test_a_flag_that_a_binary_lacks_is_not_given_to_it(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = """
        if [ "$1" = --help ]; then
            $CHILD --help | grep -v -e --offline -e --no-webui
            exit
        fi
        case "$*" in *--offline*|*--no-webui*) echo "error: invalid argument"; exit 1;; esac
        exec $CHILD "$@"
    """
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", script(tmp_path / "llama-server", old))
    with open_llamacpp(target) as adapter:
        assert said_by(adapter, "blue") == "blue"


def test_llama_server_on_path_comes_before_the_wheel(
    target: Target, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path / "llama-server", 'exec $CHILD "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with open_llamacpp(target) as adapter:
        assert said_by(adapter, "red") == "red"
    assert f"starting {path}" in notes


def test_a_model_that_names_the_wrong_colour_is_warned_of(
    target: Target, pair: Weights, notes: Notes, tmp_path: Path
) -> None:
    import numpy as np

    blind = altered(
        pair.mmproj, tmp_path / "blind.gguf", mm__2__weight=np.zeros((64, 64), np.float32)
    )
    with open_llamacpp(msgspec.structs.replace(target, mmproj=blind)) as adapter:
        assert adapter.opened.server is not None
        assert adapter.opened.server.sees_images is False
    assert "WARNING: shown a plain blue picture, the model says 'gray'" in notes


def test_a_server_that_dies_is_started_again_once(target: Target, notes: Notes) -> None:
    with open_llamacpp(target) as adapter:
        guard, server = server_pids()
        os.kill(server, signal.SIGKILL)
        assert eventually(lambda: not running(guard))
        assert said_by(adapter, "yellow") == "yellow"
        assert "starting it again" in notes
        assert "memory ran out" in notes
        _, second = server_pids()
        os.kill(second, signal.SIGKILL)
        with pytest.raises(TargetError, match="was killed"):
            said_by(adapter, "red")


def test_a_question_in_flight_when_the_server_dies_is_answered_by_the_next(target: Target) -> None:
    said: list[str] = []
    with open_llamacpp(target) as adapter:
        _, server = server_pids()
        os.kill(server, signal.SIGSTOP)
        asking = threading.Thread(target=lambda: said.append(said_by(adapter, "cyan")))
        asking.start()
        time.sleep(0.3)  # for the question to be on its way; before that, the test is only weaker
        os.kill(server, signal.SIGKILL)
        asking.join()
    assert said == ["cyan"]


def test_no_server_is_left_behind(target: Target) -> None:
    with open_llamacpp(target):
        pids = server_pids()
        assert len(pids) == 2
    assert not any(running(pid) for pid in pids)


def test_no_server_is_left_behind_by_an_error(target: Target) -> None:
    pids: list[int] = []

    def fail_while_open() -> None:
        with open_llamacpp(target):
            pids.extend(server_pids())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_while_open()
    assert len(pids) == 2
    assert not any(running(pid) for pid in pids)


HOLDER = """
import sys
from pathlib import Path
from harness.adapters.routes import opener
from harness.adapters import Target
target = Target(model="demo", gguf=Path(sys.argv[1]), mmproj=Path(sys.argv[2]))
with opener("llamacpp")(target):
    print("up", flush=True)
    sys.stdin.read()
"""


def holder(pair: Weights) -> subprocess.Popen[bytes]:
    """A process that has a server open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(pair.gguf), str(pair.mmproj)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


@pytest.mark.parametrize("kind", ["wheel", "binary"])
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_us_whatever_ends_us(
    pair: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    ending: signal.Signals,
) -> None:
    if kind == "binary":
        path = script(tmp_path / "llama-server", 'exec $CHILD "$@"')
        monkeypatch.setenv("EVALRUN_LLAMA_SERVER", path)
    with holder(pair) as process:
        pids = server_pids(process.pid)
        assert len(pids) == 2
        process.send_signal(ending)
        process.communicate()
    assert eventually(lambda: not any(running(pid) for pid in pids))


def test_the_server_ends_when_its_guard_is_killed(pair: Weights) -> None:
    with holder(pair) as process:
        guard, server = server_pids(process.pid)
        os.kill(guard, signal.SIGKILL)
        ended = eventually(lambda: not running(server))
        process.kill()
        process.communicate()
    assert ended
