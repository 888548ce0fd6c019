"""A reply on its way in: a bounded body or a stream of events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from harness.errors import BadReply, CallTimeout
from harness.text import valid_unicode

LONGEST_REPLY_BYTES = 64 << 20
_EXCERPT_BYTES = 16 << 10
_WORDS_CHARS = 300


class Incoming:
    """Reads no more than it must, and never without bound."""

    def __init__(
        self, response: httpx.Response, sent_at: Callable[[], float], longest_s: float
    ) -> None:
        self._response = response
        self._sent_at = sent_at
        self._end_at = time.perf_counter() + longest_s

    @property
    def streamed(self) -> bool:
        return str(self._response.headers.get("content-type", "")).startswith("text/event-stream")

    def elapsed_s(self) -> float:
        """Since the request was sent."""
        return time.perf_counter() - self._sent_at()

    def json(self) -> Any:
        """The body as JSON. Raises: BadReply."""
        body = b"".join(self._chunks())
        if not body.strip():
            raise BadReply("the body is empty", fix="ask the server's log why it sent nothing")
        return parse_json(body)

    def events(self) -> Iterator[str]:
        """The data of each server-sent event; comments and keep-alives are passed over."""
        line = bytearray()
        for chunk in self._chunks():
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                line += part
                if line.startswith(b"data:"):
                    yield line[5:].strip().decode("utf-8", "replace")
                line.clear()
            line += rest

    def excerpt(self) -> str:
        """The start of the body, for an error message."""
        taken = b""
        for chunk in self._chunks():
            taken += chunk
            if len(taken) >= _EXCERPT_BYTES:
                break
        return taken[:_EXCERPT_BYTES].decode("utf-8", "replace")

    def _chunks(self) -> Iterator[bytes]:
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise BadReply(
                "the body is compressed though none was asked for",
                fix="switch compression off in the server or in the proxy before it",
            )
        left = LONGEST_REPLY_BYTES
        for chunk in self._response.iter_raw():
            left -= len(chunk)
            if left < 0:
                raise BadReply(
                    f"the body is longer than {LONGEST_REPLY_BYTES >> 20} MiB",
                    fix="lower --max-tokens, and check what answers at this URL",
                )
            if time.perf_counter() > self._end_at:
                raise CallTimeout("the reply does not end", fix="lower --max-tokens")
            yield chunk


def parse_json(body: bytes | str) -> Any:
    """Raises: BadReply, quoting how the body begins."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = body[:80] if isinstance(body, str) else body[:80].decode("utf-8", "replace")
        raise BadReply(
            f"the body is not JSON: it begins {start!r}",
            fix="check that the base URL ends where the API begins, usually in /v1",
        ) from error


def shortened(said: object) -> str:
    """A server's words as they may stand in a message: bounded, and storable.

    >>> shortened({"code": 7}), len(shortened("x" * 10**6))
    ("{'code': 7}", 300)
    """
    try:
        return valid_unicode(str(said)[:_WORDS_CHARS])
    except RecursionError:
        return "JSON nested without end"
