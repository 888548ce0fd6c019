"""The demonstration model: a real vision GGUF pair that names colours, on a server of our own.

The two files beside this one are made by `tools/demo_model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.adapters.base import Target
from harness.adapters.llamacpp.adapter import LlamaCpp, serving
from harness.adapters.llamacpp.program import find
from harness.adapters.llamacpp.weights import Files

FILES = Files(
    gguf=Path(__file__).with_name("demo-f32.gguf"),
    mmproj=Path(__file__).with_name("mmproj-demo-f32.gguf"),
)
WHAT_IT_IS = (
    "the demo model shows the machinery at work, on a real llama.cpp server: it can only name the "
    "colour that stands out in a picture, so its score says nothing about vision models"
)


@contextmanager
def open_demo(target: Target) -> Iterator[LlamaCpp]:
    """Raises: TargetError when there is no llama.cpp server to run it."""
    program = find(wheel_first=True)
    target.notify(WHAT_IT_IS)
    with serving(target, FILES, program, backend="demo") as adapter:
        yield adapter
