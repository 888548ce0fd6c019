"""Dates and times of day, in any usual notation."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from harness.graders.decide import Mention
from harness.graders.kinds import Check, Grader, Misfit, Task, checking
from harness.graders.measures import approximate
from harness.graders.patterns import LISTS, TABLES, pattern

_MONTHS = {
    name: at
    for at, names in enumerate(TABLES["months"].splitlines(), start=1)
    for name in names.split()
}
_MONTH = rf"\b(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|'\d{2}|\d{2}(?![\d:]))"
_FORMS = (
    pattern("year first"),
    pattern("month name first", rf"{_MONTH},? {_DAY}\b(?:,? (?:of )?{_YEAR})?(?!\d)"),
    pattern(
        "day before month name",
        rf"\b{_DAY}[ -]?(?:of )?{_MONTH},?(?:[ -]?{_YEAR})?(?!\d)",
        policy="4 March 2021",
    ),
    pattern(
        "year before month name",
        rf"\b(?P<year>\d{{4}})[ ,-]{{1,2}}{_MONTH}[ -]{_DAY}\b",
        policy="2020 Mar 4",
    ),
    pattern(
        "month and year",
        rf"{_MONTH},?[ -](?:of )?(?P<year>\d{{4}})\b",
        policy="best before May 2026",
    ),
    pattern("numeric date"),
    pattern("numeric month"),
)


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
    hits = (match for form in _FORMS for match in form.finditer(text))
    found = [Mention(*match.span(), meant) for match in hits if (meant := _meanings(match))]
    taken: list[Mention] = []
    for mention in sorted(found, key=lambda m: m.start - m.end):
        if not any(m.start < mention.end and mention.start < m.end for m in taken):
            taken.append(mention)
    return sorted(taken, key=lambda m: m.start)


def _meanings(match: re.Match[str]) -> tuple[Day, ...]:
    parts = match.groupdict()
    month = (parts.get("month") or parts.get("month2") or "").lower()
    year = _year(parts.get("year") or parts.get("year2"))
    day = int(parts["day"]) if parts.get("day") else None
    named = _MONTHS.get(month) or int(month)
    days = {Day(year, named, day)}
    if parts.get("sep") and day is not None:
        days.add(Day(year, day, named))
        if parts["sep"] != "/" and len(parts["year"] or "") == 2:
            days.add(Day(_year(parts["day"]), named, int(parts["year"] or 0)))
    real = [d for d in days if 1 <= (d.month or 1) <= 12 and 1 <= (d.day or 1) <= 31]
    return tuple(sorted(real, key=str))


def _year(written: str | None) -> int | None:
    year = int((written or "0").lstrip("'"))
    if not written or len(written) == 4:
        return year or None
    return 2000 + year if year < 70 else 1900 + year


def _fits(wanted: Hashable, said: Hashable) -> bool:
    """Whether both can mean one day; a part that is not asked for may be added."""
    assert isinstance(wanted, tuple)
    assert isinstance(said, tuple)
    return any(
        all(part is None or part == other for part, other in zip(want, have, strict=True))
        for want in wanted
        for have in said
    )


def _settled(
    fits: Callable[[Hashable, Hashable], bool],
) -> Callable[[Sequence[Hashable]], list[Hashable]]:
    """One value for what is said twice, once with less."""

    def settle(values: Sequence[Hashable]) -> list[Hashable]:
        kept: list[Hashable] = []
        for value in values:
            twin = next((k for k in kept if fits(k, value) or fits(value, k)), None)
            if twin is None:
                kept.append(value)
            elif fits(twin, value):
                kept[kept.index(twin)] = value
        return kept

    return settle


def _date(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> [try_out("date", "May 21 2017", it).passed for it in ("2017-05-21", "21/5/17", "21 May")]
    [True, True, False]
    """
    written = task.one("date")
    wanted = dates(written)
    if len(wanted) != 1:
        raise Misfit(f"{written!r} is not one date")
    meant = wanted[0].value
    settle = _settled(_fits)
    return checking(dates, lambda said: _fits(meant, said), written, settle, None, task.question)


