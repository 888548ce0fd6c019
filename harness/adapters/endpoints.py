"""The kinds of endpoints, what each is sent for --thinking, --image-tokens and --image-detail,
and the transport to one.

A processor's settings in a request (mm_processor_kwargs):
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, extra parameters of the chat.
Gemini's levels: https://ai.google.dev/gemini-api/docs/media-resolution; its chat layer documents
no field for them, and where it refuses ours the run ends with exit 2.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from harness.adapters import Target
from harness.errors import EvalrunError, TargetError, UsageError
from harness.text import nearest, one_line
from harness.transport import Transport

LEVELS = ("off", "low", "medium", "high")
_LISTING_S = 3.0
"""How long an endpoint may take to list its models."""
_BUDGET = "BUDGET"
"""Stands for the number of tokens."""
Parameters = Mapping[str, Any]

_ON, _OFF = ({"enable_thinking": it, "thinking": it} for it in (True, False))
"""Templates call the switch by one of two names."""
_EFFORT: dict[str, Parameters] = {it: {"reasoning_effort": it} for it in LEVELS}
_EFFORT["off"] = {"reasoning_effort": "none"}
_TEMPLATE: dict[str, Parameters] = {
    it: {"chat_template_kwargs": {**_ON, "reasoning_effort": it}, "reasoning_effort": it}
    for it in LEVELS
}
_TEMPLATE["off"] = {"chat_template_kwargs": _OFF}


class EndpointKind(Struct, frozen=True):
    """One kind of endpoint, and the request parameters that steer thinking there."""

    name: str
    """The catalogue's preset, or the adapter."""
    known_by: tuple[str, ...]
    """Its hosts, or what `owned_by` says of the models that such a server lists."""
    source: str
    levels: Mapping[str, Parameters] = field(default_factory=lambda: _EFFORT)
    budget: Parameters | None = None
    """With `_BUDGET` where the number goes; None: it takes none."""
    least_budget: int = 1


KINDS = (
    EndpointKind(
        "llamacpp",
        ("llamacpp",),
        "llama.cpp tools/server/README.md; budget per request: ggml-org/llama.cpp#23673",
        _TEMPLATE,
        {"chat_template_kwargs": _ON, "thinking_budget_tokens": _BUDGET},
    ),
    EndpointKind(
        "vllm",
        ("vllm",),
        "https://docs.vllm.ai/en/latest/features/reasoning_outputs.html",
        _TEMPLATE,
        {"chat_template_kwargs": _ON, "thinking_token_budget": _BUDGET},
    ),
    EndpointKind(
        "sglang",
        ("sglang",),
        "https://docs.sglang.io/docs/advanced_features/thinking_budget (a budget is a hint)",
        _TEMPLATE,
    ),
    EndpointKind("ollama", ("library",), "ollama/ollama#14820; no budget: #17566"),
    EndpointKind(
        "lmstudio",
        ("organization_owner",),
        "lmstudio-ai/lmstudio-bug-tracker#1250; no budget: #1974",
    ),
    EndpointKind(
        "openai",
        ("api.openai.com",),
        "https://platform.openai.com/docs/api-reference/chat/create (reasoning_effort)",
    ),
    EndpointKind(
        "gemini",
        ("generativelanguage.googleapis.com",),
        "https://ai.google.dev/gemini-api/docs/openai (thinking)",
        budget={"extra_body": {"google": {"thinking_config": {"thinking_budget": _BUDGET}}}},
    ),
    EndpointKind(
        "openrouter",
        ("openrouter.ai",),
        "https://openrouter.ai/docs/use-cases/reasoning-tokens",
        {it: {"reasoning": {"effort": "none" if it == "off" else it}} for it in LEVELS},
        {"reasoning": {"max_tokens": _BUDGET}},
    ),
    EndpointKind(
        "mistral", ("api.mistral.ai",), "https://docs.mistral.ai/inference/conversations/reasoning"
    ),
    EndpointKind("groq", ("api.groq.com",), "https://console.groq.com/docs/reasoning"),
    EndpointKind(
        "together",
        ("api.together.ai", "api.together.xyz"),
        "https://docs.together.ai/docs/inference/chat/reasoning",
        {**_EFFORT, "off": {"reasoning": {"enabled": False}}},
    ),
    EndpointKind(
        "anthropic",
        ("api.anthropic.com",),
        "https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
        {it: {"thinking": {"type": "adaptive"}, "output_config": {"effort": it}} for it in LEVELS}
        | {"off": {"thinking": {"type": "disabled"}}},
        {"thinking": {"type": "enabled", "budget_tokens": _BUDGET}},
        least_budget=1024,
    ),
)
UNKNOWN = EndpointKind(
    "",
    (),
    "nothing is known of it: what most servers take is sent, and the outcome reported",
    {**_EFFORT, "off": {"reasoning_effort": "none", "chat_template_kwargs": _OFF}},
    {"thinking_budget_tokens": _BUDGET, "thinking_token_budget": _BUDGET},
)
RESERVED: Mapping[str, str] = {
    "model": "the model is named by --model",
    "messages": "the suite asks the questions",
    "system": "give --system",
    "temperature": "give --temperature",
    "seed": "give --seed",
    "max_tokens": "give --max-tokens",
    "max_completion_tokens": "give --max-tokens",
    "stream": "replies are streamed, to be timed",
    "stream_options": "replies are streamed, to be timed",
    "n": "one reply is read; give --repeats",
    "cache_prompt": "give --cold",
    "id_slot": "slots are dealt out by picture",
}
"""Request parameters that are ours to set -> what to do instead."""
_NO_DETAIL = frozenset(
    ["llamacpp", "demo", "replay", "anthropic", "vllm", "sglang", "ollama", "lmstudio"]
)
"""Adapters and kinds of endpoints that ignore how closely a picture should be looked at."""
_GEMMA_TOKENS = (70, 140, 280, 560, 1120)
"""What Gemma 4 may spend on a picture: vLLM's model_executor/models/gemma4_mm.py."""
_SIDE_PX = {r"qwen-?3(\.\d)?-?vl|qwen-?3\.[5-9]": 32, r"qwen-?2(\.5)?-?vl": 28}
"""A model's name -> the side of the square that becomes one token: its patch size times its merge
size, as its preprocessor_config.json has them."""
_USUAL_SIDE_PX = 28


