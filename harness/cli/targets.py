"""From options to models that can be asked: where they live, how patiently, what they may cost."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from threading import Event

import typer
from msgspec.structs import replace

from harness import catalogue
from harness.adapters import Limits, Target, opener
from harness.adapters.llamacpp.hub import missing_bytes
from harness.adapters.llamacpp.weights import size_text
from harness.adapters.routes import Route, resolve
from harness.cli.options import JudgeOptions, LimitOptions, SamplingOptions
from harness.cli.output import say
from harness.errors import TargetError, UsageError
from harness.graders.regions import CONVENTIONS
from harness.judge import SAMPLING, Judge
from harness.records import ModelCard, Sampling
from harness.text import nearest

LOCAL_TIMEOUT_S, HOSTED_TIMEOUT_S = 600.0, 120.0
UNASKED_BYTES = 1_000_000_000
"""Larger downloads are asked about first."""


def coordinates(given: str, card: ModelCard | None) -> str | None:
    """The convention of boxes and points; `auto` is the one of the model's card, if it has one.

    Raises: UsageError for a name that is none.
    """
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
    return Sampling(
        temperature=options.temperature, seed=options.seed, max_tokens=options.max_tokens
    )


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


def confirm_download(route: Route, *, yes: bool) -> None:
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
    if sys.stdin.isatty() and typer.confirm(f"Download {what}?", err=True):
        return
    raise TargetError(f"{what} would have to be downloaded first", fix="allow it with --yes")


def open_judge(options: JudgeOptions, stack: ExitStack, stopping: Event) -> Judge | None:
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
        sampling=SAMPLING,
        stopping=stopping,
        notify=say,
    )
    route = resolve(options.judge, given, backend=None, catalogue=catalogue.load())
    adapter = stack.enter_context(opener(route.backend)(route.target))
    return Judge(
        adapter,
        options.judge,
        scope="all" if scope == "all" else "unread",
        sees_image=options.judge_sees_image,
    )
