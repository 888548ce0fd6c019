"""One file per way to reach a model. To add one of ours: write its opener, and a line in the table.

Third parties name an opener of theirs in the entry-point group `evalrun.adapters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from harness.adapters.base import Adapter, Limits, Opener, Request, Target
from harness.errors import TargetError

__all__ = ["BUILT_IN", "Adapter", "Limits", "Opener", "Request", "Target", "names", "opener"]

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "openai": "harness.adapters.openai:open_openai",
        "anthropic": "harness.adapters.anthropic:open_anthropic",
        "llamacpp": "harness.adapters.llamacpp:open_llamacpp",
        "demo": "harness.adapters.llamacpp:open_demo",
        "replay": "harness.adapters.replay:open_replay",
    }
)
"""Name -> where its opener lives; loaded only when it is chosen."""


def names() -> list[str]:
    """Every adapter there is, ours first."""
    return [*BUILT_IN, *sorted(_third_party().keys() - BUILT_IN.keys())]


def opener(name: str) -> Opener:
    """Raises: TargetError for an unknown adapter, or one that cannot be loaded."""
    place = BUILT_IN.get(name) or _third_party().get(name)
    if place is None:
        raise TargetError(
            f"no adapter is called {name!r}", fix=f"choose one of {', '.join(names())}"
        )
    module, _, function = place.partition(":")
    try:
        found: Opener = getattr(import_module(module.strip()), function.strip())
    except (ImportError, AttributeError) as error:
        raise TargetError(
            f"the adapter {name!r} cannot be loaded from {place}: {error}",
            fix="install or repair the package that brings it",
        ) from error
    return found


def _third_party() -> dict[str, str]:
    from importlib.metadata import entry_points  # takes a while, and is seldom needed

    return {it.name: it.value for it in entry_points(group="evalrun.adapters")}
