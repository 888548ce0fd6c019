"""What the trust tests share: the suite of 67, and what a run's files hold, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chaos import trials


@pytest.fixture(scope="session")
def sixty_seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.make_suite(tmp_path_factory.mktemp("suite") / "suite")
