"""Dates, times of day, places in a picture and dimensions, in any usual notation."""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from harness.graders.decide import Check, Mention, approximate, comparing, one
from harness.graders.quantities import UNITS, Quantity, numbers
from harness.graders.words import LISTS, TABLES, any_of, pattern, phrase
from harness.records import Case

_MONTHS = {name: at for at, line in enumerate(TABLES["months"], 1) for name in line.split()}
_PART = rf"(?:\d{{1,4}}(?:st|nd|rd|th)?|'\d\d|\b(?:{any_of(_MONTHS)})\b\.?)"
_DATE = pattern(
    rf"(?<![\d/.-]){_PART}(?:(?:[-/.年月]|,? ?(?:of )?) ?{_PART}){{1,2}}(?![\d/:]|[.-]\d)",
    "dates: 2021-03-04, March 4 2021, 4 March, May 2026, 5/6/20, 09/2023",
)
_PARTS = pattern(rf"\d+|{any_of(_MONTHS)}", "parts of a date")
_ORDERS = {form: orders.split(",") for form, orders in (it.split(":") for it in LISTS["orders"])}
"""What year, digits and month name (y, d, n) can mean."""
_TIME, _HOURS = phrase("times"), LISTS["hours"]
_MINUTES = dict(zip(LISTS["minutes"], (30, 15, 5, 10, 20), strict=True))
_CELL = phrase("R1C4; column 4, row 1; first row, fourth column")
_PLACE_WORDS = {
    word: place.split()
    for place, _, spelled in (line.partition(": ") for line in TABLES["places"])
    for word in spelled.split()
}
_ANY = any_of(_PLACE_WORDS)
_PLACES = pattern(
    rf"(?<!\w)(?!right (?:above|below|next|behind|in front|there|here|now|on top)\b)"
    rf"(?:{_ANY})(?:(?:[ ,/-]{{1,2}}|,? (?:and )?(?:to )?(?:the )?|most |ly )(?:{_ANY}))*(?!\w)",
    "top left",
)
_PLACE_WORD = pattern(_ANY, "a word of place")
_TIMES = pattern(r"[x*](?= ?\d)", "2 x 3")
_BETWEEN = phrase("one length by another")

Day = tuple[int | None, int | None, int | None]
"""Year, month and day; what is not said is None."""
Clock = tuple[frozenset[int], int | None]
"""Minutes since midnight that are meant, and the second where it is said."""


def date(case: Case) -> Check:
    """A day; what is not asked for may be added."""

    def covers(wanted: frozenset[Day], said: frozenset[Day]) -> bool:
        pairs = (zip(want, have, strict=True) for want in wanted for have in said)
        return any(all(part in (None, other) for part, other in pair) for pair in pairs)

    return comparing(case, dates, covers, "one date")


def dates(text: str) -> list[Mention]:
    """Each value holds all dates that the notation can mean."""
    mentions = []
    for match in _DATE.finditer(text):
        parts = _PARTS.findall(match[0].lower())
        form = "".join("n" if it in _MONTHS else "y" if len(it) > 2 else "d" for it in parts)
        if form == "ddd" and not re.search(r"\d([-/.]) ?\d+\1", match[0]):
            continue
        orders = (dict(zip(order, parts, strict=True)) for order in _ORDERS.get(form, ()))
        if days := frozenset(day for order in orders if (day := _day(**order))):
            mentions.append(Mention(*match.span(), days))
    return mentions


def _day(m: str, d: str = "", y: str = "") -> Day | None:
    month, day, year = _MONTHS.get(m) or int(m), int(d or 1), int(y or 0)
    year += {2: 2000 if year < 70 else 1900}.get(len(y), 0)
    real = 1 <= month <= 12 and 1 <= day <= 31
    return (year or None, month, day if d else None) if real else None


def time(case: Case) -> Check:
    """A time of day; on a dial 3 o'clock is 15:00 too."""

    def agrees(wanted: Clock, said: Clock) -> bool:
        return wanted[1] in (None, said[1] or 0) and bool(wanted[0] & said[0])

    return comparing(case, times, agrees, "one time of day")


