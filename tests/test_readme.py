"""README and site: their examples run, their tables are those of the code, their links lead on."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command

from docs import hooks
from harness.cli.app import app
from harness.errors import ExitCode
from harness.graders import GRADERS
from tests.conftest import Evalrun, VisionServer

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
INCOMPLETE = "evalrun --replay example"
"""One of its replies is cut: the run is incomplete."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def examples() -> list[str]:
    """Every console example of README and site, in reading order, each once."""
    lines = (line for page in PAGES for it in blocks(page, "console") for line in it.splitlines())
    return list(dict.fromkeys(line[2:] for line in lines if line.startswith("$ evalrun")))


def test_every_console_example_runs(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (questions,) = blocks(README, "csv")
    (photos / "questions.csv").write_text(questions)
    for line in questions.splitlines()[1:]:
        Image.new("RGB", (64, 48), "grey").save(photos / line.split(",")[0])

    assert len(examples()) > 6
    for example in examples():
        words = shlex.split(example.replace("http://localhost:8080/v1", vision_server.url))
        done = evalrun(*words[1:])
        assert done.returncode in ((0, 5) if example == INCOMPLETE else (0,)), (
            f"{example}\n{done.stderr}"
        )
        assert done.stdout or "wrote" in done.stderr or "kept" in done.stderr, example

    assert (tmp_path / "answers.csv").read_text().startswith("run,model,backend,")


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.name)
def test_every_command_in_a_page_is_one_that_the_program_takes(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    group = get_command(app)
    for line in "".join(blocks(page, "sh")).splitlines():
        words = shlex.split(
            re.sub(r"^(\w+=\S+ )+|>.*|\.venv/bin/|docker run.*? (?=evalrun)", "", line),
            comments=True,
        )
        if words[:1] != ["evalrun"] or "--profile" in words:
            continue
        context = group.make_context("evalrun", words[1:])
        name, command, rest = group.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        command.make_context(name, rest, parent=context)


def test_the_exit_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| .+ \|$", README.read_text(), re.MULTILINE)
    documented = {int(code) for row in rows for code in row.split(", ")}

    assert documented == {int(code) for code in ExitCode}


def test_every_grader_is_explained() -> None:
    page = (ROOT / "docs" / "reference" / "graders.md").read_text(encoding="utf-8")

    assert [it for it in GRADERS if f"`{it}`" not in page] == []


def test_the_readme_is_short_and_ci_runs_its_own_test_command() -> None:
    (command,) = (it for it in blocks(README, "sh") if "pytest" in it)
    script = (ROOT / ".ci" / "run").read_text()

    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120
    for step in command.strip().split(" && "):
        assert step.replace(" -q", "") in script.replace(" -q", "").replace(
            " --disable-pip-version-check", ""
        ).replace(".venv/bin/python -m pip", ".venv/bin/pip"), step


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_site_lists_every_page_once() -> None:
    listed = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(
        str(page.relative_to(ROOT / "docs")) for page in PAGES if page != README
    )


def test_the_site_takes_commands_columns_and_codes_from_the_code() -> None:
    marks = {mark for page in PAGES for mark in hooks.MARK.findall(page.read_text())}
    page = hooks.on_page_markdown("<!-- from the code: commands -->")

    assert marks == set(hooks.PARTS)
    assert "## evalrun compare" in page
    assert "| `-m, --model" in page
    assert "`tokens_reasoning`" in hooks.columns()


def test_the_containers_commands_are_ours() -> None:
    """Without Docker: what the image installs, starts and keeps is what the project has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    steps = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()

    (extras,) = re.findall(r"pip install .*/src\[([\w,]+)\]", steps)
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    assert re.findall(r'ENTRYPOINT \["(.+)"\]', steps) == list(project["scripts"])
    assert "USER evalrun" in steps
    needed = ("harness", "prompts", "fixtures/images", "pyproject.toml", "README.md", "LICENSE")
    assert not {*needed, "fixtures"} & set(ignored)
