"""A chat-completions server that costs next to nothing: the fastest model there could be."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_NO_SUCH = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_USAGE = {"prompt_tokens": 1000, "completion_tokens": 2, "total_tokens": 1002}


def _plain() -> bytes:
    choice = {"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": _USAGE}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _streamed() -> bytes:
    chunks = [
        {"choices": [{"delta": {"content": "yes"}, "finish_reason": None}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": _USAGE},
    ]
    body = b"".join(b"data: %s\n\n" % json.dumps(it).encode() for it in chunks)
    body += b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


class Connection(asyncio.BufferedProtocol):
    """Reads a request to its end, waits, writes the same answer."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._answers = _plain(), _streamed()
        self._room = bytearray(1 << 20)
        self._filled = 0
        self._need = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's form
        if self._filled == len(self._room):
            self._room = self._room + bytes(len(self._room))
        return memoryview(self._room)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._need < 0 and (end := self._room.find(b"\r\n\r\n", 0, self._filled)) >= 0:
            length = _LENGTH.search(self._room, 0, end)
            self._need = end + 4 + int(length[1] if length else 0)
        if 0 <= self._need <= self._filled:
            asks = self._room.startswith(b"POST")
            tail = max(0, self._filled - 400)
            streams = self._room.find(b'"stream": true', tail, self._filled) >= 0
            answer = self._answers[streams] if asks else _NO_SUCH
            self._filled = 0
            self._need = -1
            # As on real servers, only answers take time: "are you a llama.cpp server?" does not.
            latency_s = self._latency_s if asks else 0
            asyncio.get_running_loop().call_later(latency_s, self._transport.write, answer)


@contextmanager
def running(latency_s: float = 0.0) -> Iterator[str]:
    """The server in a process of its own; gives its base URL."""
    command = [sys.executable, "-m", "bench.server", "--latency-s", str(latency_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


async def _serve(latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(latency_s), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-s", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args().latency_s))
