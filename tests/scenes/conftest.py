"""A folder of small families drawn by Pillow, and the command that renders them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

FLAT = """
from PIL import Image
from fixtures.scenes.spec import Draw, Picture, Question, Redraw, Shot, YesNo
import time

def build(rng, ctx):
    {body}
    color = tuple(int(v) for v in rng.integers(0, 256, 3))
    questions = [Question(id=q, question="What is it?", expected=str(color[0]), grader="integer")
                 for q in {questions!r}]
    image = Image.new("RGB", (640, 480), color)
    return Shot(questions=questions, image=image, notes={{"color": color}})

PICTURES = [Picture(id={id!r}, build=build, questions={questions!r}, draws=({draws}), flat={flat})]
"""


class Studio:
    """Families in a temporary folder, rendered into another."""

    def __init__(self, root: Path) -> None:
        self.families, self.out = root / "families", root / "out"
        self.families.mkdir()

    def family(
        self,
        name: str,
        *,
        id: str = "oc-01-thing",
        questions: tuple[str, ...] | None = None,
        body: str = "pass",
        draws: str = "",
        flat: bool = True,
    ) -> None:
        asked = questions or (f"{id}-asked",)
        text = FLAT.format(id=id, questions=asked, body=body, draws=draws, flat=flat)
        (self.families / f"{name}.py").write_text(text, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        verb, *rest = arguments
        where = ["--families", str(self.families), "--out", str(self.out)]
        return [sys.executable, "-m", "fixtures.scenes", verb, *where, *rest]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60
        )

    def pictures(self) -> dict[str, Any]:
        text = (self.out / "fixtures/images/scenes.json").read_text(encoding="utf-8")
        pictures: dict[str, Any] = json.loads(text)["pictures"]
        return pictures

    def leftovers(self) -> list[Path]:
        return [path for path in self.out.rglob("*") if "partial" in path.name]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)
