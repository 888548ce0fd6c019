"""Graders of one number: integer, and decimal with tolerance and unit."""

from __future__ import annotations

import re
from collections.abc import Hashable
from decimal import Decimal

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.numbers import Number, numbers
from harness.graders.quantities import Value, finder
from harness.graders.reading import About, Finder, Mention, Said, decide, stem, words
from harness.graders.units import UNITS, Unit, converted, unit_at
from harness.records import Verdict

_INTEGER = lazy(r"[-+]?(?:\d+|\d{1,3}(?:[ ,.']\d{3})+)")
_ZERO = lazy(
    r"(?:\b(?:no|not any|zero|without any|without|not (?:see|have|find|contain|detect|identify"
    r"|spot) any)"
    r"|n't (?:any|(?:see|have|find|contain|detect|identify|spot|appear to be) any))\b[^,.;:]{0,60}",
    re.IGNORECASE,
)
_IN_UNIT = lazy(r"\b(?:in|answer in|unit:|units of)(?= (?!the\b|a\b|in\b)[a-z%°]+)", re.IGNORECASE)
_COMPOUND = lazy(r"\d ?(?:hours?|hrs?|h|feet|foot|ft),? (?:and )?$", re.IGNORECASE)
"""What stands before the 37 of "1 hour 37 minutes"."""
_NOBODY = lazy(r"\b(?:neither|none|nobody|no one)\b", re.IGNORECASE)
_LABEL_ROUNDING = Decimal("0.05")
_NONE = lazy(
    r"^\W*(?:none|nil)\b\W*"
    r"|\b(?:there (?:are|is|were) none|none (?:are|is|of|at all|visible|in))\b",
    re.IGNORECASE,
)
_SINGLE = lazy(
    r"\b(?:a single|only a|just a|there(?: is|'s) an?|i (?:can )?(?:see|count"
    r"|find) an?)\b[^,.;:]{0,50}",
    re.I,
)


def _integer(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("integer", "1200", "**1,200** bolts").passed
    True
    >>> try_out("integer", "5", "There are 4, wait, 5 bolts.", "How many bolts?").passed
    True
    >>> try_out("integer", "5", "4 or 5", "How many?").reason
    'several answers: 4, 5'
    """
    written = one(task.expected, "integer")
    if not _INTEGER.fullmatch(written):
        raise Misfit(f"{written!r} is not a whole number")
    wanted = Decimal(re.sub(r"[ ,.'+]", "", written))

    def unit(text: str, number: Number) -> tuple[None, int] | None:
        return _countable(text, number, task.about)

    find = _with_zero(finder(task.about, unit), task.about)

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find, same_number)
        value = reading.value
        if not isinstance(value, Value):
            return unread(reading)
        if wanted in (value.number, value.other):
            return judged(True, reading, written)
        off = value.number - wanted
        return Verdict(
            passed=False, answer=reading.said, reason=f"off by {off:+f}, expected {written}"
        )

    return check


def _countable(text: str, number: Number, about: About) -> tuple[None, int] | None:
    """A number of things, not of litres; a unit that is asked for counts as well."""
    if about.counted and text[number.start - 1 : number.start] in tuple("$£€¥"):
        return None
    measured = unit_at(text, number.end)
    glued = number.glued and number.glued not in ("x", "X")
    if measured is None:
        return None if glued else (None, number.end)
    if _COMPOUND.search(text[max(0, number.start - 12) : number.start]):
        return None
    word = text[number.end : measured[1]].strip(" -").lower()
    if about.counted and not _asked_unit(word, measured[0], about):
        return None if len(word) > 1 or glued else (None, number.end)
    return None, measured[1]


def _asked_unit(word: str, unit: Unit, about: About) -> bool:
    return word in about.words or any(UNITS.get(w) is unit for w in about.words if len(w) > 1)


def _with_zero(find: Finder, about: About) -> Finder:
    """Adds "no bolts" as 0 and "a dent" as 1 where things are counted and no number is said."""

    def find_all(text: str) -> list[Mention]:
        found = find(text)
        if about.counted and about.doing and _nobody(text, about):
            return [Mention(0, len(text), _ZERO_VALUE)]
        if not about.counted or any(m.preferred for m in found):
            return found
        if found and not _end_of_counted(_zero_phrase(text), about):
            return found
        none = _NONE.search(text)
        if none:
            return [Mention(none.start(), none.end(), _ZERO_VALUE)]
        for pattern, value in ((_ZERO, _ZERO_VALUE), (_SINGLE, _ONE_VALUE)):
            for match in pattern.finditer(text):
                end = _end_of_counted(match[0], about)
                if end:
                    return [Mention(match.start(), match.start() + end, value)]
        return []

    return find_all


_ZERO_VALUE = Value(Decimal(0), None, None)
_ONE_VALUE = Value(Decimal(1), None, None)


def _nobody(text: str, about: About) -> bool:
    """ "2 people, but neither is wearing a helmet"."""
    match = _NOBODY.search(text)
    return match is not None and any(
        stem(word) in about.doing for word in words(text[match.end() :])
    )


def _zero_phrase(text: str) -> str:
    """ "6 barrels, but no pallets": what there is none of."""
    return " ".join(match[0] for match in _ZERO.finditer(text))


def _end_of_counted(phrase: str, about: About) -> int:
    """Where the counted thing ends in a phrase that starts with "no" or "a"; 0 without one."""
    for match in re.finditer(r"[\w'-]+", phrase):
        if stem(match[0]) in about.counted:
            return match.end()
    return 0


def same_number(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """One value for one number, with its unit where one was given."""
    kept: list[Hashable] = []
    for value in values:
        twin = next(
            (
                k
                for k in kept
                if isinstance(k, Value) and isinstance(value, Value) and _alike(k, value)
            ),
            None,
        )
        if twin is None:
            kept.append(value)
        elif isinstance(twin, Value) and twin.unit is None:
            kept[kept.index(twin)] = value
    return tuple(kept)


def _alike(a: Value, b: Value) -> bool:
    if a.unit is None or b.unit is None or a.unit == b.unit:
        return bool({a.number, a.other} & {b.number, b.other} - {None})
    first, second = UNITS.get(a.unit), UNITS.get(b.unit)
    if first is None or second is None:
        return False
    there = converted(a.number, first, second)
    if there is None and first is second:
        there = a.number
    return there is not None and _rounds_to(there, b.number)


def _rounds_to(exact: Decimal, stated: Decimal) -> bool:
    """Whether a stated value is the exact one as somebody would round it: within 0.5 %."""
    return abs(exact - stated) <= abs(exact) * Decimal("0.005")


def _decimal(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("decimal", "32,500 kg", "It is 32,500 kg or 71,650 lb.").passed
    True
    >>> try_out("decimal", "2.5 bar", "2.55 bar", tolerance=0.1).passed
    True
    >>> try_out("decimal", "2.5 bar", "2.5 psi").reason
    'expected 2.5 bar'
    """
    written = one(task.expected, "decimal")
    wanted, unit = _quantity(written)
    if task.options.get("unit"):
        unit = _unit_named(str(task.options["unit"]))
    elif unit is None:
        unit = _asked_unit_of(task.about)
    tolerance = Decimal(str(task.options.get("tolerance", 0)))
    if tolerance < 0:
        raise Misfit("tolerance is negative")
    find = finder(task.about, _unit_reader, exact=not tolerance)

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find, lambda values: _in_unit(values, unit))
        if not isinstance(reading.value, Value):
            return unread(reading)
        return judged(_meets(reading.value, wanted, unit, tolerance), reading, written)

    return check


