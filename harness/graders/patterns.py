"""Regular expressions with names: compiled at their first use, and each can be switched off.

`bench/grading.py --ablate` does that in turn, to find those that change no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

PATTERNS: dict[str, Pattern] = {}


class Pattern:
    """A regular expression that ignores case. Switched off, it matches nothing."""

    __slots__ = ("_compiled", "flags", "name", "off", "policy", "source")

    def __init__(self, name: str, source: str, flags: int, policy: str) -> None:
        self.name, self.source, self.flags, self.policy = name, source, flags, policy
        self.off = False
        self._compiled: re.Pattern[str] | None = None

    @property
    def compiled(self) -> re.Pattern[str]:
        if self._compiled is None:
            self._compiled = re.compile(self.source, self.flags)
        return self._compiled

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        return None if self.off else self.compiled.search(text, start)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        return None if self.off else self.compiled.match(text, start)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return None if self.off else self.compiled.fullmatch(text)

    def finditer(self, text: str, start: int = 0) -> Iterator[re.Match[str]]:
        return iter(()) if self.off else self.compiled.finditer(text, start)

    def sub(self, by: str | Callable[[re.Match[str]], str], text: str) -> str:
        return text if self.off else self.compiled.sub(by, text)

    def split(self, text: str) -> list[str]:
        return [text] if self.off else self.compiled.split(text)


def pattern(name: str, source: str, *, policy: str = "", flags: int = re.IGNORECASE) -> Pattern:
    """A registered pattern. `policy`: why it stays although no gold answer needs it."""
    if name in PATTERNS:
        raise ValueError(f"two patterns are called {name!r}")
    PATTERNS[name] = Pattern(name, source, flags, policy)
    return PATTERNS[name]
