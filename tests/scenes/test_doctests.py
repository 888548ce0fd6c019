"""The examples in the docstrings that need no Blender."""

import doctest
from types import ModuleType

import pytest

from fixtures.scenes import nodes, output, seeding, spec


@pytest.mark.parametrize("module", [nodes, output, seeding, spec])
def test_examples_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
