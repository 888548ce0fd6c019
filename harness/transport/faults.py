"""What went wrong with a call: statuses, servers' words and httpx's exceptions, as our errors."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

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
from harness.text import valid_unicode

_WORDS_CHARS = 300


class ConnectionRefused(Unreachable):
    """Nobody listens there (any more): what the breaker watches for."""


class Stale(Unreachable):
    """A kept connection was closed meanwhile: sent again at once, over a new one."""


class Filtered(RequestRefused):
    """The endpoint's filter stopped the prompt: no failed call, but an answer that fails."""


class Loading(ServerFault):
    """The server is up and its model is not yet: waited for, uses up no try."""


class ErrorInside(Exception):
    """An error that a server put into a 200: judged as if it had sent the status it names."""

    def __init__(self, error: Any) -> None:
        super().__init__()
        code = str(error.get("code")) if isinstance(error, dict) else ""
        self.body = json.dumps({"error": error})
        limited = re.search("(?i)rate.?limit|too many requests", self.body)
        fallback = 429 if limited else 502
        self.status = int(code) if re.fullmatch("[45][0-9]{2}", code) else fallback


class _Stop(NamedTuple):
    """A refusal that every call would meet, known by its status or its words: it ends the run."""

    problem: str
    fix: str
    words: str
    statuses: tuple[int, ...] = ()
    at_first: bool = False
    """Meant only while nothing was answered."""
    error: type[TargetError] = TargetError


_PICTURES = r"(?:image|vision|visual|multi-?modal|picture)"
_OF_ONE = r"(?:format|type|url|file|size|larger|bigger|with|of)s?\b"
"""Behind the word, it is one picture that is refused."""
_KEY = r"(?:(?:api|subscription)[ _-]?key|(?:bearer |access )?token\b|credential|auth\w* header)"
_STOPS = (
    _Stop(
        "the server takes no pictures",
        "start it with the model's mmproj file (--mmproj), or name a vision model",
        r"(?:do(?:es)?|is|are|can) ?(?:not|n['’]t) (?:currently )?"
        rf"(?:an? |support|accept|allow|take|have)\W*(?:\w+\W+){{0,3}}{_PICTURES}"
        rf"(?!\w*\W+{_OF_ONE})"
        rf"|(?:{_PICTURES}\w*|\bclip)\W?(?: (?!{_OF_ONE})[\w-]+){{0,2}}(?: is| are)? "
        r"(?:only supported|disabled|not (?:supported|enabled|loaded|available|allowed))"
        rf"(?! {_OF_ONE})"
        r"|can ?(?:not|n['’]t) (?:process|handle) (?:\w+ ){0,2}(?:images|pictures|vision)\b"
        r"|unsupported\W+(?:\w+\W+){0,3}(?:vision|multi-?modal|image[ _](?:input|url|content))"
        r"|(?:unknown|unsupported|unexpected) (?:\w+ ){0,2}(?:variant|type)\W+image"
        r"|no endpoints found that support|no (?:vision|multi-?modal)|at most 0 image"
        r"|missing data required for image|non-text|text[- ]only"
        r"|(?:only (?:\w+ ){0,2}|(?:supported|allowed) values\W+(?:are\W+)?)text\b"
        r"(?!\W{1,6}(?:(?:and|or)\W+)?json)"  # nor anything but a plain string:
        r"|content\W+(?:str\W+)?(?:msg\W+)?(?:input )?(?:must|should) be a (?:valid )?string"
        r"|expected (?:a )?string\W.{0,30}(?:array|list)|sequence, expected a string"
        r"|array into .{0,60}content of type string|concatenate str \(not .{0,2}list",
        error=NoVision,
    ),
    _Stop(
        "the account has no credit",
        "top the account up, or choose another endpoint",
        r"insufficient[_ ](?:user[_ ])?(?:quota|balance|credit|fund)|(?:more|out of) credit"
        r"|credit balance is too low|exceeded_current_quota_error|payment required"
        r"|billing[_ ](?:hard|not)[_ ]|check your billing|account_deactivated"
        r"|(?:budget|spending limit|key limit)\b.{0,20}(?:exceeded|reached)|your spending limit",
        (402,),
    ),
    _Stop(
        "the key was not accepted, or may not use this model",
        "set the right key in {key}, or name another model",
        rf"(?:invalid|incorrect|missing|wrong|expired|bad|revoked)\W+(?:\w+\W+){{0,2}}{_KEY}"
        rf"|{_KEY}\W+(?:\w+\W+){{0,3}}(?:not valid|not found|invalid|incorrect|expired|missing)"
        r"|(?:no|provide an?) api[ _-]?key|authentication[ _](?:error|failed|required|fails)"
        r"|(?:no auth|invalid|validate) credentials|unauthori[sz]ed|unauthenticated",
        (401, 403),
        at_first=True,
    ),
    _Stop(
        "no such model or path",
        "check the model's name (`curl BASE_URL/models` lists what the server has), and that the "
        "base URL ends in /v1",
        r"(?:not a valid|invalid|unknown|no such|nonexistent|not find|there is no) model\b"
        r"|(?:model|deployment)\W+(?:\S+\W+){0,2}(?:is |was |has been )?(?:not found|not exist"
        r"|does ?n['o’]t exist|not available|decommissioned|retired)|unable to access model"
        r"|model (?:identifier |name |id )?is (?:invalid|not supported)|fail\w* to load model"
        r"|model_not_(?:found|available)"
        r"|models?/\S+ is not found|no models? (?:is |are )?(?:loaded|named|found)",
        (404, 405),
        at_first=True,
    ),
)
_PASSING = (408, 425, 429, 502, 503, 504, 529)
_FILTERED = (
    r"(?i)content[_ ](?:filter|management policy|policy[_ ]violation)|prompt was flagged"
    r"|ResponsibleAI|data_inspection_failed|(?:input|prompt) (?:was|has been|is) (?:flagged|block)"
)
_LOADING = r"(?i)model\b.{0,80}\bloading|loading\b.{0,20}\bmodel|(?:warm|start)ing up|cold start"
_PARAMETER = (
    r"(?i)unsupported ?param|unrecognized (?:request )?argument|does not support parameters"
    r"|extra (?:inputs|fields)(?: are)? not permitted|unexpected keyword argument"
)
"""A request parameter is refused, whatever status that comes with."""


