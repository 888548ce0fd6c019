"""Numbers as an answer: which of them count, how sure they are, and in which unit they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from harness.graders.numbers import Number, numbers, ordinals
from harness.graders.reading import About, Mention, stem

_HEDGE_BEFORE = re.compile(
    r"(?:\b(approximately|approx\.?|about|around|roughly|nearly|almost|at least|at most|more than|less than|over"
    r"|under|up to|fewer than|close to|circa|ca\.|maybe|perhaps|possibly|might be|could be|may be|between|estimated(?: at)?"
    r"|an estimate of|somewhere (?:around|near)|somewhat|well over|upwards of|a minimum of|a maximum of"
    r"|i guess|my guess is|guess|unsure but|say)|([~≈<>≥≤±]))"
    r"[ \"'(]{0,3}(?:(?:a|the|some|total|of|be|to) ){0,3}[£$€¥]?$",
    re.IGNORECASE,
)
_HEDGE_AFTER = re.compile(
    r" ?(?:(\+)(?!\d)|-?(ish)\b|(?:[\w%°]{1,12} ){0,3}?(or so|or more|or fewer|or less|give or take|approximately|roughly|at least|plus)\b)",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"(?P<low>\d[\d.,]*|[a-z-]{3,12})\s?(?P<link>-|~|to|or|/|and)\s?[£$€~]?(?P<high>\d[\d.,]*|[a-z-]{3,12})$",
    re.I,
)
_LINK = re.compile(
    r"\s?(?:[a-z%°£$€]{0,6}\s?)?(?:-|~|/|,?\s?\bto\b|,?\s?\bor\b(?: maybe| possibly| perhaps| even)?)\s?[£$€~]?",
    re.I,
)
_PRONOUN_BEFORE = frozenset(
    ["this", "that", "the", "each", "every", "no", "which", "another", "any", "other", "right", "left", "top", "bottom", "first", "last", "only", "lower", "upper", "middle", "some", "such", "white", "black", "red", "green", "blue", "yellow", "orange", "brown", "grey", "gray", "small", "large", "big", "next", "wrong", "every"]
)
_WORD_NEAR = re.compile(r"[^\W\d_][\w'-]*")
_CLAUSE_END = re.compile(
    r"[,;:()=]|\s-\s|\b(?:and|but|with|of which|each|in|on|at|are|is|were|where|per|x)\b", re.I
)
_LABEL = re.compile(
    r"(?:\b(?:step|row|column|col|figure|fig\.|image|picture|page|line|layer|level|tier|section|option|item|question"
    r"|tray|shelf|lane|group|part|panel|no\.|nr\.|number|version|class|type|stage|phase|lot|bay|slot|zone) ?|#)$",
    re.IGNORECASE,
)


class Value(NamedTuple):
    """A number and the unit that was written with it, if any."""

    number: Decimal
    other: Decimal | None
    unit: str | None

    def __str__(self) -> str:
        return f"{self.number}{' ' + self.unit if self.unit else ''}"


UnitReader = Callable[[str, Number], tuple[str | None, int] | None]
"""The unit beside a number and where it ends; None when the number cannot be an answer."""


def finder(
    about: About, read_unit: UnitReader, *, exact: bool = True
) -> Callable[[str], list[Mention]]:
    """Finds numbers that may be answers. With `exact`, "about 50" is a hedge."""

    def find(text: str) -> list[Mention]:
        found = [m for n in numbers(text) if (m := mention(text, n, about, read_unit, exact))]
        if not found and about.words & _PLACES:
            found = [Mention(n.start, n.end, Value(n.value, None, None)) for n in ordinals(text)]
        return _after_equals(text, _ranges(text, found))

    return find


_PLACES = frozenset(["position", "tray", "row", "column", "floor", "page", "place", "which", "lane", "slot", "number"])


def mention(
    text: str, number: Number, about: About, read_unit: UnitReader, exact: bool
) -> Mention | None:
    if number.ordinal or (number.spelled and _is_pronoun(text, number, about)):
        return None
    unit = read_unit(text, number)
    if unit is None:
        return None
    before = text[max(0, number.start - 40) : number.start]
    hedge = _hedge(text, before, max(number.end, unit[1])) if exact else None
    label = _LABEL.search(before)
    preferred = _beside_asked(text, number, before, about)
    if label and not preferred:
        return None
    return Mention(
        number.start,
        max(number.end, unit[1]),
        Value(number.value, number.other, unit[0]),
        hedge,
        preferred,
    )


def _hedge(text: str, before: str, end: int) -> str | None:
    found = _HEDGE_BEFORE.search(before)
    if found:
        return found[1] or found[2]
    after = _HEDGE_AFTER.match(text, end)
    return (after[1] or after[2] or after[3]) if after else None


def _is_pronoun(text: str, number: Number, about: About) -> bool:
    """ "the other one" counts nothing; "one dent" does."""
    if text[number.start : number.end].lower() != "one":
        return False
    before = text[: number.start].split()[-1:]
    after = _WORD_NEAR.match(text, number.end + 1)
    if before and before[0].lower().strip("\"'(,") in _PRONOUN_BEFORE:
        return True
    return after is not None and after[0].lower() in (
        "another",
        "can",
        "could",
        "would",
        "might",
        "must",
    )


def _beside_asked(text: str, number: Number, before: str, about: About) -> bool:
    """Whether the number stands with what was asked for: "28 shipping containers", "epoch 4"."""
    after = _CLAUSE_END.split(text[number.end : number.end + 60].lstrip(" -"), maxsplit=1)[0]
    following = [stem(word) for word in _WORD_NEAR.findall(after)[:5]]
    if about.counted:
        return bool(following) and _heads(following, about.counted)
    preceding = [stem(word) for word in _WORD_NEAR.findall(before)[-2:]]
    return any(word in about.stems for word in preceding)


def _heads(following: list[str], counted: frozenset[str]) -> bool:
    return any(word in counted for word in following)


def _ranges(text: str, found: list[Mention]) -> list[Mention]:
    """Two numbers that "-", "to" or "or" joins are no answer: both get that as their hedge."""
    for left, right in zip(found, found[1:], strict=False):
        between = text[left.end : right.start]
        same_unit = not _differ(left.value, right.value)
        if (
            same_unit
            and len(between) < 24
            and _LINK.fullmatch(between)
            and left.value != right.value
        ):
            said = text[left.start : right.end]
            found = [m._replace(hedge=said) if m in (left, right) else m for m in found]
    return found


def _differ(left: object, right: object) -> bool:
    """Whether the units do: "32,500 kg or 71,650 lb" is no range."""
    return (
        isinstance(left, Value)
        and isinstance(right, Value)
        and bool(left.unit and right.unit)
        and left.unit != right.unit
    )


def _after_equals(text: str, found: list[Mention]) -> list[Mention]:
    """Of "3 + 4 = 7" the 7."""
    if len(found) < 2 or "=" not in text:
        return found
    last = text.rfind("=")
    after = [m for m in found if m.start > last]
    return after or found


@lru_cache(maxsize=1)
def zero_words() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:no|not any|(?:n't|not)(?: \w+){0,2} any|zero)\s(?:(?:\w|-)+\s){0,4}?", re.IGNORECASE
    )
