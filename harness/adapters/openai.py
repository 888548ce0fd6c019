"""A model behind a chat-completions endpoint (OpenAI, OpenRouter, Mistral, vLLM, llama.cpp, …):
what it is sent, and what comes back, streamed or whole.

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
from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Opened, Request, Target, endpoints
from harness.errors import (
    BadReply,
    CallError,
    OptionRefused,
    RequestRefused,
    ServerFault,
    TargetError,
)
from harness.records import CallFailure, EncodedImage, Reply, ServerTimings
from harness.text import one_line, valid_unicode
from harness.transport import (
    ErrorInside,
    Filtered,
    Incoming,
    Transport,
    quoted,
    without_credentials,
)

DEFAULT_CONCURRENCY = 8
PICTURE_HERE = f"picture-{secrets.token_hex(16)}"
"""Stands for the base64 text while the rest is turned into JSON; splicing 300 KB is nearly free."""
LEFT_OUT = "left out"
IN_WORDS = "answer format: the schema stands in the question, as the endpoint takes none"
THOUGHT_ANYWAY = "thinking: off was asked for, and reasoning came all the same"
NOT_CONSTRAINED = "answer format: a schema was sent, and the reply is no JSON all the same"
_REFUSAL = re.compile(
    r"not (?:be )?(?:support|allow|permit)|unsupport|unrecogni|unknown|unexpected|extra|instead"
    r"|deprecated|does not|cannot|only|may not|must be|should be|invalid|no longer|out of range",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"error|abort(?:ed)?|failed|cancell?ed|exception|timeout|other|\w+_error|engine_overloaded"
    r"|insufficient_system_resource|malformed_\w+|unexpected_tool_call|finish_reason_unspecified",
    re.IGNORECASE,
)
"""Finish reasons that mean: generation broke off, whatever stands in the content."""
_KEPT = ("usage", "timings", "model", "provider")
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")
"""Where servers put what the model thought; one of them is read."""
_THINKING, _WORDS = ("thinking", "reasoning"), ("text", "thinking", "summary")
"""Parts of the content that are thoughts, and where a block has its words."""
_MOST_COUNT = 2.0**53
"""Whole numbers beyond it are no longer told apart by programs that read JSON as floats."""
_USAGE_WAIT_S, _END_WAIT_S = 5.0, 0.2
"""How long a finished answer waits for the usage that should follow it, and with it for the end."""


class OpenAIChat:
    """An open model. Threads share it. A subclass may know another wire."""

    backend, path = "openai", "chat/completions"
    adaptable: ClassVar[Mapping[str, str | None]] = {
        "max_tokens": "max_completion_tokens",
        "temperature": None,
        "stream_options": None,
        "seed": None,
        "stream": None,
    }
    """A parameter a model may refuse -> its other name (None: it is left out)."""
    constraining = "response_format"
    """The parameter that carries a schema of the reply."""

    def __init__(
        self,
        transport: Transport,
        target: Target,
        *,
        kind: endpoints.EndpointKind = endpoints.UNKNOWN,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`extra`: further request parameters.

        Raises: UsageError for --thinking or --body that this endpoint cannot be sent.
        """
        self._transport, self._target, self._kind = transport, target, kind
        self._model_id = target.model_id or target.model
        self._steering = endpoints.parameters(target, kind)
        self._extra = {**(extra or {}), **self._steering}
        self._budget_tokens = endpoints.budget_of(target)
        gemini = kind.name == "gemini"  # which takes a resolution for the whole request
        self._detail = {"detail": target.image_detail} if target.image_detail and not gemini else {}
        self._changes: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self.opened = Opened(
            backend=self.backend,
            base_url=without_credentials(transport.base_url),
            endpoint=kind.name or None,
            concurrency=transport.concurrency,
        )

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

    def take(self, event: Any, draft: Draft) -> bool:
        """Add a chunk, or a whole reply, to the draft; whether it is the last of a stream.

        Raises: CallError, ErrorInside.
        """
        it = as_dict(event)
        error = it.get("error") or (event if it.get("object") == "error" else None)
        if error:
            raise ErrorInside(error)  # gateways report an upstream's error inside a 200
        choices = it.get("choices") or []
        if it is not event or not isinstance(choices, list):
            raise no_answer_in(event)
        draft.rest |= {name: it[name] for name in _KEPT if it.get(name)}
        for choice in choices[:1]:
            _take_choice(choice, draft)
        return False  # usage may follow, and [DONE] is no event

    def limit(self, request: Request) -> int:
        """The most tokens of a reply: of the answer, and of thinking where that has a budget."""
        return (request.max_tokens or self._target.sampling.max_tokens) + self._budget_tokens

    def whole_payload(self, request: Request, changes: Mapping[str, str | None]) -> dict[str, Any]:
        """With thinking, --body and whatever else goes along; `changes`: see `adaptable`."""
        schema, more = request.answer_schema, self._extra
        if schema is not None and self.constraining in changes:
            request = replace(request, question=_with_schema(request.question, schema))
        if request.thinking is not None:
            sampling = replace(self._target.sampling, thinking=request.thinking)
            more = more | endpoints.parameters(replace(self._target, sampling=sampling), self._kind)
        more = more | request.body
        theirs = request.schema_in_words and self.constraining in more  # with --body
        if schema is not None and not theirs:
            more = endpoints.merged(more, self.constrained(schema))
        sent = self.payload(request) | more
        return {new: it for old, it in sent.items() if (new := changes.get(old, old)) is not None}

    def ask(self, request: Request) -> Reply:
        """Ask until an answer comes, without what the endpoint refuses. Raises: CallError."""
        while True:
            changes = self._changes
            payload = self.whole_payload(request, changes)
            read = partial(self.read, on_text=request.on_text)
            try:
                call = self._transport.post(self.path, to_body(payload, request.images), read)
                break
            except Filtered as error:
                filtered = Reply(text="", finish_reason="content_filter", refusal=error.problem)
                filtered = replace(filtered, effort=error.effort)
                self._log(request, payload, filtered)
                return filtered
            except CallError as error:
                self._log(request, payload, error.as_failure())
                refused = isinstance(error, RequestRefused)
                if not refused or not self._adapt(request, error, changes):
                    raise
        reply = replace(
            call.value,
            text=self._transport.without_secrets(call.value.text),
            latency_s=call.latency_s,
            effort=call.effort,
            image_cached=bool(request.images) and self._is_image_cached(call.value),
            adapted=self._notes(request, changes, call.value),
        )
        self._log(request, payload, reply)
        return reply

    def read(self, incoming: Incoming, on_text: Callable[[str], None] | None = None) -> Reply:
        """Streamed if the server streams, whole if it does not, whatever was asked for.

        A finished answer is never lost. Raises: BadReply when it breaks off before its end.
        """
        draft = Draft()
        if not incoming.is_stream():
            body = incoming.json()
            self.take(body, draft)
            if draft.finish_reason is None and not draft.text:
                raise no_answer_in(body)
            return draft.reply()
        try:
            for event in incoming.events():
                last = self.take(event, draft)
                if draft.ttft_s is None and any((*draft.text, *draft.reasoning)):
                    draft.ttft_s = incoming.elapsed_s()
                if on_text is not None:
                    on_text(self._transport.without_secrets(_joined(draft.text) or ""))
                if last:
                    break
                if draft.finish_reason is not None:
                    incoming.be_quick(_END_WAIT_S if "usage" in draft.rest else _USAGE_WAIT_S)
        except (CallError, ErrorInside):
            if draft.finish_reason is None:
                raise
        if draft.finish_reason is None and not (incoming.done and draft.text):
            raise BadReply(
                "the stream broke off before the model had finished",
                fix="look into the server's log",
            )
        return draft.reply()

    def _notes(
        self, request: Request, changes: Mapping[str, str | None], reply: Reply
    ) -> tuple[str, ...]:
        """What was sent otherwise than asked for, and what was ignored, which is said once."""
        off, schema = self._target.sampling.thinking == "off", request.answer_schema
        ignored = [THOUGHT_ANYWAY] if off and reply.thought else []
        if schema is not None and self.constraining not in changes:
            ignored += [] if reply.truncated or _is_json(reply.text) else [NOT_CONSTRAINED]
        for it in ignored:
            with self._lock:
                if it not in self._warned:
                    self._target.notify(f"WARNING: {self._target.model}: {it}")
                self._warned.add(it)
        changed = [f"{old}: {new or LEFT_OUT}" for old, new in changes.items()]
        if schema is not None and self.constraining in changes:
            changed.append(IN_WORDS)
        return (*changed, *ignored)

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
        server, half = self.opened.server, (reply.tokens_in or _MOST_COUNT) / 2
        before = server.tokens_before_image if server else None
        return (reply.tokens_cached or 0) > (half if before is None else before)

    def _adapt(self, request: Request, refused: CallError, tried: Mapping[str, str | None]) -> bool:
        """Learn from a refusal which parameter to change. False when it names none we can.

        Raises: TargetError where the run would not be what was asked for.
        """
        said = refused.problem
        if not _REFUSAL.search(said):
            return False
        possible = {**self.adaptable, **dict.fromkeys(self._steering.keys() - self._target.body)}
        if request.answer_schema and not re.search(r"(?i)\bschema\b", said):
            possible[self.constraining] = None
            said = re.sub(r"\b(?:json_schema|grammar)\b", self.constraining, said)
        with self._lock:
            if self._changes != tried:
                return True  # another thread has learned something meanwhile
            found = (it for it in possible if it not in tried and re.search(rf"\b{it}\b", said))
            if (name := next(found, None)) is None:
                return False
            self._check_may_go(name, request, refused)
            self._changes = {**self._changes, name: possible[name]}
            return True

    def _check_may_go(self, name: str, request: Request, refused: CallError) -> None:
        """Raises: TargetError where without the parameter it would not be what was asked for."""
        wanted, option = f"--thinking {self._target.sampling.thinking}", ""
        error: type[TargetError] = OptionRefused
        of_pictures = name in endpoints.of_pictures(self._target, self._kind)
        if of_pictures and "thinking" not in refused.problem:
            option = endpoints.picture_option(self._target)
        elif name in self._steering:  # a model that cannot think does what `off` asks for
            if self._kind is endpoints.UNKNOWN or wanted == "--thinking off":
                self._target.notify(f"{wanted} is not sent any more: {refused.problem}")
            else:
                option = wanted
        elif name == self.constraining and not request.schema_in_words:
            option, error = "--answer-format constrained", TargetError
        if option:
            raise error(
                f"{self._target.model} does not take {option}: {refused.problem}",
                fix=f"leave {option.split()[0]} out, or choose another value, endpoint or model",
            ) from refused


