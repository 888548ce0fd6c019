"""Regular expressions by name, and word lists: of the tables `patterns.toml` and `words.toml`.

Each is compiled at its first use, and can be switched off: `bench/grading.py --ablate` does that in
turn, to find those that change no verdict.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PATTERNS: dict[str, Pattern] = {}


class Pattern:
    """A regular expression that ignores case. Switched off, it matches nothing.

    From its first use on, its methods are those of the compiled expression.
    """

    def __init__(self, name: str, source: str, flags: int, policy: str) -> None:
        self.name, self.source, self.flags, self.policy = name, source, flags, policy
        self._off = False

    def switch(self, *, off: bool) -> None:
        self._off = off
        for method in _METHODS:
            self.__dict__.pop(method, None)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        return None if self._off else self._compiled().search(text, start)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        return None if self._off else self._compiled().match(text, start)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return None if self._off else self._compiled().fullmatch(text)

    def finditer(self, text: str, start: int = 0) -> Iterator[re.Match[str]]:
        return iter(()) if self._off else self._compiled().finditer(text, start)

    def last(self, text: str) -> re.Match[str] | None:
        found = None
        for match in self.finditer(text):
            found = match
        return found

    def sub(self, by: str | Callable[[re.Match[str]], str], text: str) -> str:
        return text if self._off else self._compiled().sub(by, text)

    def split(self, text: str) -> list[str]:
        return [text] if self._off else self._compiled().split(text)

    def _compiled(self) -> re.Pattern[str]:
        compiled = re.compile(self.source, self.flags)
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return compiled


_METHODS = ("search", "match", "fullmatch", "finditer", "sub", "split")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


_TABLE: dict[str, dict[str, Any]] = {
    name: entry for section in _read("patterns.toml").values() for name, entry in section.items()
}
_WORDS = _read("words.toml")
LISTS: dict[str, list[str]] = {name: words.split() for name, words in _WORDS["lists"].items()}
TABLES: dict[str, str] = _WORDS["tables"]


def pattern(name: str, source: str = "", *, policy: str = "") -> Pattern:
    """A pattern of the table, or one that is built from words; every name is used once."""
    entry = _TABLE.get(name, {})
    flags = 0 if entry.get("case") else re.IGNORECASE
    flags |= re.MULTILINE if entry.get("multiline") else 0
    source = source or "".join(entry["regex"])
    PATTERNS[name] = Pattern(name, source, flags, policy or entry.get("policy", ""))
    return PATTERNS[name]
