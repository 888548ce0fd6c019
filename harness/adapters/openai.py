"""The chat-completions wire (OpenAI, OpenRouter, Mistral, vLLM, llama.cpp, Ollama, LM Studio, …).

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import msgspec

from harness.adapters import resolution
from harness.adapters.base import Request, Target
from harness.adapters.chat import (
    DEFAULT_CONCURRENCY,
    PICTURE_HERE,
    ChatModel,
    as_count,
    as_dict,
    is_amount,
    open_transport,
    raise_if_failed,
)
from harness.adapters.running import listed_models, warn_if_unlisted
from harness.adapters.thinking import kind_of
from harness.errors import BadReply, CallError, EvalrunError
from harness.records import Reply, ServerTimings
from harness.text import valid_unicode
from harness.transport import ErrorInside, Incoming, quoted

_LISTING_S = 3.0
_USAGE_WAIT_S = 5.0
"""How long a finished answer waits for the usage that should follow it."""
_END_WAIT_S = 0.2
"""And with it for the end."""


class OpenAIChat(ChatModel):
    """A model behind a chat-completions endpoint."""

    path = "chat/completions"
    adaptable: ClassVar = {
        "max_tokens": {"max_tokens": "max_completion_tokens"},
        "temperature": {"temperature": None},
        "stream_options": {"stream_options": None},
        "seed": {"seed": None},
        "stream": {"stream": None, "stream_options": None},
    }
    constraining = "response_format"

    def payload(self, request: Request) -> dict[str, Any]:
        """A question without pictures is a plain string: text-only servers take nothing else."""
        content: str | list[dict[str, Any]] = request.question
        if request.images:
            more = resolution.detail_of(self._target, self.kind_name)
            urls = (f"data:{it.media_type};base64,{PICTURE_HERE}" for it in request.images)
            content = [{"type": "image_url", "image_url": {"url": it, **more}} for it in urls]
            content.append({"type": "text", "text": request.question})
        system, sampling = self._target.system, self._target.sampling
        messages = [{"role": "system", "content": system}] if system else []
        return {
            "model": self._model_id,
            "messages": [*messages, {"role": "user", "content": content}],
            "temperature": sampling.temperature,
            "seed": sampling.seed + request.repeat,
            "max_tokens": self.limit(request),
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Strict where OpenAI can be: of a schema that leaves nothing open."""
        strict = schema.get("additionalProperties") is False
        wanted = {"name": "answer", "schema": schema, "strict": strict}
        return {self.constraining: {"type": "json_schema", "json_schema": wanted}}

    def read(self, incoming: Incoming) -> Reply:
        return read_reply(incoming)


def read_reply(incoming: Incoming) -> Reply:
    """Streamed if the server streams, plain if it does not, whatever was asked for.

    Raises: CallError, ErrorInside.
    """
    return from_stream(incoming) if incoming.is_stream() else from_body(incoming.json())


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
    parts = _Parts()
    parts.add(message, choice)
    return parts.reply(body, ttft_s=None)


def from_stream(incoming: Incoming) -> Reply:
    """A stream of `chat.completion.chunk` events. A finished answer is never lost.

    Raises: BadReply when it breaks off before the model has finished.
    """
    parts = _Parts()
    ttft_s: float | None = None
    last: dict[str, Any] = {}
    try:
        for chunk in incoming.events():
            _raise_error_inside(chunk)
            for choice in _choices(chunk)[:1]:
                parts.add(_delta(choice, parts), choice)
            if ttft_s is None and parts.begun:
                ttft_s = incoming.elapsed_s()
            if incoming.on_text is not None:
                incoming.on_text(parts.text)
            last |= {name: chunk[name] for name in _KEPT if chunk.get(name)}
            if parts.finish_reason is not None:
                incoming.be_quick(_END_WAIT_S if "usage" in last else _USAGE_WAIT_S)
    except (CallError, ErrorInside):
        if parts.finish_reason is None:
            raise
    if parts.finish_reason is None and not incoming.done:
        raise BadReply(
            "the stream broke off before the model had finished", fix="look into the server's log"
        )
    return parts.reply(last, ttft_s=ttft_s)


