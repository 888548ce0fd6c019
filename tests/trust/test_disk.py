"""Disks that are full, slow, read-only or gone: what is recorded is safe, and the rest is said."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.chaos import trials
from harness import store
from tests.conftest import Evalrun, VisionServer, clean_environment, say, write_suite


def command(suite: Path, url: str) -> list[str]:
    return ["--suite", str(suite), "--model", "m", "--base-url", url, "--concurrency", "2"]


def evalrun_with(
    before: Any, folder: Path, suite: Path, url: str, *more: str
) -> subprocess.CompletedProcess[str]:
    """The command, after `before` was called in its process."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *command(suite, url), *more],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=before,
    )


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Any:
    """A disk of 64 KiB, where this machine lets us make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if _mount("tmpfs", disk, "size=64k"):
        pytest.skip("mounting a small disk needs rights we do not have here")
    yield disk
    ctypes.CDLL(None).umount2(bytes(disk), 2)


def _mount(kind: str, where: Path, options: str) -> int:
    if sys.platform != "linux" or os.geteuid() != 0:
        return -1
    result: int = ctypes.CDLL(None).mount(b"none", bytes(where), kind.encode(), 0, options.encode())
    return result


def test_a_full_disk_ends_the_run_with_whole_records_and_it_goes_on_when_there_is_room(
    tiny_disk: Path, tmp_path: Path, vision_server: VisionServer
) -> None:
    suite = write_suite(tmp_path / "suite", 12)
    vision_server.default = say("yes " * 2500)

    full = evalrun_with(None, tiny_disk, suite, vision_server.url)
    recorded = trials.answered_lines(tiny_disk)

    assert full.returncode == 7, full.stderr
    assert "No space left" in full.stderr
    assert "free some space" in full.stderr
    assert "Traceback" not in full.stderr
    assert 0 < len(recorded) < 12
    (path,) = trials.runs(tiny_disk)
    assert path.read_bytes().endswith(b"\n")

    asked = len(vision_server.seen)
    vision_server.default = say("yes")
    elsewhere = tmp_path / "roomy"
    shutil.copytree(tiny_disk, elsewhere)
    done = evalrun_with(None, elsewhere, suite, vision_server.url)
    assert done.returncode == 0, done.stderr
    assert len(vision_server.seen) - asked == 12 - len(recorded)


def test_a_limit_on_file_sizes_is_a_message_and_no_silent_death(
    tmp_path: Path, vision_server: VisionServer
) -> None:
    suite = write_suite(tmp_path / "suite", 12)
    vision_server.default = say("yes " * 2500)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    done = evalrun_with(limit, tmp_path, suite, vision_server.url)

    assert done.returncode == 7, done.stderr
    assert "File too large" in done.stderr
    assert 0 < len(trials.answered_lines(tmp_path)) < 12
    (path,) = trials.runs(tmp_path)
    assert path.read_bytes().endswith(b"\n")


def test_a_read_only_folder_is_said_before_anything_is_asked(
    tmp_path: Path, suite: Path, vision_server: VisionServer
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    if os.geteuid() == 0 and _mount("tmpfs", results, "ro"):
        pytest.skip("root may write anywhere, and mounting is not allowed here")
    results.chmod(0o500) if os.geteuid() else None
    try:
        done = evalrun_with(None, tmp_path, suite, vision_server.url)
    finally:
        if os.geteuid() == 0:
            ctypes.CDLL(None).umount2(bytes(results), 2)

    assert done.returncode == 7
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert vision_server.seen == []


def test_a_folder_removed_during_the_run_is_there_again_with_everything(
    tmp_path: Path, vision_server: VisionServer
) -> None:
    suite = write_suite(tmp_path / "suite", 12)
    removed = []

    def remove_once(handler: Any, request: dict[str, Any]) -> None:
        if len(vision_server.seen) == 6 and not removed:
            removed.append(True)
            shutil.rmtree(tmp_path / "results")
        say("yes")(handler, request)

    vision_server.default = remove_once
    done = evalrun_with(None, tmp_path, suite, vision_server.url)

    assert done.returncode == 0, done.stderr
    assert len(set(trials.answered_lines(tmp_path))) == 12


def test_a_record_of_20_megabytes_is_written_read_and_resumed_over(
    tmp_path: Path, suite: Path, vision_server: VisionServer, evalrun: Evalrun
) -> None:
    vision_server.then(say("x" * 20_000_000))
    first = evalrun(*command(suite, vision_server.url), "--limit", "1")
    (path,) = trials.runs(tmp_path)
    os.truncate(path, path.stat().st_size - 10_000_000)

    again = evalrun(*command(suite, vision_server.url), "--limit", "1")

    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    assert len(store.read(path).answered_keys()) == 1
    assert path.stat().st_size < 10_000


def test_scores_that_cannot_be_written_to_stdout_are_said_to_be_lost(
    tmp_path: Path, suite: Path, vision_server: VisionServer
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", *command(suite, vision_server.url), "--json"],
            cwd=tmp_path,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert done.returncode == 7
    assert "stdout cannot be written" in done.stderr
    assert len(trials.answered_lines(tmp_path)) == 4


def test_the_scores_reach_a_pipe_that_is_read_late(
    tmp_path: Path, suite: Path, vision_server: VisionServer
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *command(suite, vision_server.url), "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.wait(60)
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["complete"] is True


def test_every_batch_is_on_disk_before_it_is_reported(
    tmp_path: Path, suite: Path, vision_server: VisionServer
) -> None:
    """Seen from outside, by the kernel: no write to the run file without a sync before the next."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here")
    trace = tmp_path / "trace"
    traced = [strace, "-f", "-y", "-e", "trace=write,fsync", "-o", str(trace), sys.executable]
    done = subprocess.run(
        [*traced, "-m", "harness", *command(suite, vision_server.url), "--concurrency", "1"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if not trace.exists() or "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")

    lines = trace.read_text().splitlines()
    of_the_run = [line.split()[1][:5] for line in lines if ".part" in line or ".jsonl" in line]
    assert done.returncode == 0, done.stderr
    assert of_the_run[::2] == ["write"] * (len(of_the_run) // 2)
    assert of_the_run[1::2] == ["fsync"] * (len(of_the_run) // 2)
    assert len(of_the_run) >= 2 * (1 + 2), "the header, and the four records in two batches or more"
    for folder in ("results", "results/m"):
        assert any("fsync(" in line and f"/{folder}>" in line for line in lines)


def test_what_was_reported_is_in_the_file_already(
    tmp_path: Path, vision_server: VisionServer
) -> None:
    """Without any tool: every answer but those in flight is in the file while the run goes on."""
    suite = write_suite(tmp_path / "suite", 8)
    behind: list[int] = []

    def look(handler: Any, request: dict[str, Any]) -> None:
        answered = len(vision_server.seen) - 1
        until = time.monotonic() + 10
        while len(trials.answered_lines(tmp_path)) < answered and time.monotonic() < until:
            time.sleep(0.01)
        behind.append(answered - len(trials.answered_lines(tmp_path)))
        say("yes")(handler, request)

    vision_server.default = look
    done = evalrun_with(None, tmp_path, suite, vision_server.url, "--concurrency", "1")

    assert done.returncode == 0, done.stderr
    assert behind == [0] * 8


@pytest.mark.parametrize("delay_us", [200_000])
def test_a_slow_disk_slows_the_run_and_loses_nothing(
    tmp_path: Path, vision_server: VisionServer, delay_us: int
) -> None:
    suite = write_suite(tmp_path / "suite", 12)
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here")
    slowly = [strace, "-f", "-qq", "-e", "trace=fsync", "-o", str(tmp_path / "trace")]
    slowly += ["-e", f"inject=fsync:delay_enter={delay_us}"]
    done = subprocess.run(
        [*slowly, sys.executable, "-m", "harness", *command(suite, vision_server.url)],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    if "ptrace" in done.stderr or "invalid" in done.stderr:
        pytest.skip("tracing is not allowed here")

    assert done.returncode == 0, done.stderr
    assert len(set(trials.answered_lines(tmp_path))) == 12
