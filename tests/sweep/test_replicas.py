"""Several servers of one model: work is shared, pictures stay, a dead server costs nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from harness import store
from tests.conftest import Evalrun, VisionServer, reset, say, scripted_server, write_suite


@pytest.fixture
def other_server() -> Iterator[VisionServer]:
    with scripted_server() as server:
        yield server


def questions(server: VisionServer) -> list[str]:
    return [it["messages"][-1]["content"][-1]["text"] for it in server.seen]


def after(seconds: float, text: str = "yes") -> Any:
    def answer(handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        time.sleep(seconds)
        say(text)(handler, request)

    return answer


def test_two_replicas_take_half_the_time_of_one(
    evalrun: Evalrun, vision_server: VisionServer, other_server: VisionServer, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path / "suite", 24)
    vision_server.default = other_server.default = after(0.1)
    one = ("-m", "m", "--suite", suite, "--base-url", vision_server.url, "--concurrency", "1")

    evalrun(*one, "--results", "alone")
    alone_s = vision_server.times[-1] - vision_server.times[0]
    vision_server.seen.clear()
    vision_server.times.clear()
    done = evalrun(*one, "--base-url", other_server.url)
    times = sorted(vision_server.times + other_server.times)

    assert done.returncode == 0, done.stderr
    assert times[-1] - times[0] <= 0.6 * alone_s
    assert vision_server.most_at_once == other_server.most_at_once == 1
    assert len(questions(vision_server)) + len(questions(other_server)) == 24
    (run,) = store.runs(tmp_path / "results")
    assert store.read(run).header.concurrency == 2


def test_a_picture_stays_with_one_replica(
    evalrun: Evalrun, vision_server: VisionServer, other_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = other_server.default = after(0.02)
    suite = write_suite(tmp_path / "suite", 8)
    urls = ("--base-url", vision_server.url, "--base-url", other_server.url)

    done = evalrun("-m", "m", "--suite", suite, *urls, "--concurrency", "2", "--repeats", "3")

    assert done.returncode == 0
    here, there = Counter(questions(vision_server)), Counter(questions(other_server))
    assert here
    assert there
    assert here.keys().isdisjoint(there.keys())
    assert set((here + there).values()) == {3}


def test_a_replica_that_goes_away_is_left_out_and_nothing_is_lost_or_asked_twice(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path / "suite", 12)
    vision_server.default = after(0.05)
    with scripted_server() as dying:
        dying.then(*[after(0.05)] * 2)

        def die(handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
            handler.server.socket.close()  # nobody can connect any more
            reset(handler, request)

        dying.default = die
        urls = ("--base-url", vision_server.url, "--base-url", dying.url)

        done = evalrun("-m", "m", "--suite", suite, *urls, "--concurrency", "1", "--json")
        answered = questions(dying)[:2]

    assert done.returncode == 0, done.stderr
    assert f"WARNING: {dying.url} is left out" in done.stderr
    assert json.loads(done.stdout)["complete"]
    asked = Counter(questions(vision_server) + answered)
    assert len(asked) == 12
    assert set(asked.values()) == {1}


def test_without_any_replica_left_the_run_ends_and_can_be_resumed(
    evalrun: Evalrun, vision_server: VisionServer, free_port: int, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path / "suite", 4)
    nobody = f"http://127.0.0.1:{free_port}/v1"
    command = ("-m", "m", "--suite", suite, "--base-url", vision_server.url)

    done = evalrun(*command, "--base-url", nobody)

    assert done.returncode == 0, "one of two is enough"
    assert f"WARNING: {nobody} is left out" in done.stderr


def test_a_server_that_lists_other_models_only_is_no_replica_of_one_that_lists_the_model(
    evalrun: Evalrun, vision_server: VisionServer, other_server: VisionServer, suite: Path
) -> None:
    vision_server.models, other_server.models = [{"id": "m"}], [{"id": "other"}]
    urls = ("--base-url", vision_server.url, "--base-url", other_server.url)

    done = evalrun("-m", "m", "--suite", suite, *urls)

    assert done.returncode == 4
    assert "are not replicas: models m against other" in " ".join(done.stderr.split())
    assert vision_server.seen == other_server.seen == []


def test_replicas_that_serve_different_models_are_refused(
    evalrun: Evalrun, vision_server: VisionServer, other_server: VisionServer, suite: Path
) -> None:
    vision_server.models = [{"id": "m", "max_model_len": "4096"}]
    other_server.models = [{"id": "m", "max_model_len": "8192"}]
    urls = ("--base-url", vision_server.url, "--base-url", other_server.url)

    done = evalrun("-m", "m", "--suite", suite, *urls)

    assert done.returncode == 4
    assert "are not replicas: max_model_len 4096 against 8192" in " ".join(done.stderr.split())
    assert vision_server.seen == other_server.seen == []


def test_each_model_may_have_servers_of_its_own(
    evalrun: Evalrun, vision_server: VisionServer, other_server: VisionServer, suite: Path
) -> None:
    own = ("--base-url", f"a={vision_server.url}", "--base-url", f"b={other_server.url}")

    done = evalrun("-m", "a", "-m", "b", "--suite", suite, *own)
    swept = evalrun("sweep", "a", "b", "--suite", suite, *own, "--json")
    wrong = evalrun("-m", "a", "--suite", suite, *own)

    assert done.returncode == swept.returncode == 0, done.stderr + swept.stderr
    assert {it["model"] for it in vision_server.seen} == {"a"}
    assert {it["model"] for it in other_server.seen} == {"b"}
    assert len(vision_server.seen) == len(other_server.seen) == 8
    assert wrong.returncode == 2
    assert "names a model that is not asked" in wrong.stderr


def test_replicas_are_for_servers_that_evalrun_starts(
    evalrun: Evalrun, vision_server: VisionServer, suite: Path
) -> None:
    done = evalrun("-m", "m", "--suite", suite, "--base-url", vision_server.url, "--replicas", "2")

    assert done.returncode == 2
    assert "name each server: --base-url URL --base-url URL" in done.stderr


def test_two_servers_of_our_own_share_a_run(evalrun: Evalrun, tmp_path: Path) -> None:
    done = evalrun("--replicas", "2", "--limit", "4", "--json")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is ready after") == 2
    (run,) = store.runs(tmp_path / "results")
    assert store.read(run).header.concurrency == 2
