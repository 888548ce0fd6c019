"""HTTP statuses and httpx's exceptions, worded as our errors: the one place that decides which."""

from __future__ import annotations

import json
import math
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from harness.errors import (
    BadReply,
    CallError,
    CallTimeout,
    EvalrunError,
    NoVision,
    RateLimited,
    RequestRefused,
    ServerFault,
    TargetError,
    Unreachable,
)
from harness.transport.incoming import shortened

_BLIND = re.compile(
    r"image input is not supported|(?:not support|no endpoints found that support|unsupported)\W+"
    r"(?:\w+\W+){0,3}(?:image|vision|multimodal)",
    re.IGNORECASE,
)
_STOPS_THE_RUN = {
    401: ("the key was not accepted", "set the right key in {key}"),
    402: ("the account has no credit", "top the account up, or choose another endpoint"),
}
_STOPS_AT_FIRST = {
    403: ("this key may not use this model", "check the account's rights, or name another model"),
    404: ("no such model or path", "check the model's name, and that the base URL ends in /v1"),
    405: ("this URL takes no chat requests", "check that the base URL ends in /v1"),
}


class ConnectionRefused(Unreachable):
    """Nobody listens there (any more): what the breaker watches for."""


def error_of(
    status: int, headers: httpx.Headers, body: str, *, answered_before: bool, key_env: str | None
) -> EvalrunError:
    """The error that a status other than 200 stands for.

    A TargetError ends the run: every call would meet it.
    """
    said = f"HTTP {status}: {message_in(body)}"
    if _BLIND.search(body):
        return NoVision(
            f"the server takes no pictures ({said})",
            fix="start it with the model's mmproj file (--mmproj), or name a vision model",
        )
    if 300 <= status < 400:
        where = shortened(headers.get("location", "elsewhere"))
        return TargetError(
            f"the server sends us to {where!r} (HTTP {status}), and a key is never sent on",
            fix="name that URL as the base URL if you trust it",
        )
    stops = _STOPS_THE_RUN | ({} if answered_before else _STOPS_AT_FIRST)
    if status in stops:
        problem, fix = stops[status]
        return TargetError(f"{problem} ({said})", fix=fix.format(key=key_env or "--api-key-env"))
    return _call_error(status, headers, said)


def _call_error(status: int, headers: httpx.Headers, said: str) -> CallError:
    if status == 429 or (status == 503 and "retry-after" in headers):
        limited = RateLimited(said, fix="lower --concurrency, or raise --max-wait")
        limited.retry_after_s = retry_after_s(headers.get("retry-after"))
        return limited
    if status == 408:
        return CallTimeout(said, fix="try again when the server is less busy")
    if status >= 500 and status != 501:
        return ServerFault(said, fix="look into the server's log")
    refused = RequestRefused(said, fix=_fix_for(status, said))
    refused.status = status
    return refused


def _fix_for(status: int, said: str) -> str:
    if "exceed_context_size" in said or "context size" in said:
        return "start the server with a larger context (-c), or lower --image-max-side"
    if status == 413:
        return "lower --image-max-side"
    return "look at what the server says, and at `evalrun show` for the prompts it refused"


def message_in(body: str) -> str:
    """The server's own words, on one line, out of the usual JSON envelopes or the bare body.

    >>> message_in('{"error": {"message": "bad image", "type": "invalid_request_error"}}')
    'bad image (invalid_request_error)'
    >>> message_in("<html><h1>502 Bad Gateway</h1></html>")
    '<html><h1>502 Bad Gateway</h1></html>'
    """
    try:
        envelope = json.loads(body)
        error = envelope.get("error", envelope) if isinstance(envelope, dict) else body
    except (ValueError, RecursionError):
        error = body
    if isinstance(error, dict):
        kind = error.get("type")
        words = shortened(error.get("message") or error)
        error = f"{words} ({shortened(kind)})" if kind else words
    return " ".join(shortened(error).split()) or "no message"


def retry_after_s(value: str | None) -> float | None:
    """Both forms of Retry-After; None when absent or senseless. Source: RFC 9110, 10.2.3.

    >>> retry_after_s("2"), retry_after_s("soon"), retry_after_s("-5")
    (2.0, None, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def as_ours(error: httpx.HTTPError | httpx.InvalidURL, base_url: str) -> EvalrunError:
    """The error of ours that an httpx exception stands for."""
    said = str(error) or type(error).__name__
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return TargetError(f"{base_url!r} is no usable URL: {said}", fix="give http(s)://…/v1")
        case httpx.ConnectError() if _is_tls(error):
            return TargetError(
                f"no secure connection to {base_url}: {said}",
                fix="check the address; for a server of your own use http://, or trust its "
                "certificate with SSL_CERT_FILE",
            )
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return ConnectionRefused(
                f"no connection to {base_url}: {said}", fix="check that the server runs"
            )
        case httpx.TimeoutException():
            return CallTimeout("the server was silent for too long", fix="raise --timeout")
        case httpx.RemoteProtocolError() if (
            "incomplete" in said or "without sending complete" in said
        ):
            return BadReply(f"the reply was cut short: {said}", fix="look into the server's log")
        case _:
            return Unreachable(f"the connection broke: {said}", fix="check that the server runs")


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return "SSL" in str(error) or "CERTIFICATE" in str(error)
