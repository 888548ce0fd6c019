"""Units of measure: their spellings, and how one converts into another."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from harness.graders.patterns import TABLES, pattern


class Unit(NamedTuple):
    """A unit as a multiple of its dimension's base unit."""

    name: str
    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)
    """Added after multiplying; for temperatures."""


_OFFSETS = {"k": Decimal("-273.15"), "°f": Decimal(-160) / Decimal(9)}


def _read(table: str) -> dict[str, Unit]:
    spelled: dict[str, Unit] = {}
    for line in table.replace("\n ", " ").strip().splitlines():
        dimension, _, units = line.partition(": ")
        for entry in units.split(" | "):
            name, factor, *spellings = (word.replace("_", " ") for word in entry.split())
            exact = Decimal(5) / Decimal(9) if name == "°f" else Decimal(factor)
            unit = Unit(name, dimension, exact, _OFFSETS.get(name, Decimal(0)))
            spelled |= dict.fromkeys((name, *spellings), unit)
    return spelled


UNITS = _read(TABLES["units"])
_SPELLED = "|".join(re.escape(word) for word in sorted(UNITS, key=len, reverse=True))
_UNIT = pattern(
    "unit",
    r"[ -]?(?:(?:degrees?|deg\.?|°) ?(?P<scale>celsius|centigrade|fahrenheit|[cf])\b"
    r"|(?P<square>square|sq\.?|cubic|cu\.?|fluid|fl\.?) ?(?P<of>[a-z]+)\.?"
    rf"|(?P<unit>{_SPELLED})(?![\w²³]))",
)
_GOES_ON = pattern("unit that goes on")
_POWERS = {("s", "m"): "m2", ("s", "ft"): "ft2", ("c", "m"): "m3", ("c", "ft"): "ft3"}
_POWERS |= {("f", "oz"): "floz", ("s", "cm"): "cm2", ("c", "cm"): "cm3", ("s", "mm"): "mm2"}


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
    if match["square"]:
        base = UNITS.get(match["of"].lower())
        power = _POWERS.get((match["square"][0].lower(), base.name)) if base else None
        return (UNITS[power], match.end()) if power else None
    if match["unit"].lower() in ("in", "a", "b", "c", "f", "k") and _GOES_ON.match(
        text, match.end()
    ):
        return None
    return UNITS[match["unit"].lower()], match.end()


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
    base = number * source.factor + source.offset
    return (base - target.offset) / target.factor
