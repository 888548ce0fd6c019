"""Words: one spelling of each, their stems, and those of which a reply can say only one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['.][^\W_]+)*")
_SPACED = re.compile(r"[\s\"“”(){}\[\]*`]+")
_EDGES = " \t\n.,;:!?*_`\"'"
STOPWORDS = frozenset(
    str.split("""a an the this that these those of to in on at by for from with and or is are was
were be
been being am do does did has have had can could will would should it its there here they
them their he she his her we you your i me my us our what which who whom whose when where
why how if than then so as any some all please only answer return reply yes no true false
image picture photo shown see visible seen appear appears seem seems provided given
according based""")
)
_RIVALS = """
red|orange|yellow|green|blue|purple violet|pink|brown|black|white|grey gray|beige tan cream
 |gold golden|silver|turquoise teal|cyan|magenta|transparent clear
monday mon|tuesday tue tues|wednesday wed|thursday thu thur thurs|friday fri|saturday sat|sunday sun
january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sep sept
 |october oct|november nov|december dec
circle circular round|square|triangle triangular|rectangle rectangular|oval elliptical|hexagon
horizontal horizontally|vertical vertically|diagonal diagonally
clockwise|anticlockwise counterclockwise
open opened|closed shut
full|empty
"""
_ANTONYMS = """
same identical equal equals equivalent / different differ differs differing unequal
longer taller / shorter
larger bigger greater more higher exceeds above / smaller less fewer lower below under
open opened / closed shut
full / empty
forward forwards / backward backwards reverse reversing
left / right
increase increases increased increasing rise rises rose risen grow grows grew / decrease decreases
 decreased decreasing fall falls fell fallen shrink shrinks shrank drop drops dropped
straight / curved bent crooked tilted slanted
on lit / off
inside / outside
present / missing absent
intact undamaged / damaged broken cracked
clean / dirty
heavier / lighter
faster / slower
before / after
correct right / incorrect wrong
even / odd
finite / infinite
"""


def _table(text: str, between: str) -> dict[str, tuple[int, int]]:
    """Word -> number of its line, number of its group on it."""
    return {
        word: (row, column)
        for row, line in enumerate(text.replace("\n ", " ").strip().splitlines())
        for column, group in enumerate(line.split(between))
        for word in group.split()
    }


_RIVAL_AT = _table(_RIVALS, "|")
_ANTONYM_AT = _table(_ANTONYMS, "/")


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
