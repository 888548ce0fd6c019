"""`evalrun doctor` says what works here and what would mend the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Evalrun, VisionServer
from tests.llamacpp.tools import script

ROOT = Path(__file__).parents[1]


def doctor(tmp_path: Path, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "doctor", *more],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "200"} | variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_working_machine_answers_a_question_and_no_key_is_shown(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", OPENAI_API_KEY="sk-very-secret")
    assert done.returncode == 0, done.stderr
    found = {it["what"]: it for it in json.loads(done.stdout)}
    assert "calls a red picture 'red'" in found["a question"]["says"]
    assert found["llama.cpp"]["says"].startswith("xllamacpp ")
    assert (found["openai"]["state"], found["openai"]["says"]) == ("ok", "OPENAI_API_KEY is set")
    assert "sk-very-secret" not in done.stdout + done.stderr
    assert not (tmp_path / "results").exists()


def test_every_extra_that_users_may_want_is_looked_at(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        name: {re.split(r"[^\w-]", it)[0] for it in packages}
        for name, packages in project["optional-dependencies"].items()
        if name not in ("dev", "docs", "scenes")
    }
    found = {it["what"]: it["says"] for it in json.loads(doctor(tmp_path, "--json").stdout)}

    assert {it for it in found if it.startswith("extra ")} == {f"extra {it}" for it in extras}
    for name, packages in extras.items():
        says = found[f"extra {name}"]
        lacking = set(says.removeprefix("without ").split(", "))
        assert lacking <= packages if says.startswith("without ") else lacking == packages


def test_what_is_broken_is_named_with_its_mending(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the way")
    (tmp_path / "evalrun.toml").write_text("[models.x]\nparametres = 3\n")
    done = doctor(tmp_path, EVALRUN_LLAMA_SERVER="/nowhere/llama-server")
    assert done.returncode == 4
    for words in (
        "'/nowhere/llama-server', which is not a program",
        "did you mean parameters?",
        "name another folder with --results DIR",
    ):
        assert words in done.stdout
    assert "Traceback" not in done.stderr


def test_a_graphics_card_that_the_server_cannot_use_is_named_with_what_can(tmp_path: Path) -> None:
    row = "NVIDIA H100 80GB HBM3, 570.86.10, 81559, 80994"
    script(tmp_path / "nvidia-smi", f'case "$*" in *query-gpu*) echo "{row}";; esac')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    found = {it["what"]: it for it in json.loads(doctor(tmp_path, "--json", PATH=path).stdout)}
    assert found["GPU"]["state"] == "missing"
    assert "H100 80GB HBM3 (86 GB), driver 570.86.10, not used by" in found["GPU"]["says"]
    assert "xllamacpp/whl/cu" in found["GPU"]["fix"]
    assert found["machine"]["says"]


@pytest.mark.parametrize(
    ("installer", "origin", "command"),
    [
        ("pip", None, "install 'evalrun-vision[local]'"),
        ("pip", {"url": "file:///a%20b/evalrun.whl"}, "install '/a b/evalrun.whl[local]'"),
        (
            "pip",
            {"url": "file:///src", "dir_info": {"editable": True}},
            "install -e '/src[local]'",
        ),
        (
            "pip",
            {"url": "https://host/it.git", "vcs_info": {"vcs": "git"}},
            "install 'evalrun-vision[local] @ git+https://host/it.git'",
        ),
        ("uv", None, f"uv pip install --python {sys.executable} 'evalrun-vision[local]'"),
    ],
)
def test_an_extra_is_installed_from_where_evalrun_came_from(
    tmp_path: Path, installer: str, origin: dict[str, object] | None, command: str
) -> None:
    about = tmp_path / "evalrun_vision-9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: evalrun-vision\nVersion: 9\n")
    (about / "INSTALLER").write_text(f"{installer}\n")
    if origin is not None:
        (about / "direct_url.json").write_text(json.dumps(origin))
    asked = "from harness.errors import install_command; print(install_command('local'))"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith(command)


def test_models_with_runs_and_no_sight_test_are_named(
    tmp_path: Path, evalrun: Evalrun, vision_server: VisionServer, suite: Path
) -> None:
    where = ("--model", "tiny", "--base-url", vision_server.url)
    assert evalrun("--suite", suite, *where, "--limit", "1").returncode == 0

    found = {it["what"]: it for it in json.loads(doctor(tmp_path, "--json").stdout)}

    assert found["sight tests"]["says"] == "none of tiny"
    assert found["sight tests"]["fix"] == "evalrun eyes --model tiny"
