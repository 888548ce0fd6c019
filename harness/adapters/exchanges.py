"""The request of a recorded call, made again for people who want to see it."""

from __future__ import annotations

import re
from typing import Any, Literal

from harness.adapters import HEADER_FIELDS, Request, Target
from harness.adapters.anthropic import AnthropicChat
from harness.adapters.endpoints import kind_of
from harness.adapters.llamacpp import LlamaCpp
from harness.adapters.openai import LEFT_OUT, OpenAIChat, as_sent
from harness.graders.inference import constraint
from harness.records import EncodedImage, Record, Reply, RunHeader, ServerFacts
from harness.transport import Transport

_PNG: tuple[Literal["image/png"]] = ("image/png",)


def request_of(header: RunHeader, record: Record) -> dict[str, Any]:
    """As its adapter makes it from the run's settings and what the endpoint refused.

    A run before 0.2 does not say whether a picture went as JPEG or PNG: PNG is shown.
    """
    sha256s = record.images_sha256 or tuple(filter(None, [record.image_sha256]))
    images = tuple(
        EncodedImage(data=b"", media_type=kind, width_px=0, height_px=0, sha256=it)
        for it, kind in zip(sha256s, record.media_types or _PNG * len(sha256s), strict=True)
    )
    adapted = "\n".join(record.outcome.adapted if isinstance(record.outcome, Reply) else ())
    more_room = re.search(r"^max_tokens: (\d+), as the first reply was cut$", adapted, re.M)
    request = Request(
        id=record.case.id,
        question=record.case.question,
        images=images,
        repeat=record.repeat,
        max_tokens=int(more_room[1]) if more_room else None,
        answer_schema=constraint(record.case)
        if header.answer_format
        else record.case.options.get("schema"),
    )
    found = re.findall(rf"^(\w+): (\w+|{LEFT_OUT})$", adapted, re.M)
    changes = {old: None if new == LEFT_OUT else new for old, new in found}
    target = Target(preset=header.endpoint, **{it: getattr(header, it) for it in HEADER_FIELDS})
    with Transport(header.base_url or "http://localhost") as transport:
        if header.backend in ("llamacpp", "demo"):
            chat: OpenAIChat = LlamaCpp(transport, target, header.server or ServerFacts())
        else:
            made = AnthropicChat if header.backend == "anthropic" else OpenAIChat
            chat = made(transport, target, kind=kind_of(target))
        return as_sent(chat.whole_payload(request, changes), sha256s)
