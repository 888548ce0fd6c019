"""A reply on its way in: a bounded body or a stream of events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
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

    done = False
    """Whether the stream said that it is complete."""
    ended = False
    """Whether the body was read to its end: then the connection can be used again."""

    def __init__(
        self, response: httpx.Response, elapsed_s: Callable[[], float], longest_s: float
    ) -> None:
        """`elapsed_s`: since the request was sent."""
        assert isinstance(response.stream, httpx.SyncByteStream)
        self._response, self._stream = response, response.stream
        self._readers = [iter(self._stream)]
        self._head: list[bytes] = []
        self._left, self._end_at = LONGEST_REPLY_BYTES, time.perf_counter() + longest_s
        self.elapsed_s = elapsed_s

    def is_stream(self) -> bool:
        """Whether events are coming: the body's start tells, whatever the content type says."""
        start = b""
        for chunk in self._chunks():
            self._head.append(chunk)
            start = (start + chunk).removeprefix(_BOM).lstrip()
            if start[:1] in (b"{", b"[", b"<") or len(start) > max(map(len, _EVENT_FIELDS)):
                break
        announced = str(self._response.headers.get("content-type")).startswith("text/event-stream")
        return start.startswith(_EVENT_FIELDS) or (announced and start[:1] not in (b"{", b"["))

    def json(self) -> Any:
        """The body as JSON. Raises: BadReply."""
        body = bytearray()
        endless = "content-length" not in self._response.headers
        try:
            for chunk in self._chunks():
                body += chunk
                if endless and chunk.rstrip().endswith(b"}"):  # the end may never be announced
                    with suppress(ValueError):
                        return json.loads(body.removeprefix(_BOM))
        except CallError:
            with suppress(ValueError):  # a finished answer is not lost
                return json.loads(body.removeprefix(_BOM))
            raise
        return _parsed(bytes(body.removeprefix(_BOM)))

    def events(self) -> Iterator[Any]:
        """The JSON of each server-sent event up to `[DONE]`; comments are passed over.

        An event ends where its JSON does: some servers leave out the empty line behind it, others
        send one over several data lines. Raises: BadReply for what is not JSON.
        Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        pending: list[bytes] = []
        kind = b""
        for line in self._lines():
            name, _, value = line.partition(b":")
            if name == b"data":
                pending.append(value)
            elif name == b"event":
                kind = value.strip()
            text = b"\n".join(pending).decode("utf-8", "replace").strip()
            if text == "[DONE]":
                self.done = True
                return
            if not text or (line and name != b"data"):
                continue
            try:
                event = json.loads(text)
            except ValueError:
                if not line or len(pending) > _MOST_LINES_OF_AN_EVENT:
                    _parsed(text.encode())
                continue
            pending.clear()
            failed = kind == b"error" and not (isinstance(event, dict) and event.get("error"))
            kind = b""
            yield {"error": event} if failed else event
        if pending:
            _parsed(b"\n".join(pending))

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
        if timeout["read"] > seconds:
            timeout["read"] = seconds
            self._readers.append(iter(self._stream))

    def finish(self) -> bool:
        """Read what little follows the last event: whether the connection can be used again."""
        self.be_quick(_END_WAIT_S)
        with suppress(CallError):
            list(islice(self._chunks(), _END_CHUNKS))
        return self.ended

    def _lines(self) -> Iterator[bytes]:
        r"""Lines ended by \n, \r\n or \r, wherever the chunks are cut."""
        line, after_cr, mark = bytearray(), False, _BOM
        for chunk in self._chunks():
            whole = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
            after_cr = chunk.endswith(b"\r")
            for part in whole.splitlines(keepends=True):
                line += part
                if part.endswith((b"\n", b"\r")):
                    yield bytes(line).rstrip(b"\r\n").removeprefix(mark)
                    mark = b""
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
        while not self.ended:
            try:
                chunk = next(self._readers[-1], None)
            except httpx.HTTPError as error:
                raise error_from(error, "the server") from error
            self.ended = chunk is None
            self._left -= len(chunk or b"")
            if self._left < 0:
                raise BadReply(
                    f"the body is longer than {LONGEST_REPLY_BYTES >> 20} MiB",
                    fix="lower --max-tokens, and check what answers at this URL",
                )
            if time.perf_counter() > self._end_at:
                raise CallTimeout("the reply does not end", fix="lower --max-tokens")
            if chunk is not None:
                yield chunk


def _parsed(body: bytes) -> Any:
    """Raises: BadReply, quoting how the body begins."""
    try:
        return json.loads(body)
    except ValueError as error:
        if not body.strip():
            raise BadReply("the body is empty", fix="see the server's log") from error
        raise BadReply(
            f"the body is not JSON: it begins {body[:80].decode('utf-8', 'replace')!r}",
            fix="check that the base URL ends where the API begins, usually in /v1",
        ) from error
