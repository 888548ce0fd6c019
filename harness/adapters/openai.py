"""The chat-completions wire (OpenAI, OpenRouter, Mistral, vLLM, llama.cpp, Ollama, LM Studio, …).

`to_payload` and `to_reply` are pure; `OpenAIChat` joins them with the transport.
Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from harness.adapters.base import Request, Target
from harness.adapters.openai_reply import read_reply
from harness.errors import RequestRefused, TargetError
from harness.records import EncodedImage, Reply, Sampling, ServerFacts
from harness.transport import Call, Transport, without_credentials

DEFAULT_CONCURRENCY = 8
_PICTURE_HERE = f"picture-{secrets.token_hex(16)}"
"""Stands for the base64 text while the rest is turned into JSON; splicing 300 KB is nearly free."""
_REFUSAL = re.compile(
    r"not (?:be )?(?:support|allow|permit)|unsupport|unrecogni|unknown|unexpected|extra|instead"
    r"|deprecated|does not|cannot|only the default",
    re.IGNORECASE,
)
_ADAPTABLE: dict[str, dict[str, str | None]] = {
    "max_tokens": {"max_tokens": "max_completion_tokens"},
    "temperature": {"temperature": None},
    "stream_options": {"stream_options": None},
    "seed": {"seed": None},
    "stream": {"stream": None, "stream_options": None},
}
"""A parameter a model may refuse -> what becomes of it (None: left out)."""


class OpenAIChat:
    """One model behind one endpoint. Threads share it."""

    shards_by_picture = False

    def __init__(
        self,
        transport: Transport,
        *,
        model_id: str,
        sampling: Sampling,
        system: str | None = None,
        extra: dict[str, Any] | None = None,
        tokens_before_image: int | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        backend: str = "openai",
        server: ServerFacts | None = None,
        image_detail: str | None = None,
    ) -> None:
        """`extra`: further request parameters. `tokens_before_image`: see `Reply.image_cached`."""
        self._transport = transport
        self._model_id, self._sampling, self._system = model_id, sampling, system
        self._extra, self._image_detail = extra or {}, image_detail
        self._tokens_before_image = tokens_before_image
        self._changes: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self.concurrency, self.backend, self.server = concurrency, backend, server

    @property
    def base_url(self) -> str | None:
        return without_credentials(self._transport.base_url)

    def ask(self, prompt: Request) -> Reply:
        while True:
            changes = dict(self._changes)
            try:
                call = self._send(prompt, changes)
            except RequestRefused as refused:
                if not self._adapt(refused, changes):
                    raise
            else:
                return self._reply(call, changes)

    def _send(self, prompt: Request, changes: dict[str, str | None]) -> Call[Reply]:
        payload = to_payload(
            self._model_id, prompt, self._sampling, self._system, self._image_detail
        )
        body = to_body(changed(payload | self._extra, changes), prompt.images)
        return self._transport.post("chat/completions", body, read_reply)

    def _reply(self, call: Call[Reply], changes: dict[str, str | None]) -> Reply:
        return msgspec.structs.replace(
            call.value,
            text=self._transport.secrets.without(call.value.text),
            latency_s=call.latency_s,
            effort=call.effort,
            image_cached=is_image_cached(call.value, self._tokens_before_image),
            adapted=tuple(f"{old}: {new or 'left out'}" for old, new in changes.items()),
        )

    def _adapt(self, refused: RequestRefused, tried: dict[str, str | None]) -> bool:
        """Learn from a refusal which parameter to change. False when it names none we can."""
        with self._lock:
            if self._changes != tried:
                return True  # another thread has learned something meanwhile
            for name, change in _ADAPTABLE.items():
                named = re.search(rf"\b{name}\b", refused.problem)
                if named and _REFUSAL.search(refused.problem) and not change.keys() <= tried.keys():
                    self._changes = self._changes | change
                    return True
            return False


def to_payload(
    model_id: str,
    prompt: Request,
    sampling: Sampling,
    system: str | None,
    image_detail: str | None = None,
) -> dict[str, Any]:
    """The request, the picture's bytes still to be spliced in (`to_body`)."""
    content: list[dict[str, Any]] = []
    for image in prompt.images:
        url = f"data:{image.media_type};base64,{_PICTURE_HERE}"
        detail = {"detail": image_detail} if image_detail else {}
        content.append({"type": "image_url", "image_url": {"url": url, **detail}})
    content.append({"type": "text", "text": prompt.question})
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    return {
        "model": model_id,
        "messages": [*messages, {"role": "user", "content": content}],
        "temperature": sampling.temperature,
        "seed": sampling.seed + prompt.repeat,
        "max_tokens": sampling.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def changed(payload: dict[str, Any], changes: dict[str, str | None]) -> dict[str, Any]:
    """
    >>> changed({"max_tokens": 9, "seed": 1}, {"max_tokens": "max_completion_tokens", "seed": None})
    {'max_completion_tokens': 9}
    """
    kept = {changes.get(name, name): value for name, value in payload.items()}
    return {name: value for name, value in kept.items() if name is not None}


def to_body(payload: dict[str, Any], images: Sequence[EncodedImage]) -> tuple[bytes, ...]:
    """In pieces, of which the pictures are never copied."""
    first, *rest = json.dumps(payload, ensure_ascii=False).encode().split(_PICTURE_HERE.encode())
    pairs = zip(images, rest, strict=True)
    return first, *(piece for image, text in pairs for piece in (image.base64, text))


def is_image_cached(reply: Reply, tokens_before_image: int | None) -> bool:
    """Whether the picture came out of the server's cache.

    Without a preflight (hosted endpoints), more than half of the input from the cache says so.
    """
    if not reply.tokens_cached:
        return False
    if tokens_before_image is not None:
        return reply.tokens_cached > tokens_before_image
    return reply.tokens_in is not None and reply.tokens_cached * 2 > reply.tokens_in


def key_from(variable: str | None) -> str | None:
    """The API key out of the environment. Raises: TargetError when the variable is not set."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key or not key.isprintable() or not key.isascii():
        what = "holds no usable key" if key else "is not set"
        raise TargetError(
            f"{variable} {what}, and this endpoint needs a key",
            fix=f"export {variable}=…, or name another variable with --api-key-env",
        )
    return key


def open_transport(target: Target, base_url: str, *, concurrency: int) -> Transport:
    """The transport for a target whose address is known."""
    limits = target.limits
    return Transport(
        base_url,
        key=key_from(target.api_key_env),
        key_env=target.api_key_env,
        concurrency=concurrency,
        timeout_s=limits.timeout_s,
        tries=limits.tries,
        max_wait_s=limits.max_wait_s,
        give_up_s=limits.give_up_s,
        stopping=target.stopping,
    )


@contextmanager
def open_openai(target: Target) -> Iterator[OpenAIChat]:
    """Open an OpenAI-compatible endpoint. Sends no probe of its own."""
    if target.base_url is None:
        raise TargetError(
            f"nothing says where {target.model!r} is served", fix="name its URL with --base-url"
        )
    concurrency = target.concurrency or DEFAULT_CONCURRENCY
    with open_transport(target, target.base_url, concurrency=concurrency) as transport:
        yield OpenAIChat(
            transport,
            model_id=target.model_id or target.model,
            sampling=target.sampling,
            system=target.system,
            concurrency=concurrency,
            image_detail=target.image_detail,
        )
