"""Words and patterns of all graders: one spelling, stems, rivals and opposites of a word."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

PATTERNS: list[LazyPattern] = []
_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "split")
_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
LISTS: dict[str, list[str]] = {name: text.split() for name, text in _WORDS["lists"].items()}
TABLES: dict[str, str] = _WORDS["tables"]
CHARACTERS = str.maketrans({c: by for by, chars in _WORDS["characters"].items() for c in chars})
TEX = {command: by for by, names in _WORDS["tex"].items() for command in names.split()}
STOPWORDS = frozenset(LISTS["stopwords"])


class LazyPattern:
    """A regular expression that is compiled at its first use; `note` says what it is for."""

    def __init__(self, source: str, note: str, flags: int) -> None:
        self.source, self.note, self.flags = source, note, flags
        PATTERNS.append(self)

    def __getattr__(self, method: str) -> Any:
        if method not in _METHODS:
            raise AttributeError(method)
        self.switch(re.compile(self.source, self.flags))
        return self.__dict__[method]

    def switch(self, compiled: re.Pattern[str]) -> None:
        """Match like another one; `bench/grading.py --ablate` takes one that matches nothing."""
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})


def pattern(source: str, note: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return cast("re.Pattern[str]", LazyPattern(source, note, flags))


@cache
def phrase(name: str, **parts: str) -> re.Pattern[str]:
    """A pattern of natural language: of the table `phrases` in words.toml, with `<parts>`."""
    entry = _WORDS["phrases"][name]
    source = "".join(entry["regex"])
    for part, words in parts.items():
        source = source.replace(f"<{part}>", words)
    return pattern(source, name, 0 if entry.get("case") else re.IGNORECASE)


def any_of(words: Any) -> str:
    """An alternation that prefers the longest."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _table(text: str, between: str) -> dict[str, tuple[int, int]]:
    """Word -> number of its line, number of its group on it."""
    return {
        word: (row, column)
        for row, line in enumerate(text.replace("\n ", " ").strip().splitlines())
        for column, group in enumerate(line.split(between))
        for word in group.split()
    }


_RIVALS = _table(TABLES["rivals"], "|")
_ANTONYMS = _table(TABLES["antonyms"], "/")
_WORD = pattern(r"[^\W_]+(?:['.][^\W_]+)*", "words")
_SPACED = pattern(r"[\s\"“”(){}\[\]*`]+", "quotes and spaces")


def rivals(word: str) -> frozenset[str]:
    """The words that would be another answer: other colours for a colour.

    >>> "blue" in rivals("red"), "gray" in rivals("grey"), "shorter" in antonyms("longer")
    (True, False, True)
    """
    return _others(_RIVALS, folded(word).replace("-", "").replace(" ", ""))


def antonyms(word: str) -> frozenset[str]:
    return _others(_ANTONYMS, word)


def _others(table: dict[str, tuple[int, int]], word: str) -> frozenset[str]:
    if (at := table.get(word)) is None:
        return frozenset()
    return frozenset(w for w, (row, col) in table.items() if row == at[0] and col != at[1])


def synonyms(word: str) -> frozenset[str]:
    """Other spellings of a word with rivals."""
    at = _RIVALS.get(word)
    return frozenset(w for w, place in _RIVALS.items() if place == at) if at else frozenset()


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """One spelling of a short text: no case, accents, outer punctuation, double spaces.

    >>> folded(" **Nestlé.** "), folded("M&M’s")
    ('nestle', "m&m's")
    """
    if not text.isascii():
        text = unicodedata.normalize("NFD", text.replace("’", "'"))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _SPACED.sub(" ", text).strip(" \t\n.,;:!?*_`\"'").lower()


def without_article(text: str) -> str:
    """
    >>> without_article("the first"), without_article("apple")
    ('first', 'apple')
    """
    head, _, rest = text.partition(" ")
    return rest if rest and head.lower() in ("a", "an", "the") else text


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word without its ending: plural, -ing, -ed.

    >>> [stem(it) for it in ("boxes", "berries", "moving", "moved", "glass", "gas")]
    ['box', 'berry', 'mov', 'mov', 'glass', 'gas']
    """
    word = word.removesuffix("'s").replace("'", "")
    for ending, by in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + by
    if len(word) > 3 and word.endswith("s") and word[-2] not in "sui":
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 3 else word


def content(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order.

    >>> content("Is the lid of the jars cracked?")
    ['lid', 'jar', 'crack']
    """
    return [stem(word) for word in words(text) if word not in STOPWORDS]
