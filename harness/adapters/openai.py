"""A model behind a chat-completions endpoint (OpenAI, OpenRouter, Mistral, vLLM, llama.cpp, …).

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from harness.adapters import endpoints
from harness.adapters.base import Request, Target
from harness.adapters.replies import read_reply
from harness.errors import CallError, OptionRefused, RequestRefused, TargetError
from harness.records import CallFailure, EncodedImage, Reply, ServerFacts
from harness.transport import Filtered, Incoming, Transport, without_credentials

DEFAULT_CONCURRENCY = 8
PICTURE_HERE = f"picture-{secrets.token_hex(16)}"
"""Stands for the base64 text while the rest is turned into JSON; splicing 300 KB is nearly free."""
LEFT_OUT = "left out"
THOUGHT_ANYWAY = "thinking: off was asked for, and reasoning came all the same"
IN_WORDS = "answer format: the schema stands in the question, as the endpoint takes none"
NOT_CONSTRAINED = "answer format: a schema was sent, and the reply is no JSON all the same"
_REFUSAL = re.compile(
    r"not (?:be )?(?:support|allow|permit)|unsupport|unrecogni|unknown|unexpected|extra|instead"
    r"|deprecated|does not|cannot|only|may not|must be|should be|invalid|no longer|out of range",
    re.IGNORECASE,
)


class OpenAIChat:
    """An open model. Threads share it. A subclass may know another wire."""

    path = "chat/completions"
    adaptable: ClassVar[Mapping[str, Mapping[str, str | None]]] = {
        "max_tokens": {"max_tokens": "max_completion_tokens"},
        "temperature": {"temperature": None},
        "stream_options": {"stream_options": None},
        "seed": {"seed": None},
        "stream": {"stream": None, "stream_options": None},
    }
    """A parameter a model may refuse -> what becomes of it (None: left out)."""
    constraining = "response_format"
    """The parameter that carries a schema of the reply."""
    shards_by_picture = False

    def __init__(
        self,
        transport: Transport,
        target: Target,
        *,
        kind: endpoints.EndpointKind = endpoints.UNKNOWN,
        extra: Mapping[str, Any] | None = None,
        tokens_before_image: int | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        backend: str = "openai",
        server: ServerFacts | None = None,
    ) -> None:
        """`extra`: further request parameters. `tokens_before_image`: see `Reply.image_cached`.

        Raises: UsageError for --thinking or --body that this endpoint cannot be sent.
        """
        self._transport, self._target, self._kind = transport, target, kind
        self._model_id = target.model_id or target.model
        self._steering = endpoints.parameters(target, kind)
        self._extra = {**(extra or {}), **self._steering}
        self._budget_tokens = endpoints.budget_of(target)
        self._tokens_before_image = tokens_before_image
        gemini = kind.name == "gemini"  # which takes a resolution for the whole request
        self._detail = {"detail": target.image_detail} if target.image_detail and not gemini else {}
        self._changes: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._schema_refused = False
        self.concurrency, self.backend, self.server = concurrency, backend, server
        self.endpoint = kind.name or None

    @property
    def base_url(self) -> str | None:
        return without_credentials(self._transport.base_url)

    def content(self, request: Request) -> str | list[dict[str, Any]]:
        """The pictures, then the question; alone it is a string, as text-only servers take it."""
        if not request.images:
            return request.question
        return [*map(self.picture, request.images), {"type": "text", "text": request.question}]

    def picture(self, image: EncodedImage) -> dict[str, Any]:
        url = f"data:{image.media_type};base64,{PICTURE_HERE}"
        return {"type": "image_url", "image_url": {"url": url, **self._detail}}

    def payload(self, request: Request) -> dict[str, Any]:
        """The request's JSON, `PICTURE_HERE` where a picture's bytes will stand."""
        system, sampling = self._target.system, self._target.sampling
        messages = [{"role": "system", "content": system}] if system else []
        return {
            "model": self._model_id,
            "messages": [*messages, {"role": "user", "content": self.content(request)}],
            "temperature": sampling.temperature,
            "seed": sampling.seed + request.repeat,
            "max_tokens": self.limit(request),
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What holds a reply to a schema; strict where OpenAI can be: nothing is left open."""
        strict = schema.get("additionalProperties") is False
        wanted = {"name": "answer", "schema": schema, "strict": strict}
        return {self.constraining: {"type": "json_schema", "json_schema": wanted}}

    def read(self, incoming: Incoming, on_text: Callable[[str], None] | None) -> Reply:
        """What came back. Its latency is the transport's to measure. Raises: CallError."""
        return read_reply(incoming, on_text)

    def limit(self, request: Request) -> int:
        """The most tokens of a reply: of the answer, and of thinking where that has a budget."""
        return (request.max_tokens or self._target.sampling.max_tokens) + self._budget_tokens

    def whole_payload(self, request: Request, changes: Mapping[str, str | None]) -> dict[str, Any]:
        """With thinking, --body and whatever else goes along; `changes`: see `adaptable`."""
        more = self._extra
        if request.thinking is not None:
            sampling = replace(self._target.sampling, thinking=request.thinking)
            more = more | endpoints.parameters(replace(self._target, sampling=sampling), self._kind)
        more = more | request.body
        theirs = request.schema_in_words and self.constraining in more  # with --body
        if request.answer_schema is not None and not theirs:
            more = endpoints.merged(more, self.constrained(request.answer_schema))
        payload = self.payload(request) | more
        if not changes:
            return payload
        kept = {changes.get(name, name): value for name, value in payload.items()}
        return {name: value for name, value in kept.items() if name is not None}

    def ask(self, request: Request) -> Reply:
        """Ask until an answer comes, without what the endpoint refuses. Raises: CallError."""
        on_text = request.on_text
        show = on_text and (lambda text: on_text(self._transport.without_secrets(text)))
        while True:
            changes, in_words = self._changes, self._schema_refused and request.schema_in_words
            if in_words:
                request = request.in_words()
            payload = self.whole_payload(request, changes)
            body, read = to_body(payload, request.images), partial(self.read, on_text=show)
            try:
                call = self._transport.post(self.path, body, read)
                break
            except Filtered as error:
                reply = Reply(
                    text="",
                    refusal=error.problem,
                    finish_reason="content_filter",
                    effort=error.effort,
                )
                self._log(request, payload, reply)
                return reply
            except CallError as error:
                self._log(request, payload, error.as_failure())
                if not isinstance(error, RequestRefused):
                    raise
                if not self._adapt(request, error, changes):
                    raise
        reply = replace(
            call.value,
            text=self._transport.without_secrets(call.value.text),
            latency_s=call.latency_s,
            effort=call.effort,
            image_cached=bool(request.images) and self._is_image_cached(call.value),
            adapted=(
                *(f"{old}: {new or LEFT_OUT}" for old, new in changes.items()),
                *([IN_WORDS] if in_words else []),
            ),
        )
        if self._target.sampling.thinking == "off" and reply.thought:
            reply = self._noted(reply, THOUGHT_ANYWAY)
        if request.answer_schema is not None and not reply.truncated and not _is_json(reply.text):
            reply = self._noted(reply, NOT_CONSTRAINED)
        self._log(request, payload, reply)
        return reply

    def _noted(self, reply: Reply, ignored: str) -> Reply:
        """What was asked for and not done is recorded, and said once."""
        with self._lock:
            if ignored not in self._warned:
                self._target.notify(f"WARNING: {self._target.model}: {ignored}")
            self._warned.add(ignored)
        return replace(reply, adapted=(*reply.adapted, ignored))

    def _log(self, to: Request, payload: dict[str, Any], outcome: Reply | CallFailure) -> None:
        """One call, with all its attempts, as a line of a log."""
        if self._target.log is None:
            return
        self._target.log(
            {
                "at": datetime.now(UTC),
                "prompt": to.id,
                "repeat": to.repeat,
                "address": f"{without_credentials(self._transport.base_url)}/{self.path}",
                "request": as_sent(payload, [image.sha256 for image in to.images]),
                "reply" if isinstance(outcome, Reply) else "error": msgspec.to_builtins(outcome),
            }
        )

    def _is_image_cached(self, reply: Reply) -> bool:
        """Without a preflight (hosted endpoints), more than half of the input from the cache."""
        if not reply.tokens_cached:
            return False
        if self._tokens_before_image is not None:
            return reply.tokens_cached > self._tokens_before_image
        return reply.tokens_in is not None and reply.tokens_cached * 2 > reply.tokens_in

    def _adapt(
        self, request: Request, refused: RequestRefused, tried: Mapping[str, str | None]
    ) -> bool:
        """Learn from a refusal which parameter to change. False when it names none we can.

        Raises: OptionRefused where the run would not be what was asked for.
        """
        said = refused.problem
        if not _REFUSAL.search(said):
            return False
        named = re.search(rf"\b(?:{self.constraining}|json_schema|grammar)\b", said)
        if request.answer_schema and named and not re.search(r"(?i)\bschema\b", said):
            if not request.schema_in_words:
                self._stop("--answer-format constrained", refused, TargetError)
            self._schema_refused = True
            return True
        with self._lock:
            if self._changes != tried:
                return True  # another thread has learned something meanwhile
            steering = {it: {it: None} for it in self._steering if it not in self._target.body}
            for name, change in {**self.adaptable, **steering}.items():
                if re.search(rf"\b{name}\b", said) and not change.keys() <= tried.keys():
                    if name in steering:
                        self._give_up_steering(name, refused)
                    self._changes = {**self._changes, **change}
                    return True
            return False

    def _give_up_steering(self, name: str, refused: RequestRefused) -> None:
        """Without the parameter a model that cannot think does what --thinking off asks for."""
        wanted = self._target.sampling.thinking
        of_pictures = name in endpoints.of_pictures(self._target, self._kind)
        if of_pictures and "thinking" not in refused.problem:
            self._stop(endpoints.picture_option(self._target), refused)
        if wanted != "off" and self._kind is not endpoints.UNKNOWN:
            self._stop(f"--thinking {wanted}", refused)
        self._target.notify(f"--thinking {wanted} is not sent any more: {refused.problem}")

    def _stop(
        self, option: str, refused: RequestRefused, error: type[TargetError] = OptionRefused
    ) -> None:
        raise error(
            f"{self._target.model} does not take {option}: {refused.problem}",
            fix=f"leave {option.split()[0]} out, or choose another value, endpoint or model",
        ) from refused


