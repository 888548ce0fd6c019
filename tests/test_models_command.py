"""`evalrun models`: the catalogue, and what could run here and now."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.llamacpp.tools import script


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "evalrun.toml").write_text(
        """[models.big]
parameters = "9B"
[models.big.gguf]
repo = "org/big-GGUF"
model_file = "big-Q4_K_M.gguf"
mmproj_file = "mmproj-big.gguf"
quantization = "Q4_K_M"

[models.mine]
about = "My own."
[models.mine.files]
model = "mine.gguf"
mmproj = "mmproj-mine.gguf"
"""
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(ONE_PIXEL)
    (tmp_path / "suite.csv").write_text("file_name,prompt,answer\na.png,Which colour?,blue\n")
    return tmp_path


ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def evalrun(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_API_KEY") and not name.startswith("HF_")
    }
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env=kept | {"HF_HOME": str(home / "hf"), "COLUMNS": "100"} | variables,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def routes(home: Path, name: str, **variables: str) -> dict[str, dict[str, Any]]:
    (shown,) = json.loads(evalrun(home, "models", name, "--json", **variables).stdout)
    return {it["via"]: it for it in shown["routes"]}


def test_every_model_is_listed_with_what_it_lacks(home: Path) -> None:
    done = evalrun(home, "models", COLUMNS="140")
    assert done.returncode == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "no: download 15.2 GB or set" in next(
        line for line in lines if line.startswith("mistral-small-3.1 ")
    )
    assert any(line.startswith("big ") and "9B" in line for line in lines)
    assert "could run here and now" in done.stderr


def test_a_key_opens_a_route(home: Path) -> None:
    closed = routes(home, "mistral-small-3.1")["openrouter"]
    assert (closed["open"], closed["note"]) == (False, "OPENROUTER_API_KEY is not set")
    assert closed["command"].startswith("export OPENROUTER_API_KEY=…; evalrun --model mistral")
    opened = routes(home, "mistral-small-3.1", OPENROUTER_API_KEY="k")["openrouter"]
    assert opened["open"]
    listed = evalrun(home, "models", "--here", "--json", OPENROUTER_API_KEY="k").stdout
    names = {it["card"]["name"] for it in json.loads(listed)}
    assert "mistral-small-3.1" in names
    assert "gpt-4o" not in names


def test_files_of_ones_own_open_a_way_once_they_are_there(home: Path) -> None:
    assert routes(home, "mine")["local weights"]["note"] == "mine.gguf does not exist"
    (home / "mine.gguf").write_bytes(b"")
    (home / "mmproj-mine.gguf").write_bytes(b"")
    assert routes(home, "mine")["local weights"]["open"]


def test_here_are_the_models_that_fit_this_machine_and_what_they_need(
    home: Path, tmp_path: Path
) -> None:
    huge = "[models.huge.gguf]\nsize_gb = 900.0\n" + "".join(
        f'{field} = "huge-Q4_K_M.gguf"\n' for field in ("repo", "model_file", "mmproj_file")
    )
    (home / "evalrun.toml").write_text(huge + 'quantization = "Q4_K_M"\n')

    listed = json.loads(evalrun(home, "models", "--here", "--json").stdout)

    found = {it["card"]["name"]: it for it in listed}
    small = found["smolvlm-500m"]
    assert (small["fits"], small["runs_here"]) == ("memory", False)
    assert 0.6 < small["needed_gb"] < 2
    assert "huge" not in found
    assert "gpt-4o" not in found

    script(tmp_path / "nvidia-smi", 'echo "NVIDIA H200, 570.86.10, 143771, 143000"')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = evalrun(home, "models", "--here", PATH=path, COLUMNS="140")
    assert "NVIDIA H200 (151 GB)" in done.stderr
    assert re.search(r"mistral-small-3.1 .* 18\.\d GB +GPU", done.stdout)
    shown = evalrun(home, "models", "huge", PATH=path).stdout
    assert "(weights, projector, context), which is more than there is here" in shown


def test_a_card_shows_facts_with_their_source_and_published_figures_as_such(home: Path) -> None:
    shown = evalrun(home, "models", "mistral-small-2503").stdout
    assert "17 March 2025" in shown
    assert "Roboflow Playground, 2026-06-26" in shown
    assert "published, not measured here" in shown
    assert "overall 38.81 % (26/67) poor 28.0 to 50.8; rank 68 of 74" in " ".join(shown.split())
    assert "evalrun --model mistral-small-3.1 --backend llamacpp" in shown


def test_an_unknown_model_names_the_nearest(home: Path) -> None:
    done = evalrun(home, "models", "mistral-smal")
    assert done.returncode == 4
    assert "mistral-small-3.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def hub_of_large_files() -> Iterator[tuple[str, list[str]]]:
    """A hub that says its files have a gigabyte each, and notes who wants one."""
    wanted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("X-Repo-Commit", "c0ffee")
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(1 << 30))
            self.end_headers()

        def do_GET(self) -> None:
            wanted.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", wanted
        server.shutdown()
        thread.join()


def test_more_than_a_gigabyte_is_not_downloaded_unasked(
    home: Path, hub_of_large_files: tuple[str, list[str]]
) -> None:
    url, wanted = hub_of_large_files
    asking = ("-m", "big", "--backend=llamacpp", "--suite=suite.csv")
    done = evalrun(home, *asking, HF_ENDPOINT=url)
    assert done.returncode == 4
    assert "2.1 GB of Q4_K_M weights from org/big-GGUF" in done.stderr
    assert "--yes" in done.stderr
    assert not any("resolve" in path for path in wanted)
    assert evalrun(home, *asking, "--yes", HF_ENDPOINT=url).returncode == 4
    assert any("resolve" in path for path in wanted)