_HOURS = LISTS["ones"][1:13]
_HOUR_NAME = rf"(?P<hour>\d{{1,2}}|{'|'.join(_HOURS)})"
_HALF_DAY = (
    r"(?: ?(?P<half>[ap])\.? ?m\b\.?| (?P<when>in the (?:morning|afternoon|evening)|at night))?"
)
_CLOCK = pattern(
    "clock",
    r"(?<![\d:.])(?P<hour>\d{1,2})(?: ?: ?|[.h])(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?!\d)"
    + _HALF_DAY,
)
_HOUR = pattern(
    "hour alone", rf"(?<![\d:.]){_HOUR_NAME}(?: ?o'?clock)?{_HALF_DAY}", policy="3 pm, six o'clock"
)
_SPOKEN = pattern(
    "spoken time",
    r"\b(?P<part>half|(?:a )?quarter|\d{1,2}|five|ten|twenty|twenty[ -]five)(?: minutes?)?"
    rf" (?P<side>past|to|after|before) {_HOUR_NAME}\b{_HALF_DAY}",
    policy="quarter to three",
)
_PARTS = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty five": 25}
_MILITARY = pattern("military time")


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
    found: list[Mention] = []
    for match in (m for form in (_SPOKEN, _CLOCK, _HOUR) for m in form.finditer(text)):
        apart = not any(m.start < match.end() and match.start() < m.end for m in found)
        if apart and (time := _clock(match)) is not None:
            hedge = approximate(text, *match.span())
            found.append(Mention(*match.span(), time, hedge))
    if not found and (bare := _MILITARY.fullmatch(text)):
        found.append(Mention(0, 4, Clock(int(bare[1]), int(bare[2]), None, "")))
    for word, half in (("noon", "p"), ("midday", "p"), ("midnight", "a")):
        at = text.lower().find(word)
        if at >= 0 and not found and "afternoon" not in text.lower():
            found.append(Mention(at, at + len(word), Clock(12, 0, None, half)))
    return sorted(found, key=lambda m: m.start)


def _clock(match: re.Match[str]) -> Clock | None:
    said = match.groupdict()
    hour = int(said["hour"]) if said["hour"].isdigit() else _HOURS.index(said["hour"].lower()) + 1
    half = (said["half"] or "").lower()
    if said["when"]:
        half = "a" if "morning" in said["when"].lower() else "p"
    if part := (said.get("part") or "").lower():
        minutes = _PARTS.get(part.removeprefix("a ").replace("-", " ")) or int(part)
        to = said["side"].lower() in ("to", "before")
        return (
            Clock(hour - 1 or 12, 60 - minutes, None, half)
            if to
            else Clock(hour, minutes, None, half)
        )
    minute, second = said.get("minute"), said.get("second")
    if minute is None and not half and "clock" not in match[0].lower():
        return None
    if not half and minute is not None and said["hour"].startswith("0") and hour:
        half = "a"  # "08:30" is written by a clock of 24 hours
    if hour > 24 or int(minute or 0) > 59:
        return None
    return Clock(hour, int(minute or 0), None if second is None else int(second), half)


def _time(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> [try_out("time", "3:00 PM", said).passed for said in ("15:00", "3 p.m.", "3:00 AM")]
    [True, True, False]
    >>> try_out("time", "10:10", "It is ten past ten.").passed
    True
    """
    written = task.one("time")
    wanted = times(written)
    if len(wanted) != 1 or not isinstance(wanted[0].value, Clock):
        raise Misfit(f"{written!r} is not one time of day")
    meant = wanted[0].value

    def agrees(a: Hashable, b: Hashable) -> bool:
        assert isinstance(a, Clock)
        assert isinstance(b, Clock)
        exact = a.second is None or a.second == (b.second or 0)
        return exact and bool(a.minutes() & b.minutes())

    settle = _settled(agrees)
    return checking(times, lambda said: agrees(meant, said), written, settle, None, task.question)


DATE = Grader(name="date", check=_date)
TIME = Grader(name="time", check=_time)
