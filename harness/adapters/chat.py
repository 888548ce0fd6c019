"""What all models behind an HTTP API have in common: the key, the call, what a refusal teaches."""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from harness.adapters.base import Request, Target
from harness.adapters.resolution import of_pictures, option
from harness.adapters.thinking import EndpointKind, budget_of, merged, parameters
from harness.errors import CallError, RequestRefused, ServerFault, TargetError
from harness.records import EncodedImage, Reply, ServerFacts
from harness.text import one_line
from harness.transport import Call, Incoming, Transport, without_credentials

DEFAULT_CONCURRENCY = 8
PICTURE_HERE = f"picture-{secrets.token_hex(16)}"
"""Stands for the base64 text while the rest is turned into JSON; splicing 300 KB is nearly free."""
_REFUSAL = re.compile(
    r"not (?:be )?(?:support|allow|permit)|unsupport|unrecogni|unknown|unexpected|extra|instead"
    r"|deprecated|does not|cannot|only|may not|must be|should be|invalid|no longer|out of range",
    re.IGNORECASE,
)
_MOST_COUNT = 2.0**53
"""Whole numbers beyond it are no longer told apart by programs that read JSON as floats."""

RESERVED: Mapping[str, str] = {
    "model": "the model is named by --model",
    "messages": "the suite asks the questions",
    "system": "give --system",
    "temperature": "give --temperature",
    "seed": "give --seed",
    "max_tokens": "give --max-tokens",
    "max_completion_tokens": "give --max-tokens",
    "stream": "replies are streamed, to be timed",
    "stream_options": "replies are streamed, to be timed",
    "n": "one reply is read; give --repeats",
    "cache_prompt": "give --cold",
    "id_slot": "slots are dealt out by picture",
}
"""Request parameters that are ours to set -> what to do instead."""
FAILED = frozenset(
    [
        "error",
        "abort",
        "aborted",
        "failed",
        "cancelled",
        "canceled",
        "exception",
        "timeout",
        "other",
        "model_error",
        "server_error",
        "internal_error",
        "network_error",
        "insufficient_system_resource",
        "engine_overloaded",
        "malformed_function_call",
        "malformed_response",
        "unexpected_tool_call",
        "finish_reason_unspecified",
    ]
)
"""Finish reasons that mean: generation broke off, whatever stands in the content."""
LEFT_OUT = "left out"
THOUGHT_ANYWAY = "thinking: off was asked for, and reasoning came all the same"
NOT_CONSTRAINED = "answer format: a schema was sent, and the reply is no JSON all the same"