def times(text: str) -> list[Mention]:
    mentions = []
    for match in _TIME.finditer(text):
        said = {name: part.lower() for name, part in match.groupdict(default="").items()}
        word = said["past"] or said["hour"] or said["name"]
        hour, minute = _order(word), int(said["minute"] or 0)
        if part := said["part"]:
            minute = (_MINUTES.get(part) or int(part)) * (1 if said["side"] == "past" else -1)
        if hour > 24 or minute > 59:
            continue
        hours = [hour % 12, hour % 12 + 12]
        if said["half"]:
            hours = [hour % 12 + 12 * (said["half"] == "p")]
        elif hour > 12 or word.startswith("0"):  # "08:30" is written by a clock of 24 hours
            hours = [hour % 24]
        second = int(said["second"]) if said["second"] else None
        minutes = frozenset((it * 60 + minute) % 1440 for it in hours)
        mentions.append(Mention(*match.span(), (minutes, second)))
    return approximate(text, mentions)


def _order(word: str) -> int:
    for names in (_HOURS, LISTS["ordinals"]):
        if word.lower() in names:
            return names.index(word.lower()) + 1
    return int(re.sub(r"\D", "", word))


def position(case: Case) -> Check:
    """A row and column, or a side or corner with all of its words."""
    what = "a row and column, or a place like 'top left'"
    find = cells if cells(one(case)) else places
    return comparing(case, find, frozenset.issubset, what, operator.eq)


def cells(text: str) -> list[Mention]:
    return [
        Mention(*m.span(), frozenset([f"R{_order(row)}", f"C{_order(column)}"]))
        for m in _CELL.finditer(text)
        for row, column in [
            (m["row"] or m["row2"] or m["row3"], m["col"] or m["col2"] or m["col3"])
        ]
    ]


def places(text: str) -> list[Mention]:
    found = ((m, _PLACE_WORD.findall(m[0].lower())) for m in _PLACES.finditer(text))
    return [
        Mention(*m.span(), frozenset(it for w in ws for it in _PLACE_WORDS[w])) for m, ws in found
    ]


class Sizes(NamedTuple):
    """Lengths in metres, or bare numbers where no unit is given."""

    sizes: tuple[Decimal, ...]
    bare: bool


def dimensions(case: Case) -> Check:
    """Lengths, each to 0.2 % or half a millimetre."""
    plain = [Decimal(number) for number in re.findall(r"\d+(?:\.\d+)?", one(case))]

    def fits(wanted: Sizes, said: Sizes) -> bool:
        against = wanted.sizes if said.bare == wanted.bare else plain
        return len(said.sizes) == len(against) and all(
            abs(a - b) <= Decimal("0.002") * max(b, Decimal("0.25"))
            for a, b in zip(said.sizes, against, strict=True)
        )

    find = partial(dimensions_in, least=2 if dimensions_in(one(case)) else 1)
    return comparing(case, find, operator.eq, "one set of dimensions", fits)


def dimensions_in(text: str, least: int = 2) -> list[Mention]:
    """Runs of at least so many lengths; a single one needs its unit."""
    text = _TIMES.sub("&", text)
    runs: list[list[Mention]] = []
    for length in numbers(text):
        number, unit = length.value.number, length.value.unit
        last = runs[-1][-1] if runs else Mention(0, 0, Quantity((Decimal(0),)))
        between = text[last.end : length.start]
        feet = last.value.unit == UNITS["ft"] and unit in (UNITS["in"], None)
        if feet and re.fullmatch("[ ,-]{0,2}", between):
            whole = Quantity((last.value.number + number / 12,), UNITS["ft"])
            runs[-1][-1] = Mention(last.start, length.end, whole)
        elif runs and _BETWEEN.fullmatch(between):
            runs[-1].append(length)
        elif unit is None or unit.dimension == "length":
            runs.append([length])
    found = []
    for run in runs:
        units = [it.value.unit for it in run if it.value.unit]
        if len(run) >= least and (len(run) > 1 or units):
            last_unit = run[-1].value.unit or [*units, UNITS["m"]][0]
            lengths = [it.value.number * (it.value.unit or last_unit).factor for it in run]
            sizes = Sizes(tuple(round(it, 6) for it in lengths), not units)
            found.append(Mention(run[0].start, run[-1].end, sizes))
    return approximate(text, found)