def _is_json(text: str) -> bool:
    with suppress(ValueError, RecursionError):
        json.loads(text.rpartition("</think>")[2])
        return True
    return False


def to_body(payload: dict[str, Any], images: Sequence[EncodedImage]) -> tuple[bytes, ...]:
    """In pieces, of which the pictures are never copied."""
    first, *rest = json.dumps(payload, ensure_ascii=False).encode().split(PICTURE_HERE.encode())
    pairs = zip(images, rest, strict=True)
    return first, *(piece for image, text in pairs for piece in (image.base64, text))


def as_sent(payload: Mapping[str, Any], sha256s: Sequence[str]) -> dict[str, Any]:
    """The request's JSON with a checksum in the place of each picture.

    >>> as_sent({"url": f"data:image/png;base64,{PICTURE_HERE}"}, ["abc"])
    {'url': 'data:image/png;base64,(sha256 abc)'}
    """
    text = json.dumps(payload)
    for sha256 in sha256s:
        text = text.replace(PICTURE_HERE, f"(sha256 {sha256})", 1)
    sent: dict[str, Any] = json.loads(text)
    return sent


@contextmanager
def open_openai(target: Target) -> Iterator[OpenAIChat]:
    """Open an OpenAI-compatible endpoint, and look whether it lists the model."""
    concurrency = target.concurrency or DEFAULT_CONCURRENCY
    with endpoints.open_transport(target, concurrency=concurrency) as transport:
        listed = endpoints.listed_models(transport, target)
        kind = endpoints.kind_of(target, (str(it.get("owned_by")) for it in listed))
        endpoints.check_pictures(target, kind.name or "openai")
        yield OpenAIChat(transport, target, kind=kind, concurrency=concurrency)
