"""The vocabulary of all graders: patterns, one spelling, stems, and rivals of a word."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
LISTS: dict[str, list[str]] = {name: text.split() for name, text in _WORDS["lists"].items()}
TABLES: dict[str, list[str]] = {
    name: text.replace("\n ", " ").strip().splitlines() for name, text in _WORDS["tables"].items()
}
CHARACTERS = str.maketrans({c: by for by, chars in _WORDS["characters"].items() for c in chars})
CHARACTERS |= {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width ones
TEX = {command: by for by, names in _WORDS["tex"].items() for command in names.split()}
_STOPWORDS = frozenset(LISTS["stopwords"])
_QUOTES = str.maketrans(dict.fromkeys('"“”(){}[]*`', " "))


class LazyPattern:
    """A regular expression that is compiled at its first use; `note` says what it is for."""

    def __init__(self, source: str, note: str, flags: int) -> None:
        self.source, self.note, self.flags = source, note, flags

    def __getattr__(self, method: str) -> Any:
        value = self.__dict__[method] = getattr(re.compile(self.source, self.flags), method)
        return value


PATTERNS: list[LazyPattern] = []


def pattern(source: str, note: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    PATTERNS.append(LazyPattern(source, note, flags))
    return cast("re.Pattern[str]", PATTERNS[-1])


def any_of(words: Iterable[str]) -> str:
    """An alternation that prefers the longest."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


PHRASES = {
    name: pattern(
        re.sub("<<(.+?)>>", lambda it: any_of(LISTS[it[1]]), "".join(entry["regex"])),
        name,
        0 if entry.get("case") else re.IGNORECASE,
    )
    for name, entry in _WORDS["phrases"].items()
}
"""Natural language, by what it says; <<LIST>> in words.toml is any word of a list."""

_WORD = pattern(r"[^\W_]+(?:['.][^\W_]+)*", "words")
_ENDING = pattern(r"(?<=\w\w\w)(?:ing|ed|ies|es|(?<!s)s|(?<![aeiou])y|e)$", "endings")
_PLURALS = dict(zip(LISTS["irregular_plurals"][::2], LISTS["irregular_plurals"][1::2], strict=True))
_KIN = {
    word: (
        frozenset([word] if "/" in line else group.split()),
        frozenset(it for other in re.split("[|/]", line) if other != group for it in other.split()),
    )
    for line in reversed(TABLES["rivals"])
    for group in re.split("[|/]", line)
    for word in group.split()
}


def kin(word: str) -> tuple[frozenset[str], frozenset[str]]:
    """Other spellings of a word, and its rivals: other colours for a colour, opposites."""
    return _KIN.get(folded(word).replace("-", "").replace(" ", ""), (frozenset(), frozenset()))


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """One spelling of a short text: no case, accents, quotes, outer punctuation, double spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFD", text.replace("’", "'"))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return " ".join(text.translate(_QUOTES).split()).strip(" .,;:!?*_`'").lower()


def without_article(text: str) -> str:
    return re.sub("^(?:an?|the) (?=.)", "", text, flags=re.IGNORECASE)


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word without its ending: plural, -ing, -ed; "chipped" and "chip" are one."""
    bare = _ENDING.sub("", _PLURALS.get(word, word).replace("'", ""))
    doubled = word.endswith(("ed", "ing")) and bare[-1:] == bare[-2:-1] and bare[-1:] not in "lsz"
    return bare[:-1] if doubled else bare


def content(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word not in _STOPWORDS]
