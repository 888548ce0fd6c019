"""A real llama.cpp server out of the wheel, and the demonstration model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.adapters import Target
from harness.adapters.llamacpp import DEMO
from harness.adapters.llamacpp.weights import Weights
from tests.llamacpp.tools import Notes


@pytest.fixture(scope="session")
def pair() -> Weights:
    return DEMO


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody's home is written to, and no server of this machine is found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("EVALRUN_LLAMA_SERVER", raising=False)
        yield


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def target(pair: Weights, notes: Notes) -> Target:
    return Target(model="demo", gguf=pair.gguf, mmproj=pair.mmproj, notify=notes.append)
