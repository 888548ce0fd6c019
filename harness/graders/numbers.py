"""Numbers in running text: digits with either thousands separator, and English number words."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

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
_WORDS = re.compile(
    rf"\b(?:{_SMALL}|an?(?= (?:hundred|thousand|dozen)))"
    rf"(?:[ -](?:hundred|thousand|million|dozen)\b(?:,? (?:and )?{_SMALL}\b)?){{0,3}}(?![\w])"
    r"|\b(?:half a dozen|a dozen|dozen)\b",
    re.IGNORECASE,
)
_HAS_WORD = re.compile(
    r"\b(?:z|on|tw|th|fo|fi|si|se|ei|ni|te|el|an? (?:hun|tho|doz)|doz|half a)", re.IGNORECASE
)
_DIGITS = re.compile(
    r"(?<![\w.,])(?:(?<![\w)])[-+])?"
    r"(?:\d{1,3}(?:[ ,.']\d{3})+(?:[.,]\d{1,3})?(?![\d])|\d+(?:[.,]\d+)?|\.\d+)"
    r"(?![\d])"
)
_GROUPED = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:[ .']\d{3})+(?:,\d+)?|\d{1,3}(?:[ ']\d{3})+(?:\.\d+)?"
)
_AFTER = re.compile(r"(st|nd|rd|th)\b|[a-zA-Z_]+|[:/]\d", re.IGNORECASE)


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

    >>> [str(n.value) for n in numbers("1,200 bolts, twenty-one nuts and 2,5 kg")]
    ['1200', '21', '2.5']
    >>> [n.glued for n in numbers("12cm of A4 at 10:30")]
    ['cm']
    """
    found = [number for match in _DIGITS.finditer(text) if (number := _in_digits(text, match))]
    if _HAS_WORD.search(text):
        found += [_in_words(match) for match in _WORDS.finditer(text)]
        found.sort()
    return found


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
    """
    >>> parsed("1,234"), parsed("0,58"), parsed("32 500"), parsed("1.234,50")
    ((Decimal('1234'), Decimal('1.234')), (Decimal('0.58'), None), (Decimal('32500'), None), (Decimal('1234.50'), None))
    """
    sign = -1 if written[0] == "-" else 1
    bare = written.lstrip("+-")
    if bare.isdigit():
        return sign * Decimal(bare), None
    if not _GROUPED.fullmatch(bare):
        return _decimal(bare.replace(",", "."), sign), None
    points = [c for c in bare if c in ".,"]
    if len(points) == 1 and " " not in bare and "'" not in bare:
        grouped, fraction = (
            _decimal(re.sub(r"[.,]", "", bare), sign),
            _decimal(bare.replace(",", "."), sign),
        )
        return (grouped, fraction) if "," in bare else (fraction, grouped)
    if (points and points[-1] != points[0]) or len(points) == 1:
        whole, _, fraction_digits = bare.rpartition(points[-1])
        if (len(points) == 1 and re.fullmatch(r"\d{3}", fraction_digits) is None) or points[
            -1
        ] != points[0]:
            return _decimal(re.sub(r"[ ,.']", "", whole) + "." + fraction_digits, sign), None
    return _decimal(re.sub(r"[ ,.']", "", bare), sign), None


def _decimal(written: str, sign: int) -> Decimal | None:
    try:
        return sign * Decimal(written)
    except InvalidOperation:
        return None


def _in_words(match: re.Match[str]) -> Number:
    return Number(*match.span(), Decimal(word_value(match[0])), None, "", False, True)


def word_value(spelled: str) -> int:
    """
    >>> word_value("one hundred and twenty-seven"), word_value("half a dozen"), word_value("two thousand")
    (127, 6, 2000)
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


_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)}|\d{{1,3}}(?:st|nd|rd|th))\b", re.IGNORECASE)


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
