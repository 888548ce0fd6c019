"""Units of measure: their spellings, and how one converts into another."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from harness.graders.patterns import pattern


class Unit(NamedTuple):
    """A unit as a multiple of its dimension's base unit."""

    name: str
    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)
    """Added after multiplying; for temperatures."""


_TABLE = """
mass: kg 1 kgs kilogram kilograms kilo kilos | g 0.001 gr gram grams gramme grammes | mg 0.000001
 milligram milligrams | t 1000 ton tons tonne tonnes mt | lb 0.45359237 lbs lb. lbs. pound pounds
 | oz 0.028349523125 oz. ounce ounces | st. 6.35029318 stone
length: m 1 metre metres meter meters | km 1000 kms kilometre kilometres kilometer kilometers
 | cm 0.01 cms centimetre centimetres centimeter centimeters | mm 0.001 millimetre millimetres
 millimeter millimeters | um 0.000001 µm μm micron microns | in 0.0254 in. inch inches " ''
 | ft 0.3048 ft. foot feet ' | yd 0.9144 yds yard yards | mi 1609.344 mile miles
volume: l 1 litre litres liter liters ltr | ml 0.001 mls millilitre millilitres milliliter
 milliliters | cl 0.01 cl. | gal 3.785411784 gals gallon gallons | floz 0.0295735295625 fl.oz.
 | m3 1000 m³ m^3 cbm | cm3 0.001 cm³ cm^3 cc | ft3 28.316846592 ft³ ft^3
area: m2 1 m² m^2 sqm | cm2 0.0001 cm² cm^2 | mm2 0.000001 mm² mm^2 | ft2 0.09290304 ft² ft^2 sqft
 | ha 10000 hectare hectares | acre 4046.8564224 acres
time: s 1 sec secs second seconds | min 60 mins minute minutes | h 3600 hr hrs hour hours
 | ms 0.001 millisecond milliseconds | day 86400 days
pressure: bar 100000 bars | mbar 100 millibar | psi 6894.757293168 | pa 1 pascal pascals
 | kpa 1000 kilopascal kilopascals | mpa 1000000 megapascal megapascals | atm 101325
speed: km/h 0.2777777777777778 kmh kph kmph kilometers_per_hour kilometres_per_hour | mph 0.44704
 mi/h miles_per_hour | m/s 1 mps | rpm 0 r/min
power: w 1 watt watts | kw 1000 kilowatt kilowatts | hp 745.6998715822702 horsepower
energy: kwh 3600 | j 0.001 joule joules | kj 1 | kcal 4.184 cal calories calorie
volt: v 1 volt volts | mv 0.001 millivolt millivolts | kv 1000 kilovolt kilovolts
current: a 1 amp amps ampere amperes | ma 0.001 milliamp milliamps
ohm: ohm 1 ohms ω | kohm 1000 kω kilohm kilohms
frequency: hz 1 hertz | khz 1000 kilohertz | mhz 1000000 megahertz | ghz 1000000000 gigahertz
data: b 1 byte bytes | kb 1000 | mb 1000000 | gb 1000000000 | tb 1000000000000
share: % 1 percent per-cent pct percentage
angle: deg 1 degree degrees °
temperature: °c 1 celsius c | k 1 kelvin | °f 0.5555555555555556 fahrenheit f
"""
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


UNITS = _read(_TABLE)
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