_KEPT = ("usage", "timings", "model", "provider")
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Where servers put what the model thought; one of them is read."""


class _Parts:
    """Text, reasoning and refusal, as they come in."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self.finish_reason: str | None = None

    def add(self, message: dict[str, Any], choice: dict[str, Any]) -> None:
        content = message.get("content")
        self._text.append(_text(content))
        thoughts = (_text(message.get(name)) for name in _THOUGHTS)
        self._reasoning.append(next(filter(None, thoughts), "") or _thinking_in(content))
        self._refusal.append(_text(message.get("refusal")))
        if choice.get("error"):
            raise ErrorInside(choice["error"])
        reason, native = choice.get("finish_reason"), choice.get("native_finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = reason
        raise_if_failed(native, _text(content))

    @property
    def begun(self) -> bool:
        return bool(self._text[-1:] and (self._text[-1] or self._reasoning[-1]))

    @property
    def text(self) -> str:
        return valid_unicode("".join(self._text))

    def reply(self, body: dict[str, Any], *, ttft_s: float | None) -> Reply:
        """Raises: ServerFault when generation failed."""
        text = self.text
        raise_if_failed(self.finish_reason, text)
        usage = as_dict(body.get("usage"))
        timings = _timings(as_dict(body.get("timings")))
        details = as_dict(usage.get("prompt_tokens_details"))
        cached = as_count(details.get("cached_tokens"))
        thought = as_dict(usage.get("completion_tokens_details")).get("reasoning_tokens")
        return Reply(
            text=text,
            reasoning=valid_unicode("".join(self._reasoning)) or None,
            refusal=valid_unicode("".join(self._refusal)) or None,
            finish_reason=valid_unicode(self.finish_reason) if self.finish_reason else None,
            tokens_in=as_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
            tokens_out=as_count(usage.get("completion_tokens", usage.get("output_tokens"))),
            tokens_reasoning=as_count(thought),
            tokens_cached=timings.cache_n if timings and timings.cache_n is not None else cached,
            ttft_s=ttft_s,
            timings=timings,
            image_tokens=as_count(details.get("image_tokens")),
            provider=_name(body.get("provider")),
            served_model=_name(body.get("model")),
        )


def _delta(choice: dict[str, Any], parts: _Parts) -> dict[str, Any]:
    """What a chunk adds; some servers send the whole message in one chunk, or again at the end."""
    if "delta" in choice or parts.text:
        return as_dict(choice.get("delta"))
    return as_dict(choice.get("message"))


def _choices(chunk: Any) -> list[dict[str, Any]]:
    """Some gateways leave out an empty list, as in the chunk with the usage."""
    choices = chunk.get("choices", []) if isinstance(chunk, dict) else None
    if choices is None and isinstance(chunk, dict):
        return []
    if not isinstance(choices, list) or not all(isinstance(it, dict) for it in choices):
        raise _unlike_the_wire(chunk)
    return choices


def _text(content: Any) -> str:
    """Content is a string, nothing, or a list of parts of which the text counts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [it.get("text") for it in content if isinstance(it, dict)]
        return "".join(it for it in parts if isinstance(it, str))
    return ""


def _thinking_in(content: Any) -> str:
    """Mistral's reasoning models send their thoughts as parts of the content."""
    if not isinstance(content, list):
        return ""
    return "".join(_text(it.get("thinking")) for it in content if isinstance(it, dict))


def _name(value: Any) -> str | None:
    return valid_unicode(value)[:200] if isinstance(value, str) and value else None


def _timings(timings: dict[str, Any]) -> ServerTimings | None:
    if not timings:
        return None
    known = {name: timings[name] for name in ServerTimings.__struct_fields__ if name in timings}
    if not all(it is None or is_amount(it) for it in known.values()):
        return None
    try:
        return msgspec.convert(known, ServerTimings)
    except msgspec.ValidationError:
        return None  # another server's idea of timings: not ours to guess at


def _raise_error_inside(body: Any) -> None:
    """Gateways report an upstream's error inside a 200 (OpenRouter does)."""
    it = as_dict(body)
    if it.get("error"):
        raise ErrorInside(it["error"])
    if it.get("object") == "error":
        raise ErrorInside(body)


def _unlike_the_wire(body: Any) -> BadReply:
    seen = sorted(body)[:8] if isinstance(body, dict) else type(body).__name__
    return BadReply(
        f"no choices[0].message in the reply, but {quoted(seen)}",
        fix="check that the base URL is that of a chat-completions API",
    )


@contextmanager
def open_openai(target: Target) -> Iterator[OpenAIChat]:
    """Open an OpenAI-compatible endpoint, and look whether it lists the model."""
    concurrency = target.concurrency or DEFAULT_CONCURRENCY
    with open_transport(target, concurrency=concurrency) as transport:
        listed: list[dict[str, Any]] = []
        with suppress(EvalrunError):
            listed = listed_models(transport, timeout_s=_LISTING_S)
        warn_if_unlisted(target, listed)
        kind = kind_of(target, (str(it.get("owned_by")) for it in listed))
        resolution.check(target, kind.name if kind else "openai")
        resolution.warn_if_unknown(target)
        yield OpenAIChat(transport, target, kind=kind, concurrency=concurrency)
