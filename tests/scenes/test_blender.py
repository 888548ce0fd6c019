"""One draft through Blender, where it is installed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("SCENES_PYTHON") or str(ROOT / ".venv-scenes/bin/python")
"""bpy wants an environment of its own; CI names it, at home it lies beside the other."""

if find_spec("bpy") is not None:
    PYTHON = sys.executable

pytestmark = pytest.mark.skipif(not Path(PYTHON).exists(), reason="bpy is not installed")


def test_the_blister_is_drawn_checked_and_written_down(tmp_path: Path) -> None:
    command = [PYTHON, "-m", "fixtures.scenes", "render", "--id", "dd-03-blister-tablets-left"]
    done = subprocess.run(
        [*command, "--draft", "--seed", "5", "--out", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=540,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "fixtures/images/scenes.json").read_text())
    picture = facts["pictures"]["dd-03-blister"]
    with Image.open(tmp_path / picture["image"]) as image:
        assert image.size == (512, 384)
        low, high = image.convert("L").getextrema()
    assert high - low > 100, "neither black nor burnt out"
    notes, tablets = picture["notes"], picture["facts"]
    assert len(tablets) + len(notes["empty"]) == notes["columns"] * notes["rows"]
    assert picture["questions"][0]["expected"] == str(len(tablets))
    assert all(tablet["visible_px"] >= 1500 for tablet in tablets)
