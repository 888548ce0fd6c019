"""Which servers run on this machine, and what they serve."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from harness.errors import EvalrunError
from harness.records import Preset
from harness.transport import Transport, is_loopback

LLAMA_CPP_URLS = ("http://127.0.0.1:8080/v1", "http://127.0.0.1:9931/v1")
"""llama-server's default port, the older and the newer one."""
_PATIENCE_S = 0.3


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
            listed = _entries(transport.get_json("models", timeout_s=wait_s))
    except EvalrunError:
        return None
    return Running(
        base_url=base_url,
        preset=preset,
        is_llama_cpp=any(it.get("owned_by") == "llamacpp" for it in listed),
        models=tuple(str(it["id"]) for it in listed if it.get("id")),
    )


def _entries(answer: Any) -> list[dict[str, Any]]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return [it for it in data if isinstance(it, dict)] if isinstance(data, list) else []
