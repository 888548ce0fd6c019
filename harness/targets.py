"""From options to a model that can be asked: where it lives, how it is asked, how patiently.

Prints nothing and asks nobody: what goes on is given to `say`, and what needs a yes to `confirm`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from threading import Event
from typing import Any

import msgspec
from msgspec import structs

from harness import catalogue
from harness.adapters import Adapter, Target
from harness.adapters.endpoints import RESERVED, checked
from harness.adapters.llamacpp.weights import missing_bytes, quantized
from harness.adapters.replicas import open_replicas
from harness.adapters.routes import Route, opener, resolve
from harness.errors import TargetError, UsageError, reworded
from harness.graders.regions import CONVENTIONS
from harness.judge import SAMPLING, Judge
from harness.options import (
    JudgeOptions,
    LimitOptions,
    LogOptions,
    ModelOptions,
    PlacementOptions,
    SamplingOptions,
)
from harness.records import Fact, ModelCard, Sampling
from harness.text import inert, nearest, size_text
from harness.transport import Limits, api_root

Say = Callable[[str], None]
Confirm = Callable[[str], bool]

MORE_ROOM = 8
"""So many times the usual limit for a reply that was cut before it stated an answer."""
LOCAL_TIMEOUT_S, HOSTED_TIMEOUT_S = 600.0, 120.0
UNASKED_BYTES = 1_000_000_000
"""Larger downloads are asked about first."""


def silent(_: str) -> None:
    """For whoever wants to hear nothing."""


def reach(
    model: ModelOptions,
    sampling: SamplingOptions,
    limits: LimitOptions,
    *,
    known: catalogue.Catalogue | None = None,
    stopping: Event,
    say: Say = silent,
    **more: Any,
) -> Route:
    """The route to the model from here, now; `more` are further fields of its target.

    Raises: UsageError for an option that cannot be sent; TargetError when no route is open.
    """
    known, name, backend = known or catalogue.load(), model.one or "", model.backend
    for option, text in (("--model", name), ("--system", sampling.system or "")):
        if re.search("[\ud800-\udfff]", text):
            raise UsageError(f"{option} is not valid UTF-8: {text!r}", fix="write it in UTF-8")
    card = known.get(name)
    given = Target(
        model=name,
        base_url=next(iter(addresses_of(model)), None),
        server_args=tuple(model.server_arg),
        **{it: getattr(model, it) for it in ("api_key_env", "gguf", "mmproj", "replay")},
        **{it: getattr(limits, it) for it in ("cold", "concurrency")},
        stopping=stopping,
        notify=say,
        **(_asked(with_entry(sampling, card)) | more),
    )
    if model.quant is not None:
        given, card = quantized(given, card, model.quant)
        if card is not None:
            known = structs.replace(known, cards={**known.cards, card.name: card})
        backend = backend or ("llamacpp" if given.gguf is None else None)
    return _limited(resolve(model.one, given, backend=backend, catalogue=known), limits)


def _limited(route: Route, limits: LimitOptions) -> Route:
    if limits.max_cost is not None and route.price is None:
        raise UsageError(
            f"--max-cost needs a price, and none is known for {route.target.model!r} here",
            fix="leave --max-cost out, or put the price into evalrun.toml",
        )
    patience = Limits(
        timeout_s=limits.timeout or (LOCAL_TIMEOUT_S if route.local else HOSTED_TIMEOUT_S),
        tries=limits.tries,
        max_wait_s=limits.max_wait,
    )
    return structs.replace(route, target=structs.replace(route.target, limits=patience))


def addresses(given: Sequence[str], models: Sequence[str]) -> dict[str | None, list[str]]:
    """`--base-url URL` and `NAME=URL`: model -> its servers; under None those of all others.

    Raises: UsageError for a model that is not asked, or one address twice.
    """
    found: dict[str | None, list[str]] = {}
    for text in given:
        name, sign, url = text.partition("=")
        key, url = (name, url) if sign and "://" not in name else (None, text)
        stranger = key is not None and key not in models
        if stranger or url in found.setdefault(key, []):
            why = "names a model that is not asked" if stranger else "is given twice"
            raise UsageError(
                f"--base-url {text!r} {why}", fix="give each --model its own: --base-url NAME=URL"
            )
        found[key].append(url)
    return found


def addresses_of(model: ModelOptions) -> list[str]:
    """Of the one model that is asked."""
    found = addresses(model.base_url, [model.one or ""])
    return found.get(model.one) or found.get(None, [])


def check_placement(options: PlacementOptions, route: Route) -> None:
    """Raises: UsageError or TargetError, before anything is started."""
    if options.replicas > 1 and not route.starts_a_server and options.ray is None:
        raise UsageError(
            "--replicas is for servers that evalrun starts, and this one runs already",
            fix="name each server: --base-url URL --base-url URL",
        )
    if options.ray is not None:
        from harness.cluster import driver  # Ray is loaded only where it is asked for

        driver.connect(options.ray)


@contextmanager
def opened(
    target: Target, backend: str, options: PlacementOptions, model: ModelOptions
) -> Iterator[Adapter]:
    """The model, on one server or several, here or on the nodes of a cluster."""
    opens = opener(backend)
    if options.ray is not None:
        from harness.cluster import driver

        opens = driver.opener_on(backend, driver.resources(options.num_gpus, target))
    urls = addresses_of(model)
    each = [structs.replace(target, base_url=api_root(it)) for it in urls[1:]]
    each = [target, *each] if each else [target] * options.replicas
    with opens(target) if len(each) == 1 else open_replicas(opens, each) as adapter:
        yield adapter


def of_entry(options: SamplingOptions, card: ModelCard | None) -> dict[str, Fact[Any]]:
    """The settings of the model's own entry in the catalogue that no option overrides."""
    left = [it.name for it in fields(options) if getattr(options, it.name) in (None, [])]
    return {name: fact for name in left if (fact := getattr(card, name, None)) is not None}


