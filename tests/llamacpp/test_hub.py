"""Weights come from the hub (here: a server of ours, through HF_ENDPOINT) and are kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.adapters.llamacpp.weights import Weights

REPO = "org/seer-GGUF"
MODEL, MMPROJ = "seer-Q4_K_M.gguf", "mmproj-seer-f16.gguf"

WORKER = """
import json, os, sys
import msgspec
from harness.adapters.llamacpp import weights
from huggingface_hub import constants
from harness.errors import TargetError
from harness.records import GgufSource
for line in sys.stdin:
    verb, home, source = json.loads(line)
    constants.HF_HUB_CACHE = os.path.join(home, "hub")
    source = msgspec.convert(source, GgufSource)
    notes = []
    try:
        if verb == "size":
            found = weights.missing_bytes(source)
        else:
            made = msgspec.structs.asdict(weights.fetch(source, notes.append))
            found = {name: str(value) for name, value in made.items()}
        print(json.dumps({"found": found, "notes": notes}), flush=True)
    except TargetError as error:
        print(json.dumps({"problem": error.problem, "fix": error.fix}), flush=True)
"""
"""A process of its own: huggingface_hub reads its environment once, and is slow to import."""


class Hub:
    """A hub with files, and what was asked of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.breaks_once_after: int | None = None
        """Bytes after which the next connection breaks."""
        self.stalls_after: int | None = None
        """Bytes after which a download stands still, until `goes_on`."""
        self.stalled, self.goes_on = threading.Event(), threading.Event()
        self.error: tuple[int, str] | None = None
        self.url = ""

    def handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, *, body: bool) -> None:
                name = self.path.rsplit("/", 1)[-1]
                span = self.headers.get("range")
                hub.asked.append((self.command, name, span))
                if hub.error is not None or name not in hub.files:
                    status, code = hub.error or (404, "EntryNotFound")
                    return self.refuse(status, code)
                data = hub.files[name]
                start = int(re.findall(r"\d+", span)[0]) if span else 0
                self.send_response(206 if span else 200)
                self.send_header("X-Repo-Commit", "c0ffee" + "0" * 34)
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.send_header("Content-Length", str(len(data) - start))
                if span:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                if body and hub.stalls_after is not None and len(data) > hub.stalls_after:
                    self.wfile.write(data[start : hub.stalls_after])
                    hub.stalled.set()
                    hub.goes_on.wait(30)
                    self.close_connection = True
                elif body:
                    self.wfile.write(data[start:][: hub.breaks_once_after])
                    self.close_connection = hub.breaks_once_after is not None
                    hub.breaks_once_after = None
                return None

            def refuse(self, status: int, code: str) -> None:
                self.send_response(status)
                self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        return Handler


@pytest.fixture(scope="module")
def at_work() -> Iterator[tuple[Hub, Worker]]:
    hub = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), hub.handler()) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with worker(HF_ENDPOINT=hub.url) as it:
            yield hub, it
        server.shutdown()
        thread.join()


@pytest.fixture
def hub(at_work: tuple[Hub, Worker], pair: Weights) -> Hub:
    hub, _ = at_work
    hub.files = {MODEL: pair.gguf.read_bytes(), MMPROJ: pair.mmproj.read_bytes()}
    hub.breaks_once_after = hub.error = None
    hub.asked.clear()
    return hub


