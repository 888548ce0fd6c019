"""The request of a recorded call, made again for people who want to see it."""

from __future__ import annotations

from typing import Any

from harness.adapters.base import Request, Target
from harness.adapters.chat import as_sent
from harness.adapters.openai import OpenAIChat
from harness.adapters.thinking import kind_of
from harness.records import EncodedImage, Record, RunHeader
from harness.transport import Transport


def request_of(header: RunHeader, record: Record) -> dict[str, Any]:
    """As the run's settings make it; parameters that only its endpoint takes are not recorded."""
    target = Target(
        model=header.model,
        base_url=header.base_url or "http://localhost",
        sampling=header.sampling,
        system=header.system,
        image_detail=header.image_detail,
    )
    sha256s = record.images_sha256 or tuple(filter(None, [record.image_sha256]))
    images = tuple(
        EncodedImage(data=b"", media_type="image/png", width_px=0, height_px=0, sha256=it)
        for it in sha256s
    )
    request = Request(
        id=record.case.id, question=record.case.question, images=images, repeat=record.repeat
    )
    with Transport(target.base_url or "") as transport:
        return as_sent(
            OpenAIChat(transport, target, kind=kind_of(target)).payload(request), sha256s
        )