def with_entry(options: SamplingOptions, card: ModelCard | None) -> SamplingOptions:
    """The options, completed by the model's own entry."""
    as_typed = {"thinking": str, "image_tokens": str, "body": list}  # a number may stand there
    values = {
        name: as_typed[name](fact.value) if name in as_typed else fact.value
        for name, fact in of_entry(options, card).items()
    }
    return replace(options, **values)


def confirm_download(route: Route, *, yes: bool, confirm: Confirm | None = None) -> None:
    """Ask before more than a gigabyte of weights is downloaded.

    Raises: TargetError when the answer is no, or nobody is there to answer.
    """
    source = route.target.weights
    if yes or source is None or route.target.gguf is not None or not route.starts_a_server:
        return
    size_bytes = missing_bytes(source)
    what = f"{size_text(size_bytes)} of {source.quantization} weights from {source.repo}"
    if size_bytes > UNASKED_BYTES and not (confirm and confirm(f"Download {what}?")):
        raise TargetError(f"{what} would have to be downloaded first", fix="allow it with --yes")


def open_log(options: LogOptions, stack: ExitStack) -> Callable[[dict[str, Any]], None] | None:
    """Takes an exchange; None when nobody wants them. The file is closed with `stack`.

    Raises: UsageError for a file that cannot be written.
    """
    if options.log is None and not options.verbose:
        return None
    with reworded(UsageError, f"--log {options.log}", "name a file you may write to", OSError):
        # Unbuffered: a line is one write, which no other thread's can break into.
        file = stack.enter_context(options.log.open("ab", buffering=0)) if options.log else None

    def write(exchange: dict[str, Any]) -> None:
        line = msgspec.json.encode(exchange)
        if file is not None and not file.closed:
            file.write(line + b"\n")
        if options.verbose:
            sys.stderr.write(inert(line.decode()) + "\n")

    return write


def open_judge(
    options: JudgeOptions, limits: LimitOptions, stack: ExitStack, stopping: Event, say: Say
) -> Judge | None:
    """The judge, open until `stack` closes; None when none is named.

    Raises: UsageError, or TargetError as for any model.
    """
    if options.judge is None:
        return None
    model = ModelOptions(
        model=[options.judge],
        base_url=[options.judge_base_url] if options.judge_base_url else [],
        **{it: getattr(options, f"judge_{it}") for it in ("api_key_env", "gguf", "backend")},
    )
    sampling = SamplingOptions(
        thinking=checked(options.judge_thinking, "--judge-thinking"),
        **{it: getattr(SAMPLING, it) for it in ("temperature", "seed", "max_tokens")},
    )
    limits = replace(limits, concurrency=None, cold=False, max_cost=None)
    sees = options.judge_sees_image
    route = reach(model, sampling, limits, stopping=stopping, say=say, sends_pictures=sees)
    adapter = stack.enter_context(opener(route.backend)(route.target))
    return Judge(adapter, options.judge, scope=options.judge_scope, sees_image=sees)


def coordinates(given: str, *, found: str | None = None, card: ModelCard | None) -> str | None:
    """The convention of boxes and points; `auto` is what the sight test `found`, else what the
    catalogue says of the model.

    Raises: UsageError for an unknown convention.
    """
    if given == "auto":
        return found or (card.coordinates.value if card and card.coordinates else None)
    if given not in CONVENTIONS:
        near = ", ".join(nearest(given, CONVENTIONS) or CONVENTIONS[:4])
        raise UsageError(
            f"--coordinates {given!r} is no convention of coordinates",
            fix=f"take auto, or one like {near}",
        )
    return given


def _asked(options: SamplingOptions) -> dict[str, Any]:
    """The fields of a target that say how it is asked."""
    usual = Sampling()
    given = {
        name: value
        for name in ("temperature", "seed", "max_tokens", "thinking")
        if (value := getattr(options, name)) is not None
    }
    checked(given.get("thinking", usual.thinking))
    if (side_px := options.image_max_side) in range(1, 16):
        raise UsageError(
            f"--image-max-side {side_px} leaves nothing to see", fix="give 16 or more; 0: no limit"
        )
    retry = None if "max_tokens" in given else MORE_ROOM * usual.max_tokens
    return {
        "sampling": Sampling(**given, max_tokens_retry=retry),
        "system": options.system,
        "body": body(options.body),
        "image_tokens": image_tokens(options.image_tokens),
        "image_detail": options.image_detail,
    }


def body(given: Sequence[str]) -> dict[str, Any]:
    """
    >>> body(["top_k=40", 'stop=["END"]'])
    {'top_k': 40, 'stop': ['END']}
    """
    found: dict[str, Any] = {}
    for text in given:
        key, _, value = text.partition("=")
        if why := RESERVED.get(key) or ("it is given twice" if key in found else None):
            raise UsageError(f"--body {key}: {why}", fix=f"leave --body {key} out")
        try:
            found[key] = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise UsageError(
                f"--body {text!r} is not KEY=JSON ({error})",
                fix="write e.g. --body top_k=40, and a text in quotes: --body 'user=\"me\"'",
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