class Draft(Struct):
    """A reply as far as it has come."""

    text: list[str] = []
    """One for each piece of a message, also where it is empty."""
    reasoning: list[str] = []
    refusal: list[str] = []
    finish_reason: str | None = None
    ttft_s: float | None = None
    rest: dict[str, Any] = {}
    """Usage, timings, who answered: as the wire names them."""

    def reply(self) -> Reply:
        """Raises: ServerFault when generation failed."""
        raise_if_failed(self.finish_reason, "".join(self.text))
        timings = _timings(self.rest["timings"]) if "timings" in self.rest else None
        usage = as_dict(self.rest.get("usage"))
        details = as_dict(usage.get("prompt_tokens_details"))
        thought = as_dict(usage.get("completion_tokens_details"))
        cached = timings.cache_n if timings else None
        tokens_out = as_count(usage.get("completion_tokens", usage.get("output_tokens")))
        if tokens_out == 0 and any((*self.text, *self.reasoning)):
            tokens_out = None  # somebody did not count
        return Reply(
            text=_joined(self.text) or "",
            reasoning=_joined(self.reasoning),
            refusal=_joined(self.refusal),
            finish_reason=_joined([self.finish_reason]),
            tokens_in=as_count(usage.get("prompt_tokens", usage.get("input_tokens"))) or None,
            tokens_out=tokens_out,
            tokens_reasoning=as_count(thought.get("reasoning_tokens")),
            tokens_cached=as_count(details.get("cached_tokens")) if cached is None else cached,
            ttft_s=self.ttft_s,
            timings=timings,
            image_tokens=as_count(details.get("image_tokens")),
            provider=_joined([self.rest.get("provider")], 200),
            served_model=_joined([self.rest.get("model")], 200),
        )


