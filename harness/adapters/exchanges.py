"""The request of a recorded call, made again for people who want to see it."""

from __future__ import annotations

import re
from typing import Any, Literal

from harness.adapters.anthropic import AnthropicChat
from harness.adapters.base import HEADER_FIELDS, Request, Target
from harness.adapters.endpoints import kind_of
from harness.adapters.llamacpp import LlamaCpp
from harness.adapters.openai import IN_WORDS, LEFT_OUT, OpenAIChat, as_sent
from harness.graders.constraints import constraint
from harness.records import EncodedImage, Record, Reply, RunHeader, ServerFacts
from harness.transport import Transport

_PNG: tuple[Literal["image/png"]] = ("image/png",)
_MORE_ROOM = re.compile(r"max_tokens: (\d+), as the first reply was cut")
_CHANGE = re.compile(rf"(\w+): (\w+|{LEFT_OUT})")


def request_of(header: RunHeader, record: Record) -> dict[str, Any]:
    """As its adapter makes it from the run's settings and what the endpoint refused.

    A run before 0.2 does not say whether a picture went as JPEG or PNG: PNG is shown.
    """
    sha256s = record.images_sha256 or tuple(filter(None, [record.image_sha256]))
    images = tuple(
        EncodedImage(data=b"", media_type=kind, width_px=0, height_px=0, sha256=it)
        for it, kind in zip(sha256s, record.media_types or _PNG * len(sha256s), strict=True)
    )
    adapted = record.outcome.adapted if isinstance(record.outcome, Reply) else ()
    more_room = next(filter(None, map(_MORE_ROOM.fullmatch, adapted)), None)
    named = record.case.options.get("schema")
    request = Request(
        id=record.case.id,
        question=record.case.question,
        images=images,
        repeat=record.repeat,
        max_tokens=int(more_room[1]) if more_room else None,
        answer_schema=constraint(record.case) if header.answer_format else named,
    )
    request = request.in_words() if IN_WORDS in adapted else request
    found = filter(None, map(_CHANGE.fullmatch, adapted))
    changes = {it[1]: None if it[2] == LEFT_OUT else it[2] for it in found}
    with Transport(header.base_url or "http://localhost") as transport:
        return as_sent(_adapter(header, transport).whole_payload(request, changes), sha256s)


def _adapter(header: RunHeader, transport: Transport) -> OpenAIChat:
    target = Target(preset=header.endpoint, **{it: getattr(header, it) for it in HEADER_FIELDS})
    if header.backend in ("llamacpp", "demo"):
        return LlamaCpp(transport, target, header.server or ServerFacts())
    made = AnthropicChat if header.backend == "anthropic" else OpenAIChat
    return made(transport, target, kind=kind_of(target))
