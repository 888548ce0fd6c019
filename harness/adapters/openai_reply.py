"""What a chat-completions endpoint sends back, plain or streamed, read into a `Reply`."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.errors import BadReply, RateLimited, ServerFault
from harness.records import Reply, ServerTimings
from harness.text import valid_unicode
from harness.transport import Incoming, parse_json, shortened

_MOST = 2.0**53
"""Whole numbers beyond it are no longer told apart by programs that read JSON as floats."""


def read_reply(incoming: Incoming) -> Reply:
    """Streamed if the server streams, plain if it does not, whatever was asked for.

    Latency is the transport's to measure; the Reply's is 0 until then.
    Raises: BadReply, RateLimited or ServerFault for an error inside a 200.
    """
    return from_stream(incoming) if incoming.streamed else from_body(incoming.json())


def from_body(body: Any) -> Reply:
    """A whole `chat.completion` object."""
    _raise_error_inside(body)
    try:
        choice = body["choices"][0]
        message = choice["message"]
    except (KeyError, IndexError, TypeError) as error:
        raise _unlike_the_wire(body) from error
    if not isinstance(message, dict):
        raise _unlike_the_wire(body)
    return _reply(
        text=_text(message.get("content")),
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
        finish_reason=choice.get("finish_reason"),
        body=body,
        ttft_s=None,
    )


def from_stream(incoming: Incoming) -> Reply:
    """A stream of `chat.completion.chunk` events.

    Raises: BadReply when it breaks off before the model has finished.
    """
    text: list[str] = []
    reasoning: list[str] = []
    finish_reason: str | None = None
    ttft_s: float | None = None
    last: dict[str, Any] = {}
    done = False
    for data in incoming.events():
        if data == "[DONE]":
            done = True
            break
        chunk = parse_json(data)
        _raise_error_inside(chunk)
        for choice in _choices(chunk)[:1]:
            delta = _dict(choice.get("delta"))
            text.append(_text(delta.get("content")))
            reasoning.append(_text(delta.get("reasoning_content") or delta.get("reasoning")))
            finish_reason = choice.get("finish_reason") or finish_reason
            if ttft_s is None and (text[-1] or reasoning[-1]):
                ttft_s = incoming.elapsed_s()
        last |= {name: chunk[name] for name in ("usage", "timings") if chunk.get(name)}
    if not done and finish_reason is None:
        raise BadReply(
            "the stream broke off before the model had finished", fix="look into the server's log"
        )
    return _reply(
        text="".join(text),
        reasoning="".join(reasoning),
        finish_reason=finish_reason,
        body=last,
        ttft_s=ttft_s,
    )


def _choices(chunk: Any) -> list[dict[str, Any]]:
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    if not isinstance(choices, list) or not all(isinstance(it, dict) for it in choices):
        raise _unlike_the_wire(chunk)
    return choices


def _reply(
    *, text: str, reasoning: str, finish_reason: Any, body: dict[str, Any], ttft_s: float | None
) -> Reply:
    usage = _dict(body.get("usage"))
    timings = _timings(_dict(body.get("timings")))
    details = _dict(usage.get("prompt_tokens_details"))
    cached = _count(details.get("cached_tokens"))
    return Reply(
        text=valid_unicode(text),
        reasoning=valid_unicode(reasoning) or None,
        finish_reason=valid_unicode(finish_reason) if isinstance(finish_reason, str) else None,
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        tokens_reasoning=_count(
            _dict(usage.get("completion_tokens_details")).get("reasoning_tokens")
        ),
        tokens_cached=timings.cache_n if timings and timings.cache_n is not None else cached,
        ttft_s=ttft_s,
        timings=timings,
        image_tokens=_count(details.get("image_tokens")),
    )


def _text(content: Any) -> str:
    """Content is a string, nothing, or a list of parts of which the text counts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [it.get("text") for it in content if isinstance(it, dict)]
        return "".join(it for it in parts if isinstance(it, str))
    return ""


def _timings(timings: dict[str, Any]) -> ServerTimings | None:
    if not timings:
        return None
    known = {name: timings[name] for name in ServerTimings.__struct_fields__ if name in timings}
    if not all(it is None or _is_amount(it) for it in known.values()):
        return None
    try:
        return msgspec.convert(known, ServerTimings)
    except msgspec.ValidationError:
        return None  # another server's idea of timings: not ours to guess at


def _raise_error_inside(body: Any) -> None:
    """Gateways report an upstream's error inside a 200 (OpenRouter does)."""
    error = body.get("error") if isinstance(body, dict) else None
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    words = shortened(error.get("message") or error if isinstance(error, dict) else error)
    kind = RateLimited if str(code) == "429" else ServerFault
    raise kind(f"an error inside the reply: {words}", fix="look at what the endpoint says")


def _unlike_the_wire(body: Any) -> BadReply:
    seen = sorted(body)[:8] if isinstance(body, dict) else type(body).__name__
    return BadReply(
        f"no choices[0].message in the reply, but {shortened(seen)}",
        fix="check that the base URL is that of a chat-completions API",
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and _is_amount(value) else None


def _is_amount(value: Any) -> bool:
    """A number that can be what it says it is: of tokens, or of milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < _MOST