def _take_choice(choice: Any, draft: Draft) -> None:
    it = as_dict(choice)
    if it.get("error"):
        raise ErrorInside(it["error"])
    # Some servers send the whole message in one chunk, or again at the end.
    whole = {} if "delta" in it or any(draft.text) else it.get("message")
    message, reason = it.get("delta") or whole, it.get("finish_reason")
    if not isinstance(message, dict) and not reason:
        raise no_answer_in(choice)
    message = as_dict(message)
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    inside = [it for it in parts if as_dict(it).get("type") in _THINKING]
    text = [it for it in parts if it not in inside] if inside else content
    thoughts = map(_words, (*map(message.get, _THOUGHTS), inside))
    draft.text.append(_words(text))
    draft.reasoning.append(next(filter(None, thoughts), ""))
    draft.refusal.append(_words(message.get("refusal")))
    draft.finish_reason = _words(reason) or draft.finish_reason
    raise_if_failed(it.get("native_finish_reason"), draft.text[-1])


def _words(it: Any, depth: int = 2) -> str:
    """A text, or the texts of a list of blocks, which name theirs in one of several ways."""
    if isinstance(it, list) and depth:
        named = (next(filter(None, map(as_dict(part).get, _WORDS)), "") for part in it)
        return "".join([_words(part, depth - 1) for part in named])
    return it if isinstance(it, str) else ""


