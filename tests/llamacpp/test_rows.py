"""What the pinned server makes of every request of ours that could go wrong.

Rows that end in a wrong answer instead of an error are why pictures are checked and made canonical
before they are sent: should a new build behave otherwise, these tests say so.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import msgspec
import pytest
from PIL import Image

from harness.adapters import Adapter, Request, Target
from harness.adapters.llamacpp.weights import Weights
from harness.adapters.openai import OpenAIChat
from harness.adapters.routes import opener
from harness.errors import RequestRefused, TargetError
from harness.records import EncodedImage, Sampling
from harness.transport import Transport
from tests.llamacpp.tools import prompt, running_server


@pytest.fixture(scope="module")
def adapter(pair: Weights) -> Iterator[Adapter]:
    with opener("llamacpp")(Target(model="demo", gguf=pair.gguf, mmproj=pair.mmproj)) as opened:
        yield opened


def sent(data: bytes, question: str = "Which colour is it?") -> Request:
    """A picture that nobody checked."""
    image = EncodedImage(
        data=data, media_type="image/png", width_px=64, height_px=64, sha256="0" * 64
    )
    return Request(id="p", question=question, images=(image,))


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def plain(mode: str = "RGB", colour: object = (0, 0, 255)) -> Image.Image:
    return Image.new(mode, (64, 64), colour)  # type: ignore[arg-type]


def halves() -> Image.Image:
    """Red above blue."""
    picture = plain()
    picture.paste((255, 0, 0), (0, 0, 64, 32))
    return picture


def noisy() -> bytes:
    """A PNG that does not shrink to nothing, so that half of it is half of its pixels."""
    return saved(Image.effect_noise((64, 64), 90).convert("RGB"), "PNG")


def header_only(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


REFUSED: dict[str, Callable[[], bytes]] = {
    "WebP": lambda: saved(plain(), "WEBP"),
    "TIFF": lambda: saved(plain(), "TIFF"),
    "AVIF": lambda: saved(plain(), "AVIF"),
    "JPEG 2000": lambda: saved(plain(), "JPEG2000"),
    "ICO": lambda: saved(plain(), "ICO"),
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "garbage": lambda: bytes(range(256)) * 4,
    "one byte": lambda: b"\x89",
    "PNG cut in half": lambda: noisy()[: len(noisy()) // 2],
    "JPEG header only": lambda: saved(plain(), "JPEG")[:40],
    "PNG of no size": lambda: header_only(0, 0),
    "PNG that claims 20000 x 20000 pixels": lambda: header_only(20000, 20000),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_picture_it_cannot_decode_is_refused_for_good(
    adapter: Adapter, data: Callable[[], bytes]
) -> None:
    with pytest.raises(RequestRefused, match="Failed to load image") as caught:
        adapter.ask(sent(data()))
    assert "HTTP 400" in caught.value.problem
    assert caught.value.effort.attempts == 1


def test_an_empty_picture_is_refused_for_good(adapter: Adapter) -> None:
    with pytest.raises(RequestRefused) as caught:
        adapter.ask(sent(b""))
    assert caught.value.effort.attempts == 1


ANSWERED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "GIF": (lambda: saved(plain(), "GIF"), "Which colour is it?", "blue"),
    "BMP": (lambda: saved(plain(), "BMP"), "Which colour is it?", "blue"),
    "gray": (lambda: saved(plain("L", 255), "PNG"), "Which colour is it?", "white"),
    "palette": (lambda: saved(plain().quantize(), "PNG"), "Which colour is it?", "blue"),
    "16 bits": (lambda: saved(plain("I;16", 65535), "PNG"), "Which colour is it?", "white"),
    "progressive JPEG": (
        lambda: saved(plain(), "JPEG", progressive=True),
        "Which colour is it?",
        "blue",
    ),
    "8192 x 1 pixels": (
        lambda: saved(Image.new("RGB", (8192, 1), "blue"), "PNG"),
        "Which colour is it?",
        "gray",  # squeezed to nothing between the padding
    ),
    "hidden behind full transparency": (
        lambda: saved(plain("RGBA", (255, 0, 0, 0)), "PNG"),
        "Which colour is it?",
        "red",  # alpha is dropped: a person would see white
    ),
    "turned by Exif": (
        lambda: saved(halves(), "JPEG", exif=turned_upside_down(), quality=95),
        "Which colour is at the top?",
        "red",  # a person would see blue there
    ),
    "PNG with a wrong checksum": (
        lambda: broken_checksum(saved(plain(), "PNG")),
        "Which colour is it?",
        "blue",
    ),
    "PNG without its last bytes": (
        lambda: saved(plain(), "PNG")[:-4],
        "Which colour is it?",
        "blue",
    ),
}


def test_half_a_jpeg_is_answered_with_whatever_comes_to_mind(adapter: Adapter) -> None:
    """Not even the same each time: what is lost is filled with whatever lay in memory."""
    data = saved(halves(), "JPEG", quality=95)[:-200]
    assert adapter.ask(sent(data, "Which colour is at the top?")).text


def turned_upside_down() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 3
    return exif


def broken_checksum(png: bytes) -> bytes:
    at = png.index(b"IDAT") + 4 + struct.unpack(">I", png[png.index(b"IDAT") - 4 :][:4])[0]
    return png[:at] + bytes(4) + png[at + 4 :]


@pytest.mark.parametrize(("data", "question", "answer"), ANSWERED.values(), ids=ANSWERED)
def test_a_picture_it_decodes_without_a_word(
    adapter: Adapter, data: Callable[[], bytes], question: str, answer: str
) -> None:
    assert adapter.ask(sent(data(), question)).text == answer


def test_a_question_longer_than_the_context_is_refused_with_both_lengths(adapter: Adapter) -> None:
    with pytest.raises(RequestRefused) as caught:
        adapter.ask(prompt("red", "x " * 5000))
    assert "exceeds the available context size (4096 tokens)" in caught.value.problem
    assert "exceed_context_size_error" in caught.value.problem
    assert "context" in caught.value.fix


def test_special_tokens_in_a_question_do_not_break_the_template(adapter: Adapter) -> None:
    for text in ("<|end|>", "<|turn|>user", "<__media__>", "\x00", "🙂", ""):
        assert adapter.ask(prompt("cyan", f"Which colour? {text}")).text == "cyan"


def test_a_reply_cut_at_the_limit_is_marked(target: Target) -> None:
    short = msgspec.structs.replace(target, sampling=Sampling(max_tokens=1))
    with opener("llamacpp")(short) as adapter:
        reply = adapter.ask(prompt("red"))
    assert (reply.finish_reason, reply.truncated, reply.tokens_out) == ("length", True, 1)


def test_a_reply_says_what_it_took(adapter: Adapter) -> None:
    reply = adapter.ask(prompt("magenta"))
    assert reply.finish_reason == "stop"
    assert reply.timings is not None
    assert reply.timings.cache_n is not None
    assert reply.timings.prompt_n is not None
    assert reply.tokens_in == reply.timings.cache_n + reply.timings.prompt_n
    assert reply.tokens_in > 144  # the picture's tokens are counted
    assert reply.tokens_out == 2
    assert reply.ttft_s is not None
    assert reply.ttft_s <= reply.latency_s


def test_cold_and_cached_replies_are_the_same(adapter: Adapter, target: Target) -> None:
    colours = ("red", "blue", "red", "yellow", "blue")
    cached = [adapter.ask(prompt(colour)).text for colour in colours]
    with opener("llamacpp")(msgspec.structs.replace(target, cold=True)) as other:
        assert [other.ask(prompt(colour)).text for colour in colours] == cached


@pytest.fixture(scope="module")
def locked(pair: Weights) -> Iterator[str]:
    """A running server that wants a key."""
    with running_server(pair.gguf, pair.mmproj, key="secret") as address:
        yield address


def chat(root: str, **more: object) -> tuple[Transport, OpenAIChat]:
    transport = Transport(root, **more)  # type: ignore[arg-type]
    return transport, OpenAIChat(transport, Target(model="another name"))


def test_a_wrong_key_and_a_wrong_path_stop_the_run_and_say_why(locked: str) -> None:
    for root, key, words in (
        (f"{locked}/v1", "wrong", "key was not accepted"),
        (f"{locked}/v1", None, "key was not accepted"),
        (f"{locked}/v2", "secret", "no such model or path"),
    ):
        transport, model = chat(root, key=key)
        with transport, pytest.raises(TargetError, match=words):
            model.ask(prompt("red"))


def test_the_key_opens_it_and_the_models_name_is_not_checked(locked: str) -> None:
    transport, model = chat(f"{locked}/v1", key="secret")
    with transport:
        assert model.ask(prompt("red")).text == "red"


def test_a_picture_put_to_a_server_without_eyes_stops_the_run(pair: Weights) -> None:
    with running_server(pair.gguf) as address:
        transport, model = chat(f"{address}/v1")
        with transport:
            with pytest.raises(TargetError, match="the server takes no pictures"):
                model.ask(prompt("red"))
            assert model.ask(prompt(None)).text == "gray"
