"""Anthropic's Messages API: its own words for pictures, thinking, usage and errors.

The chat-completions layer that Anthropic offers ignores seed, schema and effort without a word.
Source: https://docs.anthropic.com/en/api/messages and .../messages-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from msgspec.structs import replace

from harness.adapters.base import Request, Target
from harness.adapters.chat import (
    DEFAULT_CONCURRENCY,
    PICTURE_HERE,
    ChatModel,
    as_count,
    as_dict,
    key_from,
    open_transport,
)
from harness.adapters.running import listed_models, warn_if_unlisted
from harness.adapters.thinking import kind_of
from harness.errors import BadReply, CallError, EvalrunError
from harness.records import Reply
from harness.text import valid_unicode
from harness.transport import ErrorInside, Incoming, quoted

VERSION = "2023-06-01"
_LISTING = "models?limit=1000"
_LISTING_S = 3.0
_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""An error's type -> the status that it comes with outside a stream."""


class AnthropicChat(ChatModel):
    """A model behind the Messages API."""

    path = "messages"
    adaptable: ClassVar = {"temperature": {"temperature": None}}
    constraining = "output_config"

    def payload(self, request: Request) -> dict[str, Any]:
        """There is no seed to send; while it thinks, a model takes no temperature."""
        content: str | list[dict[str, Any]] = request.question
        if request.images:
            content = [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": it.media_type, "data": PICTURE_HERE},
                }
                for it in request.images
            ]
            content.append({"type": "text", "text": request.question})
        sampling, system = self._target.sampling, self._target.system
        thinks = sampling.thinking not in ("auto", "off")
        return {
            "model": self._model_id,
            "max_tokens": self.limit(request),
            **({"system": system} if system else {}),
            "messages": [{"role": "user", "content": content}],
            **({} if thinks else {"temperature": sampling.temperature}),
            "stream": True,
        }

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {self.constraining: {"format": {"type": "json_schema", "schema": schema}}}

    def read(self, incoming: Incoming) -> Reply:
        return from_stream(incoming) if incoming.is_stream() else from_body(incoming.json())


def from_body(body: Any) -> Reply:
    """A whole `message` object. Raises: BadReply, ErrorInside."""
    _raise_error(body)
    blocks = body.get("content") if isinstance(body, dict) else None
    if not isinstance(blocks, list):
        raise BadReply(
            f"no content in the reply, but {quoted(body)}",
            fix="check that the base URL is that of Anthropic's Messages API",
        )
    parts = _Parts()
    for block in blocks:
        parts.add(as_dict(block))
    return parts.reply(as_dict(body.get("usage")), body.get("model"), body.get("stop_reason"))


def from_stream(incoming: Incoming) -> Reply:
    """The events of a message. A finished answer is never lost.

    Raises: BadReply when they break off before the model has finished; ErrorInside.
    """
    parts = _Parts()
    usage: dict[str, Any] = {}
    model = reason = ttft_s = None
    try:
        for event in incoming.events():
            _raise_error(event)
            it = as_dict(event)
            start = as_dict(it.get("message"))
            model = start.get("model") or model
            usage |= as_dict(start.get("usage")) | as_dict(it.get("usage"))
            delta = as_dict(it.get("delta"))
            reason = delta.get("stop_reason") or reason
            if parts.add(delta) and ttft_s is None:
                ttft_s = incoming.elapsed_s()
            if incoming.on_text is not None and delta.get("text"):
                incoming.on_text("".join(parts.text))
            if it.get("type") == "message_stop":
                break
    except (CallError, ErrorInside):
        if reason is None:
            raise
    if reason is None:
        raise BadReply(
            "the stream broke off before the model had finished", fix="try the same command again"
        )
    return parts.reply(usage, model, reason, ttft_s=ttft_s)


class _Parts:
    """Text and thinking, as they come in."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._thinking: list[str] = []

    def add(self, block: dict[str, Any]) -> bool:
        """A content block, or what a delta adds to one; whether it held anything."""
        text, thinking = block.get("text"), block.get("thinking")
        if isinstance(text, str):
            self.text.append(text)
        if isinstance(thinking, str):
            self._thinking.append(thinking)
        return bool(text or thinking)

    def reply(
        self, usage: dict[str, Any], model: Any, reason: Any, *, ttft_s: float | None = None
    ) -> Reply:
        text = valid_unicode("".join(self.text))
        counts = [
            as_count(usage.get(name))
            for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        ]
        details = as_dict(usage.get("output_tokens_details"))
        return Reply(
            text=text,
            reasoning=valid_unicode("".join(self._thinking)) or None,
            refusal=(text or "stop_reason: refusal") if reason == "refusal" else None,
            finish_reason=valid_unicode(reason) if isinstance(reason, str) else None,
            tokens_in=None if counts[0] is None else sum(it or 0 for it in counts),
            tokens_out=as_count(usage.get("output_tokens")),
            tokens_reasoning=as_count(details.get("thinking_tokens")),
            tokens_cached=counts[2],
            ttft_s=ttft_s,
            served_model=valid_unicode(model)[:200] if isinstance(model, str) else None,
        )


def _raise_error(body: Any) -> None:
    error = as_dict(as_dict(body).get("error"))
    if error or as_dict(body).get("type") == "error":
        raise ErrorInside({"code": _STATUS_OF.get(str(error.get("type")), 502), **error})


@contextmanager
def open_anthropic(target: Target) -> Iterator[AnthropicChat]:
    """Open Anthropic's own API, or what speaks like it."""
    key = key_from(target.api_key_env)
    headers = {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})
    concurrency = target.concurrency or DEFAULT_CONCURRENCY
    with open_transport(target, concurrency=concurrency, headers=headers) as transport:
        with suppress(EvalrunError):
            warn_if_unlisted(target, listed_models(transport, _LISTING, timeout_s=_LISTING_S))
        kind = kind_of(replace(target, preset="anthropic"))
        yield AnthropicChat(
            transport, target, kind=kind, concurrency=concurrency, backend="anthropic"
        )
