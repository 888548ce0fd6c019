"""Numbers in a text: digits in any usual notation, words, fractions, millions."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from harness.graders.patterns import LISTS, pattern, regex

_ONES, _TENS, _ORDINALS = LISTS["ones"], LISTS["tens"], LISTS["ordinals"]
_WORDS = {word: value for value, word in enumerate(_ONES)} | {
    word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)
}
_WORDS |= {"a dozen": 12, "dozen": 12, "half a dozen": 6, "fourty": 40}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALES |= {"trillion": 10**12, "mn": 10**6, "bn": 10**9, "m": 10**6, "k": 1000, "b": 10**9}
_ANY = "|".join(sorted(_WORDS, key=len, reverse=True))
_DIGITS = pattern("digits")
_NEXT = regex(r"(?P<slash> ?/ ?)(?P<under>\d{1,6}(?:\.\d+)?)(?![\d/])")
_MIXED = regex(r"[ -](\d{1,3})/(\d{1,3})(?![\d/])")
_SCALE = pattern("scale")
_SCALE_LETTER = regex(r"[kMB](?![\w])")
_SPELLED = pattern(
    "number words",
    rf"\b(?:(?:{_ANY}|hundred|thousand|million)(?:[ -](?:and )?(?={_ANY}|hundred|thousand|million)"
    r"|, (?=[a-z]+ hundred)|\b))+",
)
_PRONOUN_BEFORE = pattern("one as a pronoun")
_PRONOUN_AFTER = pattern("one of them")
_ORDINAL = pattern(
    "ordinals",
    rf"\b(?:(\d{{1,3}})(?:st|nd|rd|th)|({'|'.join(_ORDINALS)}))\b(?!,)",
    policy="the third tray",
)


class Number(NamedTuple):
    """A number and where it stands."""

    start: int
    end: int
    value: Decimal
    other: Decimal | None = None
    """Its other meaning: 1.250 is 1250 too."""
    spelled: bool = False
    glued: str = ""
    """A letter that follows at once: the "m" of "5m"."""
    ordinal: bool = False


def numbers(text: str) -> list[Number]:
    """
    >>> [str(n.value) for n in numbers("1,250 or twenty-one; 2.5 million, 1/2, one hundred")]
    ['1250', '21', '2500000.0', '0.5', '100']
    >>> [n.value for n in numbers("the other one, one of them, P3, 10:30")]
    []
    """
    found = _in_digits(text)
    if any(c.isalpha() for c in text):
        found = sorted([*found, *_in_words(text)])
    return found


def ordinals(text: str) -> list[Number]:
    """
    >>> [int(n.value) for n in ordinals("the 3rd or the eighth tray")]
    [3, 8]
    """
    return [
        Number(*m.span(), Decimal(m[1] or _ORDINALS.index(m[2].lower()) + 1), ordinal=True)
        for m in _ORDINAL.finditer(text)
    ]


def parsed(written: str) -> tuple[Decimal | None, Decimal | None]:
    """A number in digits, and its other meaning.

    >>> parsed("1.250"), parsed("2,5"), parsed("12,345.6")
    ((Decimal('1.250'), Decimal('1250')), (Decimal('2.5'), None), (Decimal('12345.6'), None))
    """
    plain = written.replace(" ", "").replace("'", "").rstrip(".,")
    other: Decimal | None = None
    commas, dots = plain.count(","), plain.count(".")
    if commas and dots:
        last = max(plain.rfind(","), plain.rfind("."))
        thousands = "," if plain[last] == "." else "."
        plain = plain.replace(thousands, "").replace(",", ".")
    elif commas > 1 or dots > 1:
        plain = plain.replace(",", "").replace(".", "")
    elif commas or dots:
        head, _, tail = plain.replace(",", ".").partition(".")
        grouped = len(tail) == 3 and head.lstrip("+-") not in ("", "0")
        if commas and grouped:
            plain = head + tail
        else:
            plain = f"{head}.{tail}"
            other = _decimal(head + tail) if grouped else None
    return _decimal(plain), other


def _decimal(plain: str) -> Decimal | None:
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def _in_digits(text: str) -> list[Number]:
    found: list[Number] = []
    at = 0
    for match in _DIGITS.finditer(text):
        if match.start() < at:
            continue
        power = match["power"] or ""
        value, other = parsed(match[0].removesuffix(power))
        if value is None:
            continue
        end = match.end()
        if power:
            value = value.scaleb(int(match["exponent"] or power[1:]))
            other = None
        elif (over := _NEXT.match(text, end)) and Decimal(over["under"]):
            value, other, end = value / Decimal(over["under"]), None, over.end()
        elif (mixed := _MIXED.match(text, end)) and int(mixed[2]):
            value, other, end = value + Decimal(mixed[1]) / Decimal(mixed[2]), None, mixed.end()
        if text[end : end + 1] == ":" and text[end + 1 : end + 2].isdigit():
            continue
        value, other, end = _scaled(text, value, other, end)
        glued = text[end : end + 1] if text[end : end + 1].isalpha() else ""
        found.append(Number(match.start(), end, value, other, glued=glued))
        at = end
    return found


def _scaled(
    text: str, value: Decimal, other: Decimal | None, end: int
) -> tuple[Decimal, Decimal | None, int]:
    scale = _SCALE.match(text, end) or _SCALE_LETTER.match(text, end)
    if scale is None or (scale[0] == "M" and text[end - 1 : end] == " "):
        return value, other, end
    factor = _SCALES[scale[0].strip().lower()]
    return value * factor, None, scale.end()


def _in_words(text: str) -> list[Number]:
    return [
        Number(*match.span(), Decimal(_spelled_value(match[0])), spelled=True)
        for match in _SPELLED.finditer(text)
        if not _is_pronoun(text, match)
    ]


def _is_pronoun(text: str, match: re.Match[str]) -> bool:
    if match[0].lower() in ("hundred", "thousand", "million"):
        return True
    if match[0].lower() != "one":
        return text[match.end() : match.end() + 1] == "-"
    return bool(
        text[match.end() : match.end() + 1] == "-"
        or _PRONOUN_BEFORE.search(text[max(0, match.start() - 16) : match.start()])
        or (
            _PRONOUN_AFTER.match(text[match.end() : match.end() + 24])
            and not text[: match.start()].lower().endswith(("only ", "just "))
        )
    )


def _spelled_value(phrase: str) -> int:
    total = current = 0
    for word in re.split(r"[ ,-]+(?:and )?", phrase.lower().replace("a dozen", "dozen")):
        if word in ("hundred", "thousand", "million"):
            scale = _SCALES[word]
            current = (current or 1) * scale
            if scale > 100:
                total, current = total + current, 0
        elif word in _WORDS:
            current += _WORDS[word]
    return total + current
