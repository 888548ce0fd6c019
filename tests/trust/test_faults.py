"""Servers that fail as servers do: every prompt is answered, with hardly a call too many."""

from __future__ import annotations

import json
from pathlib import Path

from bench.chaos import trials
from tests.conftest import Evalrun, VisionServer, fail


def test_all_faults_mixed_cost_time_and_nothing_else(tmp_path: Path, sixty_seven: Path) -> None:
    assert trials.faults(tmp_path, sixty_seven, seed=1) == []


def test_a_server_that_takes_4_at_once_while_16_ask(tmp_path: Path, sixty_seven: Path) -> None:
    # A machine busy with other tests may learn the limit a little late.
    assert trials.crowd(tmp_path, sixty_seven, bursts=2) == []


def test_a_server_that_dies_and_comes_back(tmp_path: Path, sixty_seven: Path) -> None:
    assert trials.outage(tmp_path, sixty_seven, gone_s=2.0) == []


def test_a_server_that_answers_with_a_web_page_for_a_while(
    tmp_path: Path, sixty_seven: Path
) -> None:
    assert trials.maintenance(tmp_path, sixty_seven, html_s=2.0) == []


def test_a_wait_beyond_max_wait_is_not_heard_and_the_resume_command_is_printed(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(fail(429, retry_after="86400"))
    command = ["--suite", suite, "--model", "m", "--base-url", vision_server.url]

    done = evalrun(*command, "--concurrency", "1")

    assert done.returncode == 5
    assert f"  evalrun --suite {suite} --model m --base-url {vision_server.url}" in done.stderr
    (path,) = (tmp_path / "results").glob("m/*.jsonl")
    outcomes = [json.loads(line)["outcome"] for line in path.read_text().splitlines()[1:]]
    assert [it["kind"] for it in outcomes if it["type"] == "failure"] == ["rate_limited"]
    assert len(vision_server.seen) == 4
