"""Regular expressions by name, and word lists: of the tables `patterns.toml` and `words.toml`.

The table is read, and each expression compiled, at its first use. A named one can be switched off:
`bench/grading.py --ablate` does that in turn, to find those that change no verdict.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

PATTERNS: dict[str, Pattern] = {}
_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "split")


class Pattern:
    """A regular expression. Switched off, it matches nothing.

    From its first use on, its methods are those of the compiled expression.
    """

    def __init__(self, name: str, source: str, flags: int, policy: str) -> None:
        self.name, self._source, self._flags, self._policy = name, source, flags, policy
        self._off = False

    @property
    def source(self) -> str:
        return self._source or "".join(_table()[self.name]["regex"])

    @property
    def policy(self) -> str:
        """Why it stays although no gold answer needs it."""
        return self._policy or str(_table().get(self.name, {}).get("policy", ""))

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

    def findall(self, text: str) -> list[Any]:
        return [] if self._off else self._compiled().findall(text)

    def sub(self, by: str | Callable[[re.Match[str]], str], text: str) -> str:
        return text if self._off else self._compiled().sub(by, text)

    def split(self, text: str) -> list[str]:
        return [text] if self._off else self._compiled().split(text)

    def last(self, text: str) -> re.Match[str] | None:
        found = None
        for match in self.finditer(text):
            found = match
        return found

    def _compiled(self) -> re.Pattern[str]:
        entry = {} if self._source else _table()[self.name]
        flags = self._flags | (re.MULTILINE if entry.get("multiline") else 0)
        flags &= ~re.IGNORECASE if entry.get("case") else ~0
        compiled = re.compile(self.source, flags)
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return compiled


def pattern(name: str, source: str = "", *, policy: str = "") -> Pattern:
    """A pattern of the table, or one that is built from words; every name is used once."""
    PATTERNS[name] = Pattern(name, source, re.IGNORECASE, policy)
    return PATTERNS[name]


def regex(source: str, flags: int = 0) -> Pattern:
    """An expression of notation, not of language: nothing to switch off."""
    return Pattern("", source, flags, "")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


@cache
def _table() -> dict[str, dict[str, Any]]:
    sections = _read("patterns.toml").values()
    return {name: entry for section in sections for name, entry in section.items()}


_WORDS = _read("words.toml")
LISTS: dict[str, list[str]] = {name: words.split() for name, words in _WORDS["lists"].items()}
TABLES: dict[str, str] = _WORDS["tables"]
