"""Dates and times of day, in any usual notation."""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.graders.decide import Check, Mention, Misfit, Task, checking
from harness.graders.measures import approximate
from harness.graders.words import LISTS, TABLES, any_of, pattern, phrase

_MONTHS = {
    name: at
    for at, names in enumerate(TABLES["months"].splitlines(), start=1)
    for name in names.split()
}
_PART = rf"(?:\d{{1,4}}(?:st|nd|rd|th)?|'\d\d|\b(?:{any_of(_MONTHS)})\b\.?)"
_DATE = pattern(
    rf"(?<![\d/.-]){_PART}(?:(?:[-/.年月]|,? ?(?:of )?) ?{_PART}){{1,2}}(?![\d/:]|[.-]\d)",
    "dates: 2021-03-04, March 4 2021, 4 March, May 2026, 5/6/20, 09/2023",
)
_PARTS = pattern(rf"\d+|{any_of(_MONTHS)}", "parts of a date")


_ORDERS = {"ydd": ["ymd"], "ddy": ["dmy", "mdy"], "ddd": ["dmy", "mdy", "ymd"], "yd": ["ym"]}
_ORDERS |= {"dy": ["my"], "nd": ["md"], "dn": ["dm"], "ny": ["my"], "ndy": ["mdy"], "dny": ["dmy"]}
_ORDERS |= {"ynd": ["ymd"], "ndd": ["mdy"], "dnd": ["dmy"]}
"""What year, digits and month name (y, d, n) can mean."""


class Day(NamedTuple):
    """A date; what is not said is None."""

    year: int | None
    month: int | None
    day: int | None


def dates(text: str) -> list[Mention]:
    """Each value holds all dates that the notation can mean.

    >>> [m.value for m in dates("21st of November 2017")]
    [(Day(year=2017, month=11, day=21),)]
    >>> len(dates("5/6/2020")[0].value)
    2
    """
    found = (Mention(*match.span(), _meanings(match[0])) for match in _DATE.finditer(text))
    return [mention for mention in found if mention.value]


def _meanings(written: str) -> tuple[Day, ...]:
    parts = _PARTS.findall(written.lower())
    form = "".join("n" if it in _MONTHS else "y" if len(it) > 2 else "d" for it in parts)
    orders = _ORDERS.get(form, ())
    if form == "ddd" and not re.search(r"\d([-/.]) ?\d+\1", written):
        return ()
    days = (_day(dict(zip(order, parts, strict=True))) for order in orders)
    return tuple(sorted({day for day in days if day}, key=str))


def _day(parts: dict[str, str]) -> Day | None:
    month, day, year = parts["m"], int(parts.get("d", 1)), int(parts.get("y", 0))
    at = _MONTHS.get(month) or int(month)
    if "y" in parts and len(parts["y"]) == 2:
        year += 2000 if year < 70 else 1900
    real = 1 <= at <= 12 and 1 <= day <= 31
    return Day(year or None, at, day if "d" in parts else None) if real else None


def _covers(wanted: tuple[Day, ...], said: tuple[Day, ...]) -> bool:
    """Whether both can mean one day; a part that is not asked for may be added."""
    return any(
        all(part in (None, other) for part, other in zip(want, have, strict=True))
        for want in wanted
        for have in said
    )


def date(task: Task) -> Check:
    """A day; what is not asked for may be added."""
    wanted = dates(task.one)
    if len(wanted) != 1:
        raise Misfit(f"{task.one!r} is not one date")
    meant: tuple[Day, ...] = wanted[0].value
    return checking(task, dates, lambda said: _covers(meant, said), _covers)


_HOURS = LISTS["ones"][1:13]
_HOUR = rf"\d{{1,2}}|{any_of(_HOURS)}"
_MINUTES = {"half": 30, "quarter": 15, "a quarter": 15, "five": 5, "ten": 10, "twenty": 20}
_TIME = phrase("times", hours=_HOUR, minutes=any_of(_MINUTES))


class Clock(NamedTuple):
    """A time of day. `half` is "a", "p" or "" when it is not said."""

    hour: int
    minute: int
    second: int | None
    half: str

    def minutes(self) -> set[int]:
        """Minutes since midnight that it can mean."""
        hours = {self.hour % 12, self.hour % 12 + 12}
        if self.half:
            hours = {self.hour % 12 + 12 * (self.half == "p")}
        elif self.hour > 12 or self.hour == 0:
            hours = {self.hour % 24}
        return {hour * 60 + self.minute for hour in hours}


def times(text: str) -> list[Mention]:
    """
    >>> [(m.value.hour, m.value.minute) for m in times("quarter to three, 14:05 or 2 pm")]
    [(2, 45), (14, 5), (2, 0)]
    """
    found = [(match, _clock(match)) for match in _TIME.finditer(text)]
    return [Mention(*m.span(), time, approximate(text, *m.span())) for m, time in found if time]


def _clock(match: re.Match[str]) -> Clock | None:
    said = match.groupdict()
    half = (said["half"] or "").lower()
    word = (said["past"] or said["hour"] or said["name"]).lower()
    hour = int(word) if word.isdigit() else _HOURS.index(word) + 1
    if part := (said["part"] or "").lower():
        minute = _MINUTES.get(part) or int(part)
        past = said["side"].lower() == "past"
        return Clock(hour, minute, None, half) if past else Clock(hour - 1, 60 - minute, None, half)
    minute, second = int(said["minute"] or 0), said["second"]
    if said["minute"] and word.startswith("0") and hour and not half:
        half = "a"  # "08:30" is written by a clock of 24 hours
    whole = Clock(hour, minute, None if second is None else int(second), half)
    return whole if hour <= 24 and minute <= 59 else None


def _agrees(wanted: Clock, said: Clock) -> bool:
    exact = wanted.second is None or wanted.second == (said.second or 0)
    return exact and bool(wanted.minutes() & said.minutes())


def time(task: Task) -> Check:
    """A time of day; on a dial 3 o'clock is 15:00 too."""
    wanted = times(task.one)
    if len(wanted) != 1:
        raise Misfit(f"{task.one!r} is not one time of day")
    meant: Clock = wanted[0].value
    return checking(task, times, lambda said: _agrees(meant, said), _agrees)
