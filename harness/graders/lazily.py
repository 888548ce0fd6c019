"""Regular expressions that compile when they are first used.

There are hundreds of them and a run needs some: compiling all takes longer than loading httpx.
"""

from __future__ import annotations

import re
from typing import Any, cast


class _Lazy:
    """Stands for a pattern. Each method, once asked for, is the compiled pattern's own."""

    def __init__(self, source: str, flags: int) -> None:
        self._source, self._flags = source, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, found)
        return found


def lazy(source: str, flags: int = 0) -> re.Pattern[str]:
    """Like `re.compile`, later.

    >>> lazy("[ab]+").sub("-", "xaby")
    'x-y'
    """
    return cast("re.Pattern[str]", _Lazy(source, flags))
