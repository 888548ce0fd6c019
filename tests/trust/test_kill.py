"""kill -9 at any moment loses nothing, and nothing is asked again; `bench.chaos` does more."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.chaos import trials
from harness import store
from harness.errors import ResultsError
from harness.records import Case, Record, Reply, RunHeader, Sampling, Verdict
from tests.conftest import Evalrun, VisionServer

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_a_kill_all_67_are_there_once_and_none_is_asked_again(
    tmp_path: Path, sixty_seven: Path, seed: int
) -> None:
    assert trials.kill(tmp_path, sixty_seven, seed) == []


def test_killed_between_its_last_record_and_its_tables_a_run_is_ended_and_not_asked_anew(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    command = ("--suite", suite, "--model", "m", "--base-url", vision_server.url)
    evalrun(*command)
    for name in ("categories.csv", "leaderboard.csv"):
        (tmp_path / "results" / name).unlink()

    done = evalrun(*command)

    assert done.returncode == 0
    assert "4 of 4 are there already" in done.stderr
    assert "100.0 % (4/4)" in done.stdout
    assert len(vision_server.seen) == 4
    assert (tmp_path / "results" / "leaderboard.csv").exists()

    evalrun(*command)
    assert len(vision_server.seen) == 8, "now that it has come to its end, a new run is made"


@pytest.mark.parametrize("whom", ["server", "evalrun", "both"])
def test_a_kill_of_the_local_server_or_of_both_loses_nothing_and_leaves_no_process(
    tmp_path: Path,
    sixty_seven: Path,
    weights: tuple[Path, Path],
    whom: str,
) -> None:
    assert trials.kill_local(tmp_path, sixty_seven, weights, whom) == []


def test_cut_anywhere_in_its_last_record_a_run_goes_on_with_exactly_that_record(
    tmp_path: Path,
) -> None:
    whole = _written(tmp_path)
    data = whole.read_bytes()
    begin = data.rstrip(b"\n").rindex(b"\n") + 1

    for cut in range(begin, len(data)):
        os.truncate(whole, 0)
        whole.write_bytes(data[:cut])
        run = store.read(whole)
        assert run.answered_keys() == {("a", 0)}
        assert run.torn == (cut > begin)
        with store.reopen(whole) as writer:
            writer.append(_record("b"))
        assert whole.read_bytes() == data


def test_a_tail_of_zeros_as_a_power_cut_leaves_it_is_cut_off(tmp_path: Path) -> None:
    path = _written(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-30] + bytes(4096))

    with store.reopen(path) as writer:
        writer.append(_record("b"))

    assert path.read_bytes() == data


def test_a_run_file_cut_in_its_header_is_passed_over(tmp_path: Path) -> None:
    path = _written(tmp_path)
    path.write_bytes(path.read_bytes()[:100])

    assert store.newest_alike(tmp_path, _header()) is None


def test_a_run_damaged_in_the_middle_is_named_and_not_asked_anew(tmp_path: Path) -> None:
    path = _written(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{]\n" + lines[2])

    newest = store.newest_alike(tmp_path, _header())
    assert newest is not None
    with pytest.raises(ResultsError, match=r"line 2 is damaged"):
        newest.answered_keys()


def test_a_damaged_correction_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"type":"correction","prompt":7}\n')

    with pytest.raises(ResultsError, match=r"line 4 is damaged"):
        list(store.read(path).records())


def test_what_a_kill_left_of_an_unborn_run_is_cleared_and_harms_no_run(tmp_path: Path) -> None:
    first = _written(tmp_path)
    left, young = first.parent / ".old.part", first.parent / ".young.part"
    os.link(first, left)
    os.utime(left, (0, 0))
    young.touch()

    _written(tmp_path)

    assert not left.exists()
    assert young.exists(), "another evalrun may be at work on it"
    assert store.read(first).answered_keys() == {("a", 0), ("b", 0)}


def _header() -> RunHeader:
    return RunHeader(
        run="",
        model="m",
        backend="openai",
        suite="s",
        suite_version="1",
        suite_sha256="a" * 64,
        suite_prompts=3,
        categories={"Trust": 3},
        prompts_sha256="b" * 64,
        grader_version="1",
        image_max_side_px=1024,
        sampling=Sampling(),
        concurrency=1,
        evalrun_version="0",
        started_at=NOW,
    )


def _record(prompt: str) -> Record:
    return Record(
        case=Case(
            id=prompt, category="Trust", question="?", image="i", expected="é", grader="text"
        ),
        outcome=Reply(text="é\n\x1b\u202e\x00 “” 😀", latency_s=1.0),
        verdict=Verdict(passed=True, answer="é", reason=""),
        started_at=NOW,
    )


def _written(results: Path) -> Path:
    with store.create(results, _header()) as writer:
        writer.append(_record("a"), _record("b"))
    return writer.path
