"""Numbers and their units in a text: digits in any usual notation, words, 2.5 million, kg, $."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from harness.graders.decide import Mention
from harness.graders.words import LISTS, TABLES, any_of, pattern, phrase

_WORDS = {word: value for value, word in enumerate(LISTS["ones"])}
_WORDS |= dict(zip(LISTS["tens"], range(20, 100, 10), strict=True))
_WORDS |= {"a dozen": 12, "dozen": 12, "half a dozen": 6}
SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
SCALES |= {"trillion": 10**12, "mn": 10**6, "bn": 10**9, "m": 10**6, "k": 1000, "b": 10**9}
_BIG = ("hundred", "thousand", "million")
_ANY = any_of([*_WORDS, *_BIG])
_DIGITS = phrase("numbers in digits, fractions, 1.5 x 10^5, 2.5 million, 3k")
_SPELLED = pattern(
    rf"\b(?:(?:{_ANY})(?:[ -](?:and )?(?={_ANY})|, (?=[a-z]+ hundred)|\b))+", "numbers in words"
)
_NO_NUMBER = phrase('"the other one" is no number')


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
            name, factor, *others = (word.replace("_", " ") for word in entry.split())
            unit = Unit(name, dimension, *map(Decimal, factor.split("+")))
            spelled |= dict.fromkeys((name, *others), unit)
            lengths = [it for it, length in spelled.items() if length.name == name[:-1]]
            power = {"2": ("square", "sq", "sq."), "3": ("cubic", "cu", "cu.")}.get(name[-1], ())
            spelled |= {f"{word} {length}": unit for word in power for length in lengths}
    return spelled


UNITS = _units(TABLES["units"])
CURRENCIES = _units(TABLES["currencies"])
_UNIT = pattern(rf"[ -]?({any_of(UNITS)})(?![\w²³])", "units")
_BEFORE = pattern(rf"(?:^|(?<![^\W\d_]))({any_of(CURRENCIES)}) ?-?$", "a wrong currency fails")
_AFTER = pattern(rf" ?-?({any_of(CURRENCIES)})(?!\w)", "58p, 5 euros")
_SHORT = frozenset(("in", "a", "b", "c", "f", "k"))


class Quantity(NamedTuple):
    """A number with its unit."""

    number: Decimal
    other: Decimal | None = None
    """The other meaning of its notation: 1.250 is 1250 too."""
    unit: Unit | None = None

    def readings(self, unit: Unit | None = None) -> list[Decimal]:
        """The numbers it can mean, in a unit; none when it cannot be in that.

        >>> [round(n) for n in Quantity(Decimal(212), None, UNITS["°f"]).readings(UNITS["°c"])]
        [100]
        """
        found, own = [n for n in (self.number, self.other) if n is not None], self.unit
        if unit is None or own is None or own.name in (unit.name, "deg"):
            return found
        if own.dimension != unit.dimension or not own.factor or not unit.factor:
            return []
        return [(n * own.factor + own.offset - unit.offset) / unit.factor for n in found]


def numbers(text: str, *, money: bool = False) -> list[Mention]:
    """The quantities in a text; with `money` their units are currencies.

    >>> text = "1,250 or twenty-one; 2.5 million, 1/2, one hundred; 3 square feet"
    >>> [str(m.value.number) for m in numbers(text)]
    ['1250', '21', '2500000.0', '0.5', '100', '3']
    >>> numbers("the other one, P3, 10:30, 7th")
    []
    """
    found = [(*match.span(), *_in_digits(match)) for match in _DIGITS.finditer(text)]
    found += [(*match.span(), _in_words(text, match), None) for match in _SPELLED.finditer(text)]
    mentions = []
    for start, end, number, other in sorted(found, key=lambda it: it[0]):
        unit = None
        if money and (before := _BEFORE.search(text[max(0, start - 10) : start])):
            start, unit = start - len(before[0]), CURRENCIES[before[1].lower()]
        elif measured := unit_at(text, end, money=money):
            unit, end = measured
        if number is not None and (unit or not text[end : end + 1].isalpha()):
            mentions.append(Mention(start, end, Quantity(number, other, unit)))
    return mentions


def unit_at(text: str, at: int, *, money: bool = False) -> tuple[Unit, int] | None:
    """The unit that stands at a place in a text, and where it ends.

    >>> [unit_at(it, 1)[0].name for it in ("5 kg net", "9 °C", "3 square feet")]
    ['kg', '°c', 'ft2']
    >>> unit_at("5 bolts", 1) is None
    True
    """
    match = (_AFTER if money else _UNIT).match(text, at)
    if match is None:
        return None
    name, more = match[1].lower(), text[match.end() : match.end() + 3]
    if not money and name in _SHORT and re.fullmatch(" [A-Za-z]{2}", more):
        return None  # "9 in total" is no length
    return (CURRENCIES if money else UNITS)[name], match.end()


def _in_digits(match: re.Match[str]) -> tuple[Decimal | None, Decimal | None]:
    said = match.groupdict(default="")
    value, other = parsed(said["head"])
    if value is None or (said["under"] and not Decimal(said["under"])):
        return None, None
    if said["power"]:
        value, other = value.scaleb(int(said["exponent"] or said["power"][1:])), None
    if said["under"]:
        top = Decimal(said["mixed"].lstrip(" -")) if said["mixed"] else value
        share = top / Decimal(said["under"])
        value, other = value + share if said["mixed"] else share, None
    if scale := said["scale"] or said["letter"]:
        value, other = value * SCALES[scale.lower()], None
    return value, other


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


def _in_words(text: str, match: re.Match[str]) -> Decimal | None:
    said, end = match[0].lower(), match.end()
    one = said == "one" and _NO_NUMBER.search(text[max(0, match.start() - 10) : end + 10])
    if one or said in _BIG or text[end : end + 1] == "-":
        return None
    total = current = 0
    for word in re.split(r"[ ,-]+(?:and )?", said.replace("a dozen", "dozen")):
        if word in _BIG:
            current = (current or 1) * SCALES[word]
            if word != "hundred":
                total, current = total + current, 0
        else:
            current += _WORDS.get(word, 0)
    return Decimal(total + current)
