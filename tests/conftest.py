"""What every test may use: a scripted vision server on a real socket, small suites, the command."""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from PIL import Image

hypothesis.settings.register_profile("steady", deadline=None)  # timing belongs to bench/
hypothesis.settings.load_profile("steady")

Answer = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


class VisionServer:
    """Answers as its script says, one entry a request; then `default` for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.script: list[Answer] = []
        self.default: Answer = say("yes")
        self.models: list[dict[str, str]] = []
        """What it lists; it says nothing where that is empty."""
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def then(self, *answers: Answer) -> None:
        self.script.extend(answers)

    def next(self, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self._lock:
            self.seen.append(body)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            return self.script.pop(0) if self.script else self.default

    def done(self) -> None:
        with self._lock:
            self.at_once -= 1


def chat(text: str | None, **more: Any) -> dict[str, Any]:
    """A `chat.completion` body."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 300, "completion_tokens": 5}
    return {"choices": [choice | more.pop("choice", {})], "usage": usage, **more}


def say(text: str | None, **more: Any) -> Answer:
    """Answer plainly with this content."""
    return body(200, json.dumps(chat(text, **more)).encode())


def fail(status: int, message: str = "scripted", **headers: str) -> Answer:
    """Answer with an error status; `retry_after="1"` becomes a header."""
    return body(status, json.dumps({"error": {"message": message}}).encode(), **headers)


def body(
    status: int, data: bytes, *, content_type: str = "application/json", **headers: str
) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(status)
        handler.send_header("content-type", content_type)
        handler.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def stream(*chunks: dict[str, Any] | str, wait_s: float = 0.0, cut: bool = False) -> Answer:
    """Answer as server-sent events: dicts are data, strings are sent as they are."""

    def answer(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        for chunk in chunks:
            line = chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}\n\n"
            handler.wfile.write(line.encode())
            handler.wfile.flush()
            time.sleep(wait_s)
        if cut:
            reset(handler, {})
        handler.close_connection = True

    return answer


def reset(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """A true TCP reset."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def hang(seconds: float) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: VisionServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = self.state.next(request, {k.lower(): v for k, v in self.headers.items()})
        try:
            answer(self, request)
            self.wfile.flush()
        except (OSError, ValueError):
            self.close_connection = True
        finally:
            self.state.done()

    def do_GET(self) -> None:
        listed = json.dumps({"data": self.state.models}).encode()
        body(200 if self.state.models else 404, listed)(self, {})

    def log_message(self, format: str, *args: object) -> None: ...

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            return  # the script broke the connection


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextmanager
def scripted_server() -> Iterator[VisionServer]:
    state = VisionServer()
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def vision_server() -> Iterator[VisionServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_suite(root: Path, prompts: int = 4, *, name: str = "tiny") -> Path:
    """A TOML suite of yes/no questions in two categories, each with a picture of its own."""
    (root / "prompts").mkdir(parents=True)
    (root / "images").mkdir()
    for part, category in enumerate(("Reading", "Counting")):
        lines = [f'category = "{category}"', f'suite = "{name}"', 'version = "1"']
        lines.append('license = "CC0-1.0"')
        for number in range(part, prompts, 2):
            image = root / "images" / f"p{number}.png"
            Image.new("RGB", (24, 16), (number * 37 % 256, number * 91 % 256, 90)).save(image)
            lines += [
                "[[case]]",
                f'id = "p-{number:02d}"',
                f'question = "Is number {number} there? Answer yes or no."',
                f'image = "images/p{number}.png"',
                'expected = "yes"',
                'grader = "yes_no"',
            ]
        (root / "prompts" / f"{category.lower()}.toml").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path / "suite")


Evalrun = Callable[..., "subprocess.CompletedProcess[str]"]


def clean_environment(**more: str) -> dict[str, str]:
    """Without keys, colours or settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_TOKEN"))}
    unwanted = ("NO_COLOR", "FORCE_COLOR", "CI", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    for name in (*unwanted, "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return kept | {"COLUMNS": "100"} | more


@pytest.fixture
def evalrun(tmp_path: Path) -> Evalrun:
    """The command as a process, in a folder of its own."""

    def call(
        *arguments: str | Path, env: dict[str, str] | None = None, timeout: float = 60.0
    ) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=tmp_path,
            env=clean_environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    return call


def on_a_terminal(arguments: list[str], folder: Path, *, columns: int = 100, code: int = 0) -> str:
    """What a person would have seen; fails when the command does not end by itself."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        env=clean_environment(TERM="xterm", COLUMNS=str(columns)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        seen += data
    os.close(ours)
    assert process.wait(timeout=10) == code
    return seen.decode()
