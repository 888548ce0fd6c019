"""Words: one spelling of each, their stems, and those of which a reply can say only one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from harness.graders.patterns import LISTS, TABLES

_WORD = re.compile(r"[^\W_]+(?:['.][^\W_]+)*")
_SPACED = re.compile(r"[\s\"“”(){}\[\]*`]+")
_EDGES = " \t\n.,;:!?*_`\"'"
STOPWORDS = frozenset(LISTS["stopwords"])


def _table(text: str, between: str) -> dict[str, tuple[int, int]]:
    """Word -> number of its line, number of its group on it."""
    return {
        word: (row, column)
        for row, line in enumerate(text.replace("\n ", " ").strip().splitlines())
        for column, group in enumerate(line.split(between))
        for word in group.split()
    }


_RIVAL_AT = _table(TABLES["rivals"], "|")
_ANTONYM_AT = _table(TABLES["antonyms"], "/")


def rivals(word: str) -> frozenset[str]:
    """The words that would be another answer: other colours for a colour.

    >>> "blue" in rivals("red"), "gray" in rivals("grey"), rivals("forklift")
    (True, False, frozenset())
    """
    return _rivals(folded(word).replace("-", " ").replace(" ", "") if word else "")


@lru_cache(maxsize=4096)
def _rivals(word: str) -> frozenset[str]:
    at = _RIVAL_AT.get(word)
    if at is None:
        return frozenset()
    return frozenset(w for w, (row, col) in _RIVAL_AT.items() if row == at[0] and col != at[1])


def synonyms(word: str) -> frozenset[str]:
    """Other spellings of a word with rivals."""
    at = _RIVAL_AT.get(word)
    return frozenset(w for w, place in _RIVAL_AT.items() if place == at) if at else frozenset()


@lru_cache(maxsize=1024)
def antonyms(word: str) -> frozenset[str]:
    """
    >>> "shorter" in antonyms("longer"), antonyms("fork")
    (True, frozenset())
    """
    at = _ANTONYM_AT.get(word)
    if at is None:
        return frozenset()
    return frozenset(w for w, (row, col) in _ANTONYM_AT.items() if row == at[0] and col != at[1])


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """One spelling of a short text: no case, accents, outer punctuation, double spaces.

    >>> folded(" **Nestlé.** "), folded("M&M’s")
    ('nestle', "m&m's")
    """
    if not text.isascii():
        text = unicodedata.normalize("NFD", text.replace("’", "'"))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _SPACED.sub(" ", text).strip(_EDGES).lower()


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
