"""Opens the demonstration model on a llama.cpp server of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from harness.adapters.base import Target
from harness.adapters.demo.pair import pair
from harness.adapters.llamacpp.adapter import LlamaCpp, serving
from harness.adapters.llamacpp.program import find
from harness.adapters.llamacpp.weights import Files

WHAT_IT_IS = (
    "the demo model shows the machinery at work, on a real llama.cpp server: it can only name the "
    "colour that stands out in a picture, so its score says nothing about vision models"
)


@contextmanager
def open_demo(target: Target) -> Iterator[LlamaCpp]:
    """Raises: TargetError when the extra `local` is not installed."""
    program = find(os.environ, wheel_first=True)
    written = pair()
    target.notify(WHAT_IT_IS)
    files = Files(gguf=written.gguf, mmproj=written.mmproj)
    with serving(target, files, program, backend="demo") as adapter:
        yield adapter
