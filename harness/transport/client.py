"""Send, and send again where that can help; how many calls may be in flight, and when."""

from __future__ import annotations

import base64
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
from msgspec import Struct, convert

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
from harness.transport.faults import (
    ConnectionRefused,
    ErrorInside,
    Loading,
    Stale,
    error_from,
    error_of,
)
from harness.transport.incoming import Incoming

T = TypeVar("T")
Body = bytes | tuple[bytes, ...]
"""Pieces are sent one after the other, and never laid together."""

_LONGEST_REPLY_IN_TIMEOUTS = 10
_LONGEST_BACKOFF_S, _LONGEST_LOADING_S = 20.0, 900
_FIRST_CONTACT_S = 5.0
"""A server that was never reached is given up sooner than one that went away."""
_STALE_S = 1.0
"""That a kept connection was closed by the server meanwhile shows at once."""
_LOOK_AGAIN_S = 0.5
_INCREASE, _DECREASE = 0.05, 0.25
_SHORTEST_SECRET = 12
"""Shorter ones are dummies of local servers ("EMPTY"), and may be words of an answer."""


class Stopped(Exception):
    """The run is ending: a wait was called off. Never leaves the runner."""


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine; a proxy is never asked for those."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def without_credentials(url: str) -> str:
    """
    >>> without_credentials("https://user:secret@host:8000/v1?key=abc")
    'https://host:8000/v1'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def api_root(url: str) -> str:
    """The address that all calls share, where the address of one of them was given.

    >>> api_root("http://host/v1/chat/completions/"), api_root("http://host/v1/")
    ('http://host/v1', 'http://host/v1')
    """
    return re.sub(r"(?:/(?:chat/completions|completions|messages|models))?/*$", "", url, count=1)


def masked(text: str) -> str:
    """A text with the logins of its addresses replaced.

    >>> masked("--base-url=http://me:secret@host/v1")
    '--base-url=http://USER:PASSWORD@host/v1'
    """
    return re.sub(r"(?i)(https?://)[^/?#\s]*@", r"\1USER:PASSWORD@", text)


def _parsed_url(base_url: str) -> httpx.URL:
    """Raises: TargetError for what is not an http(s) URL with a host, or has a query."""
    with suppress(httpx.InvalidURL):
        url = httpx.URL(base_url)
        usable = url.scheme in ("http", "https") and url.host and url.port != 0
        if usable and not url.query and not url.fragment:
            return url
    raise TargetError(
        f"{masked(base_url.partition('?')[0])!r} is not a usable URL, or a query follows it",
        fix="give one like http://host:8080/v1; a key goes into --api-key-env",
    )


class Limiter:
    """Bounds calls in flight; threads share it. Three things hold calls back, for everybody:

    * a rate limit: nobody sends before the server's Retry-After has passed;
    * a limit on calls at once, by additive increase and multiplicative decrease: an answer adds a
      fraction of a place; refusals take away those that were too many, but at most three quarters
      for the calls in flight together (a limit per minute refuses them all);
    * the breaker: while connections are refused, one call is let through every half second.
    """

    def __init__(
        self, most: int, stopping: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`stopping`: once set, every wait is called off."""
        self._most = self._limit = self._least = float(most)
        self._in_flight = self._sent = self._last_of_burst = 0
        self._open_at = 0.0
        self._gone_since: float | None = None
        self._changed = threading.Condition()
        self._stopping, self._clock = stopping, clock

    def enter(self) -> int:
        """Wait for a place; the call's number in the order of sending. Raises: Stopped."""
        with self._changed:
            while not self._stopping.is_set():
                full = self._in_flight >= int(self._limit)
                wait_s = _LOOK_AGAIN_S if full else self._open_at - self._clock()
                if wait_s <= 0:
                    break
                self._changed.wait(min(wait_s, _LOOK_AGAIN_S))
            else:
                raise Stopped
            if self._gone_since is not None:
                self._open_at = self._clock() + _LOOK_AGAIN_S
            self._in_flight += 1
            self._sent += 1
            return self._sent

    def leave(self, *, reached: bool = True, answered: bool = False) -> None:
        """Give the place back. `reached`: a connection was made; `answered`: the call was taken."""
        with self._changed:
            self._in_flight -= 1
            self._gone_since = None if reached else self._gone_since
            if answered:
                self._limit = min(self._most, self._limit + _INCREASE)
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the run ends. Raises: Stopped."""
        if self._stopping.wait(seconds):
            raise Stopped

    def refused(self, number: int, wait_s: float) -> None:
        """The server said 429 to this call: nobody sends for `wait_s`."""
        with self._changed:
            self._open_at = max(self._open_at, self._clock() + wait_s)
            if number > self._last_of_burst:  # sent after the last decrease had begun
                self._last_of_burst = self._sent
                self._least = max(1.0, self._limit * _DECREASE)
            self._limit = max(self._least, min(self._limit, self._in_flight - 1.0))

    def gone(self) -> float:
        """No connection; for how many seconds now."""
        with self._changed:
            now = self._clock()
            self._gone_since = now if self._gone_since is None else self._gone_since
            self._open_at = max(self._open_at, now + _LOOK_AGAIN_S)
            return now - self._gone_since


class Limits(Struct, frozen=True, kw_only=True):
    """How long a call may take and how often it is tried."""

    timeout_s: float = 120.0
    """Of silence, not of the whole reply."""
    tries: int = 8
    """A 429 does not use one up."""
    max_wait_s: float = 120.0
    """The longest Retry-After that is honoured; beyond it the call does not answer."""
    give_up_s: float = 60.0
    """How long a server may be gone before the run ends."""


_USUAL = Limits()


class Call(Struct, Generic[T], frozen=True):
    """A reply, and what it took to get it."""

    value: T
    latency_s: float
    effort: Effort


class _Attempts(Struct):
    """What one call has used up so far: its `Effort`, and what decides on another try."""

    attempts: int = 0
    failed_s: float = 0.0
    backoff_s: float = 0.0
    queued_s: float = 0.0
    spent: int = 0
    """Of the tries allowed: rate limits and loading use none up."""
    limited: int = 0
    loading_s: int = 0


class Transport:
    """Sends JSON to one server. Threads share it; use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        limits: Limits = _USUAL,
        *,
        key: str | None = None,
        key_env: str | None = None,
        headers: Mapping[str, str] | None = None,
        concurrency: int = 1,
        stopping: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`headers`: instead of the bearer token, where the key goes elsewhere. The waits between
        attempts are waits for `stopping`."""
        url = _parsed_url(base_url)
        self.base_url = api_root(base_url)
        self._bare_url = without_credentials(self.base_url)
        self._folder = httpx.URL(f"{self._bare_url}/")
        self._login = (url.username, url.password) if url.userinfo else None
        basic = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        known = {key or "", url.password, url.userinfo.decode().partition(":")[2], basic}
        self._secrets = [it for it in known if len(it) >= _SHORTEST_SECRET]
        self._key_env = key_env
        bearer = {"authorization": f"Bearer {key}"} if key else {}
        self._headers = {"accept-encoding": "identity", **(bearer if headers is None else headers)}
        # One for all clients: loading the certificates costs 20 ms and a megabyte each time.
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls = httpx.create_ssl_context() if url.scheme == "https" else plain
        self.concurrency = concurrency
        self.limiter = Limiter(concurrency, stopping or threading.Event(), clock)
        self.limits, self.answered_before = limits, False
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
            tried.attempts += 1
            reached = answered = False
            try:
                value, latency_s = self._send("POST", path, body, read, self.limits.timeout_s)
                self.answered_before = reached = answered = True
                return Call(value, latency_s, convert(tried, Effort, from_attributes=True))
            except EvalrunError as error:
                reached = not isinstance(error, ConnectionRefused)
                if not isinstance(error, CallError):
                    raise
                tried.failed_s += time.perf_counter() - started_at
                error.effort = convert(tried, Effort, from_attributes=True)
                wait_s = self._wait_s(error, tried, number)
                if wait_s is None:
                    raise
            finally:
                self.limiter.leave(reached=reached, answered=answered)
            tried.backoff_s += wait_s
            self.limiter.sleep(wait_s)

    def get_json(self, path: str, *, timeout_s: float | None = None) -> Any:
        """One GET, not retried: for questions about the server itself."""
        return self._send("GET", path, b"", Incoming.json, timeout_s or self.limits.timeout_s)[0]

    def without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _send(
        self, method: str, path: str, body: Body, read: Callable[[Incoming], T], timeout_s: float
    ) -> tuple[T, float]:
        """One exchange: what `read` made of the reply, and seconds from send to last byte."""
        client = self._client()
        incoming = Incoming(self.limits.timeout_s * _LONGEST_REPLY_IN_TIMEOUTS)
        length = len(body) if isinstance(body, bytes) else sum(map(len, body))
        request = client.build_request(
            method,
            self._folder.join(path),
            content=body,
            headers={"content-type": "application/json", "content-length": str(length)},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 20.0)),
            extensions={"trace": incoming.note},
        )
        try:
            with closing(client.send(request, stream=True)) as response:
                client.cookies.clear()
                incoming.begin(response)
                value = self._read(response, incoming, read)
                latency_s = incoming.elapsed_s()
                incoming.finish()
                return value, latency_s
        except httpx.HTTPError as error:
            kept = not incoming.connected and incoming.elapsed_s() < _STALE_S
            raise error_from(error, self._bare_url, kept=kept) from error
        except EvalrunError as error:  # some servers quote the key they were sent
            for secret in self._secrets:
                error.hide(secret)
            raise

    def _read(
        self, response: httpx.Response, incoming: Incoming, read: Callable[[Incoming], T]
    ) -> T:
        status, inside = response.status_code, False
        try:
            if response.is_success:
                return read(incoming)
            said = incoming.excerpt()
        except ErrorInside as error:
            status, said, inside = error.status, error.body, True
        except RecursionError:
            raise BadReply("the body is nested too deeply", fix="check the base URL") from None
        first, key_env = not self.answered_before, self._key_env
        raise error_of(status, response.headers, said, first=first, key_env=key_env, inside=inside)

    def _client(self) -> httpx.Client:
        """Each thread has a connection of its own: one shared pool costs three times the CPU."""
        client: httpx.Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = httpx.Client(
                auth=self._login,
                headers=self._headers,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                verify=self._tls,
                trust_env=not is_loopback(self.base_url),
            )
            self._clients.append(client)
        return client

    def _wait_s(self, error: CallError, tried: _Attempts, number: int) -> float | None:
        """How long to wait before the next attempt; None when there is to be none."""
        match error:
            case RequestRefused():
                return None
            case ConnectionRefused():
                self._check_gone(error)
                return _LOOK_AGAIN_S
            case Stale():
                return 0.0
            case RateLimited(retry_after_s=wish_s):
                tried.limited += 1  # when the server's wish never helps, longer each time
                own_s = 2.0 ** min(tried.limited - (2 if wish_s is None else 9), 12)
                wait_s = max(wish_s or 0.0, own_s)
                if wait_s > self.limits.max_wait_s:
                    return None
                self.limiter.refused(number, wait_s)
                return wait_s
            case Loading() if tried.loading_s < _LONGEST_LOADING_S:
                tried.loading_s += 1
                return 1.0
        tried.spent += 1
        if tried.spent >= self.limits.tries:
            return None
        backoff_s = min(_LONGEST_BACKOFF_S, 0.5 * 2.0 ** (tried.spent - 1))
        return backoff_s * random.uniform(0.5, 1.0)  # noqa: S311

    def _check_gone(self, error: CallError) -> None:
        """Raises: TargetError when there was no connection for too long."""
        gone_s = self.limiter.gone()
        patience_s = self.limits.give_up_s if self.answered_before else _FIRST_CONTACT_S
        if gone_s > min(patience_s, self.limits.give_up_s):
            raise TargetError(
                f"{error.problem} (for {gone_s:.0f} s)",
                fix="start the server, then run the same command again: it goes on from here",
            ) from error
