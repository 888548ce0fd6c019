"""The README's examples run, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from PIL import Image

from harness.errors import ExitCode
from harness.graders import GRADERS
from tests.conftest import Evalrun, VisionServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_console_example_runs(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (questions,) = blocks("csv")
    (photos / "questions.csv").write_text(questions)
    for line in questions.splitlines()[1:]:
        Image.new("RGB", (64, 48), "grey").save(photos / line.split(",")[0])
    examples = [
        line.removeprefix("$ evalrun ")
        for block in blocks("console")
        for line in block.splitlines()
        if line.startswith("$ evalrun ")
    ]
    assert len(examples) > 6

    for example in examples:
        words = shlex.split(example.replace("http://localhost:8080/v1", vision_server.url))
        done = evalrun(*words)
        assert done.returncode == 0, f"{example}\n{done.stderr}"
        assert done.stdout or "wrote" in done.stderr or "kept" in done.stderr, example

    assert (tmp_path / "run.csv").read_text().startswith("run,model,backend,")


def test_the_exit_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| .+ \|$", README, re.MULTILINE)
    documented = {int(code) for row in rows for code in row.split(", ")}

    assert documented == {int(code) for code in ExitCode}


def test_every_grader_is_named() -> None:
    for grader in GRADERS:
        assert f"`{grader}`" in README


def test_ci_runs_the_readmes_own_test_command() -> None:
    (command,) = (it for it in blocks("sh") if "pytest" in it)
    script = (ROOT / ".ci" / "run").read_text()

    for step in command.strip().split(" && "):
        assert step.replace(" -q", "") in script.replace(" -q", "").replace(
            " --disable-pip-version-check", ""
        ).replace(".venv/bin/python -m pip", ".venv/bin/pip"), step
