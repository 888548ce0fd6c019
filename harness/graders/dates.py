"""Dates, in any usual notation."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import NamedTuple

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.reading import Mention, Said, decide
from harness.records import Verdict

_MONTHS = {
    name: at
    for at, names in enumerate(
        [
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept\n        ",
            "october oct",
            "november nov",
            "december dec",
        ],
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(\d{4}|'\d{2}|\d{2}(?![\d:]))"
_FORMS = (
    ("ymd", lazy(r"(?<!\d)(\d{4})([-/.年] ?)(\d{1,2})[-/.月] ?(\d{1,2})(?!\d)")),
    (
        "mdy",
        lazy(rf"\b({_MONTH})\b\.?,? {_DAY}\b(?:,? (?:of )?{_YEAR})?(?![\d])", re.IGNORECASE),
    ),
    (
        "dmy",
        lazy(rf"\b{_DAY}[ -]?(?:of )?({_MONTH})\b\.?,?(?:[ -]?{_YEAR})?(?![\d])", re.IGNORECASE),
    ),
    (
        "ymd_named",
        lazy(rf"\b(\d{{4}})[ ,-]{{1,2}}({_MONTH})\b\.?[ -]{_DAY}\b", re.IGNORECASE),
    ),
    ("my", lazy(rf"\b({_MONTH})\b\.?,?[ -](?:of )?(\d{{4}})\b", re.IGNORECASE)),
    (
        "numeric",
        lazy(r"(?<![\d/.-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?![\d/.-]\d|\d)"),
    ),
    ("numeric_ym", lazy(r"(?<![\d/.-])(\d{4})[-/.](\d{1,2})(?![\d/.-])")),
    ("numeric_my", lazy(r"(?<![\d/.-])(\d{1,2})[-/.](\d{4})(?![\d/-])")),
)


class Day(NamedTuple):
    """A date; what is not said is None."""

    year: int | None
    month: int | None
    day: int | None


Dates = tuple[Day, ...]
"""All that a notation can mean: 5/6/2020 is two dates."""


def dates(text: str) -> list[Mention]:
    """
    >>> [m.value for m in dates("21st of November 2017")]
    [(Day(year=2017, month=11, day=21),)]
    >>> len(dates("5/6/2020")[0].value)
    2
    """
    found = [
        Mention(*match.span(), meant)
        for form, form_pattern in _FORMS
        for match in form_pattern.finditer(text)
        if (meant := _meanings(form, match))
    ]
    taken: list[Mention] = []
    for mention in sorted(found, key=lambda m: m.start - m.end):
        if not any(m.start < mention.end and mention.start < m.end for m in taken):
            taken.append(mention)
    return sorted(taken, key=lambda m: m.start)


def _meanings(form: str, match: re.Match[str]) -> Dates:
    if form == "ymd":
        days = [Day(int(match[1]), int(match[3]), int(match[4]))]
    elif form == "mdy":
        days = [Day(_year(match[3]), _MONTHS[match[1].lower()], int(match[2]))]
    elif form == "dmy":
        days = [Day(_year(match[3]), _MONTHS[match[2].lower()], int(match[1]))]
    elif form == "ymd_named":
        days = [Day(int(match[1]), _MONTHS[match[2].lower()], int(match[3]))]
    elif form == "my":
        days = [Day(int(match[2]), _MONTHS[match[1].lower()], None)]
    elif form == "numeric_ym":
        days = [Day(int(match[1]), int(match[2]), None)]
    elif form == "numeric_my":
        days = [Day(int(match[2]), int(match[1]), None)]
    else:
        first, second, year = int(match[1]), int(match[3]), _year(match[4])
        days = [Day(year, second, first), Day(year, first, second)]
        if match[2] != "/" and len(match[4]) == 2:
            days.append(Day(_year(match[1]), second, int(match[4])))
    return tuple(sorted({day for day in days if _exists(day)}, key=str))


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
    written = one(task.expected, "date")
    wanted = dates(written)
    if len(wanted) != 1:
        raise Misfit(f"{written!r} is not one date")
    meant = wanted[0].value

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, dates, _same_day)
        return (
            unread(reading)
            if reading.value is None
            else judged(_fits(meant, reading.value), reading, written)
        )

    return check


def _fits(wanted: Hashable, said: Hashable) -> bool:
    """Whether both can mean one day; a part that is not asked for may be added."""
    assert isinstance(wanted, tuple)
    assert isinstance(said, tuple)
    return any(
        all(part is None or part == other for part, other in zip(want, have, strict=True))
        for want in wanted
        for have in said
    )


def _same_day(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """A date that is said twice, once with less."""
    kept: list[Hashable] = []
    for value in values:
        twin = next((k for k in kept if _fits(k, value) or _fits(value, k)), None)
        if twin is None:
            kept.append(value)
        elif _fits(twin, value):
            kept[kept.index(twin)] = value
    return tuple(kept)


DATE = Grader(name="date", check=_date)
