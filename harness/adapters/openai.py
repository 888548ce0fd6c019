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
from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import endpoints
from harness.adapters.base import Request, Target
from harness.adapters.endpoints import (
    UNKNOWN,
    EndpointKind,
    kind_of,
    listed_models,
    merged,
    open_transport,
)
from harness.errors import BadReply, CallError, OptionRefused, RequestRefused, ServerFault
from harness.records import CallFailure, EncodedImage, Reply, ServerFacts, ServerTimings
from harness.text import one_line, valid_unicode
from harness.transport import ErrorInside, Incoming, Transport, quoted, without_credentials

DEFAULT_CONCURRENCY = 8
PICTURE_HERE = f"picture-{secrets.token_hex(16)}"
"""Stands for the base64 text while the rest is turned into JSON; splicing 300 KB is nearly free."""
LEFT_OUT = "left out"
THOUGHT_ANYWAY = "thinking: off was asked for, and reasoning came all the same"
IN_WORDS = "answer format: the schema stands in the question, as the endpoint takes none"
NOT_CONSTRAINED = "answer format: a schema was sent, and the reply is no JSON all the same"
_USAGE_WAIT_S, _END_WAIT_S = 5.0, 0.2
"""How long a finished answer waits for the usage that should follow it, and with it for the end."""
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
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Where servers put what the model thought; one of them is read."""
_MOST_COUNT = 2.0**53
"""Whole numbers beyond it are no longer told apart by programs that read JSON as floats."""


class Draft(Struct):
    """A reply as far as it has come."""

    text: list[str] = []
    reasoning: list[str] = []
    refusal: list[str] = []
    finish_reason: str | None = None
    ttft_s: float | None = None
    rest: dict[str, Any] = {}
    """Usage, timings, who answered: as the wire names them."""

    def reply(self) -> Reply:
        """Raises: ServerFault when generation failed."""
        raise_if_failed(self.finish_reason, "".join(self.text))
        usage, timings = as_dict(self.rest.get("usage")), _timings(self.rest.get("timings"))
        details = as_dict(usage.get("prompt_tokens_details"))
        thought = as_dict(usage.get("completion_tokens_details"))
        cached = timings.cache_n if timings else None
        return Reply(
            text=_joined(self.text) or "",
            reasoning=_joined(self.reasoning),
            refusal=_joined(self.refusal),
            finish_reason=_joined([self.finish_reason]),
            tokens_in=as_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
            tokens_out=as_count(usage.get("completion_tokens", usage.get("output_tokens"))),
            tokens_reasoning=as_count(thought.get("reasoning_tokens")),
            tokens_cached=as_count(details.get("cached_tokens")) if cached is None else cached,
            ttft_s=self.ttft_s,
            timings=timings,
            image_tokens=as_count(details.get("image_tokens")),
            provider=_joined([self.rest.get("provider")], 200),
            served_model=_joined([self.rest.get("model")], 200),
        )


def read_stream(
    incoming: Incoming,
    take: Callable[[Any, Draft], bool],
    on_text: Callable[[str], None] | None = None,
) -> Reply:
    """The events of a reply, each added to a draft by `take`, which says whether it is the last.

    A finished answer is never lost. Raises: BadReply when it breaks off before its end.
    """
    draft = Draft()
    try:
        for event in incoming.events():
            last = take(event, draft)
            if draft.ttft_s is None and any((*draft.text, *draft.reasoning)):
                draft.ttft_s = incoming.elapsed_s()
            if on_text is not None:
                on_text(_joined(draft.text) or "")
            if last:
                break
            if draft.finish_reason is not None:
                incoming.be_quick(_END_WAIT_S if "usage" in draft.rest else _USAGE_WAIT_S)
    except (CallError, ErrorInside):
        if draft.finish_reason is None:
            raise
    if draft.finish_reason is None and not incoming.done:
        raise BadReply(
            "the stream broke off before the model had finished", fix="look into the server's log"
        )
    return draft.reply()


def from_body(body: Any) -> Reply:
    """A whole `chat.completion` object. Raises: CallError, ErrorInside."""
    draft = Draft()
    take(body, draft)
    choices = body.get("choices")
    if not choices or not isinstance(choices[0].get("message"), dict):
        raise _unlike_the_wire(body)
    return draft.reply()


def take(event: Any, draft: Draft) -> bool:
    """Add a chunk, or a whole body, to the draft. Raises: CallError, ErrorInside."""
    it = as_dict(event)
    error = it.get("error") or (event if it.get("object") == "error" else None)
    if error:
        raise ErrorInside(error)  # gateways report an upstream's error inside a 200
    choices = it.get("choices") or []
    if it is not event or not isinstance(choices, list):
        raise _unlike_the_wire(event)
    draft.rest |= {name: it[name] for name in _KEPT if it.get(name)}
    for choice in choices[:1]:
        _take_choice(choice, draft)
    return False  # usage may follow, and [DONE] is no event


def _take_choice(choice: Any, draft: Draft) -> None:
    if not isinstance(choice, dict):
        raise _unlike_the_wire(choice)
    if choice.get("error"):
        raise ErrorInside(choice["error"])
    # Some servers send the whole message in one chunk, or again at the end.
    whole = {} if "delta" in choice or any(draft.text) else choice.get("message")
    message = as_dict(choice.get("delta") or whole)
    content, reason = message.get("content"), choice.get("finish_reason")
    # Mistral's reasoning models send their thoughts as parts of the content.
    parts = content if isinstance(content, list) else []
    thoughts = [message.get(name) for name in _THOUGHTS]
    thoughts += [it.get("thinking") for it in parts if isinstance(it, dict)]
    draft.text.append(_text(content))
    draft.reasoning.append(next(filter(None, map(_text, thoughts)), ""))
    draft.refusal.append(_text(message.get("refusal")))
    draft.finish_reason = _text(reason) or draft.finish_reason
    raise_if_failed(choice.get("native_finish_reason"), draft.text[-1])


def read_reply(incoming: Incoming, on_text: Callable[[str], None] | None = None) -> Reply:
    """Streamed if the server streams, plain if it does not, whatever was asked for."""
    if incoming.is_stream():
        return read_stream(incoming, take, on_text)
    return from_body(incoming.json())


def _text(content: Any) -> str:
    """Content is a string, nothing, or a list of parts of which the text counts."""
    if isinstance(content, list):
        parts = (it.get("text") for it in content if isinstance(it, dict))
        return "".join(it for it in parts if isinstance(it, str))
    return content if isinstance(content, str) else ""


def _joined(parts: Sequence[Any], longest: int | None = None) -> str | None:
    """As text that can be stored, where every part is text, and some is there."""
    whole = "".join(parts) if all(isinstance(it, str) for it in parts) else ""
    return valid_unicode(whole)[:longest] or None


def _timings(timings: Any) -> ServerTimings | None:
    known = {it: timings[it] for it in ServerTimings.__struct_fields__ if it in as_dict(timings)}
    if not known or not all(it is None or _is_amount(it) for it in known.values()):
        return None
    with suppress(msgspec.ValidationError):  # another server's idea of timings: not ours to guess
        return msgspec.convert(known, ServerTimings)
    return None


def raise_if_failed(finish_reason: Any, text: str) -> None:
    """A generation that broke off is no answer, whatever text came with it.

    Raises: ServerFault, which is tried again.
    """
    if isinstance(finish_reason, str) and _FAILED.fullmatch(finish_reason):
        words = f": {one_line(text, 200)}" if text.strip() else ""
        raise ServerFault(
            f"the endpoint ended the reply with finish_reason {finish_reason!r}{words}",
            fix="look at what the endpoint says, or try another one",
        )


def _unlike_the_wire(body: Any) -> BadReply:
    seen = sorted(body)[:8] if isinstance(body, dict) else type(body).__name__
    return BadReply(
        f"no choices[0].message in the reply, but {quoted(seen)}",
        fix="check that the base URL is that of a chat-completions API",
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
        kind: EndpointKind = UNKNOWN,
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

    def payload(self, request: Request) -> dict[str, Any]:
        """The request's JSON, `PICTURE_HERE` where a picture's bytes will stand.

        A question without pictures is a plain string: text-only servers take nothing else.
        """
        content: str | list[dict[str, Any]] = request.question
        if request.images:
            urls = (f"data:{it.media_type};base64,{PICTURE_HERE}" for it in request.images)
            content = [
                {"type": "image_url", "image_url": {"url": it, **self._detail}} for it in urls
            ]
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
        more = self._extra | request.body
        if request.thinking is not None:
            sampling = replace(self._target.sampling, thinking=request.thinking)
            of_this_one = endpoints.parameters(replace(self._target, sampling=sampling), self._kind)
            more = self._extra | of_this_one | request.body
        theirs = request.schema_in_words and self.constraining in more  # with --body
        if request.answer_schema is not None and not theirs:
            more = merged(more, self.constrained(request.answer_schema))
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
        of_schema = rf"\b(?:{self.constraining}|json_schema|grammar)\b"
        of_this_one = re.search(r"(?i)\bschema\b", said)
        if request.answer_schema and re.search(of_schema, said) and not of_this_one:
            if not request.schema_in_words:
                self._stop("--answer-format constrained", refused)
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
        of_thinking = "thinking" in refused.problem or name not in endpoints.of_pictures(
            self._target, self._kind
        )
        if not of_thinking:
            self._stop(endpoints.picture_option(self._target), refused)
        if wanted != "off" and self._kind is not UNKNOWN:
            self._stop(f"--thinking {wanted}", refused)
        self._target.notify(f"--thinking {wanted} is not sent any more: {refused.problem}")

    def _stop(self, option: str, refused: RequestRefused) -> None:
        raise OptionRefused(
            f"{self._target.model} does not take {option}: {refused.problem}",
            fix=f"leave {option.split()[0]} out, or choose another value, endpoint or model",
        ) from refused


def _is_json(text: str) -> bool:
    try:
        json.loads(text.rpartition("</think>")[2])
    except (ValueError, RecursionError):
        return False
    return True


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


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_count(value: Any) -> int | None:
    return value if type(value) is int and _is_amount(value) else None


def _is_amount(value: Any) -> bool:
    """A number that can be what it says it is: of tokens, or of milliseconds."""
    return type(value) in (int, float) and 0 <= value < _MOST_COUNT


@contextmanager
def open_openai(target: Target) -> Iterator[OpenAIChat]:
    """Open an OpenAI-compatible endpoint, and look whether it lists the model."""
    concurrency = target.concurrency or DEFAULT_CONCURRENCY
    with open_transport(target, concurrency=concurrency) as transport:
        listed = listed_models(transport, target)
        kind = kind_of(target, (str(it.get("owned_by")) for it in listed))
        endpoints.check_pictures(target, kind.name or "openai")
        yield OpenAIChat(transport, target, kind=kind, concurrency=concurrency)