def _joined(parts: Sequence[Any], longest: int | None = None) -> str | None:
    """As text that can be stored, where every part is text, and some is there."""
    whole = "".join(parts) if all(isinstance(it, str) for it in parts) else ""
    whole = whole if whole.isascii() else valid_unicode(whole)
    return whole[:longest] or None


def _timings(given: Any) -> ServerTimings | None:
    """None for another server's idea of timings."""
    values = as_dict(given)
    known = {it: as_amount(values.get(it)) for it in ServerTimings.__struct_fields__}
    with suppress(msgspec.ValidationError):
        return msgspec.convert(known, ServerTimings) if any(known.values()) else None
    return None


def raise_if_failed(finish_reason: Any, text: str) -> None:
    """Raises: ServerFault for a generation that broke off, whatever text came with it."""
    if isinstance(finish_reason, str) and _FAILED.fullmatch(finish_reason):
        words = f": {one_line(text, 200)}" if text.strip() else ""
        raise ServerFault(
            f"the endpoint ended the reply with finish_reason {finish_reason!r}{words}",
            fix="look at what the endpoint says, or try another one",
        )


def no_answer_in(body: Any) -> BadReply:
    seen = sorted(body)[:8] if isinstance(body, dict) else body
    return BadReply(
        f"no choices or content that hold an answer in the reply, but {quoted(seen)}",
        fix="check that the base URL is that of a model's API",
    )


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_amount(value: Any) -> Any:
    """A number that can be what it says it is, of tokens or milliseconds; else None."""
    return value if type(value) in (int, float) and 0 <= value < _MOST_COUNT else None


def as_count(value: Any) -> int | None:
    return as_amount(value) if type(value) is int else None


def _is_json(text: str) -> bool:
    with suppress(ValueError, RecursionError):
        json.loads(text.rpartition("</think>")[2])
        return True
    return False


def _with_schema(question: str, schema: dict[str, Any]) -> str:
    """Where the endpoint takes no schema: nothing else holds the reply to it then."""
    text = msgspec.json.encode(schema).decode()
    return f"{question}\n\nAnswer with JSON alone, by this JSON schema:\n{text}"


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
        yield OpenAIChat(transport, target, kind=kind)
