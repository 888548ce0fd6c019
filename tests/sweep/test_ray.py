"""A sweep on the nodes of a Ray cluster: the same verdicts, a dead node loses nothing."""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import store
from tests.conftest import Evalrun, VisionServer, clean_environment, say, write_suite

pytest.importorskip("ray", reason="the extra `ray` is not installed")


class Nodes:
    """Three nodes in a process of their own."""

    def __init__(self) -> None:
        root = Path(__file__).parents[2]
        self.mark = f"NODES_MARK={secrets.token_hex(8)}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sweep.three_nodes"],
            cwd=root,
            env=clean_environment(
                NODE_KEY="sk-only-on-the-nodes", NODES_MARK=self.mark.split("=")[1]
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.strip() == "killed" or ":" in line.split(" ")[0]:
                return line.strip()
        raise AssertionError("the cluster did not start")

    def kill_one(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        self._line()

    def stop(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    found = Nodes()
    yield found
    found.stop()


def cells(done: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["cells"]
    return found


def by_temperature(handler: Any, request: dict[str, Any]) -> None:
    say("yes" if request["temperature"] == 0 else "no")(handler, request)


def test_a_sweep_on_a_cluster_gives_the_same_verdicts(evalrun: Evalrun, nodes: Nodes) -> None:
    command = ("sweep", "demo", "--image-max-side", "64,128", "--limit", "6", "--json")

    here = evalrun(*command, "--results", "here")
    there = evalrun(*command, "--results", "there", "--ray", nodes.address, timeout=120)

    assert here.returncode == there.returncode == 0, there.stderr
    assert [(it["settings"], it["passed"]) for it in cells(there)] == [
        (it["settings"], it["passed"]) for it in cells(here)
    ]
    assert all(it["gb"] for it in cells(there)), "the servers ran on the nodes"


def test_keys_are_read_on_the_node_by_the_name_of_their_variable(
    evalrun: Evalrun, nodes: Nodes, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    at = ("-m", "m", "--suite", suite, "--base-url", vision_server.url)

    done = evalrun(*at, "--ray", nodes.address, "--api-key-env", "NODE_KEY", timeout=120)

    assert done.returncode == 0, done.stderr
    sent = {it.get("authorization") for it in vision_server.headers}
    assert sent == {"Bearer sk-only-on-the-nodes"}
    written = [it.read_bytes() for it in (tmp_path / "results").rglob("*") if it.is_file()]
    assert not any(b"sk-only" in it for it in written)


def test_a_password_in_an_address_does_not_travel(
    evalrun: Evalrun, nodes: Nodes, suite: Path, vision_server: VisionServer
) -> None:
    url = vision_server.url.replace("http://", "http://me:hush@")

    done = evalrun("-m", "m", "--suite", suite, "--base-url", url, "--ray", nodes.address)

    assert done.returncode == 2
    assert "would travel through the cluster" in done.stderr
    assert vision_server.seen == []


def test_a_cluster_that_is_not_there_is_said_before_anything_begins(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, free_port: int, tmp_path: Path
) -> None:
    at = ("--suite", suite, "--base-url", vision_server.url)
    nobody = f"127.0.0.1:{free_port}"

    done = evalrun("sweep", "m", "--temperature", "0,1", *at, "--ray", nobody, timeout=120)

    assert done.returncode == 4
    assert f"there is no Ray cluster at '{nobody}'" in done.stderr
    assert not (tmp_path / "results").exists()


def servers_of(nodes: Nodes) -> list[str]:
    """Processes of llama.cpp that run on the nodes, by what they inherited from them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if b"child.py" in words and nodes.mark.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
    return found


def test_ctrl_c_stops_the_servers_of_every_node(
    evalrun: Evalrun, nodes: Nodes, tmp_path: Path
) -> None:
    words = ("sweep", "demo", "--temperature", "0,0.5", "--repeats", "40", "--ray", nodes.address)
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 90
    while not list((tmp_path / "results").glob("*/*.jsonl")) and time.monotonic() < until:
        time.sleep(0.1)
    assert servers_of(nodes)

    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]

    assert running.returncode == 130, said
    assert "this goes on: evalrun sweep demo" in said
    until = time.monotonic() + 15
    while servers_of(nodes) and time.monotonic() < until:
        time.sleep(0.2)
    assert servers_of(nodes) == []


def test_a_node_that_dies_loses_nothing_and_asks_again_what_was_in_flight(
    evalrun: Evalrun, nodes: Nodes, vision_server: VisionServer, tmp_path: Path
) -> None:
    """The last test: one node less afterwards."""
    suite = write_suite(tmp_path / "suite", 30)

    def slowly(handler: Any, request: dict[str, Any]) -> None:
        time.sleep(0.2)
        by_temperature(handler, request)

    vision_server.default = slowly

    def kill_in_the_middle() -> None:
        while len(vision_server.seen) < 20:
            time.sleep(0.05)
        nodes.kill_one()

    killer = threading.Thread(target=kill_in_the_middle, daemon=True)
    killer.start()
    at = ("--suite", suite, "--base-url", vision_server.url, "--ray", nodes.address)

    done = evalrun(
        *("sweep", "m", "--temperature", "0,0.5,1", *at, "--concurrency", "2", "--json"),
        timeout=170,
    )
    killer.join()

    assert done.returncode == 0, done.stderr
    assert [it["score"] for it in cells(done)] == [1.0, 0.0, 0.0]
    assert 90 <= len(vision_server.seen) <= 90 + 2, "only what was in flight there"
    for path in store.runs(tmp_path / "results"):
        assert len(store.read(path).answered_keys()) == 30
