"""Which servers run on this machine, and what they serve."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from harness.adapters.base import Target
from harness.errors import EvalrunError
from harness.records import Preset
from harness.text import nearest, one_line
from harness.transport import Transport, is_loopback

LLAMA_CPP_URLS = ("http://127.0.0.1:8080/v1", "http://127.0.0.1:9931/v1")
"""llama-server's default port, the older and the newer one."""
_PATIENCE_S, _LISTING_S = 0.3, 3.0


class Running(Struct, frozen=True, kw_only=True):
    """A server that answered."""

    base_url: str
    preset: str | None
    """None: at an address of llama.cpp's own."""
    is_llama_cpp: bool
    models: tuple[str, ...]


def candidates(presets: Iterable[Preset]) -> list[tuple[str, str | None]]:
    """The addresses on this machine where a server usually is, with the name of its preset."""
    local = [(it.base_url, it.name) for it in presets if is_loopback(it.base_url)]
    return [*((url, None) for url in LLAMA_CPP_URLS), *local]


def look_around(addresses: Iterable[tuple[str, str | None]]) -> list[Running]:
    """Ask all of them at once, briefly. Their order is kept; who does not answer is left out."""
    listed = list(addresses)
    with ThreadPoolExecutor(max_workers=max(1, len(listed))) as pool:
        found = pool.map(lambda it: look(it[0], preset=it[1]), listed)
        return [it for it in found if it is not None]


def look(
    base_url: str, *, key: str | None = None, preset: str | None = None, wait_s: float = _PATIENCE_S
) -> Running | None:
    """What one server serves; None when it does not say within `wait_s`."""
    try:
        with Transport(base_url, key=key) as transport:
            listed = _listed(transport, "models", wait_s)
    except EvalrunError:
        return None
    return Running(
        base_url=base_url,
        preset=preset,
        is_llama_cpp=any(it.get("owned_by") == "llamacpp" for it in listed),
        models=tuple(str(it["id"]) for it in listed if it.get("id")),
    )


def listed_models(
    transport: Transport, target: Target, path: str = "models"
) -> list[dict[str, Any]]:
    """What an endpoint lists; a model that is not among it is warned of before the first call."""
    try:
        listed = _listed(transport, path, _LISTING_S)
    except EvalrunError:
        return []
    model_id = target.model_id or target.model
    names = [str(it["id"]) for it in listed if it.get("id")]
    if names and not any(_same_model(model_id, it) for it in names):
        near = nearest(model_id, names) or sorted(names)[:3]
        shown = ", ".join(one_line(it, 60) for it in near)
        target.notify(
            f"WARNING: the server does not list a model {model_id!r}; it lists {len(names)}, "
            f"among them {shown}"
        )
    return listed


def _listed(transport: Transport, path: str, timeout_s: float) -> list[dict[str, Any]]:
    """Raises: EvalrunError when the server does not say."""
    answer = transport.get_json(path, timeout_s=timeout_s)
    data = answer.get("data") if isinstance(answer, dict) else None
    return [it for it in data if isinstance(it, dict)] if isinstance(data, list) else []


def _same_model(wanted: str, listed: str) -> bool:
    """
    >>> _same_model("gemma3", "gemma3:latest"), _same_model("gemini-3", "models/gemini-3")
    (True, True)
    >>> _same_model("claude-haiku-4-5", "claude-haiku-4-5-20251001")
    True
    """
    forms = {wanted, wanted.partition(":")[0], re.sub(r"-20\d{6}$", "", wanted)}
    listed = re.sub(r"-20\d{6}$", "", listed)
    return (
        listed in forms or listed.removesuffix(":latest") in forms or listed == f"models/{wanted}"
    )
