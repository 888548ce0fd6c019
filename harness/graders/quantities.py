"""Numbers as an answer: which of them count, how sure they are, and in which unit they stand."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from harness.graders.lazily import lazy
from harness.graders.lexicon import rivals_of
from harness.graders.numbers import Number, numbers, ordinals
from harness.graders.reading import (
    ATTRIBUTES,
    EMPTY_WORDS,
    About,
    Finder,
    Mention,
    stem,
    word_set,
    words,
)

_HEDGE_BEFORE = lazy(
    r"(?:\b(approximately|approx\.?|about|around|roughly|nearly|almost|at least|at most|more than"
    r"|less than|over|under|up to|fewer than|close to|circa|ca\.|maybe|perhaps|possibly|might be"
    r"|could be|may be|between|estimated(?: at)?|an estimate of|somewhere (?:around|near)"
    r"|upwards of"
    r"|a minimum of|a maximum of|i guess|my guess is|guess|from)|([~≈<>≥≤±]))"
    r"[ \"'(]{0,3}(?:(?:a|the|some|total|of|be|to) ){0,3}[£$€¥]?$",
    re.IGNORECASE,
)
_HEDGE_AFTER = lazy(
    r" ?(?:(\+)(?! ?\d)|-?(ish)\b|(?:[\w%°]{1,12} ){0,3}?"
    r"(or so|or more|or fewer|or less|give or take|approximately|roughly|at least)\b)",
    re.IGNORECASE,
)
_LINK = lazy(
    r"\s?(?:[a-z%°£$€]{0,6}\s?)?(?:-|~|/|,?\s?\bto\b|,?\s?\bor\b(?: maybe| possibly| perhaps"
    r"| even)?)"
    r"\s?[£$€~]?",
    re.IGNORECASE,
)
_OTHER_CASE = lazy(r"\bor (?:it|that|there|they)\b.{0,24}$", re.IGNORECASE)
_PRONOUN_BEFORE = word_set(
    """this that the each every no which another any other right left top bottom first last lower
    upper middle some such white black red green blue yellow orange brown grey gray small
    large big next wrong"""
)
_VERBS_AFTER_ONE = word_set("another can could would might must")
_WORD_NEAR = lazy(r"[^\W\d_][\w'-]*")
_CLAUSE_END = lazy(
    r"[,;:()=.]|\s-\s|\b(?:and|but|with|of which|each|in|on|at|are|is|were|where|per|x|that"
    r"|which)\b",
    re.IGNORECASE,
)
_ELLIPTIC = lazy(
    r" ?(?:(?:are |is )?(?:on|in|at|to|near|behind|under|above|below|beside|more|others?"
    r"|additional|from)\b|[,.;)]|$)",
    re.IGNORECASE,
)
_LABEL = lazy(
    r"(?:\b(?:step|row|column|col|figure|fig\.|image|picture|page|line|layer|level|tier|section"
    r"|option"
    r"|item|question|tray|shelf|lane|group|part|panel|version|class|type|stage|phase|lot|bay|slot"
    r"|zone) ?)$",
    re.IGNORECASE,
)
_LABELS = lazy(
    r"\b(?:rows|columns|pages|trays|shelves|lanes|bays|slots|zones|docks|steps|items) "
    r"(?:\d{1,3}(?:,? and |, | ?& ?)){0,6}$",
    re.IGNORECASE,
)
_NAMED = lazy(r"(?:\b(?:no\.|nr\.|number) ?|#)$", re.IGNORECASE)
_CODE_BEFORE = lazy(r"[A-Za-z][\w-]*-$")
_WITH_NEXT = lazy(r"\d[\d.,]* ([a-z]{3,})", re.IGNORECASE)
_WITH_LAST = lazy(r"([a-z]{3,}) \d[\d.,]*$", re.IGNORECASE)
_LIMIT = lazy(r"\b(?:max(?:imum|\.)?|capacity|limit|range)(?: of| from)?[: ]{0,2}$", re.IGNORECASE)
_ASKS_LIMIT = frozenset(
    ("max", "maximum", "capacity", "limit", "range", "highest", "most", "largest", "top")
)
_OUT_OF = lazy(
    r"\b(?:out of (?:(?:a|the|all|total|of|some) ){0,3}|of (?:(?:the|all|these|those) ){1,2})$",
    re.IGNORECASE,
)
_OF_THOSE = lazy(r"(?:of (?:them|which|these|those) )?(?:are|is|were|was) ", re.IGNORECASE)
_BESIDE_BEFORE = lazy(
    r"(?:([^\W\d_][\w'-]*) )?([^\W\d_][\w'-]*)[:=]? (?:(?:number|no\.|nr\.|is|was|at|#) ?){0,2}#?$",
    re.IGNORECASE,
)
_JUST_ONE = lazy(r"\b(?:just|only) (?:this |the |that )?$", re.IGNORECASE)
_PLACES = word_set("position tray row column floor page place which lane slot number bay")


class Value(NamedTuple):
    """A number and the unit that was written with it, if any."""

    number: Decimal
    other: Decimal | None = None
    """The other meaning of "1.234"."""
    unit: str | None = None

    def __str__(self) -> str:
        return f"{self.number:f}{' ' + self.unit if self.unit else ''}"


UnitReader = Callable[[str, Number], tuple[str | None, int] | None]
"""The unit beside a number and where it ends; None when the number cannot be an answer."""


def finder(about: About, read_unit: UnitReader, *, exact: bool = True) -> Finder:
    """Finds numbers that may be answers. With `exact`, "about 50" is a hedge."""

    def find(text: str) -> list[Mention]:
        found = [m for n in numbers(text) if (m := _mention(text, n, about, read_unit, exact))]
        if not found and about.words & _PLACES:
            found = [Mention(n.start, n.end, Value(n.value)) for n in ordinals(text)]
        if len(found) > 1 and not about.counted:
            found = [m for m in found if not _echoes(text, m, about)] or found
        return _ranges(text, found) if len(found) > 1 else found

    return find


def _echoes(text: str, mention: Mention, about: About) -> bool:
    """A number of the question itself: "exceeded 1 million in 2019"."""
    after = _WITH_NEXT.match(text, mention.start)
    before = _WITH_LAST.search(text[max(0, mention.start - 20) : mention.end])
    return any(
        phrase[1].lower() not in EMPTY_WORDS and phrase[0].lower() in about.ask.lower()
        for phrase in (after, before)
        if phrase is not None
    )


def _part_of_code(text: str, number: Number, about: About) -> bool:
    """ "B-204: 36", asked for B-204."""
    code = _CODE_BEFORE.search(text[max(0, number.start - 20) : number.start])
    return code is not None and (code[0] + text[number.start : number.end]).lower() in (
        about.text.lower()
    )


def _mention(
    text: str, number: Number, about: About, read_unit: UnitReader, exact: bool
) -> Mention | None:
    if number.ordinal:
        return None
    unit = read_unit(text, number)
    if unit is None:
        return None
    before = text[max(0, number.start - 40) : number.start]
    if before and _part_of_code(text, number, about):
        return None
    end = max(number.end, unit[1])
    preferred = _beside_asked(text, number, before, about) if before or text[end:] else 0
    if about.counted and _counts_others(text, number, about):
        return None
    if number.spelled and not preferred and _is_pronoun(text, number):
        return None
    if before and (_OUT_OF.search(before) or (not preferred and _is_label(before, about))):
        return None
    hedge = approximate(text, number.start, end) if exact else None
    elliptic = bool(about.counted) and bool(_ELLIPTIC.match(text, end))
    return Mention(
        number.start, end, Value(number.value, number.other, unit[0]), hedge, preferred, elliptic
    )


def _is_label(before: str, about: About) -> bool:
    """ "Row 2" counts nothing, and "max. 5 kg" is no reading."""
    if _LABEL.search(before):
        return True
    if about.counted and (_NAMED.search(before) or _LABELS.search(before)):
        return True
    limit = _LIMIT.search(before)
    return limit is not None and not _ASKS_LIMIT & about.words


def approximate(text: str, start: int, end: int) -> str | None:
    """The word that makes the number at a place a rough one.

    >>> approximate("about 50", 6, 8), approximate("50 or so", 0, 2), approximate("it is 50", 6, 8)
    ('about', 'or so', None)
    """
    before = text[max(0, start - 40) : start]
    if before and (found := _HEDGE_BEFORE.search(before)):
        return found[1] or found[2]
    if end < len(text) and (after := _HEDGE_AFTER.match(text, end)):
        return after[1] or after[2] or after[3]
    return None


def _is_pronoun(text: str, number: Number) -> bool:
    """ "The other one" counts nothing; "one dent" does."""
    if text[number.start : number.end].lower() != "one":
        return False
    before = text[: number.start].split()[-1:]
    if _JUST_ONE.search(text[: number.start]):
        return False
    after = _WORD_NEAR.match(text, number.end + 1)
    if before and before[0].lower().strip("\"'(,") in _PRONOUN_BEFORE:
        return True
    return after is not None and after[0].lower() in _VERBS_AFTER_ONE


def _beside_asked(text: str, number: Number, before: str, about: About) -> int:
    """How much of what was asked for stands with a number: "28 red containers", "epoch 4"."""
    if not about.counted:
        word = _BESIDE_BEFORE.search(before)
        return int(word is not None and _is_asked(word[1], word[2], about))
    after = text[number.end : number.end + 60].lstrip(" -(")
    verb = _OF_THOSE.match(after)
    if verb is not None:
        after = after[verb.end() :]
    phrase = [
        stem(word) for word in _WORD_NEAR.findall(_CLAUSE_END.split(after, maxsplit=1)[0])[:5]
    ]
    named = len(about.counted & set(phrase))
    if verb is None:
        return named
    told = about.counted | {stem(word) for word in words(text[: number.start])}
    if about.stems & set(phrase) - told:  # "5 labels, 4 of which are torn"
        return len(about.counted) + 1
    return len(about.counted) if named else 0


def _is_asked(modifier: str | None, word: str, about: About) -> bool:
    """A word of the question; not the net weight, asked for the tare weight."""
    other = modifier and modifier.lower() not in about.words | EMPTY_WORDS
    return stem(word) in about.stems and not (other and word.lower() in ATTRIBUTES)


def _counts_others(text: str, number: Number, about: About) -> bool:
    """ "4 blue cars", asked for red ones."""
    phrase = _CLAUSE_END.split(text[number.end : number.end + 60].lstrip(" -("), maxsplit=1)[0]
    said = [word.lower() for word in _WORD_NEAR.findall(phrase)[:4]]
    for word in about.counted:
        kin = rivals_of(word)
        if kin and any(w in kin and kin[w] != kin[word] for w in said):
            return True
    return False


def _ranges(text: str, found: list[Mention]) -> list[Mention]:
    """Two numbers that "-", "to" or "or" joins are no answer: both get that as their hedge."""
    for left, right in itertools.pairwise(found):
        between = text[left.end : right.start]
        if left.value == right.value:
            continue
        if _units_differ(left.value, right.value):
            if not left.hedge:  # "22 °C, or about 72 °F" is sure of the first
                found = [m._replace(hedge=None) if m is right else m for m in found]
            continue
        if (len(between) < 24 and _LINK.fullmatch(between)) or _OTHER_CASE.search(between):
            said = text[left.start : right.end]
            found = [m._replace(hedge=said) if m in (left, right) else m for m in found]
    return found


def _units_differ(left: object, right: object) -> bool:
    """ "32,500 kg or 71,650 lb" is no range."""
    assert isinstance(left, Value)
    assert isinstance(right, Value)
    return bool(left.unit and right.unit) and left.unit != right.unit
