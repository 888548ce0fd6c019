"""Anthropic's Messages API: its own words for pictures, thinking, usage and errors.

The chat-completions layer that Anthropic offers ignores seed, schema and effort without a word.
Source: https://docs.anthropic.com/en/api/messages and .../messages-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from msgspec.structs import replace

from harness.adapters import Request, Target
from harness.adapters.endpoints import key_from, kind_of, listed_models, open_transport
from harness.adapters.openai import (
    DEFAULT_CONCURRENCY,
    PICTURE_HERE,
    Draft,
    OpenAIChat,
    as_count,
    as_dict,
    no_answer_in,
)
from harness.records import EncodedImage
from harness.transport import ErrorInside

VERSION = "2023-06-01"


class AnthropicChat(OpenAIChat):
    """A model behind the Messages API."""

    backend, path = "anthropic", "messages"
    adaptable: ClassVar = {"temperature": None}
    constraining = "output_config"

    def picture(self, image: EncodedImage) -> dict[str, Any]:
        source = {"type": "base64", "media_type": image.media_type, "data": PICTURE_HERE}
        return {"type": "image", "source": source}

    def payload(self, request: Request) -> dict[str, Any]:
        """There is no seed to send; while it thinks, a model takes no temperature."""
        sampling, system = self._target.sampling, self._target.system
        thinks = sampling.thinking not in ("auto", "off")
        return {
            "model": self._model_id,
            "max_tokens": self.limit(request),
            **({"system": system} if system else {}),
            "messages": [{"role": "user", "content": self.content(request)}],
            **({} if thinks else {"temperature": sampling.temperature}),
            "stream": True,
        }

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {self.constraining: {"format": {"type": "json_schema", "schema": schema}}}

    def take(self, event: Any, draft: Draft) -> bool:
        """A whole message holds what the events bring one by one."""
        it = as_dict(event)
        error = as_dict(it.get("error"))
        if error or it.get("type") == "error":
            raise ErrorInside(error)  # in a stream: overloaded, limited, a fault
        whole = it if "content" in it else {}
        start, delta = as_dict(it.get("message")) or whole, as_dict(it.get("delta")) or whole
        blocks = whole.get("content", [delta])
        if "type" not in it or not isinstance(blocks, list):
            raise no_answer_in(event)
        for block in map(as_dict, blocks):
            for place, name in ((draft.text, "text"), (draft.reasoning, "thinking")):
                if isinstance(block.get(name), str):
                    place.append(block[name])
        used = draft.rest.setdefault("used", {})
        used |= as_dict(start.get("usage")) | as_dict(it.get("usage"))
        model = start.get("model") or draft.rest.get("model")
        draft.rest |= {"model": model, "usage": _usage(used)}
        reason = delta.get("stop_reason")
        if isinstance(reason, str):
            draft.finish_reason = reason
            if reason == "refusal":
                draft.refusal = [*draft.text] if any(draft.text) else ["stop_reason: refusal"]
        return it.get("type") == "message_stop"


def _usage(used: dict[str, Any]) -> dict[str, Any]:
    """In the words of chat completions, where the cache is part of the input."""
    cached = used.get("cache_read_input_tokens")
    before = (used.get("cache_creation_input_tokens"), cached)
    tokens_in = as_count(used.get("input_tokens"))
    details = as_dict(used.get("output_tokens_details"))
    return {
        "prompt_tokens": tokens_in and tokens_in + sum(as_count(it) or 0 for it in before),
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens": used.get("output_tokens"),
        "completion_tokens_details": {"reasoning_tokens": details.get("thinking_tokens")},
    }


@contextmanager
def open_anthropic(target: Target) -> Iterator[AnthropicChat]:
    """Open Anthropic's own API, or what speaks like it."""
    key = key_from(target.api_key_env)
    headers = {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})
    concurrency = target.concurrency or DEFAULT_CONCURRENCY
    with open_transport(target, concurrency=concurrency, headers=headers) as transport:
        listed_models(transport, target, "models?limit=1000")
        kind = kind_of(replace(target, preset="anthropic"))
        yield AnthropicChat(transport, target, kind=kind)
