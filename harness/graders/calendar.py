"""Dates and times of day, in any usual notation."""

from __future__ import annotations

import re

from harness.graders.decide import Check, Mention, Task, comparing
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


Day = tuple[int | None, int | None, int | None]
"""Year, month and day; what is not said is None."""


def dates(text: str) -> list[Mention]:
    """Each value holds all dates that the notation can mean.

    >>> [m.value for m in dates("21st of November 2017")]
    [((2017, 11, 21),)]
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
    return (year or None, at, day if "d" in parts else None) if real else None


def _covers(wanted: tuple[Day, ...], said: tuple[Day, ...]) -> bool:
    """Whether both can mean one day; a part that is not asked for may be added."""
    return any(
        all(part in (None, other) for part, other in zip(want, have, strict=True))
        for want in wanted
        for have in said
    )


def date(task: Task) -> Check:
    """A day; what is not asked for may be added."""
    return comparing(task, dates, _covers, "one date")


_HOURS = LISTS["ones"][1:13]
_HOUR = rf"\d{{1,2}}|{any_of(_HOURS)}"
_MINUTES = {"half": 30, "quarter": 15, "a quarter": 15, "five": 5, "ten": 10, "twenty": 20}
_TIME = phrase("times", hours=_HOUR, minutes=any_of(_MINUTES))


Clock = tuple[frozenset[int], int | None]
"""Minutes since midnight that are meant, and the second where it is said."""


def times(text: str) -> list[Mention]:
    """
    >>> [sorted(m.value[0]) for m in times("quarter to three, 14:05 or 2 pm")]
    [[165, 885], [845], [840]]
    """
    found = [(match, _clock(match)) for match in _TIME.finditer(text)]
    return [Mention(*m.span(), time, approximate(text, *m.span())) for m, time in found if time]


def _clock(match: re.Match[str]) -> Clock | None:
    said = match.groupdict(default="")
    word, half = (said["past"] or said["hour"] or said["name"]).lower(), said["half"].lower()
    hour = int(word) if word.isdigit() else _HOURS.index(word) + 1
    minute = int(said["minute"] or 0)
    if part := said["part"].lower():
        minute = _MINUTES.get(part) or int(part)
        minute = minute if said["side"].lower() == "past" else -minute
    if hour > 24 or minute > 59:
        return None
    hours = {hour % 12, hour % 12 + 12}
    if half:
        hours = {hour % 12 + 12 * (half == "p")}
    elif hour > 12 or word.startswith("0"):  # "08:30" is written by a clock of 24 hours
        hours = {hour % 24}
    minutes = frozenset((it * 60 + minute) % 1440 for it in hours)
    return minutes, int(said["second"]) if said["second"] else None


def _agrees(wanted: Clock, said: Clock) -> bool:
    exact = wanted[1] is None or wanted[1] == (said[1] or 0)
    return exact and bool(wanted[0] & said[0])


def time(task: Task) -> Check:
    """A time of day; on a dial 3 o'clock is 15:00 too."""
    return comparing(task, times, _agrees, "one time of day")
