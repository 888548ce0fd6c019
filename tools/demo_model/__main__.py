"""Writes the demonstration model, the same bytes every time: `python -m tools.demo_model`."""

import sys
from pathlib import Path

from tools.demo_model import text, vision

PACKAGE = Path(__file__).parents[2] / "harness" / "adapters" / "llamacpp"


def write(folder: Path) -> None:
    text.write(folder / "demo-f32.gguf")
    vision.write(folder / "mmproj-demo-f32.gguf")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE)