class ChatModel:
    """One model behind one endpoint. Threads share it. A subclass knows the wire."""

    shards_by_picture = False
    path: ClassVar[str]
    adaptable: ClassVar[Mapping[str, Mapping[str, str | None]]]
    """A parameter a model may refuse -> what becomes of it (None: left out)."""
    constraining: ClassVar[str]
    """The parameter that carries a schema of the reply."""

    def __init__(
        self,
        transport: Transport,
        target: Target,
        *,
        kind: EndpointKind | None = None,
        extra: Mapping[str, Any] | None = None,
        tokens_before_image: int | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        backend: str = "openai",
        server: ServerFacts | None = None,
    ) -> None:
        """`kind`: None for an endpoint of which nothing is known. `extra`: further request
        parameters. `tokens_before_image`: see `Reply.image_cached`.

        Raises: UsageError for --thinking or --body that this endpoint cannot be sent.
        """
        self._transport, self._target = transport, target
        self._model_id = target.model_id or target.model
        self._kind, self.kind_name = kind, kind.name if kind else ""
        self._steering = parameters(target, kind)
        self._extra = {**(extra or {}), **self._steering}
        self._budget_tokens = budget_of(target)
        self._tokens_before_image = tokens_before_image
        self._changes: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self._said: set[str] = set()
        self.concurrency, self.backend, self.server = concurrency, backend, server

    @property
    def base_url(self) -> str | None:
        return without_credentials(self._transport.base_url)

    def payload(self, request: Request) -> dict[str, Any]:
        """The request's JSON, `PICTURE_HERE` where a picture's bytes will stand."""
        raise NotImplementedError

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The parameters that hold a reply to a JSON schema."""
        raise NotImplementedError

    def whole_payload(self, request: Request, changes: Mapping[str, str | None]) -> dict[str, Any]:
        """With thinking, --body and whatever else goes along; `changes`: see `changed`."""
        more = self._extra | self._thinking_of(request) | request.body
        if request.answer_schema is not None:
            more = merged(more, self.constrained(request.answer_schema))
        return changed(self.payload(request) | more, changes)

    def read(self, incoming: Incoming) -> Reply:
        """What came back. Its latency is the transport's to measure. Raises: CallError."""
        raise NotImplementedError

    def ask(self, request: Request) -> Reply:
        while True:
            changes = self._changes
            payload = self.whole_payload(request, changes)
            try:
                body = to_body(payload, request.images)
                call = self._transport.post(self.path, body, partial(self._watched, request))
            except CallError as error:
                self._log(request, payload, error)
                if not isinstance(error, RequestRefused):
                    raise
                self._raise_if_unconstrained(request, error)
                if not self._adapt(error, changes):
                    raise
            else:
                reply = self._reply(call, changes, request)
                self._log(request, payload, reply)
                return reply

    def _log(self, to: Request, payload: dict[str, Any], outcome: Reply | CallError) -> None:
        if self._target.log is not None:
            address = f"{without_credentials(self._transport.base_url)}/{self.path}"
            self._target.log(exchange(address, to, payload, outcome))

    def _watched(self, request: Request, incoming: Incoming) -> Reply:
        if (on_text := request.on_text) is not None:
            incoming.on_text = lambda text: on_text(self._transport.without_secrets(text))
        return self.read(incoming)

    def _reply(self, call: Call[Reply], changes: Mapping[str, str | None], to: Request) -> Reply:
        adapted = [f"{old}: {new or LEFT_OUT}" for old, new in changes.items()]
        if self._target.sampling.thinking == "off" and call.value.thought:
            adapted.append(THOUGHT_ANYWAY)
            self._say_once(THOUGHT_ANYWAY)
        if to.answer_schema is not None and not call.value.truncated and not _is_json(call.value):
            adapted.append(NOT_CONSTRAINED)
            self._say_once(NOT_CONSTRAINED)
        return replace(
            call.value,
            text=self._transport.without_secrets(call.value.text),
            latency_s=call.latency_s,
            effort=call.effort,
            image_cached=bool(to.images) and is_image_cached(call.value, self._tokens_before_image),
            adapted=tuple(adapted),
        )

    def _thinking_of(self, request: Request) -> dict[str, Any]:
        if request.thinking is None:
            return {}
        sampling = replace(self._target.sampling, thinking=request.thinking)
        return parameters(replace(self._target, sampling=sampling), self._kind)

    def limit(self, request: Request) -> int:
        """The most tokens of a reply: of the answer, and of thinking where that has a budget."""
        return (request.max_tokens or self._target.sampling.max_tokens) + self._budget_tokens

    def _say_once(self, what: str) -> None:
        with self._lock:
            if what in self._said:
                return
            self._said.add(what)
        self._target.notify(f"WARNING: {self._target.model}: {what}")

    def _raise_if_unconstrained(self, request: Request, refused: RequestRefused) -> None:
        """A refusal of one case's schema is that case's error.

        Raises: TargetError when the endpoint takes no schema at all.
        """
        named = rf"\b(?:{self.constraining}|json_schema|grammar)\b"
        of_this_schema = re.search(r"\bschema\b", refused.problem, re.IGNORECASE)
        if request.answer_schema is None or of_this_schema:
            return
        if re.search(named, refused.problem) and _REFUSAL.search(refused.problem):
            raise TargetError(
                f"{self._target.model} does not take --answer-format constrained: "
                f"{refused.problem}",
                fix="leave --answer-format out, or choose another endpoint or model",
            ) from refused

    def _adapt(self, refused: RequestRefused, tried: Mapping[str, str | None]) -> bool:
        """Learn from a refusal which parameter to change. False when it names none we can."""
        with self._lock:
            if self._changes != tried:
                return True  # another thread has learned something meanwhile
            steering = {it: {it: None} for it in self._steering if it not in self._target.body}
            for name, change in {**self.adaptable, **steering}.items():
                named = re.search(rf"\b{name}\b", refused.problem)
                if named and _REFUSAL.search(refused.problem) and not change.keys() <= tried.keys():
                    if name in steering:
                        self._give_up_steering(name, refused)
                    self._changes = {**self._changes, **change}
                    return True
            return False

    def _give_up_steering(self, name: str, refused: RequestRefused) -> None:
        """Without the parameter a model that cannot think does what --thinking off asks for.

        Raises: TargetError where the run would not be what was asked for.
        """
        wanted = self._target.sampling.thinking
        pictures = of_pictures(self._target, self.kind_name)
        of_thinking = name not in pictures or "thinking" in refused.problem
        given = f"--thinking {wanted}" if of_thinking else option(self._target)
        if not of_thinking or (wanted != "off" and self._kind is not None):
            raise TargetError(
                f"{self._target.model} does not take {given}: {refused.problem}",
                fix=f"leave {given.split()[0]} out, or choose another value or model",
            ) from refused
        self._target.notify(f"{given} is not sent any more: {refused.problem}")


