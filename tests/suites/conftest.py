"""A suite in a temporary folder, written file by file as its owner would."""

import json
from pathlib import Path

import pytest
from PIL import Image

from harness.errors import SuiteError
from harness.suites import Suite, load


class Workshop:
    """A folder in which a test lays out a suite."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def picture(self, name: str, colour: str = "red") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 24), colour).save(path)
        return path

    def toml(self, *cases: str, name: str = "prompts/counting.toml", head: str = "") -> Path:
        return self.write(name, "\n\n".join([f'category = "Counting"\n{head}', *cases]))

    def load(self, name: str = "") -> Suite:
        return load(self.root / name)

    def refused(self, name: str = "") -> str:
        """What is said of a suite that cannot be run."""
        with pytest.raises(SuiteError) as caught:
            load(self.root / name)
        assert caught.value.fix
        return caught.value.problem

    @staticmethod
    def case(**fields: object) -> str:
        """A [[case]] table; what is not given is sound, and what is None is left out."""
        sound = {
            "id": "bolts",
            "question": "How many bolts are there? Answer with a number.",
            "image": "a.png",
            "expected": "7",
            "grader": "integer",
        }
        given = {key: value for key, value in {**sound, **fields}.items() if value is not None}
        return "\n".join(["[[case]]", *(f"{key} = {json.dumps(given[key])}" for key in given)])


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """An empty suite folder with one red picture, `a.png`."""
    shop = Workshop(tmp_path / "suite")
    shop.picture("a.png")
    return shop
