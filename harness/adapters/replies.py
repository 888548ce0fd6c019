"""What comes back from a chat-completions endpoint, streamed or whole, read into a reply.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from harness.errors import BadReply, CallError, ServerFault
from harness.records import Reply, ServerTimings
from harness.text import one_line, valid_unicode
from harness.transport import ErrorInside, Incoming, quoted

_USAGE_WAIT_S, _END_WAIT_S = 5.0, 0.2
"""How long a finished answer waits for the usage that should follow it, and with it for the end."""
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
"""Parts of the content that are thoughts, and where a block of thought has its words."""
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
    if draft.finish_reason is None and not (incoming.done and draft.text):
        raise BadReply(
            "the stream broke off before the model had finished", fix="look into the server's log"
        )
    return draft.reply()


def from_body(body: Any) -> Reply:
    """A whole `chat.completion` object. Raises: CallError, ErrorInside."""
    draft = Draft()
    take(body, draft)
    choices = body.get("choices")
    if not choices or not (draft.finish_reason or isinstance(choices[0].get("message"), dict)):
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
    parts = content if isinstance(content, list) else []
    inside = [it for it in parts if isinstance(it, dict) and it.get("type") in _THINKING]
    thoughts = (_thought(it) for it in (*map(message.get, _THOUGHTS), inside) if it)
    draft.text.append(_text(content))
    draft.reasoning.append(next(filter(None, thoughts), ""))
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
        parts = [it for it in content if isinstance(it, dict) and it.get("type") not in _THINKING]
        return "".join(it["text"] for it in parts if isinstance(it.get("text"), str))
    return content if isinstance(content, str) else ""


def _thought(value: Any) -> str:
    """A string, or a list of blocks, which name their text in one of several ways."""
    if not isinstance(value, list):
        return _text(value)
    texts = (next(filter(None, map(it.get, _WORDS)), "") for it in value if isinstance(it, dict))
    return "".join(map(_text, texts))


def _joined(parts: Sequence[Any], longest: int | None = None) -> str | None:
    """As text that can be stored, where every part is text, and some is there."""
    whole = "".join(parts) if all(isinstance(it, str) for it in parts) else ""
    whole = whole if whole.isascii() else valid_unicode(whole)
    return whole[:longest] or None


def _timings(timings: Any) -> ServerTimings | None:
    known = {it: timings[it] for it in ServerTimings.__struct_fields__ if it in as_dict(timings)}
    if not known or not all(it is None or _is_amount(it) for it in known.values()):
        return None
    with suppress(msgspec.ValidationError):  # another server's idea of timings: not ours to guess
        return msgspec.convert(known, ServerTimings)
    return None


def raise_if_failed(finish_reason: Any, text: str) -> None:
    """Raises: ServerFault for a generation that broke off, whatever text came with it."""
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


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_count(value: Any) -> int | None:
    return value if type(value) is int and _is_amount(value) else None


def _is_amount(value: Any) -> bool:
    """A number that can be what it says it is: of tokens, or of milliseconds."""
    return type(value) in (int, float) and 0 <= value < _MOST_COUNT
