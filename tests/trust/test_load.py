"""Many prompts: memory stays flat, and nothing is lost. `bench.load` does more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.chaos import trials
from bench.chaos.server import serving
from bench.memory import resident_kb
from harness import store
from tests.conftest import VisionServer, clean_environment

PROMPTS = 6000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.make_suite(tmp_path_factory.mktemp("many") / "suite", PROMPTS, pictures=16)


def test_memory_is_flat_after_the_warm_up_and_no_record_is_lost(tmp_path: Path, many: Path) -> None:
    with serving() as server:
        server.books.latency_s = 0.0
        process = trials.start(
            tmp_path,
            *("--suite", many, "--model", "m", "--base-url", server.url, "--concurrency", "32"),
        )
        seen: dict[int, int] = {}
        for share in (3, 9):
            trials.eventually(
                lambda share=share: (
                    server.books.answered >= share * PROMPTS // 10 or process.poll() is not None
                ),
                within_s=120,
            )
            seen[share] = resident_kb(process.pid)
        code = process.wait(120)

    assert code == 0, trials.said(tmp_path)
    assert seen[9] <= 1.1 * seen[3], f"{seen} kB at 30 and 90 %"
    (path,) = trials.runs(tmp_path)
    assert len(store.read(path).answered_keys()) == PROMPTS
    assert server.books.requests == PROMPTS


def test_a_run_loads_neither_pandas_nor_the_hub_nor_the_local_server(
    tmp_path: Path, suite: Path, vision_server: VisionServer
) -> None:
    """They would cost every run half a second and 60 MB."""
    command = ["--suite", suite, "--model", "m", "--base-url", vision_server.url]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harness", *map(str, command)],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert done.returncode == 0, done.stderr[-500:]
    assert "harness.tables.runs" in loaded, "the table at the end was loaded, too"
    for unwanted in ("pandas", "numpy", "huggingface_hub", "xllamacpp", "gguf", "matplotlib"):
        assert unwanted not in loaded
    assert "harness.adapters.llamacpp.local" not in loaded