@pytest.fixture
def ask(at_work: tuple[Hub, Worker], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    return partial(asked, at_work[1], tmp_path)


Worker = subprocess.Popen[str]
Ask = Callable[..., dict[str, Any]]


@contextmanager
def worker(**variables: str) -> Iterator[Worker]:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=environment(**variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.kill()


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return kept | more


def asked(worker: Worker, home: Path, verb: str = "fetch", model: str = MODEL) -> dict[str, Any]:
    source = {
        "repo": REPO,
        "model_file": model,
        "mmproj_file": MMPROJ,
        "quantization": "Q4_K_M",
    }
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps([verb, str(home), source]) + "\n")
    worker.stdin.flush()
    answer: dict[str, Any] = json.loads(worker.stdout.readline())
    return answer


def downloads(hub: Hub) -> list[tuple[str, str, str | None]]:
    return [it for it in hub.asked if it[1] in (MODEL, MMPROJ)]


def test_both_files_are_fetched_once_and_nobody_is_asked_again(
    hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    assert ask("size")["found"] == sum(len(it) for it in hub.files.values())
    answer = ask()
    found = answer["found"]
    assert Path(found["gguf"]).read_bytes() == hub.files[MODEL]
    assert Path(found["mmproj"]).read_bytes() == hub.files[MMPROJ]
    assert [note.split(",")[0] for note in answer["notes"]] == [
        f"downloading {MODEL}",
        f"downloading {MMPROJ}",
    ]
    assert Path(found["gguf"]).is_relative_to(tmp_path / "hub" / "models--org--seer-GGUF")
    hub.asked.clear()
    assert ask()["found"] == found
    assert ask("size")["found"] == 0
    assert downloads(hub) == []


def test_a_download_whose_connection_breaks_goes_on_where_it_stopped(hub: Hub, ask: Ask) -> None:
    hub.files[MODEL] = os.urandom(25 << 20)  # the hub's client writes 10 MiB at a time
    hub.breaks_once_after = 15 << 20
    hub.asked.clear()
    answer = ask()
    assert Path(answer["found"]["gguf"]).read_bytes() == hub.files[MODEL]
    assert ("GET", MODEL, f"bytes={10 << 20}-") in hub.asked
    assert f"downloading {MODEL}, 26 MB" in answer["notes"]


def test_all_parts_of_a_split_model_are_fetched(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    parts = [f"big-0000{at}-of-00002.gguf" for at in (1, 2)]
    hub.files |= dict.fromkeys(parts, b"GGUF")
    found = ask(model=parts[0])["found"]
    first = Path(found["gguf"])
    assert first.name == parts[0]
    assert first.with_name(parts[1]).is_file()


def test_offline_nothing_is_asked_and_what_is_cached_is_enough(
    hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    with worker(HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1") as offline:
        answer = asked(offline, tmp_path)
        assert "offline mode is enabled" in answer["problem"]
        assert downloads(hub) == []
        found = ask()["found"]
        assert asked(offline, tmp_path)["found"] == found


@pytest.mark.parametrize(
    ("error", "problem", "fix"),
    [
        ((401, "RepoNotFound"), "401", "export HF_TOKEN"),
        ((403, "GatedRepo"), "403", f"https://huggingface.co/{REPO}"),
        ((404, "EntryNotFound"), "404", "--gguf FILE"),
        ((500, ""), "could not be downloaded", "run the same command again"),
    ],
)
def test_what_the_hub_refuses_is_explained(
    hub: Hub, ask: Ask, error: tuple[int, str], problem: str, fix: str
) -> None:
    hub.error = error
    answer = ask()
    assert problem in answer["problem"]
    assert fix in answer["fix"]


def test_a_hub_out_of_reach_is_explained(tmp_path: Path) -> None:
    with worker(HF_ENDPOINT="http://127.0.0.1:9") as lost:
        assert "could not be downloaded" in asked(lost, tmp_path)["problem"]


def test_a_full_disk_is_explained(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("no folder can be made here")
    answer = ask()
    assert "could not be downloaded" in answer["problem"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_during_a_download_ends_it_and_leaves_nothing_behind(
    hub: Hub, tmp_path: Path, number: signal.Signals
) -> None:
    hub.files[MODEL] += os.urandom(25 << 20)
    hub.stalls_after = 15 << 20
    hub.stalled.clear()
    hub.goes_on.clear()
    command = own_model(tmp_path)
    where = environment(HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"))
    try:
        with subprocess.Popen(
            command, env=where, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as process:
            assert hub.stalled.wait(30)
            wait_for_a_file_of(10 << 20, tmp_path / "hf")
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
    finally:
        hub.goes_on.set()
        hub.stalls_after = None
    assert process.returncode in (128 + number, -number)  # a shell reports both alike
    assert "Traceback" not in said

    assert not list((tmp_path / "hf").rglob(MODEL))
    assert not list((tmp_path / "hf").rglob("*.incomplete"))


def wait_for_a_file_of(size: int, folder: Path) -> None:
    until = time.monotonic() + 30
    while not any(it.is_file() and it.stat().st_size >= size for it in folder.rglob("*")):
        assert time.monotonic() < until, "nothing of the download is kept"
        time.sleep(0.01)


def own_model(folder: Path) -> list[str]:
    """A model of one's own catalogue, a suite of one question, and the command that asks it."""
    (folder / "evalrun.toml").write_text(
        f'[models.seer.gguf]\nrepo = "{REPO}"\nquantization = "Q4_K_M"\n'
        f'model_file = "{MODEL}"\nmmproj_file = "{MMPROJ}"\n'
    )
    (folder / "images").mkdir()
    Image.new("RGB", (64, 64), "blue").save(folder / "images" / "a.png")
    (folder / "suite.csv").write_text("file_name,prompt,answer\na.png,Which colour?,blue\n")
    return [
        sys.executable,
        "-m",
        "harness",
        "-m",
        "seer",
        "--backend=llamacpp",
        "--suite=suite.csv",
    ]


def test_a_model_of_ones_own_catalogue_is_downloaded_started_and_asked(
    hub: Hub, tmp_path: Path
) -> None:
    done = subprocess.run(
        own_model(tmp_path),
        env=environment(HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    header = json.loads(next((tmp_path / "results").rglob("*.jsonl")).read_text().splitlines()[0])
    assert header["server"]["model_file"] == MODEL
    assert header["server"]["quantization"] == "Q4_K_M"
    assert header["server"]["sees_images"] is True