def error_of(
    status: int,
    headers: httpx.Headers,
    body: str,
    *,
    first: bool,
    key_env: str | None = None,
    inside: bool = False,
) -> EvalrunError:
    """The error that a status other than 2xx stands for, or one that came `inside` a 200.

    `first`: nothing was answered yet. A TargetError ends the run: every call would meet it.
    """
    said = f"{'an error inside the reply' if inside else f'HTTP {status}'}: {message_in(body)}"
    if 300 <= status < 400:
        return TargetError(
            f"the server redirects to {quoted(headers.get('location'))!r} (HTTP {status}), and a "
            "key is never sent on",
            fix="name that URL as the base URL if you trust it",
        )
    if status in (400, 403, 422, 451) and re.search(_FILTERED, body):
        return Filtered(said, fix="look at what the endpoint says of the prompt")
    wish_s = wished_s(headers, body)
    at_first = status == 401 or (first and (inside or status not in _PASSING))
    possible = [it for it in _STOPS if at_first or not it.at_first]
    stops = [it for it in possible if re.search(it.words, body, re.IGNORECASE)]
    stops += [it for it in possible if status in it.statuses]
    if stops and not (status == 429 and wish_s is not None):
        fix = stops[0].fix.format(key=key_env or "--api-key-env")
        return stops[0].error(f"{stops[0].problem} ({said})", fix=fix)
    return _call_error(status, body, said, wish_s)


def _call_error(status: int, body: str, said: str, wish_s: float | None) -> CallError:
    if status >= 500 and re.search(_LOADING, body):
        return Loading(said, fix="wait until the server has loaded its model")
    if status == 429 or (status in (503, 529) and wish_s is not None):
        limited = RateLimited(said, fix="lower --concurrency, or raise --max-wait")
        limited.retry_after_s = wish_s
        return limited
    if status == 408:
        return CallTimeout(said, fix="try again when the server is less busy")
    passing = (status >= 500 and status != 501) or status in (409, 424, 425)
    if passing and not re.search(_PARAMETER, body):
        return ServerFault(said, fix="look into the server's log")
    fix = "look at what the server says, and at `evalrun show` for the prompts it refused"
    if re.search("exceed_context_size|context (?:size|length)", said):
        fix = "start the server with a larger context (-c), or lower --image-max-side"
    elif status == 413 or re.search(r"image\b.{0,60}(?:exceed|too large|too big|larger)", said):
        fix = "lower --image-max-side"
    return RequestRefused(said, fix=fix)


