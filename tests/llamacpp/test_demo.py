"""The demonstration model really sees: on a real server, through the opener users get."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from harness import images
from harness.adapters import Adapter, Request, Target
from harness.adapters.llamacpp.weights import Weights
from harness.adapters.routes import opener
from tests.conftest import Evalrun
from tests.llamacpp.tools import prompt
from tools.demo_model.__main__ import write

COLOURS = ("black", "white", "red", "green", "blue", "yellow", "magenta", "cyan")
RGB = {"green": "lime"}
"""CSS calls pure green lime."""


@pytest.fixture(scope="module")
def adapter() -> Iterator[Adapter]:
    with opener("demo")(Target(model="demo")) as opened:
        yield opened


def test_the_generator_writes_the_bytes_that_the_package_carries(
    pair: Weights, tmp_path: Path
) -> None:
    write(tmp_path)
    for file in (pair.gguf, pair.mmproj):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    assert pair.gguf.stat().st_size + pair.mmproj.stat().st_size < 1_000_000


@pytest.mark.parametrize("colour", COLOURS)
def test_it_names_the_colour_of_a_plain_picture(adapter: Adapter, colour: str) -> None:
    assert adapter.ask(prompt(RGB.get(colour, colour))).text == colour


@pytest.mark.parametrize(
    ("left", "right"), [(a, b) for a, b in itertools.pairwise((*COLOURS, COLOURS[0]))]
)
def test_it_looks_at_the_side_the_question_names(
    adapter: Adapter, tmp_path: Path, left: str, right: str
) -> None:
    picture = Image.new("RGB", (200, 160), RGB.get(left, left))
    picture.paste(RGB.get(right, right), (100, 0, 200, 160))
    picture.save(tmp_path / "p.png")
    image = images.encode(tmp_path / "p.png", longest_side_px=1024)
    said = {
        side: adapter.ask(Request(id="p", question=f"What is on the {side}?", images=(image,))).text
        for side in ("left", "right")
    }
    assert said == {"left": left, "right": right}


def test_without_a_picture_or_a_colour_it_says_gray(adapter: Adapter) -> None:
    assert adapter.ask(prompt(None)).text == "gray"
    assert adapter.ask(prompt("#808080")).text == "gray"


def test_the_memory_of_a_run_is_that_of_its_end(
    evalrun: Evalrun, suite: Path, tmp_path: Path
) -> None:
    done = evalrun("run", "--suite", suite, "--limit", "2")

    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results").glob("*/*.jsonl")
    header, *records = map(json.loads, path.read_text().splitlines())
    before = header["server"]["machine"]["peak_memory_gb"]
    peaks = [it["outcome"].get("server_memory_gb") for it in records]
    assert 0 < before <= max(filter(None, peaks))
    assert f"peak {max(filter(None, peaks)):.3g} GB" in done.stdout
    assert f"peak {max(filter(None, peaks)):.3g} GB" in evalrun("show", path).stdout


def test_it_says_that_it_is_a_demonstration() -> None:
    said: list[str] = []
    with opener("demo")(Target(model="demo", notify=said.append)) as adapter:
        assert adapter.opened.backend == "demo"
    assert any("says nothing about vision models" in line for line in said)
