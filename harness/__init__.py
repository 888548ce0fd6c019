"""evalrun: ask vision-language models questions about pictures, grade them, compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import compare as compare
    from harness.api import grade as grade
    from harness.api import load as load
    from harness.api import run as run

__version__ = "0.2.0"
_FACE = ("compare", "grade", "load", "run")


def __getattr__(name: str) -> Any:
    """The Python face is loaded when it is used: it needs pandas, and the command does not."""
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FACE])