def message_in(body: str) -> str:
    """The server's own words, on one line, out of the usual JSON envelopes or the bare body.

    >>> message_in('[{"error": {"message": "bad image", "status": "INVALID_ARGUMENT"}}]')
    'bad image: INVALID_ARGUMENT'
    >>> message_in('{"detail": [{"loc": ["body", "seed"], "msg": "Field required"}]}')
    'Field required: body: seed'
    >>> message_in("<html><title>502 Bad Gateway</title></html>")
    '502 Bad Gateway'
    """
    try:
        words = [*_words(json.loads(body))]
    except (ValueError, RecursionError):
        title = re.search(r"<title>([^<]{1,300})</title>", body, re.IGNORECASE)
        words = [title[1]] if title else []
    said = ""
    for word in words or [quoted(body)]:
        said += "" if word in said else f": {word}" if said else word
    return " ".join(said[: 2 * _WORDS_CHARS].split()) or "no message"


def _words(it: Any, depth: int = 0) -> Iterator[str]:
    """The texts under the usual names, however deep they stand."""
    parts = it[:3] if isinstance(it, list) else []
    if isinstance(it, dict):
        parts = [it.get(name) for name in ("error", "errors", "detail", "message", "msg")]
        parts += [it.get(name) for name in ("metadata", "raw", "param", "loc", "type", "status")]
    elif isinstance(it, str) and it:
        yield quoted(it)
    for part in parts if depth < 6 else ():
        yield from _words(part, depth + 1)


def quoted(said: object) -> str:
    """A server's words as they may stand in a message: bounded, and storable.

    >>> quoted({"code": 7}), len(quoted("x" * 10**6))
    ("{'code': 7}", 300)
    """
    try:
        return valid_unicode(str(said)[:_WORDS_CHARS])
    except RecursionError:
        return "JSON nested without end"


_SPAN = r"(?:\d[\d.]{0,12} ?(?:ms|[dhms])[a-z]{0,6} ?){1,4}"
_UNITS_S = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WISH = rf'(?:try again|retry)[\w ]{{0,20}} (?:in|after) ({_SPAN})|"retryDelay"\s*:\s*"({_SPAN})"'
_EPOCH_S = 1e9


def wished_s(headers: httpx.Headers, body: str) -> float | None:
    """For how long the server asks us to wait: in a header, in its words, or until a limit that is
    used up begins anew.

    >>> wished_s(httpx.Headers(), "Rate limit reached. Please try again in 1m2.5s.")
    62.5
    >>> wished_s(httpx.Headers({"x-ratelimit-reset-tokens": "20ms"}), "")
    0.02
    """
    found = re.search(_WISH, body, re.IGNORECASE)
    resets = [
        value
        for name, value in headers.items()
        if re.fullmatch(r"(?:anthropic|x)-rate-?limit-.*reset.*", name)
        and headers.get(name.replace("reset", "remaining"), "0") == "0"
    ]
    in_headers = f"{headers.get('retry-after-ms')}ms", headers.get("retry-after")
    wishes = (*in_headers, found and (found[1] or found[2]), *resets)
    return next((it for it in map(seconds_in, wishes) if it is not None), None)


def seconds_in(value: str | None) -> float | None:
    """Seconds, a date, a moment or a span; None when absent or senseless. Source: RFC 9110, 10.2.3.

    >>> seconds_in("2"), seconds_in("1m30s"), seconds_in("2 minutes"), seconds_in("-5")
    (2.0, 90.0, 120.0, None)
    """
    text = value or ""
    with suppress(ValueError):
        seconds = float(text)
        if seconds > _EPOCH_S:  # a moment, in seconds or milliseconds
            seconds = seconds / (1000 if seconds > 1000 * _EPOCH_S else 1) - time.time()
            return min(max(0.0, seconds), _EPOCH_S)
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            moment = read(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    if not re.fullmatch(_SPAN, text):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?) ?(ms|[dhms])", text.lower())
    return sum(float(count) * _UNITS_S[unit] for count, unit in parts)


def error_from(error: httpx.HTTPError, base_url: str, *, kept: bool = False) -> EvalrunError:
    """The error of ours that an httpx exception stands for; `kept`: on a connection of before."""
    said = str(error) or type(error).__name__
    match error:
        case httpx.ConnectError() if re.search("(?i)ssl|certificate", said):
            return TargetError(
                f"no secure connection to {base_url}: {said}",
                fix="check the address; a server of your own may need http://, or SSL_CERT_FILE",
            )
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            problem = f"no connection to {base_url}: {said}"
            return ConnectionRefused(problem, fix="check that the server runs")
        case httpx.TimeoutException():
            return CallTimeout("the server was silent for too long", fix="raise --timeout")
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError() if kept:
            return Stale(said, fix="")
        case httpx.RemoteProtocolError() if re.search("incomplete|without sending complete", said):
            return BadReply(f"the reply was cut short: {said}", fix="look into the server's log")
    return Unreachable(f"the connection broke: {said}", fix="check that the server runs")
