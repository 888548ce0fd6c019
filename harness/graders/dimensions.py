"""Dimensions: two or three lengths in order, in metric units, in feet and inches, or bare."""

from __future__ import annotations

import re
from collections.abc import Hashable
from decimal import Decimal
from typing import NamedTuple

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.numbers import parsed
from harness.graders.quantities import approximate
from harness.graders.reading import Mention, Said, decide
from harness.graders.units import UNITS, Unit, unit_at
from harness.records import Verdict

_NUMBER = r"\d+(?:[.,]\d+)*"
_FEET = (
    r"(?P<feet>\d+)\s?(?:'(?!')|ft\.?|feet|foot)[\s,-]{0,2}"
    rf"(?:(?P<inches>{_NUMBER})?(?:[\s-]?(?P<part>\d/\d{{1,2}}))?"
    r"\s?(?:\"|''|in(?:ch(?:es)?)?\b\.?)?)"
)
_LENGTH = lazy(rf"(?<![\w.,/]){_FEET}|(?<![\w.,/])(?P<number>{_NUMBER})", re.IGNORECASE)
_BETWEEN = lazy(
    r"[\s.]{0,2}(?:\([^()]{1,30}\)\s?)?(?:\b(?:wide|long|deep|high|tall|in width"
    r"|in length)\b\s?)?(?:x|\*|by|and|,)\s{0,2}",
    re.IGNORECASE,
)


_TIMES = lazy(r"(?<=\d)[xX](?=\d)")


class Sizes(NamedTuple):
    """Lengths in metres, or bare numbers where no unit is given."""

    sizes: tuple[Decimal, ...]
    bare: bool

    def __str__(self) -> str:
        return " x ".join(f"{size.normalize():f}" for size in self.sizes)


class _Length(NamedTuple):
    start: int
    end: int
    number: Decimal
    unit: Unit | None


def dimensions(text: str, least: int = 2) -> list[Mention]:
    """Runs of at least so many lengths; a single one needs its unit.

    >>> [str(m.value) for m in dimensions("120 x 60 x 75 cm; 10' 2'' by 16 ft")]
    ['1.2 x 0.6 x 0.75', '3.0988 x 4.8768']
    """
    found: list[Mention] = []
    run: list[_Length] = []
    for length in _lengths(text):
        if run and not _BETWEEN.fullmatch(text[run[-1].end : length.start]):
            found += _together(text, run, least)
            run = []
        run.append(length)
    return found + _together(text, run, least)


def _lengths(text: str) -> list[_Length]:
    found = []
    text = _TIMES.sub("*", text)
    for match in _LENGTH.finditer(text):
        if match["feet"]:
            inches = Decimal((match["inches"] or "0").replace(",", "."))
            if match["part"]:
                top, bottom = match["part"].split("/")
                inches += Decimal(top) / Decimal(bottom) if bottom.strip("0") else 0
            found.append(
                _Length(
                    match.start(),
                    match.start() + len(match[0].rstrip(" ,-")),
                    int(match["feet"]) + inches / 12,
                    UNITS["ft"],
                )
            )
        elif (number := parsed(match["number"])[0]) is not None:
            measured = unit_at(text, match.end())
            length = measured if measured and measured[0].dimension == "length" else None
            found.append(
                _Length(
                    match.start(),
                    length[1] if length else match.end(),
                    number,
                    length[0] if length else None,
                )
            )
    return found


def _together(text: str, run: list[_Length], least: int) -> list[Mention]:
    if len(run) < least or (len(run) == 1 and run[0].unit is None):
        return []
    last = run[-1].unit or next((length.unit for length in run if length.unit), None)
    units = [length.unit or last for length in run]
    sizes = tuple(
        round(length.number * (unit.factor if unit else 1), 6)
        for length, unit in zip(run, units, strict=True)
    )
    start, end = run[0].start, run[-1].end
    bare = last is None and not any(units)
    return [Mention(start, end, Sizes(sizes, bare), approximate(text, start, end))]


def _check(task: Task) -> Check:
    r"""
    >>> from harness.graders import try_out
    >>> said = ("9'2 X 16'0", "9 ft 2 in by 16 ft", "9' x 16'")
    >>> [try_out("dimensions", "9'2\" x 16'", it).passed for it in said]
    [True, True, False]
    """
    written = one(task.expected, "dimensions")
    wanted = dimensions(written, 1)
    if len(wanted) != 1 or not isinstance(wanted[0].value, Sizes):
        raise Misfit(f"{written!r} is not two or three lengths like '10 x 16'")
    sizes = wanted[0].value
    least = min(2, len(sizes.sizes))

    def find(text: str) -> list[Mention]:
        return dimensions(text, least)

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find, _same)
        if not isinstance(reading.value, Sizes):
            return unread(reading)
        return judged(_equal(sizes, reading.value), reading, written)

    return check


def _equal(wanted: Sizes, said: Sizes) -> bool:
    """The same lengths in the same order; bare numbers are taken to be in the other's unit."""
    if len(wanted.sizes) != len(said.sizes):
        return False
    pairs = list(zip(wanted.sizes, said.sizes, strict=True))
    if wanted.bare != said.bare:
        ratios = {round(a / b, 4) for a, b in pairs if b}
        factors = {unit.factor for unit in UNITS.values() if unit.dimension == "length"}
        return len(ratios) == 1 and any(
            abs(r / f - 1) < Decimal("0.002") or abs(r * f - 1) < Decimal("0.002")
            for r in ratios
            if r
            for f in factors
        )
    return all(abs(a - b) <= abs(a) * Decimal("0.002") for a, b in pairs)


def _same(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    kept: list[Hashable] = []
    for value in values:
        if not any(
            isinstance(k, Sizes) and isinstance(value, Sizes) and _close(k, value) for k in kept
        ):
            kept.append(value)
    return tuple(kept)


def _close(a: Sizes, b: Sizes) -> bool:
    """A metric equivalent is rounded more coarsely than an answer may be."""
    pairs = zip(a.sizes, b.sizes, strict=False)
    return len(a.sizes) == len(b.sizes) and all(
        abs(x - y) <= abs(x) * Decimal("0.008") for x, y in pairs
    )


DIMENSIONS = Grader(name="dimensions", check=_check)
