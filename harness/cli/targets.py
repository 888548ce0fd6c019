"""From options to models that can be asked: where they live, how patiently, what they may cost."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event
from typing import Any

import msgspec
import typer
from msgspec.structs import replace

from harness import catalogue
from harness.adapters import Limits, Target, opener
from harness.adapters.endpoints import RESERVED, checked
from harness.adapters.llamacpp.files import missing_bytes
from harness.adapters.routes import Route, resolve
from harness.cli.options import JudgeOptions, LimitOptions, SamplingOptions
from harness.cli.output import say
from harness.errors import TargetError, UsageError
from harness.eyes.card import EyeCard
from harness.graders.regions import CONVENTIONS
from harness.judge import SAMPLING, Judge
from harness.records import ModelCard, Sampling
from harness.text import nearest, size_text

MORE_ROOM = 8
"""So many times the usual limit for a reply that was cut before it stated an answer."""
LOCAL_TIMEOUT_S, HOSTED_TIMEOUT_S = 600.0, 120.0
UNASKED_BYTES = 1_000_000_000
"""Larger downloads are asked about first."""


def coordinates(given: str, card: ModelCard | None, eye_card: EyeCard | None = None) -> str | None:
    """The convention of boxes and points; `auto` is what the sight test found, else what the
    catalogue says of the model.

    Raises: UsageError for a name that is none.
    """
    if given == "auto" and eye_card is not None and eye_card.coordinates:
        return eye_card.coordinates
    if given == "auto":
        return card.coordinates.value if card and card.coordinates else None
    if given not in CONVENTIONS:
        near = ", ".join(nearest(given, CONVENTIONS)) or ", ".join(CONVENTIONS[:4])
        raise UsageError(
            f"--coordinates {given!r} is no convention of coordinates",
            fix=f"take auto, or one like {near}",
        )
    return given


def sampling(options: SamplingOptions) -> Sampling:
    given, usual = options.max_tokens, Sampling()
    return Sampling(
        temperature=options.temperature,
        seed=options.seed,
        max_tokens=given or usual.max_tokens,
        max_tokens_retry=None if given else MORE_ROOM * usual.max_tokens,
        thinking=checked(options.thinking),
    )


def body(given: Sequence[str]) -> dict[str, Any]:
    """
    >>> body(["top_k=40", 'stop=["END"]'])
    {'top_k': 40, 'stop': ['END']}
    """
    found: dict[str, Any] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not re.fullmatch(r"\w+", key):
            raise UsageError(f"--body {text!r} is not KEY=JSON", fix="write e.g. --body top_k=40")
        if key in RESERVED or key in found:
            why = RESERVED.get(key, "it is given twice")
            raise UsageError(f"--body {key}: {why}", fix=f"leave --body {key} out")
        try:
            found[key] = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise UsageError(
                f"--body {key}: {value!r} is not JSON ({error})",
                fix=f"""write a text in quotes: --body '{key}="text"'""",
            ) from error
    return found


def image_tokens(text: str | None) -> tuple[int, int] | None:
    """
    >>> image_tokens("280"), image_tokens("256-1120"), image_tokens(None)
    ((280, 280), (256, 1120), None)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text.strip())
    fewest, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= fewest <= most:
        raise UsageError(
            f"--image-tokens {text!r} is neither a number nor a range from low to high",
            fix="give --image-tokens 280 or --image-tokens 256-1120",
        )
    return fewest, most


def with_limits(route: Route, options: LimitOptions) -> Route:
    limits = Limits(
        timeout_s=options.timeout or (LOCAL_TIMEOUT_S if route.local else HOSTED_TIMEOUT_S),
        tries=options.tries,
        max_wait_s=options.max_wait,
    )
    return replace(route, target=replace(route.target, limits=limits))


def confirm_download(route: Route, *, yes: bool, may_ask: bool = True) -> None:
    """Ask before more than a gigabyte of weights is downloaded.

    Raises: TargetError when the answer is no, or nobody is there to answer.
    """
    source = route.target.weights
    if yes or source is None or route.target.gguf is not None or route.backend != "llamacpp":
        return
    size_bytes = missing_bytes(source)
    if size_bytes <= UNASKED_BYTES:
        return
    what = f"{size_text(size_bytes)} of {source.quantization} weights from {source.repo}"
    if may_ask and sys.stdin.isatty() and typer.confirm(f"Download {what}?", err=True):
        return
    raise TargetError(f"{what} would have to be downloaded first", fix="allow it with --yes")


def open_judge(
    options: JudgeOptions, limits: LimitOptions, stack: ExitStack, stopping: Event
) -> Judge | None:
    """The judge, open until `stack` closes; None when none is named.

    Raises: UsageError, or TargetError as for any model.
    """
    scope = options.judge_scope
    if scope not in ("unread", "all"):
        raise UsageError(
            f"--judge-scope {scope!r} is neither unread nor all",
            fix="give --judge-scope unread or --judge-scope all",
        )
    if options.judge is None:
        return None
    given = Target(
        model=options.judge,
        base_url=options.judge_base_url,
        api_key_env=options.judge_api_key_env,
        gguf=options.judge_gguf,
        sampling=replace(SAMPLING, thinking=checked(options.judge_thinking, "--judge-thinking")),
        sends_pictures=options.judge_sees_image,
        stopping=stopping,
        notify=say,
    )
    route = resolve(options.judge, given, backend=options.judge_backend, catalogue=catalogue.load())
    route = with_limits(route, limits)
    adapter = stack.enter_context(opener(route.backend)(route.target))
    return Judge(
        adapter,
        options.judge,
        scope="all" if scope == "all" else "unread",
        sees_image=options.judge_sees_image,
    )
