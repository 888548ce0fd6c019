"""One file per way to reach a model. To add one of ours: write its opener, and a line in the table.

Third parties name an opener of theirs in the entry-point group `evalrun.adapters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from harness.adapters.base import Adapter, Limits, Opener, Prompt, Target
from harness.errors import TargetError

GROUP = "evalrun.adapters"

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "openai": "harness.adapters.openai:open_openai",
        "llamacpp": "harness.adapters.llamacpp.adapter:open_llamacpp",
        "demo": "harness.adapters.demo:open_demo",
        "replay": "harness.adapters.replay:open_replay",
    }
)
"""Name -> where its opener lives; loaded only when it is chosen."""


def names() -> list[str]:
    """Every adapter there is, ours first."""
    return [*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN))]


def opener(name: str) -> Opener:
    """Raises: TargetError for an unknown adapter, or one that cannot be loaded."""
    if name in BUILT_IN:
        point = EntryPoint(name, BUILT_IN[name], GROUP)
    else:
        found = list(entry_points(group=GROUP, name=name))
        if not found:
            raise TargetError(
                f"no adapter is called {name!r}", fix=f"choose one of {', '.join(names())}"
            )
        point = found[0]
    try:
        loaded: Opener = point.load()
    except (ImportError, AttributeError) as error:
        raise TargetError(
            f"the adapter {name!r} cannot be loaded from {point.value}: {error}",
            fix="install or repair the package that brings it",
        ) from error
    return loaded


__all__ = [
    "BUILT_IN",
    "GROUP",
    "Adapter",
    "Limits",
    "Opener",
    "Prompt",
    "Target",
    "names",
    "opener",
]
