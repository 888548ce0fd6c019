"""A vision server that misbehaves by the rates it is given, from a seed, and keeps the books."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[["Handler"], float]
"""Misbehaves; returns for how many seconds the client was told to stay away."""

RATES: Mapping[str, float] = {
    "rate_limited": 0.10,
    "fault_500": 0.05,
    "reset": 0.02,
    "cut_short": 0.02,
    "malformed": 0.02,
    "empty": 0.01,
    "hanging": 0.01,
    "drip": 0.03,
}
HANG_S = 3.0


class Books:
    """What was asked when, and what it met. Threads share it."""

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        self.rates, self.latency_s = rates, 0.02
        self.places: threading.Semaphore | None = None
        """So many calls at once are taken; None: as many as come."""
        self.html_until = 0.0
        self.asked: dict[str, list[str]] = {}
        """Question: what each of its calls met ("answered" or a fault's name)."""
        self.too_early: list[str] = []
        """Questions that came back before the time they were told."""
        self.headers: list[dict[str, str]] = []
        self._not_before: dict[str, float] = {}
        self._random, self._lock = random.Random(seed), threading.Lock()

    @property
    def requests(self) -> int:
        with self._lock:
            return sum(map(len, self.asked.values()))

    @property
    def answered(self) -> int:
        with self._lock:
            return sum(met.count("answered") for met in self.asked.values())

    def arrives(self, question: str) -> None:
        with self._lock:
            if time.time() < self._not_before.get(question, 0.0):
                self.too_early.append(question)

    def met(self, question: str, what: str, stay_away_s: float = 0.0) -> None:
        with self._lock:
            self.asked.setdefault(question, []).append(what)
            self._not_before[question] = time.time() + stay_away_s

    def choose(self) -> str | None:
        """Which fault this call meets, if any."""
        with self._lock:
            drawn = self._random.random()
            for name, rate in self.rates.items():
                drawn -= rate
                if drawn < 0:
                    return name
            return None

    def draw(self, choices: list[str | None]) -> str | None:
        with self._lock:
            return self._random.choice(choices)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    books: Books

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = body["messages"][-1]["content"][-1]["text"]
        self.books.headers.append({k.lower(): v for k, v in self.headers.items()})
        self.books.arrives(question)
        try:
            self._meet(question)
        except OSError:
            self.close_connection = True

    def _meet(self, question: str) -> None:
        places = self.books.places
        if places is not None and not places.acquire(blocking=False):
            self.books.met(question, "too_many")
            self.reply(429, b'{"error": {"message": "too many at once"}}', {"retry-after": "0"})
            return
        name = "html" if time.time() < self.books.html_until else self.books.choose()
        if name is None:
            time.sleep(self.books.latency_s)
        if places is not None:
            places.release()  # before the reply: whoever has it may ask again
        if name is None:
            self.books.met(question, "answered")
            self.reply(200, json.dumps(chat("yes")).encode())
        else:
            stay_away_s = FAULTS[name](self)
            self.books.met(question, name if name != "drip" else "answered", stay_away_s)

    def reply(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None: ...

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return  # a fault broke the connection


def chat(text: str) -> dict[str, Any]:
    """A `chat.completion` body."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 300, "completion_tokens": 2}}


def _rate_limited(handler: Handler) -> float:
    """Retry-After in seconds, as a date, absent, senseless."""
    kind = handler.books.draw(["seconds", "date", None, "senseless"])
    moment = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    wish = {"seconds": "1", "date": format_datetime(moment, usegmt=True), "senseless": "soon"}
    handler.reply(429, b"{}", {"retry-after": wish[kind]} if kind else None)
    if kind == "date":
        return moment.timestamp() - time.time()
    return 1.0 if kind == "seconds" else 0.0


def _fault_500(handler: Handler) -> float:
    handler.reply(500, b'{"error": {"message": "scripted"}}')
    return 0.0


def _reset(handler: Handler) -> float:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True
    return 0.0


def _cut_short(handler: Handler) -> float:
    data = json.dumps(chat("yes")).encode()
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True
    return 0.0


def _malformed(handler: Handler) -> float:
    handler.reply(200, b'{"choices": [{"message": {"content": "ye')
    return 0.0


def _empty(handler: Handler) -> float:
    handler.reply(200, b"")
    return 0.0


def _hanging(handler: Handler) -> float:
    time.sleep(HANG_S)
    handler.close_connection = True
    return 0.0


def _drip(handler: Handler) -> float:
    """A stream of single letters: slow, and no fault at all."""
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("connection", "close")
    handler.end_headers()
    for letter in "yes, I think":
        delta = {"choices": [{"delta": {"content": letter}}]}
        handler.wfile.write(f"data: {json.dumps(delta)}\n\n".encode())
        time.sleep(0.1)
    handler.wfile.write(b"data: [DONE]\n\n")
    handler.close_connection = True
    return 0.0


def _html(handler: Handler) -> float:
    handler.reply(200, b"<html><h1>We will be back soon</h1></html>")
    return 0.0


FAULTS: Mapping[str, Fault] = {
    "rate_limited": _rate_limited,
    "fault_500": _fault_500,
    "reset": _reset,
    "cut_short": _cut_short,
    "malformed": _malformed,
    "empty": _empty,
    "hanging": _hanging,
    "drip": _drip,
    "html": _html,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class ChaosServer:
    """Comes and goes at one address; the books stay."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self._handler = type("Bound", (Handler,), {"books": books})
        self._server: _Server | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), self._handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """From now on connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def serving(rates: Mapping[str, float] | None = None, *, seed: int = 1) -> Iterator[ChaosServer]:
    server = ChaosServer(Books(rates or {}, seed))
    try:
        yield server
    finally:
        server.stop()
