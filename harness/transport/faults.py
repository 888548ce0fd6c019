"""HTTP statuses, servers' words and httpx's exceptions, worded as our errors."""

from __future__ import annotations

import json
import math
import re
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from msgspec import Struct

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
from harness.text import valid_unicode

_WORDS_CHARS = 300


class ConnectionRefused(Unreachable):
    """Nobody listens there (any more): what the breaker watches for."""


class Stale(Unreachable):
    """A kept connection was closed meanwhile: sent again at once, over a new one."""


class Loading(ServerFault):
    """The server is up and its model is not yet: waited for, uses up no try."""


class ErrorInside(Exception):
    """An error that a server put into a 200: judged as if it had sent the status it names."""

    def __init__(self, error: Any) -> None:
        super().__init__()
        code = str(error.get("code")) if isinstance(error, dict) else ""
        self.status = int(code) if re.fullmatch(r"[45][0-9]{2}", code) else 502
        try:
            self.body = json.dumps({"error": error})
        except (RecursionError, ValueError):
            self.body = "JSON nested without end"


class _Stop(Struct, frozen=True):
    """A refusal that every call would meet: it ends the run."""

    words: re.Pattern[str]
    problem: str
    fix: str
    at_first: bool = True
    """Only while nothing was ever answered; later it is that one call's failure."""
    error: type[TargetError] = TargetError


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


_PICTURES = r"(?:image|vision|visual|multi-?modal|picture)"
_NO_PICTURES = _Stop(
    _any_of(
        r"image input is not supported",
        r"no endpoints found that support",
        r"(?:do(?:es)?|is|are)(?: not|n['’]t) (?:currently )?(?:an? |support|accept|allow|take)"
        rf"\W*(?:\w+\W+){{0,3}}{_PICTURES}"
        r"(?!\w*\W+(?:format|type|url|file|size|larger|bigger|with|of)s?\b)",
        rf"{_PICTURES}\w*(?: (?!format|type|size|file)[\w-]+){{0,2}} (?:is|are) "
        r"(?:only supported|not (?:supported|enabled|loaded|available|allowed))"
        r"(?! (?:format|type|size))",
        r"unsupported\W+(?:\w+\W+){0,3}(?:vision|multi-?modal|image[ _](?:input|url|content))",
        r"unknown (?:variant|part type|content type)\W+image",
        r"at most 0 image",
        r"missing data required for image",
        r"text-only model",
        r"content\W+(?:must|should) be a (?:valid )?string",
        r"concatenate str \(not .{0,2}list",
    ),
    "the server takes no pictures",
    "start it with the model's mmproj file (--mmproj), or name a vision model",
    at_first=False,
    error=NoVision,
)
_NO_CREDIT = _Stop(
    _any_of(
        r"insufficient[_ ](?:user[_ ])?(?:quota|balance|credit|fund)",
        r"billing[_ ](?:hard|not)[_ ]",
        r"credit balance is too low",
        r"out of credit",
        r"exceeded_current_quota_error",
        r"account_deactivated",
    ),
    "the account has no credit",
    "top the account up, or choose another endpoint",
    at_first=False,
)
_WRONG_KEY = _Stop(
    _any_of(
        r"(?:invalid|incorrect|missing|wrong|expired|no|bad|revoked)\W+(?:\w+\W+){0,2}api[ _-]?key",
        r"api[ _-]?key\W+(?:\w+\W+){0,3}(?:not valid|not found|invalid|incorrect|expired|missing)",
        r"authentication[ _](?:error|failed|required|fails)",
        r"unauthori[sz]ed|unauthenticated|missing bearer",
    ),
    "the key was not accepted",
    "set the right key in {key}",
)
_NO_MODEL = _Stop(
    _any_of(
        r"(?:not a valid|invalid|unknown|no such|nonexistent) model\b",
        r"model_not_(?:found|available)",
        r"model\W+(?:\S+\W+)?(?:is |was |has been )?(?:not found|does ?n['o’]t exist|not exist"
        r"|not available|decommissioned|retired)",
        r"model (?:identifier |name |id )?is (?:invalid|not supported)",
        r"unable to access model",
        r"no models? (?:is |are )?(?:loaded|named|found)",
    ),
    "no such model",
    "check the model's name: `curl BASE_URL/models` lists what the server has",
)
_LOADING = re.compile(
    r"model\b.{0,80}\bloading|loading\b.{0,20}\bmodel|warming up|starting up|cold start",
    re.IGNORECASE,
)
_PARAMETER = _any_of(
    r"unsupported ?param",
    r"unrecognized (?:request )?argument",
    r"does not support parameters",
    r"extra (?:inputs|fields)(?: are)? not permitted",
    r"unexpected keyword argument",
)
"""A request parameter is refused, whatever status that comes with."""
_STOPS_THE_RUN = {401: _WRONG_KEY, 402: _NO_CREDIT}
_NEVER = _any_of("(?!)")
_STOPS_AT_FIRST = {
    403: _Stop(
        _NEVER,
        "this key may not use this model",
        "check the account's rights, or name another model",
    ),
    404: _Stop(
        _NEVER,
        "no such model or path",
        "check the model's name, and that the base URL ends in /v1",
    ),
    405: _Stop(_NEVER, "this URL takes no chat requests", "check that the base URL ends in /v1"),
}