def _in_unit(values: tuple[Hashable, ...], unit: Unit | None) -> tuple[Hashable, ...]:
    """Of a quantity given in several units the one asked for."""
    if unit is not None:
        asked = same_number(
            tuple(v for v in values if isinstance(v, Value) and v.unit == unit.name)
        )
        rest = [v for v in values if isinstance(v, Value) and v.unit != unit.name]
        if len(asked) == 1 and all(_converts(v, asked[0]) for v in rest):
            return asked
    return same_number(values)


def _converts(value: Value, asked: Hashable) -> bool:
    """The same quantity in another unit, rounded as labels round it."""
    assert isinstance(asked, Value)
    if value.unit is None:
        return value.number == asked.number
    there = [
        converted(number, UNITS[value.unit], UNITS[asked.unit or ""])
        for number in (value.number, value.other)
        if number is not None
    ]
    wanted = [number for number in (asked.number, asked.other) if number is not None]
    return any(
        t is not None and abs(t - w) <= abs(w) * _LABEL_ROUNDING for t in there for w in wanted
    )


def _quantity(written: str) -> tuple[Decimal, Unit | None]:
    found = numbers(written)
    if len(found) != 1 or written[: found[0].start].strip(" ~+-"):
        raise Misfit(f"{written!r} is not a number with or without a unit")
    measured = unit_at(written, found[0].end)
    rest = written[measured[1] if measured else found[0].end :].strip(" .")
    if rest:
        raise Misfit(f"{rest!r} in {written!r} is not a unit we know")
    return found[0].value, measured[0] if measured else None


def _asked_unit_of(about: About) -> Unit | None:
    """The unit that a question wants its answer in: "in inches"."""
    match = _IN_UNIT.search(about.text)
    measured = unit_at(about.text, match.end()) if match else None
    return measured[0] if measured else None


def _unit_named(name: str) -> Unit:
    measured = unit_at(name, 0)
    if measured is None:
        raise Misfit(f"{name!r} is not a unit we know")
    return measured[0]


def _unit_reader(text: str, number: Number) -> tuple[str | None, int] | None:
    measured = unit_at(text, number.end)
    if measured is None:
        return None if number.glued and number.glued not in ("x", "X") else (None, number.end)
    return measured[0].name, measured[1]


def _meets(value: Value, wanted: Decimal, unit: Unit | None, tolerance: Decimal) -> bool:
    readings = [value.number] + ([value.other] if value.other is not None else [])
    said = UNITS.get(value.unit or "")
    if unit is None and value.unit == "%":
        readings.append(value.number / 100)
    if said is not None and unit is not None and said.name == "deg":
        said = None if unit.dimension == "temperature" else said
    if said is None or unit is None or said.name == unit.name:
        return any(abs(number - wanted) <= tolerance for number in readings)
    if (there := converted(value.number, said, unit)) is None:
        return False
    return abs(there - wanted) <= max(tolerance, abs(wanted) * Decimal("0.0005"))


INTEGER = Grader(name="integer", check=_integer)
DECIMAL = Grader(name="decimal", check=_decimal, options={"tolerance": (int, float), "unit": str})
