"""Send, and send again where that can help."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import httpx
from msgspec import Struct
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from harness.errors import (
    BadReply,
    CallError,
    CallTimeout,
    EvalrunError,
    RateLimited,
    ServerFault,
    TargetError,
    Unreachable,
)
from harness.records import Effort
from harness.transport.addresses import (
    checked,
    is_loopback,
    tls_context,
    url_of,
    without_credentials,
)
from harness.transport.faults import ConnectionRefused, as_ours, error_of
from harness.transport.gate import Gate, Place
from harness.transport.incoming import Incoming
from harness.transport.outgoing import Body, headers_of
from harness.transport.secrets import Secrets

T = TypeVar("T")

_WORTH_RETRYING = (CallTimeout, Unreachable, RateLimited, ServerFault, BadReply)
_LONGEST_REPLY_IN_TIMEOUTS = 10
_LONGEST_BACKOFF_S = 20.0
_WISHES_BELIEVED = 8
"""Refusals of one call in a row after which a short Retry-After is no longer the whole wait."""
_FIRST_CONTACT_S = 5.0
"""A server that was never reached is given up sooner than one that went away."""


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """A reply that was answered, and what hearing it took."""

    value: T
    latency_s: float
    effort: Effort


class Transport:
    """Sends JSON to one server. Threads share it; use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        key_env: str | None = None,
        concurrency: int = 1,
        timeout_s: float = 120.0,
        tries: int = 8,
        max_wait_s: float = 120.0,
        give_up_s: float = 60.0,
        stopping: threading.Event | None = None,
    ) -> None:
        self.base_url = checked(base_url)
        self.gate = Gate(concurrency, stopping or threading.Event())
        self.answered_before = False
        self.timeout_s, self.tries = timeout_s, tries
        self.max_wait_s, self.give_up_s = max_wait_s, give_up_s
        self._key_env = key_env
        self.secrets = Secrets(base_url, key)
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._tls = tls_context(base_url)
        self._own = threading.local()
        self._clients: list[httpx.Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def post(self, path: str, body: Body, read: Callable[[Incoming], T]) -> Call[T]:
        """Send until a reply was read or no retry can help. `read` may raise BadReply.

        Raises: the last CallError, its `effort` set; TargetError when every call would fail;
            Stopped when the run ends meanwhile.
        """
        return _Attempts(self).run(lambda: self.send("POST", path, body, read))

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
            return self._exchange(method, path, body, read, timeout_s)
        except EvalrunError as error:
            self.secrets.hide_in(error)
            raise

    def _exchange(
        self,
        method: str,
        path: str,
        body: Body | None,
        read: Callable[[Incoming], T],
        timeout_s: float | None,
    ) -> tuple[T, float]:
        sent_at = time.perf_counter()

        def note(event: str, _: dict[str, Any]) -> None:
            nonlocal sent_at
            if event.endswith("send_request_headers.started"):
                sent_at = time.perf_counter()  # the connection stands: from here it is the server

        client = self._client()
        request = client.build_request(
            method,
            url_of(self.secrets.bare_url, path),
            content=body,
            headers=headers_of(body),
            timeout=_timeout(timeout_s or self.timeout_s),
            extensions={"trace": note},
        )
        try:
            response = client.send(request, stream=True)
            try:
                value = self._receive(response, read, lambda: sent_at)
            finally:
                response.close()
                client.cookies.clear()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise as_ours(error, without_credentials(self.base_url)) from error
        return value, time.perf_counter() - sent_at

    def _receive(
        self, response: httpx.Response, read: Callable[[Incoming], T], sent_at: Callable[[], float]
    ) -> T:
        longest_s = self.timeout_s * _LONGEST_REPLY_IN_TIMEOUTS
        incoming = Incoming(response, sent_at, longest_s)
        if response.status_code != 200:
            raise error_of(
                response.status_code,
                response.headers,
                incoming.excerpt(),
                answered_before=self.answered_before,
                key_env=self._key_env,
            )
        try:
            value = read(incoming)
        except RecursionError as error:
            raise BadReply(
                "the body is nested too deeply", fix="check what answers at this URL"
            ) from error
        self.answered_before = True
        return value

    def _client(self) -> httpx.Client:
        client: httpx.Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = httpx.Client(
                auth=self.secrets.login,
                headers={"accept-encoding": "identity", **self._headers},
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                follow_redirects=False,
                verify=self._tls,
                trust_env=not is_loopback(self.base_url),
            )
            self._clients.append(client)
        return client


class _Attempts:
    """The attempts of one call: counts them, times what failed, decides whether to go on."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._gate = transport.gate
        self._used = 0
        self._spent = self._limited = 0
        self._failed_s = self._backoff_s = self._queued_s = 0.0

    def run(self, send: Callable[[], tuple[T, float]]) -> Call[T]:
        retrying = Retrying(
            retry=retry_if_exception_type(_WORTH_RETRYING),
            stop=self._is_final,
            wait=self._wait_s,
            sleep=self._gate.sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, send)
        except CallError as error:
            error.effort = self._effort()
            raise

    def _once(self, send: Callable[[], tuple[T, float]]) -> Call[T]:
        queued_at = time.perf_counter()
        place = self._gate.enter()
        started = time.perf_counter()
        self._queued_s += started - queued_at
        self._used += 1
        try:
            value, latency_s = send()
            self._gate.answered(place)
            return Call(value=value, latency_s=latency_s, effort=self._effort())
        except CallError as error:
            self._failed_s += time.perf_counter() - started
            self._learn(error, place)
            raise
        finally:
            self._gate.leave()

    def _learn(self, error: CallError, place: Place) -> None:
        match error:
            case ConnectionRefused():
                self._check_gone(error, self._gate.gone())
            case RateLimited():
                self._limited += 1
                if self._limited_wait_s(error) <= self._transport.max_wait_s:
                    self._gate.refused(place, self._limited_wait_s(error))
            case Unreachable() | CallTimeout():
                self._spent += 1
                self._gate.reached()
            case _:
                self._spent += 1
                self._gate.answered(place)

    def _check_gone(self, error: CallError, gone_s: float) -> None:
        transport = self._transport
        patience_s = transport.give_up_s if transport.answered_before else _FIRST_CONTACT_S
        if gone_s > min(patience_s, transport.give_up_s):
            raise TargetError(
                f"{error.problem} (for {gone_s:.0f} s)",
                fix="start the server, then run the same command again: it goes on from here",
            ) from error

    def _is_final(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RateLimited):
            return self._limited_wait_s(error) > self._transport.max_wait_s
        return self._spent >= self._transport.tries

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ConnectionRefused):
            wait_s = 0.5
        elif isinstance(error, RateLimited):
            wait_s = self._limited_wait_s(error)
        else:
            wait_s = _backoff_s(self._spent) * random.uniform(0.5, 1.0)  # noqa: S311
        self._backoff_s += wait_s
        return wait_s

    def _limited_wait_s(self, error: RateLimited) -> float:
        """The server's wish; without one, or when that never helps, longer each time: until it is
        longer than --max-wait."""
        own = self._limited if error.retry_after_s is None else self._limited - _WISHES_BELIEVED
        own_s = 0.5 * 2.0 ** min(own - 1, 12) if own > 0 else 0.0
        return max(error.retry_after_s or 0.0, own_s)

    def _effort(self) -> Effort:
        return Effort(
            attempts=self._used,
            failed_s=self._failed_s,
            backoff_s=self._backoff_s,
            queued_s=self._queued_s,
        )


def _backoff_s(failures: int) -> float:
    return min(_LONGEST_BACKOFF_S, 0.5 * 2.0 ** (failures - 1))


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, 20.0))
