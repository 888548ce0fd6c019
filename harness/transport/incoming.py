"""A reply on its way in: a bounded body or a stream of events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx

from harness.errors import BadReply, CallError, CallTimeout
from harness.transport.faults import error_from

LONGEST_REPLY_BYTES = 64 << 20
_EXCERPT_BYTES = 16 << 10
_MOST_LINES_OF_AN_EVENT = 1000
_END_WAIT_S, _END_CHUNKS = 0.2, 8
"""What may follow the last event before the connection can be used again."""
_BOM = b"\xef\xbb\xbf"
_EVENT_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")


class Incoming:
    """Reads no more than it must, and never without bound."""

    def __init__(
        self, response: httpx.Response, elapsed_s: Callable[[], float], longest_s: float
    ) -> None:
        self._response = response
        self.elapsed_s = elapsed_s
        """Since the request was sent."""
        self._end_at = time.perf_counter() + longest_s
        self._head: list[bytes] = []
        assert isinstance(response.stream, httpx.SyncByteStream)
        self._stream = response.stream
        self._readers = [iter(self._stream)]
        self._left = LONGEST_REPLY_BYTES
        self.done = False
        """Whether the stream said that it is complete."""
        self.on_text: Callable[[str], None] | None = None
        """Is given the reply as far as it has come; for whoever watches."""
        self.ended = False
        """Whether the body was read to its end: then the connection can be used again."""

    def is_stream(self) -> bool:
        """Whether events are coming: the body's start tells, whatever the content type says."""
        start = b""
        for chunk in self._chunks():
            self._head.append(chunk)
            start = (start + chunk).removeprefix(_BOM).lstrip()
            if start[:1] in (b"{", b"[", b"<") or len(start) > max(map(len, _EVENT_FIELDS)):
                break
        if start.startswith(_EVENT_FIELDS):
            return True
        said = str(self._response.headers.get("content-type", ""))
        return said.startswith("text/event-stream") and start[:1] not in (b"{", b"[")

    def json(self) -> Any:
        """The body as JSON. Raises: BadReply."""
        body = bytearray()
        announced = "content-length" in self._response.headers
        try:
            for chunk in self._chunks():
                body += chunk
                if not announced and chunk.rstrip().endswith(b"}"):
                    with suppress(ValueError, RecursionError):  # the end may never be announced
                        return json.loads(body.removeprefix(_BOM))
        except CallError:
            with suppress(ValueError, RecursionError):  # a finished answer is not lost
                return json.loads(body.removeprefix(_BOM))
            raise
        if not body.strip():
            raise BadReply("the body is empty", fix="ask the server's log why it sent nothing")
        return parse_json(bytes(body).removeprefix(_BOM))

    def events(self) -> Iterator[Any]:
        """The JSON of each server-sent event up to `[DONE]`; comments are passed over.

        An event ends where its JSON does: some servers leave out the empty line behind it, others
        send one over several data lines. Raises: BadReply for what is not JSON.
        Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        pending: list[bytes] = []
        for line in self._lines():
            name, _, value = line.partition(b":")
            if name == b"data":
                pending.append(value)
            text = b"\n".join(pending).decode("utf-8", "replace").strip()
            if text == "[DONE]":
                self.done = True
                return
            if not text or (line and name != b"data"):
                continue
            try:
                event = json.loads(text)
            except (ValueError, RecursionError):
                if not line or len(pending) > _MOST_LINES_OF_AN_EVENT:
                    parse_json(text)
                continue
            pending.clear()
            yield event
        if pending:
            parse_json(b"\n".join(pending))

    def excerpt(self) -> str:
        """The start of the body, for an error message."""
        taken = b""
        for chunk in self._chunks():
            taken += chunk
            if len(taken) >= _EXCERPT_BYTES:
                break
        return taken[:_EXCERPT_BYTES].decode("utf-8", "replace")

    def be_quick(self, seconds: float) -> None:
        """From here on `seconds` of silence end the reply.

        httpx takes the time-out when it begins to read, so the reading is begun anew; the earlier
        iterator is kept, as its end would close the connection.
        """
        timeout = self._response.request.extensions["timeout"]
        if timeout["read"] <= seconds:
            return
        timeout["read"] = seconds
        self._readers.append(iter(self._stream))

    def finish(self) -> None:
        """Read what little follows the last event, so that the connection can be used again."""
        self.be_quick(_END_WAIT_S)
        with suppress(CallError):
            for count, _ in enumerate(self._chunks()):
                if count == _END_CHUNKS:
                    return

    def _lines(self) -> Iterator[bytes]:
        r"""Lines ended by \n, \r\n or \r, wherever the chunks are cut."""
        line, after_cr, first = bytearray(), False, True
        for chunk in self._chunks():
            whole = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
            after_cr = chunk.endswith(b"\r")
            for part in whole.splitlines(keepends=True):
                line += part
                if part.endswith((b"\n", b"\r")):
                    text = bytes(line).rstrip(b"\r\n")
                    yield text.removeprefix(_BOM) if first else text
                    first = False
                    line.clear()
        if line:
            yield bytes(line)

    def _chunks(self) -> Iterator[bytes]:
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise BadReply(
                "the body is compressed though none was asked for",
                fix="switch compression off in the server or in the proxy before it",
            )
        while self._head:
            yield self._head.pop(0)
        while (chunk := self._next()) is not None:
            self._left -= len(chunk)
            if self._left < 0:
                raise BadReply(
                    f"the body is longer than {LONGEST_REPLY_BYTES >> 20} MiB",
                    fix="lower --max-tokens, and check what answers at this URL",
                )
            if time.perf_counter() > self._end_at:
                raise CallTimeout("the reply does not end", fix="lower --max-tokens")
            yield chunk

    def _next(self) -> bytes | None:
        if self.ended:
            return None
        try:
            chunk = next(self._readers[-1], None)
        except httpx.HTTPError as error:
            raise error_from(error, "the server") from error
        self.ended = chunk is None
        return chunk


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
