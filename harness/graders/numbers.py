"""Numbers and units in a text: digits in any usual notation, words, fractions, millions, kg."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from harness.graders.words import LISTS, TABLES, any_of, pattern, phrase

_WORDS = {word: value for value, word in enumerate(LISTS["ones"])}
_WORDS |= dict(zip(LISTS["tens"], range(20, 100, 10), strict=True))
_WORDS |= {"a dozen": 12, "dozen": 12, "half a dozen": 6}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALES |= {"trillion": 10**12, "mn": 10**6, "bn": 10**9, "m": 10**6, "k": 1000, "b": 10**9}
_BIG = ("hundred", "thousand", "million")
_ANY = any_of([*_WORDS, *_BIG])
_DIGITS = phrase("numbers in digits, fractions, 1.5 x 10^5, 2.5 million, 3k")
_SPELLED = pattern(
    rf"\b(?:(?:{_ANY})(?:[ -](?:and )?(?={_ANY})|, (?=[a-z]+ hundred)|\b))+", "numbers in words"
)
_NO_NUMBER = pattern(
    r"\b(?:the|that|which|each|every|other|another|no|first|second|last|next) $",
    '"the other one" is no number',
)


class Number(NamedTuple):
    """A number and where it stands."""

    start: int
    end: int
    value: Decimal
    other: Decimal | None = None
    """Its other meaning: 1.250 is 1250 too."""


def numbers(text: str) -> list[Number]:
    """
    >>> [str(n.value) for n in numbers("1,250 or twenty-one; 2.5 million, 1/2, one hundred")]
    ['1250', '21', '2500000.0', '0.5', '100']
    >>> [n.value for n in numbers("the other one, P3, 10:30")]
    []
    """
    found = [n for match in _DIGITS.finditer(text) if (n := _in_digits(match))]
    spelled = [n for match in _SPELLED.finditer(text) if (n := _in_words(text, match))]
    return sorted([*found, *spelled]) if spelled else found


def _in_digits(match: re.Match[str]) -> Number | None:
    said = match.groupdict(default="")
    value, other = parsed(said["head"])
    if value is None or (said["under"] and not Decimal(said["under"])):
        return None
    if said["power"]:
        value, other = value.scaleb(int(said["exponent"] or said["power"][1:])), None
    if said["under"]:
        top = Decimal(said["mixed"].lstrip(" -")) if said["mixed"] else value
        share = top / Decimal(said["under"])
        value, other = value + share if said["mixed"] else share, None
    if scale := said["scale"] or said["letter"]:
        value, other = value * _SCALES[scale.lower()], None
    return Number(*match.span(), value, other)


def parsed(written: str) -> tuple[Decimal | None, Decimal | None]:
    """A number in digits, and its other meaning.

    >>> parsed("1.250"), parsed("2,5"), parsed("12,345.6")
    ((Decimal('1.250'), Decimal('1250')), (Decimal('2.5'), None), (Decimal('12345.6'), None))
    """
    plain = written.replace(" ", "").replace("'", "").rstrip(".,/")
    commas, dots = plain.count(","), plain.count(".")
    if commas and dots:
        last = max(plain.rfind(","), plain.rfind("."))
        plain = plain.replace("," if plain[last] == "." else ".", "").replace(",", ".")
    elif commas > 1 or dots > 1:
        plain = plain.replace(",", "").replace(".", "")
    elif commas or dots:
        head, _, tail = plain.replace(",", ".").partition(".")
        grouped = len(tail) == 3 and head.lstrip("+-") not in ("", "0")
        if commas and grouped:
            plain = head + tail
        else:
            return _decimal(f"{head}.{tail}"), _decimal(head + tail) if grouped else None
    return _decimal(plain), None


def _decimal(plain: str) -> Decimal | None:
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def _in_words(text: str, match: re.Match[str]) -> Number | None:
    said, end = match[0].lower(), match.end()
    one = said == "one" and _NO_NUMBER.search(text[: match.start()][-16:])
    if one or said in _BIG or text[end : end + 1] == "-":
        return None
    total = current = 0
    for word in re.split(r"[ ,-]+(?:and )?", said.replace("a dozen", "dozen")):
        if word in _BIG:
            current = (current or 1) * _SCALES[word]
            if word != "hundred":
                total, current = total + current, 0
        else:
            current += _WORDS.get(word, 0)
    return Number(*match.span(), Decimal(total + current))


class Unit(NamedTuple):
    """A unit as a multiple of its dimension's base unit."""

    name: str
    dimension: str
    factor: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    """Added after multiplying; for temperatures."""


def _units(table: str) -> dict[str, Unit]:
    spelled: dict[str, Unit] = {}
    for line in table.replace("\n ", " ").strip().splitlines():
        dimension, _, units = line.partition(": ")
        for entry in units.split(" | "):
            name, factor, *spellings = (word.replace("_", " ") for word in entry.split())
            unit = Unit(name, dimension, Decimal(factor))
            spelled |= dict.fromkeys((name, *spellings), unit)
    return spelled


UNITS = _units(TABLES["units"])
UNITS |= dict.fromkeys(("k", "kelvin"), UNITS["k"]._replace(offset=Decimal("-273.15")))
_FAHRENHEIT = Unit("°f", "temperature", Decimal(5) / Decimal(9), Decimal(-160) / Decimal(9))
UNITS |= dict.fromkeys(("°f", "fahrenheit", "f"), _FAHRENHEIT)
_UNIT = pattern(
    r"[ -]?(?:(?:degrees?|deg\.?|°) ?(?P<scale>celsius|centigrade|fahrenheit|[cf])\b|(?P<power>"
    r"square|sq\.?|cubic|cu\.?|fluid|fl\.?) ?(?P<of>[a-z]+)\.?"
    rf"|(?P<unit>{any_of(UNITS)})(?![\w²³]))",
    "units",
)
_SHORT = frozenset(("in", "a", "b", "c", "f", "k"))
_POWERS = {"s": "2", "c": "3", "f": ""}


def unit_at(text: str, at: int) -> tuple[Unit, int] | None:
    """The unit that stands at a place in a text, and where it ends.

    >>> [unit_at(it, 1)[0].name for it in ("5 kg net", "9 °C", "3 square feet")]
    ['kg', '°c', 'ft2']
    >>> unit_at("5 bolts", 1) is None
    True
    """
    match = _UNIT.match(text, at)
    if match is None:
        return None
    if match["scale"]:
        return UNITS["°f" if match["scale"][0].lower() == "f" else "°c"], match.end()
    if not match["power"]:
        unit, goes_on = match["unit"].lower(), text[match.end() : match.end() + 3]
        if unit in _SHORT and goes_on[:1] == " " and goes_on[1:].isalpha() and len(goes_on) == 3:
            return None  # "9 in total" is no length
        return UNITS[unit], match.end()
    kind, base = match["power"][0].lower(), UNITS.get(match["of"].lower())
    power = UNITS.get(f"{'fl' if kind == 'f' else ''}{base.name}{_POWERS[kind]}") if base else None
    return (power, match.end()) if power else None


def converted(number: Decimal, source: Unit, target: Unit) -> Decimal | None:
    """A quantity in another unit; None across dimensions.

    >>> converted(Decimal(2), UNITS["kg"], UNITS["g"])
    Decimal('2E+3')
    >>> round(converted(Decimal(212), UNITS["°f"], UNITS["°c"]), 6)
    Decimal('100.000000')
    """
    if source.name == target.name:
        return number
    if source.dimension != target.dimension or not source.factor or not target.factor:
        return None
    return (number * source.factor + source.offset - target.offset) / target.factor
