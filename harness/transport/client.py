"""Send, and send again where that can help."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, Self, TypeVar

import httpx
from msgspec import Struct

from harness.errors import (
    HIDDEN,
    BadReply,
    CallError,
    EvalrunError,
    RateLimited,
    RequestRefused,
    TargetError,
)
from harness.records import Effort
from harness.transport import address
from harness.transport.faults import (
    ConnectionRefused,
    ErrorInside,
    Loading,
    Stale,
    error_from,
    error_of,
)
from harness.transport.incoming import Incoming
from harness.transport.limiter import Limiter

T = TypeVar("T")
Body = bytes | tuple[bytes, ...]
"""Pieces are sent one after the other, and never laid together."""

_LONGEST_REPLY_IN_TIMEOUTS = 10
_LONGEST_BACKOFF_S = 20.0
_SHORT_WAITS_BELIEVED = 8
"""Rate limits of one call in a row after which a short Retry-After is no longer the whole wait."""
_FIRST_CONTACT_S = 5.0
"""A server that was never reached is given up sooner than one that went away."""
_LONGEST_LOADING_S = 900.0
_STALE_S = 1.0
"""That a kept connection was closed by the server meanwhile shows at once."""
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """A reply, and what it took to get it."""

    value: T
    latency_s: float
    effort: Effort


class _Attempts(Struct):
    """What one call has used up so far."""

    used: int = 0
    spent: int = 0
    """Of the tries allowed: rate limits and loading use none up."""
    limited: int = 0
    failed_s: float = 0.0
    backoff_s: float = 0.0
    queued_s: float = 0.0
    loading_s: float = 0.0

    def effort(self) -> Effort:
        return Effort(
            attempts=self.used,
            failed_s=self.failed_s,
            backoff_s=self.backoff_s,
            queued_s=self.queued_s,
        )


class _Clock:
    """Follows one request: from when the server has it, and over what connection."""

    def __init__(self) -> None:
        self._sent_at = time.perf_counter()
        self.connected = False
        """Whether a connection was made for it."""

    def note(self, event: str, _: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self._sent_at = time.perf_counter()
        elif event.startswith("connection.connect"):
            self.connected = True

    def elapsed_s(self) -> float:
        return time.perf_counter() - self._sent_at


class Transport:
    """Sends JSON to one server. Threads share it; use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        key_env: str | None = None,
        headers: Mapping[str, str] | None = None,
        concurrency: int = 1,
        timeout_s: float = 120.0,
        tries: int = 8,
        max_wait_s: float = 120.0,
        give_up_s: float = 60.0,
        stopping: threading.Event | None = None,
    ) -> None:
        """`headers`: instead of the bearer token, where the key goes elsewhere."""
        self.base_url = address.checked(base_url)
        self.limiter = Limiter(concurrency, stopping or threading.Event())
        self.answered_before = False
        self.timeout_s, self.tries = timeout_s, tries
        self.max_wait_s, self.give_up_s = max_wait_s, give_up_s
        self._key_env = key_env
        self._login = address.login_in(base_url)
        self._secrets = address.secrets_of(base_url, key)
        bearer = {"authorization": f"Bearer {key}"} if key else {}
        self._headers = dict(bearer if headers is None else headers)
        self._bare_url = address.without_credentials(self.base_url)
        self._tls = address.tls_context(base_url)
        self._streams_end = True
        """Whether this server ends a stream where its last event says so."""
        self._own = threading.local()
        self._clients: list[httpx.Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def post(self, path: str, body: Body, read: Callable[[Incoming], T]) -> Call[T]:
        """Send until a reply was read or no retry can help. `read` may raise a CallError, or
        `ErrorInside` for an error that came in a 200.

        Raises: the last CallError, its `effort` set; TargetError when every call would fail;
            Stopped when the run ends meanwhile.
        """
        tried = _Attempts()
        while True:
            queued_at = time.perf_counter()
            number = self.limiter.enter()
            started_at = time.perf_counter()
            tried.queued_s += started_at - queued_at
            tried.used += 1
            try:
                value, latency_s = self.send("POST", path, body, read)
                self.answered_before = True
                self.limiter.answered()
                return Call(value=value, latency_s=latency_s, effort=tried.effort())
            except CallError as error:
                tried.failed_s += time.perf_counter() - started_at
                error.effort = tried.effort()
                wait_s = self._wait_s(error, tried, number)
                if wait_s is None:
                    raise
            finally:
                self.limiter.leave()
            tried.backoff_s += wait_s
            self.limiter.sleep(wait_s)

    def get_json(self, path: str, *, timeout_s: float | None = None) -> Any:
        """One GET, not retried: for questions about the server itself."""
        return self.send("GET", path, None, lambda incoming: incoming.json(), timeout_s)[0]

    def send(
        self,
        method: str,
        path: str,
        body: Body | None,
        read: Callable[[Incoming], T],
        timeout_s: float | None = None,
    ) -> tuple[T, float]:
        """One exchange: what `read` made of the reply, and seconds from send to last byte."""
        try:
            return self._exchange(method, path, body, read, timeout_s or self.timeout_s)
        except EvalrunError as error:
            for secret in self._secrets:
                error.hide(secret)
            raise

    def without_secrets(self, text: str) -> str:
        """Some servers quote the key they were sent."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _exchange(
        self,
        method: str,
        path: str,
        body: Body | None,
        read: Callable[[Incoming], T],
        timeout_s: float,
    ) -> tuple[T, float]:
        clock = _Clock()
        client = self._client()
        request = client.build_request(
            method,
            address.url_of(self._bare_url, path),
            content=body,
            headers=headers_of(body),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 20.0)),
            extensions={"trace": clock.note},
        )
        try:
            response = client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            known = error_from(error, self._bare_url)
            if isinstance(error, _BROKEN) and clock.elapsed_s() < _STALE_S and not clock.connected:
                known = Stale(known.problem, fix=known.fix)
            raise known from error
        try:
            longest_s = self.timeout_s * _LONGEST_REPLY_IN_TIMEOUTS
            incoming = Incoming(response, clock.elapsed_s, longest_s)
            value = self._read(response, incoming, read)
            latency_s = clock.elapsed_s()
            self._finish(response, incoming)
            return value, latency_s
        finally:
            response.close()
            client.cookies.clear()

    def _read(
        self, response: httpx.Response, incoming: Incoming, read: Callable[[Incoming], T]
    ) -> T:
        known = partial(
            error_of,
            headers=response.headers,
            answered_before=self.answered_before,
            key_env=self._key_env,
        )
        if not response.is_success:
            raise known(response.status_code, body=incoming.excerpt())
        try:
            return read(incoming)
        except ErrorInside as error:
            raise known(error.status, body=error.body, inside=True) from error
        except RecursionError as error:
            raise BadReply(
                "the body is nested too deeply", fix="check what answers at this URL"
            ) from error

    def _finish(self, response: httpx.Response, incoming: Incoming) -> None:
        """Keep the connection, where the server ends its streams."""
        if incoming.ended or not self._streams_end:
            return
        if response.headers.get("connection", "").lower() != "close":
            incoming.finish()
            self._streams_end = incoming.ended

    def _client(self) -> httpx.Client:
        client: httpx.Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = httpx.Client(
                auth=self._login,
                headers={"accept-encoding": "identity", **self._headers},
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                follow_redirects=False,
                verify=self._tls,
                trust_env=not address.is_loopback(self.base_url),
            )
            self._clients.append(client)
        return client

    def _wait_s(self, error: CallError, tried: _Attempts, number: int) -> float | None:
        """How long to wait before the next attempt; None when there is to be none."""
        match error:
            case RequestRefused():
                self.limiter.reached()
                return None
            case ConnectionRefused():
                self._check_gone(error)
                return 0.5
            case Stale():
                return 0.0
            case RateLimited():
                tried.limited += 1
                wait_s = _limited_wait_s(error, tried.limited)
                if wait_s > self.max_wait_s:
                    return None
                self.limiter.refused(number, wait_s)
                return wait_s
            case Loading() if tried.loading_s < _LONGEST_LOADING_S:
                tried.loading_s += 1.0
                self.limiter.pause(1.0)
                return 1.0
        tried.spent += 1
        self.limiter.reached()
        if tried.spent >= self.tries:
            return None
        backoff_s = min(_LONGEST_BACKOFF_S, 0.5 * 2.0 ** (tried.spent - 1))
        return backoff_s * random.uniform(0.5, 1.0)  # noqa: S311

    def _check_gone(self, error: CallError) -> None:
        gone_s = self.limiter.gone()
        patience_s = self.give_up_s if self.answered_before else _FIRST_CONTACT_S
        if gone_s > min(patience_s, self.give_up_s):
            self.limiter.end_probe()
            raise TargetError(
                f"{error.problem} (for {gone_s:.0f} s)",
                fix="start the server, then run the same command again: it goes on from here",
            ) from error


def _limited_wait_s(error: RateLimited, limited: int) -> float:
    """The server's wish; without one, or when that never helps, longer each time: until it is
    longer than --max-wait."""
    own = limited if error.retry_after_s is None else limited - _SHORT_WAITS_BELIEVED
    own_s = 0.5 * 2.0 ** min(own - 1, 12) if own > 0 else 0.0
    return max(error.retry_after_s or 0.0, own_s)


def headers_of(body: Body | None) -> dict[str, str]:
    """
    >>> headers_of((b"ab", b"c"))
    {'content-type': 'application/json', 'content-length': '3'}
    """
    if body is None:
        return {}
    length = len(body) if isinstance(body, bytes) else sum(map(len, body))
    return {"content-type": "application/json", "content-length": str(length)}