def kind_of(target: Target, owners: Iterable[str] = ()) -> EndpointKind:
    """The kind of an endpoint by its preset, its host, or who owns the models it lists."""
    seen = {urlsplit(target.base_url or "").hostname, *owners}
    known = (it for it in KINDS if it.name == target.preset or seen & set(it.known_by))
    return next(known, UNKNOWN)


def checked(text: str, option: str = "--thinking") -> str:
    """Raises: UsageError for what is neither a level nor a number of tokens."""
    if text in ("auto", *LEVELS) or re.fullmatch(r"[1-9]\d{0,6}", text):
        return text
    raise UsageError(
        f"{option} {text!r} is neither a level nor a number of tokens",
        fix=f"give {option} auto, {', '.join(LEVELS)}, or a number such as {option} 2048",
    )


def parameters(target: Target, kind: EndpointKind) -> dict[str, Any]:
    """What a request carries besides: the user's own --body, and what the options come to.

    Raises: UsageError for what cannot be sent there, or is set twice.
    """
    by_option = {
        f"--thinking {target.sampling.thinking}": _of_thinking(target, kind),
        picture_option(target): of_pictures(target, kind),
    }
    for option, found in by_option.items():
        for name in found.keys() & target.body.keys():
            raise UsageError(
                f"--body {name} and {option} both set {name!r}", fix="leave one of the two out"
            )
    return merged(*by_option.values()) | target.body


def budget_of(target: Target) -> int:
    """How many tokens of thinking come on top of the answer's own limit."""
    sampling = target.sampling
    if not sampling.thinking.isdecimal() or sampling.max_tokens_retry is None:
        return 0  # a --max-tokens that was given is never exceeded
    return int(sampling.thinking)


def _of_thinking(target: Target, kind: EndpointKind) -> dict[str, Any]:
    wanted, most = target.sampling.thinking, target.sampling.max_tokens
    if not wanted.isdecimal():
        return {} if wanted == "auto" else dict(kind.levels[wanted])
    if kind.budget is None or int(wanted) < kind.least_budget:
        why = f"takes no fewer than {kind.least_budget}" if kind.budget else "takes no number of"
        raise UsageError(
            f"--thinking {wanted}: {kind.name} {why} tokens",
            fix=f"give --thinking {', '.join(LEVELS)}"
            + (f", or {kind.least_budget} or more" if kind.budget else ""),
        )
    if target.sampling.max_tokens_retry is None and int(wanted) >= most:
        raise UsageError(
            f"--thinking {wanted} leaves no room for an answer within --max-tokens {most}",
            fix=f"give fewer tokens, or --max-tokens {int(wanted) + most}",
        )
    filled: dict[str, Any] = json.loads(json.dumps(kind.budget).replace(f'"{_BUDGET}"', wanted))
    return filled


def merged(one: Parameters, other: Parameters) -> dict[str, Any]:
    """
    >>> merged({"extra": {"a": 1}}, {"extra": {"b": 2}, "c": 3})
    {'extra': {'a': 1, 'b': 2}, 'c': 3}
    """
    both = {it: merged(one[it], other[it]) for it in one.keys() & other.keys()}
    return {**one, **other, **both}


def picture_option(target: Target) -> str:
    """What the user typed to say how finely pictures are looked at."""
    if target.image_tokens:
        return "--image-tokens {}-{}".format(*target.image_tokens)
    return f"--image-detail {target.image_detail}"


def of_pictures(target: Target, kind: EndpointKind) -> dict[str, Any]:
    """The request parameters that those options come to. Raises: UsageError."""
    if kind.name == "vllm" and target.image_tokens:
        return {"mm_processor_kwargs": _processor(target, *target.image_tokens)}
    if kind.name == "gemini" and target.image_detail in ("low", "high"):
        level = f"MEDIA_RESOLUTION_{target.image_detail.upper()}"
        return {"extra_body": {"google": {"media_resolution": level}}}
    return {}


