"""What must be true of a llama.cpp server before the first question, and what it says it is."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from harness import images
from harness.adapters.base import Request
from harness.adapters.openai import as_count, as_dict
from harness.errors import (
    CallError,
    CallTimeout,
    EvalrunError,
    NoVision,
    RequestRefused,
    ServerFault,
    TargetError,
    Unreachable,
)
from harness.records import Reply, ServerFacts
from harness.transport import Transport

QUESTION = "What colour is this picture? Answer with one word."
COLOURS = {"blue": (0x00, 0x00, 0xFF), "yellow": (0xFF, 0xFF, 0x00)}
"""Of the two test pictures. Few models say either when they see nothing."""
SHADES = 40
"""So many values of each channel: a server must hardly ever meet the same picture twice."""
SIDE_PX = 224
MAX_TOKENS = 256
"""Enough for a model that thinks aloud about a plain colour."""

Ask = Callable[[Request], Reply]

_COLOUR_WORDS = re.compile(
    r"\b(black|white|gr[ae]y|red|green|blue|yellow|orange|purple|violet|magenta|pink|brown|cyan"
    r"|turquoise|beige)\b",
    re.IGNORECASE,
)
_TYPE_WORDS = re.compile(r"^(?:all |mostly )?(?P<type>\w+)(?: - (?P<size>Small|Medium|Large))?")


def read_props(transport: Transport, root: str, *, pictures: bool = True) -> dict[str, Any]:
    """The server's own description of itself.

    Raises: TargetError when it is not a llama.cpp server, or is to be sent `pictures` and takes
        none.
    """
    transport.answered_before = True  # what a 404 means here is ours to say
    try:
        props = transport.get_json(f"{root}/props")
    except (Unreachable, CallTimeout) as error:
        raise TargetError(error.problem, fix=error.fix) from error
    except CallError as error:
        raise _another_kind(root, error.problem) from error
    if not isinstance(props, dict):
        raise _another_kind(root, "its /props is not a JSON object")
    if pictures and as_dict(props.get("modalities")).get("vision") is False:
        raise NoVision(
            "the server was started without a projector: /props says vision = false",
            fix="start it with the model's own mmproj file (--mmproj FILE)",
        )
    return props


def _another_kind(root: str, why: str) -> TargetError:
    return TargetError(
        f"{root} does not describe itself as a llama.cpp server does: {why}",
        fix="for another kind of server say --backend openai",
    )


def wait_while_it_loads(transport: Transport, root: str, notify: Callable[[str], None]) -> None:
    """A running server says 503 until its weights are in memory."""
    reported = False
    while True:
        try:
            transport.get_json(f"{root}/health")
        except ServerFault as error:
            if "Loading model" not in error.problem:
                return
        except EvalrunError:
            return  # /props tells better what is wrong
        else:
            return
        if not reported:
            notify(f"{root} is still loading its model")
            reported = True
        time.sleep(0.2)


def facts(props: dict[str, Any]) -> ServerFacts:
    """What the server says of itself, as far as its build says it."""
    path, template = props.get("model_path"), props.get("chat_template")
    return ServerFacts(
        build=_string(props.get("build_info")),
        model_file=re.split(r"[/\\]", path)[-1] if isinstance(path, str) else None,
        quantization=short_type(_string(props.get("model_ftype"))),
        context_tokens=as_count(as_dict(props.get("default_generation_settings")).get("n_ctx")),
        slots=as_count(props.get("total_slots")),
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest()
        if isinstance(template, str)
        else None,
    )


def short_type(words: str | None) -> str | None:
    """llama.cpp's words for a file type, in the form that file names use.

    >>> short_type("Q4_K - Medium"), short_type("all F32"), short_type("IQ2_M - 2.7 bpw")
    ('Q4_K_M', 'F32', 'IQ2_M')
    >>> short_type("(guessed) Q8_0"), short_type("unknown, may not work")
    ('Q8_0', None)
    """
    found = _TYPE_WORDS.match(words.removeprefix("(guessed) ")) if words else None
    if found is None or found["type"] == "unknown":
        return None
    return found["type"] + (f"_{found['size'][0]}" if found["size"] else "")


def look(ask: Ask, notify: Callable[[str], None]) -> tuple[bool, Reply]:
    """Show two plain pictures, one after the other: were both colours named rightly, and the
    second reply.

    Raises: TargetError when a picture is too much for the server.
    """
    named = True
    for colour, pure in COLOURS.items():
        # A server that was running before may remember the pictures of an earlier preflight.
        reply = _shown(ask, _shade(pure))
        if named_colour(reply) != colour:
            named = False
            notify(
                f"WARNING: shown a plain {colour} picture, the model says "
                f"{' '.join(reply.text.split())[:60]!r}. Most likely pictures do not reach it, and "
                "scores will mean little. Check that the mmproj is the model's own."
            )
    return named, reply


def _shade(pure: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{abs(level - secrets.randbelow(SHADES)):02x}" for level in pure)


def named_colour(reply: Reply) -> str | None:
    """The first colour in the answer, else in the thoughts before it.

    >>> named_colour(Reply(text="It is Blue, not red.", latency_s=1))
    'blue'
    """
    for text in (reply.text, reply.reasoning or ""):
        found = _COLOUR_WORDS.search(text)
        if found is not None:
            return found[0].lower()
    return None


def _shown(ask: Ask, shade: str) -> Reply:
    picture = images.plain(shade, SIDE_PX, SIDE_PX)
    try:
        return ask(Request(id=f"preflight-{shade}", question=QUESTION, images=(picture,)))
    except CallError as error:
        if isinstance(error, RequestRefused) and "context" in error.problem:
            raise TargetError(
                f"the context is too small for a picture of {SIDE_PX} pixels: {error.problem}",
                fix="take a model with a larger context, or start your own server with a larger -c",
            ) from error
        raise TargetError(
            f"the server failed at a plain test picture: {error.problem}",
            fix="check that model and mmproj belong together, and the server's log",
        ) from error


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
