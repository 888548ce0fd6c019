"""A reply on its way in: a bounded body or a stream of events."""

from __future__ import annotations

import codecs
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import httpx

from harness.errors import BadReply, CallError, CallTimeout
from harness.transport.faults import error_from

LONGEST_REPLY_BYTES = 64 << 20
_EXCERPT_BYTES, _MOST_LINES_OF_AN_EVENT = 16 << 10, 1000
_END_WAIT_S, _END_CHUNKS = 0.2, 8
"""What may follow the last event before the connection can be used again."""


class Incoming:
    """A reply on its way in. Reads no more than it must, and never without bound."""

    connected = False
    """Whether a connection was made for it."""
    done = False
    """Whether the stream said that it is complete."""
    ended = False
    """Whether the body was read to its end: then the connection can be used again."""

    def __init__(self, longest_s: float) -> None:
        self._sent_at, self._longest_s = time.perf_counter(), longest_s
        self._left = LONGEST_REPLY_BYTES
        self._head = b""  # what was read to see what is coming

    def note(self, event: str, _: dict[str, Any]) -> None:
        """Takes what httpx tells of the request: when it is sent, and over what connection."""
        if event.endswith("send_request_headers.started"):
            self._sent_at = time.perf_counter()
        elif event.startswith("connection.connect"):
            self.connected = True

    def elapsed_s(self) -> float:
        """Since the request was sent."""
        return time.perf_counter() - self._sent_at

    def begin(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)
        self._response, self._stream = response, response.stream
        self._readers = [iter(self._stream)]

    def is_stream(self) -> bool:
        """Whether events are coming: the body's start tells, whatever the content type says."""
        for chunk in self._chunks():
            self._head += chunk
            if len(self._head.strip()) > len("retry:") or len(self._head) > _EXCERPT_BYTES:
                break
        return re.match(rb"\s*(data|event|id|retry)?:", self._head) is not None

    def json(self) -> Any:
        """The body as JSON; its end need not be announced. Raises: BadReply."""
        body = bytearray()
        for chunk in self._chunks():
            body += chunk
            if chunk.rstrip().endswith(b"}"):
                with suppress(ValueError):
                    return json.loads(body)
        return _parsed(bytes(body))

    def events(self) -> Iterator[Any]:
        """The JSON of each server-sent event up to `[DONE]`; all else is passed over.

        An event ends where its JSON does: some servers leave out the empty line behind it, others
        send one over several data lines. Raises: BadReply for what is not JSON.
        Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        pending: list[bytes] = []
        kind = b""
        for line in self._lines():
            name, _, value = line.partition(b":")
            if name == b"event":
                kind = value.strip()
            if name != b"data":
                continue
            pending.append(value)
            text = b"\n".join(pending).decode("utf-8", "replace").strip()
            if text == "[DONE]":
                self.done = True
                return
            try:
                event = json.loads(text)
            except ValueError:
                if len(pending) > _MOST_LINES_OF_AN_EVENT:
                    break
                continue
            pending.clear()
            failed = kind == b"error" and not (isinstance(event, dict) and event.get("error"))
            kind = b""
            yield {"error": event} if failed else event
        if pending:
            _parsed(b"\n".join(pending))

    def excerpt(self) -> str:
        """The start of the body, for an error message."""
        taken = b"".join(islice(self._chunks(), _END_CHUNKS))
        return taken[:_EXCERPT_BYTES].decode("utf-8", "replace")

    def be_quick(self, seconds: float) -> None:
        """From here on `seconds` of silence end the reply.

        httpx takes the time-out when it begins to read, so the reading is begun anew; the earlier
        iterator is kept, as its end would close the connection.
        """
        timeout = self._response.request.extensions["timeout"]
        if timeout["read"] > seconds:
            timeout["read"] = seconds
            self._readers.append(iter(self._stream))

    def finish(self) -> None:
        """Read what little follows the last event, so that the connection can be used again."""
        if not self.ended:
            self.be_quick(_END_WAIT_S)
            with suppress(CallError):
                list(islice(self._chunks(), _END_CHUNKS))

    def _lines(self) -> Iterator[bytes]:
        r"""Lines ended by \n, \r\n or \r, wherever the chunks are cut; some are empty."""
        line = bytearray()
        for chunk in self._chunks():
            first, *rest = re.split(rb"[\r\n]", chunk)
            line += first
            for part in rest:
                yield bytes(line)
                line = bytearray(part)
        yield bytes(line)

    def _chunks(self) -> Iterator[bytes]:
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise BadReply(
                "the body is compressed though none was asked for",
                fix="switch compression off in the server or in the proxy before it",
            )
        if head := self._head:
            self._head = b""
            yield head
        while not self.ended:
            try:
                chunk = next(self._readers[-1], None)
            except httpx.HTTPError as error:
                raise error_from(error, "the server") from error
            self.ended = chunk is None
            if self._left == LONGEST_REPLY_BYTES:
                chunk = chunk and chunk.removeprefix(codecs.BOM_UTF8)
            self._left -= len(chunk or b"")
            if self._left < 0:
                raise BadReply(
                    f"the body is longer than {LONGEST_REPLY_BYTES >> 20} MiB",
                    fix="lower --max-tokens, and check what answers at this URL",
                )
            if self.elapsed_s() > self._longest_s:
                raise CallTimeout("the reply does not end", fix="lower --max-tokens")
            if chunk is not None:
                yield chunk


def _parsed(body: bytes) -> Any:
    """Raises: BadReply, quoting how the body begins."""
    try:
        return json.loads(body)
    except ValueError as error:
        begins = f"begins {body[:80].decode('utf-8', 'replace')!r}" if body.strip() else "is empty"
        raise BadReply(
            f"the body is not JSON: it {begins}",
            fix="check that the base URL ends where the API begins, usually in /v1",
        ) from error