def check_pictures(target: Target, kind: str, *, started: bool = False) -> None:
    """`kind`: of the endpoint, or the adapter's name; `started`: whether the server is our own.

    Raises: UsageError for a setting that an endpoint of this kind does not take.
    """
    if target.image_detail and kind in _NO_DETAIL:
        raise UsageError(
            f"--image-detail is not for {kind}, which does not take it",
            fix="leave it out; vLLM and a server that evalrun starts take --image-tokens N",
        )
    if target.image_tokens and kind != "vllm" and not started:
        fewest, most = target.image_tokens
        settings, batch = _processor(target, fewest, most), max(2048, most)
        raise UsageError(
            "--image-tokens is for vLLM, and for a server that evalrun starts: this one cannot "
            "be told",
            fix="leave it out (a hosted model may take --image-detail), or start your server so:\n"
            f"    llama-server … --image-min-tokens {fewest} --image-max-tokens {most} "
            f"--ubatch-size {batch} --batch-size {batch}\n"
            f"    vllm serve … --mm-processor-kwargs {shlex.quote(json.dumps(settings))}",
        )


def _processor(target: Target, fewest: int, most: int) -> dict[str, int]:
    """vLLM passes a setting on to a model's processor, and not all of them take the same."""
    names = f"{target.model} {target.model_id}".lower()
    if not re.search("gemma-?4", names):
        sides = (side for name, side in _SIDE_PX.items() if re.search(name, names))
        pixels = next(sides, _USUAL_SIDE_PX) ** 2
        return {"min_pixels": fewest * pixels, "max_pixels": most * pixels}
    fitting = [it for it in _GEMMA_TOKENS if fewest <= it <= most]
    if not fitting:
        raise UsageError(
            f"--image-tokens {fewest}-{most}: Gemma 4 takes one of "
            f"{', '.join(map(str, _GEMMA_TOKENS))} tokens a picture",
            fix="give one of them, such as --image-tokens 280",
        )
    return {"max_soft_tokens": fitting[-1]}


def key_from(variable: str | None) -> str | None:
    """The API key out of the environment. Raises: TargetError when the variable is not set."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key or not key.isprintable() or not key.isascii():
        what = "holds no usable key" if key else "is not set"
        raise TargetError(
            f"{variable} {what}, and this endpoint needs a key",
            fix=f"export {variable}=…, or name another variable with --api-key-env",
        )
    return key


def open_transport(
    target: Target,
    *,
    concurrency: int = 1,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
    patient: bool = True,
) -> Transport:
    """The transport for a target. `key`: instead of the environment's. `patient`: whether a call is
    tried again; at preflight the first failure says enough.

    Raises: TargetError when its address or key is not known.
    """
    if target.base_url is None:
        raise TargetError(
            f"nothing says where {target.model!r} is served", fix="name its URL with --base-url"
        )
    once = replace(target.limits, tries=1, max_wait_s=0.0, give_up_s=0.0)
    return Transport(
        target.base_url,
        target.limits if patient else once,
        key=key or key_from(target.api_key_env),
        key_env=target.api_key_env,
        headers=headers,
        concurrency=concurrency,
        stopping=target.stopping,
    )


def listed_models(
    transport: Transport, target: Target, path: str = "models"
) -> list[dict[str, Any]]:
    """What an endpoint lists; a model that is not among it is warned of before the first call."""
    with suppress(EvalrunError):
        listed, model_id = models_of(transport, _LISTING_S, path), target.model_id or target.model
        names = [str(it["id"]) for it in listed if it.get("id")]
        if names and not any(same_model(model_id, it) for it in names):
            near = nearest(model_id, names) or sorted(names)[:3]
            shown = ", ".join(one_line(it, 60) for it in near)
            target.notify(
                f"WARNING: the server does not list a model {model_id!r}; it lists {len(names)}, "
                f"among them {shown}"
            )
        return listed
    return []


def models_of(transport: Transport, timeout_s: float, path: str = "models") -> list[dict[str, Any]]:
    """What a server lists. Raises: EvalrunError when it does not say."""
    answer = transport.get_json(path, timeout_s=timeout_s)
    data = answer.get("data") if isinstance(answer, dict) else answer
    return [it for it in data if isinstance(it, dict)] if isinstance(data, list) else []


def same_model(wanted: str, listed: str) -> bool:
    """
    >>> same_model("gemma3", "gemma3:latest"), same_model("gemini-3", "models/gemini-3")
    (True, True)
    >>> same_model("claude-haiku-4-5", "claude-haiku-4-5-20251001")
    True
    """
    listed = re.sub(r"^models/|:latest$|-20\d{6}$", "", listed)
    return listed in (wanted, wanted.partition(":")[0], re.sub(r"-20\d{6}$", "", wanted))
