"""Units of measure: their spellings, and how one converts into another."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from harness.graders.lazily import lazy


class Unit(NamedTuple):
    """A unit as a multiple of its dimension's base unit."""

    name: str
    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)
    """Added after multiplying; for temperatures."""


_TABLE = """
mass     kg      1            kg kgs kilogram kilograms kilogramme kilogrammes kilo kilos
mass     g       0.001        g gr gram grams gramme grammes
mass     mg      0.000001     mg milligram milligrams
mass     t       1000         t ton tons tonne tonnes mt
mass     lb      0.45359237   lb lbs lb. lbs. pound pounds
mass     oz      0.028349523125 oz oz. ounce ounces
mass     st      6.35029318   stone
length   m       1            m metre metres meter meters
length   km      1000         km kms kilometre kilometres kilometer kilometers
length   cm      0.01         cm cms centimetre centimetres centimeter centimeters
length   mm      0.001        mm millimetre millimetres millimeter millimeters
length   um      0.000001     um µm μm micron microns micrometre micrometres micrometer micrometers
length   in      0.0254       in in. inch inches " ''
length   ft      0.3048       ft ft. foot feet '
length   yd      0.9144       yd yds yard yards
length   mi      1609.344     mi mile miles
volume   l       1            l litre litres liter liters ltr
volume   ml      0.001        ml mls millilitre millilitres milliliter milliliters
volume   cl      0.01         cl centilitre centilitres centiliter centiliters
volume   gal     3.785411784  gal gals gallon gallons
volume   floz    0.0295735295625 floz fl.oz.
volume   m3      1000         m3 m³ m^3 cbm
volume   ft3     28.316846592 ft3 ft³ ft^3
area     m2      1            m2 m² m^2 sqm
area     ft2     0.09290304   ft2 ft² ft^2 sqft
area     ha      10000        ha hectare hectares
area     acre    4046.8564224 acre acres
time     s       1            s sec secs second seconds
time     min     60           min mins minute minutes
time     h       3600         h hr hrs hour hours
time     ms      0.001        ms millisecond milliseconds
time     day     86400        day days
pressure bar     100000       bar bars
pressure mbar    100          mbar millibar
pressure psi     6894.757293168 psi
pressure pa      1            pa pascal pascals
pressure kpa     1000         kpa kilopascal kilopascals
pressure mpa     1000000      mpa megapascal megapascals
pressure atm     101325       atm
speed    km/h    0.2777777777777778 km/h kmh kph kmph kilometers_per_hour kilometres_per_hour
speed    mph     0.44704      mph mi/h miles_per_hour
speed    m/s     1            m/s mps
speed    rpm     0            rpm
power    w       1            w watt watts
power    kw      1000         kw kilowatt kilowatts
power    hp      745.6998715822702 hp horsepower
energy   kwh     1            kwh
energy   j       0            j joule joules
energy   kj      1            kj
energy   kcal    4.184        kcal cal calories calorie
volt     v       1            v volt volts
volt     mv      0.001        mv millivolt millivolts
volt     kv      1000         kv kilovolt kilovolts
current  a       1            a amp amps ampere amperes
current  ma      0.001        ma milliamp milliamps
ohm      ohm     1            ohm ohms ω
ohm      kohm    1000         kohm kω kilohm kilohms
freq     hz      1            hz hertz
freq     khz     1000         khz kilohertz
freq     mhz     1000000      mhz megahertz
freq     ghz     1000000000   ghz gigahertz
data     b       1            byte bytes
data     kb      1000         kb
data     mb      1000000      mb
data     gb      1000000000   gb
data     tb      1000000000000 tb
share    %       1            % percent per-cent pct percentage
angle    deg     1            deg degree degrees °
"""


def _read(table: str) -> dict[str, Unit]:
    spelled: dict[str, Unit] = {}
    for line in table.strip().splitlines():
        dimension, name, factor, *spellings = (word.replace("_", " ") for word in line.split())
        unit = Unit(name, dimension, Decimal(factor))
        spelled.update(dict.fromkeys(spellings if name == "st" else (name, *spellings), unit))
    celsius = Unit("°c", "temperature", Decimal(1))
    kelvin = Unit("k", "temperature", Decimal(1), Decimal("-273.15"))
    fahrenheit = Unit("°f", "temperature", Decimal(5) / Decimal(9), Decimal(-160) / Decimal(9))
    spelled.update(dict.fromkeys(("°c", "celsius", "c"), celsius))
    spelled.update(dict.fromkeys(("°f", "fahrenheit", "f"), fahrenheit))
    spelled.update(dict.fromkeys(("kelvin", "k"), kelvin))
    return spelled


UNITS = _read(_TABLE)

_SPELLED = "|".join(re.escape(word) for word in sorted(UNITS, key=len, reverse=True))
_UNIT = lazy(
    r"[ -]?(?:(?:degrees?|deg\.?|°) ?(?P<scale>celsius|centigrade|fahrenheit|[cf])\b"
    r"|(?P<square>square|sq\.?|cubic|cu\.?|fluid|fl\.?) ?(?P<of>[a-z]+)\.?"
    rf"|(?P<unit>{_SPELLED})(?![\w²³]))",
    re.IGNORECASE,
)
_GOES_ON = lazy(r" [a-z]{2,}", re.IGNORECASE)
_POWERS = {
    ("s", "m"): "m2", ("s", "ft"): "ft2", ("c", "m"): "m3", ("c", "ft"): "ft3", ("f", "oz"): "floz",
}  # fmt: skip


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
        return UNITS["°c" if match["scale"][0].lower() == "c" else "°f"], match.end()
    if match["square"]:
        base = UNITS.get(match["of"].lower())
        power = _POWERS.get((match["square"][0].lower(), base.name)) if base else None
        return (UNITS[power], match.end()) if power else None
    if match["unit"].lower() in ("in", "a") and _GOES_ON.match(text, match.end()):
        return None  # "9 in total", "7 a day"
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
