"""What the trust tests share: the suite of 67, and what a run's files hold, byte by byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.chaos import trials
from harness.adapters.llamacpp import DEMO


@pytest.fixture(scope="session")
def sixty_seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.make_suite(tmp_path_factory.mktemp("suite") / "suite")


@pytest.fixture
def weights(tmp_path: Path) -> tuple[Path, Path]:
    """The demonstration model under a path of the test's own: processes are told apart by it."""
    copies = tmp_path / "text.gguf", tmp_path / "vision.gguf"
    for source, copy in zip((DEMO.gguf, DEMO.mmproj), copies, strict=True):
        shutil.copyfile(source, copy)
    return copies
