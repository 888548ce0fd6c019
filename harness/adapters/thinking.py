"""How much a model thinks before it answers, as each kind of endpoint takes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from harness.adapters import resolution
from harness.adapters.base import Target
from harness.errors import UsageError

LEVELS = ("off", "low", "medium", "high")
_BUDGET = "BUDGET"
"""Stands for the number of tokens."""
Parameters = Mapping[str, Any]


class EndpointKind(Struct, frozen=True, kw_only=True):
    """One kind of endpoint, and the request parameters that steer thinking there."""

    name: str
    """The catalogue's preset, or the adapter."""
    hosts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """What `owned_by` says of the models that such a server lists."""
    levels: Mapping[str, Parameters]
    budget: Parameters | None = None
    """With `_BUDGET` where the number goes; None: it takes none."""
    least_budget: int = 1
    source: str


def _effort(**words: str) -> dict[str, Parameters]:
    return {level: {"reasoning_effort": word} for level, word in words.items()}


def _template(**more: Any) -> Parameters:
    """Templates call the switch by one of two names."""
    return {"chat_template_kwargs": {"enable_thinking": True, "thinking": True, **more}}


_NO_THINKING: Parameters = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
_ANY_EFFORT = _effort(off="none", low="low", medium="medium", high="high")
_TEMPLATE_EFFORT = {
    "off": _NO_THINKING,
    **{it: {**_template(reasoning_effort=it), "reasoning_effort": it} for it in LEVELS[1:]},
}

KINDS = (
    EndpointKind(
        name="llamacpp",
        owners=("llamacpp",),
        levels=_TEMPLATE_EFFORT,
        budget={**_template(), "thinking_budget_tokens": _BUDGET},
        source="llama.cpp tools/server/README.md; budget per request: ggml-org/llama.cpp#23673",
    ),
    EndpointKind(
        name="vllm",
        owners=("vllm",),
        levels=_TEMPLATE_EFFORT,
        budget={**_template(), "thinking_token_budget": _BUDGET},
        source="https://docs.vllm.ai/en/latest/features/reasoning_outputs.html",
    ),
    EndpointKind(
        name="sglang",
        owners=("sglang",),
        levels=_TEMPLATE_EFFORT,
        source="https://docs.sglang.io/docs/advanced_features/thinking_budget (a budget is a hint)",
    ),
    EndpointKind(
        name="ollama",
        owners=("library",),
        levels=_ANY_EFFORT,
        source="ollama/ollama#14820: reasoning_effort, none included; no budget: #17566",
    ),
    EndpointKind(
        name="lmstudio",
        owners=("organization_owner",),
        levels=_ANY_EFFORT,
        source="lmstudio-ai/lmstudio-bug-tracker#1250; no budget: #1974",
    ),
    EndpointKind(
        name="openai",
        hosts=("api.openai.com",),
        levels=_ANY_EFFORT,
        source="https://platform.openai.com/docs/api-reference/chat/create (reasoning_effort)",
    ),
    EndpointKind(
        name="gemini",
        hosts=("generativelanguage.googleapis.com",),
        levels=_ANY_EFFORT,
        budget={"extra_body": {"google": {"thinking_config": {"thinking_budget": _BUDGET}}}},
        source="https://ai.google.dev/gemini-api/docs/openai (thinking)",
    ),
    EndpointKind(
        name="openrouter",
        hosts=("openrouter.ai",),
        levels={it: {"reasoning": {"effort": it}} for it in LEVELS[1:]}
        | {"off": {"reasoning": {"effort": "none"}}},
        budget={"reasoning": {"max_tokens": _BUDGET}},
        source="https://openrouter.ai/docs/use-cases/reasoning-tokens",
    ),
    EndpointKind(
        name="mistral",
        hosts=("api.mistral.ai",),
        levels=_ANY_EFFORT,
        source="https://docs.mistral.ai/inference/conversations/reasoning",
    ),
    EndpointKind(
        name="groq",
        hosts=("api.groq.com",),
        levels=_ANY_EFFORT,
        source="https://console.groq.com/docs/reasoning (reasoning_effort)",
    ),
    EndpointKind(
        name="together",
        hosts=("api.together.ai", "api.together.xyz"),
        levels={it: {"reasoning_effort": it} for it in LEVELS[1:]}
        | {"off": {"reasoning": {"enabled": False}}},
        source="https://docs.together.ai/docs/inference/chat/reasoning",
    ),
    EndpointKind(
        name="anthropic",
        hosts=("api.anthropic.com",),
        levels={
            it: {"thinking": {"type": "adaptive"}, "output_config": {"effort": it}}
            for it in LEVELS[1:]
        }
        | {"off": {"thinking": {"type": "disabled"}}},
        budget={"thinking": {"type": "enabled", "budget_tokens": _BUDGET}},
        least_budget=1024,
        source="https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
    ),
)
_UNKNOWN = EndpointKind(
    name="",
    levels={
        "off": {**_ANY_EFFORT["off"], **_NO_THINKING},
        **{it: _ANY_EFFORT[it] for it in LEVELS[1:]},
    },
    budget={"thinking_budget_tokens": _BUDGET, "thinking_token_budget": _BUDGET},
    source="nothing is known of it: what most servers take is sent, and the outcome reported",
)


