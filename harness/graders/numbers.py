"""Numbers in running text: digits with either thousands separator, and English number words."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from harness.graders.lazily import lazy

_UNITS = {
    word: at
    for at, word in enumerate(
        str.split(
            """zero one two three four five six seven eight nine ten eleven twelve thirteen
            fourteen fifteen sixteen seventeen eighteen nineteen"""
        )
    )
}
_TENS = {
    word: 10 * at
    for at, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_ORDINALS = {
    word: at
    for at, word in enumerate(
        str.split(
            """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"""
        ),
        start=1,
    )
}
_SMALL = f"(?:(?:{'|'.join(_TENS)})(?:[- ]?(?:{'|'.join(list(_UNITS)[1:10])}))?|{'|'.join(_UNITS)})"
_WORDS = lazy(
    rf"\b(?:{_SMALL}|an?(?= (?:hundred|thousand|dozen)))"
    rf"(?:[ -](?:hundred|thousand|million|dozen)\b(?:,? (?:and )?{_SMALL}\b)?){{0,3}}(?![\w])"
    r"|\b(?:half a dozen|a dozen|dozen)\b",
    re.IGNORECASE,
)
_HAS_WORD = lazy(
    r"\b(?:z|on|tw|th|fo|fi|si|se|ei|ni|te|el|an? (?:hun|tho|doz)|doz|half a)", re.IGNORECASE
)
_DIGITS = lazy(
    r"(?<![\w.,])(?:(?<![\w)])[-+])?"
    r"(?:\d{1,3}(?:[ ,.']\d{3})+(?:[.,]\d{1,3})?(?![\d])|\d+(?:[.,]\d+)?|\.\d+)"
    r"(?![\d])"
)
_FRACTION = lazy(
    r"(?<![\w.,/])(?:(?P<whole>\d{1,4})[ -])?(?P<top>\d{1,3})/(?P<bottom>[1-9]\d{0,2})"
    r"(?P<glued>[a-zA-Z]{0,6})(?![\w/])"
)
_AFTER = lazy(r"(st|nd|rd|th)\b|[a-zA-Z_]+|[:/]\d", re.IGNORECASE)


class Number(NamedTuple):
    """A number as written, with its possible meanings."""

    start: int
    end: int
    value: Decimal
    other: Decimal | None
    """The other reading of "1.234" or "1,234", where both are in use."""
    glued: str
    """Letters that follow at once: "12cm"."""
    ordinal: bool
    spelled: bool


def numbers(text: str) -> list[Number]:
    """Every number, in order of appearance.

    >>> [str(n.value) for n in numbers("1,200 bolts, twenty-one nuts, 2,5 kg and 7 1/4 inches")]
    ['1200', '21', '2.5', '7.25']
    >>> [n.glued for n in numbers("12cm of A4 at 10:30")]
    ['cm']
    """
    fractions = [_fraction(match) for match in _FRACTION.finditer(text)] if "/" in text else []
    found = [
        number
        for match in _DIGITS.finditer(text)
        if not any(f.start <= match.start() < f.end for f in fractions)
        and (number := _in_digits(text, match))
    ]
    if _HAS_WORD.search(text):
        found += [_in_words(match) for match in _WORDS.finditer(text)]
    found += fractions
    return sorted(found, key=lambda n: n.start)


def _fraction(match: re.Match[str]) -> Number:
    whole = Decimal(match["whole"] or 0)
    value = whole + Decimal(match["top"]) / Decimal(match["bottom"])
    return Number(*match.span(), value, None, match["glued"], False, False)


def _in_digits(text: str, match: re.Match[str]) -> Number | None:
    start, end = match.span()
    after = _AFTER.match(text, end)
    glued, ordinal = "", False
    if after is not None:
        if after[0][0] in ":/" or (len(after[0]) > 12 and after[1] is None):
            return None
        ordinal, glued = after[1] is not None, after[0]
    if start > 1 and text[start - 1] in ":/" and text[start - 2].isdigit():
        return None
    value, other = parsed(match[0])
    return None if value is None else Number(start, end, value, other, glued, ordinal, False)


def parsed(written: str) -> tuple[Decimal | None, Decimal | None]:
    """The value, and the other one where separators leave a doubt.

    >>> [str(parsed(w)[0]) for w in ("1,234", "0,58", "32 500", "1.234,50", "1'000", "-2.5")]
    ['1234', '0.58', '32500', '1234.50', '1000', '-2.5']
    >>> parsed("1,234")[1], parsed("1.234")
    (Decimal('1.234'), (Decimal('1.234'), Decimal('1234')))
    """
    sign = -1 if written[0] == "-" else 1
    bare = re.sub(r"[ ']", "", written.lstrip("+-"))
    if bare.isdigit():
        return sign * Decimal(bare), None
    marks = [c for c in bare if c in ".,"]
    if len(set(marks)) == 2:
        thousands = "," if marks[-1] == "." else "."
        return _decimal(bare.replace(thousands, "").replace(",", "."), sign), None
    if len(marks) > 1:
        return _decimal(bare.replace(marks[0], ""), sign), None
    fraction = _decimal(bare.replace(",", "."), sign)
    if not re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", bare):
        return fraction, None
    grouped = _decimal(bare.replace(marks[0], ""), sign)
    return (grouped, fraction) if marks[0] == "," else (fraction, grouped)


def _decimal(written: str, sign: int) -> Decimal | None:
    try:
        return sign * Decimal(written)
    except InvalidOperation:
        return None


def _in_words(match: re.Match[str]) -> Number:
    return Number(*match.span(), Decimal(word_value(match[0])), None, "", False, True)


def word_value(spelled: str) -> int:
    """
    >>> word_value("one hundred and twenty-seven"), word_value("half a dozen")
    (127, 6)
    """
    spelled = spelled.lower()
    if spelled == "half a dozen":
        return 6
    total, part = 0, 0
    for word in re.split(r"[\s,-]+", spelled):
        if word in _UNITS or word in _TENS:
            part += _UNITS.get(word, 0) + _TENS.get(word, 0)
        elif word == "dozen":
            part = max(part, 1) * 12
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in _SCALES:
            total, part = total + max(part, 1) * _SCALES[word], 0
    return total + part


_ORDINAL = lazy(rf"\b(?:{'|'.join(_ORDINALS)}|\d{{1,3}}(?:st|nd|rd|th))\b", re.IGNORECASE)


def ordinals(text: str) -> list[Number]:
    """
    >>> [int(n.value) for n in ordinals("the third tray, the 12th")]
    [3, 12]
    """
    found = []
    for match in _ORDINAL.finditer(text):
        word = match[0].lower()
        value = _ORDINALS.get(word) or int(word[:-2])
        found.append(Number(*match.span(), Decimal(value), None, "", True, not word[0].isdigit()))
    return found
