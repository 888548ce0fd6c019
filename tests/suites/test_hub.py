"""Sets of the hub (here: a server of ours, through HF_ENDPOINT), by their address."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from PIL import Image

from tests.conftest import Evalrun

pytest.importorskip("huggingface_hub")
COMMIT = "c0ffee" + "0" * 34
Check = Callable[[str], "CompletedProcess[str]"]


class Hub:
    """A hub with one set, `org/set`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.downloaded: list[str] = []

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if not path.startswith(("/api/datasets/org/set", "/datasets/org/set/")):
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if path.startswith("/datasets/"):
            name = path.partition(f"/resolve/{COMMIT}/")[2]
            data = self.files[name]
            self.downloaded.append(name)
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            return 200, {"ETag": etag, "X-Repo-Commit": COMMIT}, data
        if "/tree/" in path:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                for name, data in self.files.items()
            ]
            return 200, {}, json.dumps(tree).encode()
        _, _, revision = path.partition("/revision/")
        if revision not in ("", "main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        siblings = [{"rfilename": name} for name in self.files]
        facts = {"id": "org/set", "sha": COMMIT, "siblings": siblings, "private": False}
        return 200, {}, json.dumps(facts).encode()


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET(body=False)

        def do_GET(self, *, body: bool = True) -> None:
            status, headers, data = state.answer(self.path.partition("?")[0])
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield state, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def check(evalrun: Evalrun, hub: tuple[Hub, str], tmp_path: Path) -> Check:
    """`evalrun check ADDRESS --json`, with that hub and a cache of its own."""
    home = {"HF_ENDPOINT": hub[1], "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    home["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    return lambda address: evalrun("check", address, "--json", env=home)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(buffer, "PNG")
    return buffer.getvalue()


ROW = {"image": "pics/a.png", "question": "How many dots are there?", "answer": "3"}


def test_a_set_with_pictures_as_files_is_downloaded_and_read(
    hub: tuple[Hub, str], check: Check
) -> None:
    hub[0].files = {
        "README.md": b"# own",
        "data/test.jsonl": json.dumps(ROW).encode(),
        "pics/a.png": png(),
    }

    done = check("hf://org/set")

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["suite"], said["version"], said["sound"]) == ("org/set", COMMIT, True)
    assert said["cases"][0]["images"] == ["pics/a.png"]
    assert "README.md" not in hub[0].downloaded


def test_one_of_several_splits_is_named_behind_the_address(
    hub: tuple[Hub, str], check: Check
) -> None:
    hub[0].files = {
        "data/test-00000-of-00002.jsonl": json.dumps(ROW).encode(),
        "data/test-00001-of-00002.jsonl": json.dumps(ROW).encode(),
        "data/train-00000-of-00001.jsonl": json.dumps(ROW).encode(),
        "pics/a.png": png(),
    }

    asked = check("hf://org/set")
    done = check("hf://org/set@main/test")

    assert asked.returncode == 3
    assert "name one of hf://org/set/data/test, hf://org/set/data/train" in asked.stderr
    assert json.loads(done.stdout)["prompts"] == 2
    assert not any("train" in name for name in hub[0].downloaded)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://org/none", "does not give hf://org/none to everybody, or has none"),
        ("hf://org/set@nope", "has no revision nope"),
        ("hf://org/set/nope", "has no table nope that can be read"),
        ("hf://org", "is not the address of a set"),
    ],
)
def test_what_the_hub_does_not_have_is_named(
    hub: tuple[Hub, str], check: Check, address: str, said: str
) -> None:
    hub[0].files = {"test.jsonl": b"{}"}

    done = check(address)

    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr
    assert "fix: " in done.stderr
