"""What a question asks about: the words that an answer to it would take up again."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harness.graders.lazily import lazy
from harness.graders.reading import clean


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = lazy(r"[^\W_]+(?:'[a-z]+)?")
_INSTRUCTION = lazy(
    r"\b(?:return|answer|respond|reply|give|write|output|provide|use|format|express|state|say"
    r"|report"
    r"|do not|don't|please|only|just|if|otherwise|note|hint|choose|pick|select)\b",
    re.IGNORECASE,
)
_SENTENCE_END = lazy(r"[.?!:;\n]+(?=\s|$)")
EMPTY_WORDS = word_set(
    """a an the this that these those it its they them their there here is are was were be been
    being am do does did done have has had having can could will would shall should may might
    must of in on at to from by with within into onto for as and or but if then than so not no
    yes any some all both each either neither other another what which who whom whose where
    when why how much many you your i my me we us our image picture photo photograph
    photographs images pictures photos shown show shows visible see seen depicted appear
    appears seem seems look looks looking contain contains only return answer answers respond
    please just like format form currently exactly one ones also very what's there's it's
    appearing based according given provided"""
)
_COUNT = lazy(
    r"\bhow many ((?:[\w'/-]+ ?){1,5})|\b(?:number|count|quantity|amount) of ((?:[\w'/-]+ ?){1,5})",
    re.I,
)
_DOING = lazy(r"\b(?:are|is|were|was) (\w+)\b", re.IGNORECASE)
_PHRASE_END = word_set(
    """are is do does did in on at can could were was have has had you there of with that which
    will would should from to appear exist remain and or not within inside visible seen shown
    per for by"""
)


class About(NamedTuple):
    """A question, read once per case."""

    text: str
    ask: str
    """Without the sentences that only say how to answer."""
    stems: frozenset[str]
    """Stems of the content words of `ask`."""
    counted: frozenset[str]
    """For "how many X": stems of X."""
    doing: frozenset[str]
    """Stems of what they do or are: "how many people are wearing helmets", "are lit"."""
    subject: str
    """Stem of what the question is about: the thing counted, the first thing named."""
    words: frozenset[str]
    """All words of the question, lower case."""
    sides: tuple[tuple[str, frozenset[str]], ...]
    """Words that tell which one is meant ("the left one", "the third"), each with its rivals."""


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """
    >>> [stem(w) for w in ("boxes", "berries", "Cracked", "parts", "glass", "missing")]
    ['box', 'berry', 'crack', 'part', 'glass', 'miss']
    >>> stem("facing") == stem("faces") == stem("face")
    True
    """
    word = word.lower()
    if len(word) > 5 and word.endswith("ing"):
        return _undoubled(word[:-3])
    if len(word) > 4 and word.endswith("ed"):
        return _undoubled(word[:-2])
    word = singular(word)
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word


def singular(word: str) -> str:
    """
    >>> [singular(w) for w in ("boxes", "berries", "trees", "glass", "truck's")]
    ['box', 'berry', 'tree', 'glass', 'truck']
    """
    if word.endswith("'s"):
        word = word[:-2]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ches", "shes", "sses", "zes", "oes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _undoubled(word: str) -> str:
    twice = len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz"
    return word[:-1] if twice else word


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def stems(text: str) -> list[str]:
    """Content words of a text, stemmed.

    >>> stems("There are two cracks in the glass")
    ['two', 'crack', 'glass']
    """
    return [stem(word) for word in words(text) if word not in EMPTY_WORDS]


@lru_cache(maxsize=4096)
def about(question: str) -> About:
    """
    >>> sorted(about("How many holes are in the chassis? Return only a number.").stems)
    ['chassis', 'hol']
    >>> sorted(about("How many rows of panels are there?").counted)
    ['row']
    """
    question = clean.unusual_characters(question)
    parts = [part for part in _SENTENCE_END.split(question) if part.strip()]
    asking = [part for part in parts if not _INSTRUCTION.match(part.strip())] or parts[:1]
    ask = ". ".join(asking)
    counted = _counted(ask) or _counted(question)
    return About(
        text=question,
        ask=ask,
        stems=frozenset(stems(ask)),
        counted=counted,
        doing=frozenset(map(stem, _done(ask))) - counted,
        subject=_subject(ask, counted),
        words=frozenset(words(question)),
        sides=_sides(frozenset(words(ask))),
    )


_SIDES = tuple(
    word_set(group)
    for group in (
        "left right leftmost rightmost",
        "top bottom",
        "upper lower",
        "front rear",
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "monday tuesday wednesday thursday friday saturday sunday",
        "small medium large",
    )
)


def _sides(asked: frozenset[str]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Of a question that names two of them ("left or right?") neither."""
    named = [(group & asked, group) for group in _SIDES]
    return tuple((next(iter(own)), group - own) for own, group in named if len(own) == 1)


ATTRIBUTES = word_set(
    """colour color brand name type kind sort value price cost weight size length height width
    text word number title maker model make date time position location amount total
    percentage temperature"""
)


def _done(ask: str) -> list[str]:
    said = [word.lower() for word in _DOING.findall(ask)]
    return [word for word in said if word not in EMPTY_WORDS and word not in _PHRASE_END]


ATTRIBUTE_STEMS = frozenset(map(stem, ATTRIBUTES))


def _subject(ask: str, counted: frozenset[str]) -> str:
    if counted:
        phrase = _COUNT.search(ask)
        named = [stem(word) for word in words(phrase[0])] if phrase else []
        return next((word for word in reversed(named) if word in counted), "")
    return next((word for word in stems(ask) if word not in ATTRIBUTE_STEMS), "")


def _counted(ask: str) -> frozenset[str]:
    match = _COUNT.search(ask)
    if match is None:
        return frozenset()
    phrase: list[str] = []
    for word in (match[1] or match[2]).lower().split():
        if word in _PHRASE_END and phrase:
            break
        if word not in EMPTY_WORDS or word == "ones":
            phrase.append(stem(word))
    return frozenset(phrase)