def error_of(
    status: int,
    headers: httpx.Headers,
    body: str,
    *,
    answered_before: bool = False,
    key_env: str | None = None,
    inside: bool = False,
) -> EvalrunError:
    """The error that a status other than 2xx stands for, or one that came `inside` a 200.

    A TargetError ends the run: every call would meet it.
    """
    where = "an error inside the reply" if inside else f"HTTP {status}"
    said = f"{where}: {message_in(body)}"
    if 300 <= status < 400:
        location = quoted(headers.get("location", "elsewhere"))
        return TargetError(
            f"the server redirects to {location!r} (HTTP {status}), and a key is never sent on",
            fix="name that URL as the base URL if you trust it",
        )
    limited = status == 429 and wished_s(headers, body) is not None
    stop = None if limited else _stop_for(status, body, answered_before=answered_before)
    if stop is not None:
        fix = stop.fix.format(key=key_env or "--api-key-env")
        return stop.error(f"{stop.problem} ({said})", fix=fix)
    return _call_error(status, headers, body, said)


def _stop_for(status: int, body: str, *, answered_before: bool) -> _Stop | None:
    for stop in (_NO_PICTURES, _NO_CREDIT, _WRONG_KEY, _NO_MODEL):
        if (not answered_before or not stop.at_first) and stop.words.search(body):
            return stop
    by_status = _STOPS_THE_RUN if answered_before else _STOPS_THE_RUN | _STOPS_AT_FIRST
    return by_status.get(status)


def _call_error(status: int, headers: httpx.Headers, body: str, said: str) -> CallError:
    wish_s = wished_s(headers, body)
    if status >= 500 and _LOADING.search(body):
        return Loading(said, fix="wait until the server has loaded its model")
    if status == 429 or (status in (503, 529) and wish_s is not None):
        limited = RateLimited(said, fix="lower --concurrency, or raise --max-wait")
        limited.retry_after_s = wish_s
        return limited
    if status == 408:
        return CallTimeout(said, fix="try again when the server is less busy")
    ours = _PARAMETER.search(body)
    if not ours and ((status >= 500 and status != 501) or status in (409, 424, 425)):
        return ServerFault(said, fix="look into the server's log")
    refused = RequestRefused(said, fix=_fix_for(status, said))
    refused.status = status
    return refused


def _fix_for(status: int, said: str) -> str:
    if "exceed_context_size" in said or "context size" in said or "context length" in said:
        return "start the server with a larger context (-c), or lower --image-max-side"
    if status == 413:
        return "lower --image-max-side"
    return "look at what the server says, and at `evalrun show` for the prompts it refused"


def message_in(body: str) -> str:
    """The server's own words, on one line, out of the usual JSON envelopes or the bare body.

    >>> message_in('[{"error": {"message": "bad image", "status": "INVALID_ARGUMENT"}}]')
    'bad image (INVALID_ARGUMENT)'
    >>> message_in('{"detail": [{"msg": "Field required"}]}')
    'Field required'
    >>> message_in("<html><title>502 Bad Gateway</title></html>")
    '502 Bad Gateway'
    """
    try:
        error: Any = json.loads(body)
    except (ValueError, RecursionError):
        title = re.search(r"<title>([^<]{1,300})</title>", body, re.IGNORECASE)
        error = title[1] if title else body
    for name in ("error", "errors", "detail", "error"):
        if isinstance(error, list) and error:
            error = error[0]
        if isinstance(error, dict) and error.get(name):
            error = error[name]
    if isinstance(error, list) and error:
        error = error[0]
    return " ".join(_words(error).split()) or "no message"


def _words(error: Any) -> str:
    if not isinstance(error, dict):
        return quoted(error)
    words = quoted(error.get("message") or error.get("msg") or error)
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and metadata.get("raw"):  # a gateway quotes whom it asked
        words = f"{words}: {quoted(metadata['raw'])}"
    about = error.get("param") or error.get("loc")
    name = str(about[-1] if isinstance(about, list) and about else about or "")
    if name and name not in words:
        words = f"{words}: {quoted(name)}"
    kind = error.get("type") or error.get("status")
    return f"{words} ({quoted(kind)})" if isinstance(kind, str) else words


def quoted(said: object) -> str:
    """A server's words as they may stand in a message: bounded, and storable.

    >>> quoted({"code": 7}), len(quoted("x" * 10**6))
    ("{'code': 7}", 300)
    """
    try:
        return valid_unicode(str(said)[:_WORDS_CHARS])
    except RecursionError:
        return "JSON nested without end"


def wished_s(headers: httpx.Headers, body: str) -> float | None:
    """For how long the server asks us to wait: in a header, else in its words.

    >>> wished_s(httpx.Headers(), "Rate limit reached. Please try again in 1m2.5s.")
    62.5
    """
    header = retry_after_s(headers.get("retry-after"))
    if header is not None:
        return header
    for name, left in headers.items():
        if left == "0" and re.fullmatch(r"anthropic-ratelimit-.*-remaining", name):
            moment = headers.get(name.removesuffix("remaining") + "reset", "")
            with suppress(ValueError, TypeError):
                until = datetime.fromisoformat(moment)
                return max(0.0, (until - datetime.now(UTC)).total_seconds())
    found = re.search(
        r"(?:try again|retry) in (?:(\d{1,4})m(?!s))?(\d{1,5}(?:\.\d{1,9})?)(ms|s)\b", body, re.I
    ) or re.search(r'"retryDelay"\s*:\s*"()(\d{1,5}(?:\.\d{1,9})?)(s)"', body)
    if found is None:
        return None
    return 60.0 * int(found[1] or 0) + float(found[2]) / (1000 if found[3] == "ms" else 1)


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


def error_from(error: httpx.HTTPError | httpx.InvalidURL, base_url: str) -> EvalrunError:
    """The error of ours that an httpx exception stands for."""
    said = str(error) or type(error).__name__
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return TargetError(
                f"{base_url!r} is not a usable URL: {said}", fix="give http(s)://…/v1"
            )
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
