"""Dates and times of day, in any usual notation."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
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
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|'\d{2}|\d{2}(?![\d:]))"
_FORMS = (
    pattern("year first"),
    pattern(
        "month name first",
        rf"\b(?P<month>{_MONTH})\b\.?,? {_DAY}\b(?:,? (?:of )?{_YEAR})?(?!\d)",
    ),
    pattern(
        "day before month name",
        rf"\b{_DAY}[ -]?(?:of )?(?P<month>{_MONTH})\b\.?,?(?:[ -]?{_YEAR})?(?!\d)",
        policy="4 March 2021",
    ),
    pattern(
        "year before month name",
        rf"\b(?P<year>\d{{4}})[ ,-]{{1,2}}(?P<month>{_MONTH})\b\.?[ -]{_DAY}\b",
        policy="2020 Mar 4",
    ),
    pattern(
        "month and year",
        rf"\b(?P<month>{_MONTH})\b\.?,?[ -](?:of )?(?P<year>\d{{4}})\b",
        policy="best before",
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
    found = [
        Mention(*match.span(), meant)
        for form in _FORMS
        for match in form.finditer(text)
        if (meant := _meanings(match))
    ]
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
    return tuple(sorted((d for d in days if _exists(d)), key=str))


def _exists(day: Day) -> bool:
    return 1 <= (day.month or 1) <= 12 and 1 <= (day.day or 1) <= 31


def _year(written: str | None) -> int | None:
    if not written:
        return None
    year = int(written.lstrip("'"))
    return year if len(written) == 4 else 2000 + year if year < 70 else 1900 + year


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
    return checking(
        dates, lambda value: _fits(meant, value), written, _same_day, None, task.question
    )


def _fits(wanted: Hashable, said: Hashable) -> bool:
    """Whether both can mean one day; a part that is not asked for may be added."""
    assert isinstance(wanted, tuple)
    assert isinstance(said, tuple)
    return any(
        all(part is None or part == other for part, other in zip(want, have, strict=True))
        for want in wanted
        for have in said
    )


def _same_day(values: Sequence[Hashable]) -> list[Hashable]:
    """A date that is said twice, once with less."""
    kept: list[Hashable] = []
    for value in values:
        twin = next((k for k in kept if _fits(k, value) or _fits(value, k)), None)
        if twin is None:
            kept.append(value)
        elif _fits(twin, value):
            kept[kept.index(twin)] = value
    return kept


_HOURS = LISTS["ones"][1:13]
_HALF_DAY = (
    r"(?: ?(?P<half>[ap])\.? ?m\b\.?| (?P<when>in the (?:morning|afternoon|evening)|at night))?"
)
_CLOCK = pattern(
    "clock",
    r"(?<![\d:.])(?P<hour>\d{1,2})(?: ?: ?|[.h])(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?!\d)"
    + _HALF_DAY,
)
_HOUR = pattern(
    "hour alone",
    rf"(?<![\d:.])(?P<hour>\d{{1,2}}|{'|'.join(_HOURS)})(?: ?o'?clock)?{_HALF_DAY}",
    policy="3 pm, six o'clock",
)
_SPOKEN = pattern(
    "spoken time",
    r"\b(?P<part>half|(?:a )?quarter|\d{1,2}|five|ten|twenty|twenty[ -]five)(?: minutes?)?"
    rf" (?P<side>past|to|after|before) (?P<hour>\d{{1,2}}|{'|'.join(_HOURS)})\b{_HALF_DAY}",
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
        if self.half or self.hour > 12 or self.hour == 0:
            hour = self.hour % 12 + 12 * (self.half == "p") if self.half else self.hour % 24
            return {hour * 60 + self.minute}
        return {(self.hour % 12) * 60 + self.minute, (self.hour % 12 + 12) * 60 + self.minute}


def times(text: str) -> list[Mention]:
    """
    >>> [(m.value.hour, m.value.minute) for m in times("quarter to three, 14:05 or 2 pm")]
    [(2, 45), (14, 5), (2, 0)]
    """
    found = [Mention(*m.span(), _spoken(m)) for m in _SPOKEN.finditer(text)]
    for form in (_CLOCK, _HOUR):
        for match in form.finditer(text):
            if any(m.start < match.end() and match.start() < m.end for m in found):
                continue
            if (time := _clock(match)) is not None:
                found.append(Mention(*match.span(), time))
    if not found and (bare := _MILITARY.fullmatch(text)):
        found.append(Mention(0, 4, Clock(int(bare[1]), int(bare[2]), None, "")))
    for word, hour in (("noon", 12), ("midday", 12), ("midnight", 0)):
        at = text.lower().find(word)
        if at >= 0 and not found and "afternoon" not in text.lower():
            found.append(Mention(at, at + len(word), Clock(hour, 0, None, "p" if hour else "a")))
    found = [m._replace(hedge=approximate(text, m.start, m.end)) for m in found]
    return sorted(found, key=lambda m: m.start)


def _clock(match: re.Match[str]) -> Clock | None:
    groups = match.groupdict()
    minute, second = groups.get("minute"), groups.get("second")
    half = _half(match)
    if minute is None and not half and "clock" not in match[0].lower():
        return None
    hour = _hour(match["hour"])
    if not half and minute is not None and match["hour"].startswith("0") and hour:
        half = "a"  # "08:30" is written by a clock of 24 hours
    if hour > 24 or int(minute or 0) > 59:
        return None
    return Clock(hour, int(minute or 0), None if second is None else int(second), half)


def _spoken(match: re.Match[str]) -> Clock:
    part = match["part"].lower().removeprefix("a ").replace("-", " ")
    minutes = _PARTS.get(part) or int(part)
    hour = _hour(match["hour"])
    if match["side"].lower() in ("to", "before"):
        hour, minutes = (hour - 1) or 12, 60 - minutes
    return Clock(hour, minutes, None, _half(match))


def _hour(word: str) -> int:
    return int(word) if word.isdigit() else _HOURS.index(word.lower()) + 1


def _half(match: re.Match[str]) -> str:
    if match["when"]:
        return "a" if "morning" in match["when"].lower() else "p"
    return (match["half"] or "").lower()


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
    return checking(
        times, lambda said: _agrees(meant, said), written, _same_time, None, task.question
    )


def _agrees(wanted: Clock, said: Clock) -> bool:
    if wanted.second is not None and wanted.second != (said.second or 0):
        return False
    return bool(wanted.minutes() & said.minutes())


def _same_time(values: Sequence[Hashable]) -> list[Hashable]:
    """A time that is said twice, once with less."""
    kept: list[Hashable] = []
    for value in values:
        if not any(
            isinstance(k, Clock) and isinstance(value, Clock) and k.minutes() & value.minutes()
            for k in kept
        ):
            kept.append(value)
    return kept


DATE = Grader(name="date", check=_date)
TIME = Grader(name="time", check=_time)