def checked(text: str, option: str = "--thinking") -> str:
    """Raises: UsageError for what is neither a level nor a number of tokens."""
    if text in ("auto", *LEVELS) or re.fullmatch(r"[1-9]\d{0,6}", text):
        return text
    raise UsageError(
        f"{option} {text!r} is neither a level nor a number of tokens",
        fix=f"give {option} auto, {', '.join(LEVELS)}, or a number such as {option} 2048",
    )


def kind_of(target: Target, owners: Iterable[str] = ()) -> EndpointKind | None:
    """The kind of an endpoint by its preset, its host, or who owns the models it lists."""
    host = urlsplit(target.base_url or "").hostname or ""
    listed = set(owners)
    for kind in KINDS:
        if kind.name == target.preset or host in kind.hosts or listed & set(kind.owners):
            return kind
    return None


def parameters(target: Target, kind: EndpointKind | None) -> dict[str, Any]:
    """What a request carries besides: the user's own --body, and what the options come to.

    Raises: UsageError for a level that the endpoint does not take, or a key given twice.
    """
    wanted, kind = target.sampling.thinking, kind or _UNKNOWN
    thinking = {} if wanted == "auto" else _of_thinking(target, wanted, kind)
    pictures = resolution.of_pictures(target, kind.name)
    if twice := sorted((thinking.keys() | pictures.keys()) & target.body.keys()):
        option = f"--thinking {wanted}" if twice[0] in thinking else resolution.option(target)
        raise UsageError(
            f"--body {twice[0]} and {option} both set {twice[0]!r}",
            fix="leave one of the two out",
        )
    return merged(thinking, pictures) | target.body


def budget_of(target: Target) -> int:
    """How many tokens of thinking come on top of the answer's own limit."""
    sampling = target.sampling
    if not sampling.thinking.isdecimal() or sampling.max_tokens_retry is None:
        return 0  # a --max-tokens that was given is never exceeded
    return int(sampling.thinking)


def _of_thinking(target: Target, wanted: str, kind: EndpointKind) -> dict[str, Any]:
    if not wanted.isdecimal():
        return dict(kind.levels[wanted])
    if kind.budget is None:
        raise UsageError(
            f"--thinking {wanted}: {kind.name} takes no number of tokens",
            fix=f"give --thinking {', '.join(LEVELS[:-1])} or {LEVELS[-1]}",
        )
    if int(wanted) < kind.least_budget:
        raise UsageError(
            f"--thinking {wanted}: {kind.name} takes no fewer than {kind.least_budget} tokens",
            fix=f"give --thinking {kind.least_budget} or more, or --thinking off",
        )
    limit = target.sampling.max_tokens
    if target.sampling.max_tokens_retry is None and int(wanted) >= limit:
        raise UsageError(
            f"--thinking {wanted} leaves no room for an answer within --max-tokens {limit}",
            fix=f"give --max-tokens {int(wanted) + limit}, or fewer tokens of thinking",
        )
    filled: dict[str, Any] = _filled(kind.budget, int(wanted))
    return filled


def merged(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """
    >>> merged({"extra": {"a": 1}}, {"extra": {"b": 2}, "c": 3})
    {'extra': {'a': 1, 'b': 2}, 'c': 3}
    """
    both = {it: merged(one[it], other[it]) for it in one.keys() & other.keys()}
    return {**one, **other, **both}


def _filled(template: Any, tokens: int) -> Any:
    if isinstance(template, Mapping):
        return {name: _filled(value, tokens) for name, value in template.items()}
    return tokens if template == _BUDGET else template