def _is_json(reply: Reply) -> bool:
    try:
        json.loads(reply.text.rpartition("</think>")[2])
    except (ValueError, RecursionError):
        return False
    return True


def changed(payload: dict[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any]:
    """
    >>> changed({"max_tokens": 9, "seed": 1}, {"max_tokens": "max_completion_tokens", "seed": None})
    {'max_completion_tokens': 9}
    """
    if not changes:
        return payload
    kept = {changes.get(name, name): value for name, value in payload.items()}
    return {name: value for name, value in kept.items() if name is not None}


def to_body(payload: dict[str, Any], images: Sequence[EncodedImage]) -> tuple[bytes, ...]:
    """In pieces, of which the pictures are never copied."""
    first, *rest = json.dumps(payload, ensure_ascii=False).encode().split(PICTURE_HERE.encode())
    pairs = zip(images, rest, strict=True)
    return first, *(piece for image, text in pairs for piece in (image.base64, text))


def exchange(
    address: str, request: Request, payload: Mapping[str, Any], outcome: Reply | CallError
) -> dict[str, Any]:
    """One call, with all its attempts, as a line of a log."""
    found = outcome.as_failure() if isinstance(outcome, CallError) else outcome
    return {
        "at": datetime.now(UTC),
        "prompt": request.id,
        "repeat": request.repeat,
        "address": address,
        "request": as_sent(payload, [image.sha256 for image in request.images]),
        "reply" if isinstance(found, Reply) else "error": msgspec.to_builtins(found),
    }


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


def is_image_cached(reply: Reply, tokens_before_image: int | None) -> bool:
    """Whether the picture came out of the server's cache.

    Without a preflight (hosted endpoints), more than half of the input from the cache says so.
    """
    if not reply.tokens_cached:
        return False
    if tokens_before_image is not None:
        return reply.tokens_cached > tokens_before_image
    return reply.tokens_in is not None and reply.tokens_cached * 2 > reply.tokens_in


def raise_if_failed(finish_reason: Any, text: str) -> None:
    """A generation that broke off is no answer, whatever text came with it.

    Raises: ServerFault, which is tried again.
    """
    if isinstance(finish_reason, str) and finish_reason.lower() in FAILED:
        words = f": {one_line(text, 200)}" if text.strip() else ""
        raise ServerFault(
            f"the endpoint ended the reply with finish_reason {finish_reason!r}{words}",
            fix="look at what the endpoint says, or try another one",
        )


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


def open_transport(
    target: Target,
    *,
    concurrency: int = 1,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
    patient: bool = True,
) -> Transport:
    """The transport for a target. `key`: instead of the environment's. `patient`: whether a call is
    tried again; at preflight the first failure says enough.

    Raises: TargetError when its address or key is not known.
    """
    if target.base_url is None:
        raise TargetError(
            f"nothing says where {target.model!r} is served", fix="name its URL with --base-url"
        )
    limits = target.limits
    return Transport(
        target.base_url,
        key=key or key_from(target.api_key_env),
        key_env=target.api_key_env,
        headers=headers,
        concurrency=concurrency,
        timeout_s=limits.timeout_s,
        tries=limits.tries if patient else 1,
        max_wait_s=limits.max_wait_s if patient else 0.0,
        give_up_s=limits.give_up_s if patient else 0.0,
        stopping=target.stopping,
    )


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_count(value: Any) -> int | None:
    return value if isinstance(value, int) and is_amount(value) else None


def is_amount(value: Any) -> bool:
    """A number that can be what it says it is: of tokens, or of milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < _MOST_COUNT
