"""The two test pictures that a server is shown before the first question."""

from __future__ import annotations

import io

from PIL import Image

from harness.adapters import Request
from harness.adapters.llamacpp import look
from harness.records import Reply


def test_no_channel_of_the_test_pictures_is_the_same_every_time() -> None:
    """A picture met again would come out of a running server's cache and pass for the prefix."""
    shown: dict[str, set[tuple[float, ...]]] = {"blue": set(), "yellow": set()}

    def ask(shown_now: Request) -> Reply:
        assert shown_now.images
        with Image.open(io.BytesIO(shown_now.images[0].data)) as picture:
            level = picture.convert("RGB").getpixel((0, 0))
        assert isinstance(level, tuple)
        colour = "blue" if level[2] > 128 else "yellow"
        shown[colour].add(level)
        return Reply(text=colour, latency_s=0.1)

    for _ in range(12):
        named, _ = look(ask, print)
        assert named

    for levels in shown.values():
        for channel in zip(*levels, strict=True):
            assert len(set(channel)) > 1
