"""How finely a picture is looked at, as each kind of endpoint takes it: tokens, or a level.

A processor's settings in a request (mm_processor_kwargs):
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, extra parameters of the chat.
Gemini's levels: https://ai.google.dev/gemini-api/docs/media-resolution.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from harness.adapters.base import Target
from harness.errors import UsageError

_LEVEL, _TOKENS = "--image-detail", "--image-tokens"
_NO_LEVEL = frozenset(
    ["llamacpp", "demo", "replay", "anthropic", "vllm", "sglang", "ollama", "lmstudio"]
)
"""Adapters and kinds of endpoints that ignore how closely a picture should be looked at."""
_GEMMA_TOKENS = (70, 140, 280, 560, 1120)
"""What Gemma 4 may spend on a picture: vLLM's model_executor/models/gemma4_mm.py."""
_SIDE_PX = {r"qwen-?3(\.\d)?-?vl|qwen-?3\.[5-9]": 32, r"qwen-?2(\.5)?-?vl": 28}
"""A model's name -> the side of the square that becomes one token: its patch size times its merge
size, as its preprocessor_config.json has them."""
_USUAL_SIDE_PX = 28


def of_pictures(target: Target, kind: str) -> dict[str, Any]:
    """The request parameters that the two settings come to. Raises: UsageError."""
    if kind == "vllm" and target.image_tokens:
        return {"mm_processor_kwargs": _processor(target, *target.image_tokens)}
    if kind == "gemini" and target.image_detail in ("low", "high"):
        level = f"MEDIA_RESOLUTION_{target.image_detail.upper()}"
        return {"extra_body": {"google": {"media_resolution": level}}}
    return {}


def option(target: Target) -> str:
    """What the user typed to get those parameters."""
    tokens = target.image_tokens
    return f"{_TOKENS} {tokens[0]}-{tokens[1]}" if tokens else f"{_LEVEL} {target.image_detail}"


def detail_of(target: Target, kind: str) -> dict[str, str]:
    """OpenAI's own word for it, which stands beside each picture."""
    return {"detail": target.image_detail} if target.image_detail and kind != "gemini" else {}


def check(target: Target, kind: str, *, started: bool = False) -> None:
    """`started`: whether the server is our own.

    Raises: UsageError for a setting that an endpoint of this kind does not take.
    """
    if target.image_tokens and not started and kind != "vllm":
        raise UsageError(
            f"{_TOKENS} is for vLLM, and for a server that evalrun starts: this one cannot be told",
            fix=_how_to_start(target, *target.image_tokens),
        )
    if target.image_detail and kind in _NO_LEVEL:
        raise UsageError(
            f"{_LEVEL} is not for {kind}, which does not take it",
            fix=f"leave it out; vLLM and a server that evalrun starts take {_TOKENS} N",
        )


def warn_if_unknown(target: Target) -> None:
    """vLLM passes a setting on to a model's processor, and not all of them take the same."""
    if target.image_tokens and not _is_gemma(target) and _side_px(target) is None:
        target.notify(
            f"WARNING: {_TOKENS} is sent as min_pixels and max_pixels, {_USUAL_SIDE_PX} x "
            f"{_USUAL_SIDE_PX} pixels a token; nothing is known of {target.model}'s processor"
        )


def _processor(target: Target, fewest: int, most: int) -> dict[str, int]:
    if _is_gemma(target):
        fitting = [it for it in _GEMMA_TOKENS if fewest <= it <= most]
        if not fitting:
            raise UsageError(
                f"{_TOKENS} {fewest}-{most}: Gemma 4 takes one of "
                f"{', '.join(map(str, _GEMMA_TOKENS))} tokens a picture",
                fix=f"give one of them, such as {_TOKENS} 280",
            )
        return {"max_soft_tokens": fitting[-1]}
    pixels = (_side_px(target) or _USUAL_SIDE_PX) ** 2
    return {"min_pixels": fewest * pixels, "max_pixels": most * pixels}


def _names(target: Target) -> str:
    return f"{target.model} {target.model_id or ''}".lower()


def _is_gemma(target: Target) -> bool:
    return re.search(r"gemma-?4", _names(target)) is not None


def _side_px(target: Target) -> int | None:
    found = (side for name, side in _SIDE_PX.items() if re.search(name, _names(target)))
    return next(found, None)


def _how_to_start(target: Target, fewest: int, most: int) -> str:
    batch = max(2048, most)
    pixels = [tokens * (_side_px(target) or _USUAL_SIDE_PX) ** 2 for tokens in (fewest, most)]
    processor = json.dumps({"min_pixels": pixels[0], "max_pixels": pixels[1]})
    return (
        f"leave it out (a hosted model may take {_LEVEL}), or start your server so:\n"
        f"    llama-server … --image-min-tokens {fewest} --image-max-tokens {most} "
        f"--ubatch-size {batch} --batch-size {batch}\n"
        f"    vllm serve … --mm-processor-kwargs {shlex.quote(processor)}"
    )
