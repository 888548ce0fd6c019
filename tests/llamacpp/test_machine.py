"""What is learned about this machine: its files' fingerprints, its cores, memory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.adapters import machine
from harness.adapters.llamacpp.weights import sha256
from harness.adapters.machine import compute_threads, where_it_fits
from tests.llamacpp.tools import script


def test_a_fingerprint_is_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, cache = tmp_path / "model.gguf", tmp_path / "evalrun" / "sha256"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file.write_bytes(b"one")
    first = sha256(file, print)
    assert first == hashlib.sha256(b"one").hexdigest()
    (note,) = cache.iterdir()
    note.write_text("f" * 64)
    assert sha256(file, print) == "f" * 64  # read back, not computed
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert sha256(file, print) == hashlib.sha256(b"two").hexdigest()


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = tmp_path / "model.gguf"
    file.write_bytes(b"one")
    (tmp_path / "evalrun").write_text("in the way")
    assert sha256(file, print) == hashlib.sha256(b"one").hexdigest()


def test_a_tiny_model_gets_one_thread_and_a_large_one_no_more_than_there_are_cores() -> None:
    assert compute_threads(500_000) == 1
    threads = compute_threads(4_000_000_000)
    assert threads is None or 1 <= threads <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("limit", "most"),
    [("max 100000", 1000), ("150000 100000", 1), ("200000 100000", 2), ("1000 100000", 1)],
)
def test_what_a_container_may_use_is_respected(tmp_path: Path, limit: str, most: int) -> None:
    cores = compute_threads(4_000_000_000, tmp_path)
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert compute_threads(4_000_000_000, tmp_path) == (cores and min(cores, most))


def test_cards_are_described_by_their_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"NVIDIA RTX {it}, 570.86.10, 22888, 19073\\n" for it in range(2))
    monkeypatch.setenv("PATH", str(tmp_path))
    script(tmp_path / "nvidia-smi", f"printf '{rows}'")
    cards = machine.gpus()
    assert [str(card) for card in cards] == ["NVIDIA RTX 0 (24 GB)", "NVIDIA RTX 1 (24 GB)"]
    assert where_it_fits(35 * 10**9, cards, 16 * 10**9) == "GPU"
    assert where_it_fits(45 * 10**9, cards, 16 * 10**9) == "GPU and memory"
    assert where_it_fits(90 * 10**9, cards, 16 * 10**9) is None


def test_a_machine_without_a_card_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == ()
    script(tmp_path / "nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
    assert machine.gpus() == ()


def test_a_containers_memory_counts(tmp_path: Path) -> None:
    whole = machine.memory_bytes(tmp_path)
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert machine.memory_bytes(tmp_path) == min(1 << 30, whole or 1 << 30)
