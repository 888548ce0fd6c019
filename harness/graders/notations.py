"""Dates, times of day and places in a picture, in any usual notation."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise

from harness.graders.decide import Check, Mention, checking, one, only
from harness.graders.quantities import approximate, ordinal
from harness.graders.words import LISTS, PHRASES, TABLES, any_of, pattern
from harness.records import Case

_MONTHS = {name: at for at, line in enumerate(TABLES["months"], 1) for name in line.split()}
_PART = rf"(?:\d{{1,4}}(?:st|nd|rd|th)?|'\d\d|\b(?:{any_of(_MONTHS)})\b\.?)"
_DATE = pattern(
    rf"(?<![\d/.-]){_PART}(?:(?:[-/.年月]|,? ?(?:of )?) ?{_PART}){{1,2}}(?![\d/:]|[.-]\d)",
    "dates: 2021-03-04, March 4 2021, 4 March, May 2026, 5/6/20, 09/2023",
)
_ORDERS = {form: orders.split(",") for form, orders in (it.split(":") for it in LISTS["orders"])}
"""What year, digits and month name (y, d, n) can mean."""
_MINUTES = dict(zip(LISTS["minutes"], (30, 15, 5, 10, 20), strict=True))
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

Day = tuple[int | None, int | None, int | None]
"""Year, month and day; what is not said is None."""


def date(case: Case) -> Check:
    """A day; what is not asked for may be added."""
    wanted: frozenset[Day] = only(dates(one(case)), case, "one date")

    def fits(said: frozenset[Day]) -> bool:
        pairs = (zip(want, have, strict=True) for want in wanted for have in said)
        return any(all(part in (None, other) for part, other in pair) for pair in pairs)

    return checking(case, dates, fits)


def dates(text: str) -> list[Mention]:
    """Each value holds all dates that the notation can mean."""
    mentions = []
    for match in _DATE.finditer(text):
        parts = re.findall(rf"\d+|{any_of(_MONTHS)}", match[0].lower())
        form = "".join("n" if it in _MONTHS else "y" if len(it) > 2 else "d" for it in parts)
        if days := frozenset(
            _day(**dict(zip(it, parts, strict=True))) for it in _ORDERS.get(form, ())
        ):
            mentions.append(Mention(*match.span(), days))
    return mentions


def _day(m: str, d: str = "", y: str = "") -> Day:
    year = int(y or 0) + (0 if len(y) != 2 else 2000 if y < "70" else 1900)
    return year or None, _MONTHS.get(m) or int(m), int(d) if d else None


def time(case: Case) -> Check:
    """A time of day; on a dial 3 o'clock is 15:00 too."""
    minutes, second = only(times(one(case)), case, "one time of day")
    return checking(case, times, lambda it: second in (None, it[1] or 0) and bool(minutes & it[0]))


def times(text: str) -> list[Mention]:
    """Each value holds the minutes since midnight that are meant, and the second, if it is said."""
    mentions = []
    for match in PHRASES["times"].finditer(text):
        said = defaultdict[str, str](str)
        said |= {name.rstrip("2"): it.lower() for name, it in match.groupdict().items() if it}
        word = said["past"] or said["hour"] or said["name"]
        hour, minute = ordinal(word), int(said["minute"] or 0)
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
        mentions.append(Mention(*match.span(), (minutes, second), weak=bool(match["hour2"])))
    clock = [m for m in mentions if not m.weak]  # beside one, "2 hours 10 minutes" is how long
    return approximate(text, clock or [m._replace(weak=False) for m in mentions])


def position(case: Case) -> Check:
    """A row and column, or a side or corner with all of its words."""
    find = cells if cells(one(case)) else places
    wanted = only(find(one(case)), case, "a row and column, or a place like 'top left'")
    return checking(case, find, lambda said: said == wanted)


def cells(text: str) -> list[Mention]:
    """A row beside a column, in any order."""
    found: list[Mention] = []
    lines = list(PHRASES["a row or a column: R1, column 4, second row"].finditer(text))
    between, far = PHRASES["between a row and its column"], PHRASES["counted from the far side"]
    for one_line, other in pairwise(lines):
        said = {(it["axis"] or it["line"])[0].upper(): it for it in (one_line, other)}
        taken = found and found[-1].end > one_line.start()
        if taken or len(said) < 2 or far.match(text, other.end()):
            continue
        if between.fullmatch(text, one_line.end(), other.start()):
            place = frozenset(
                f"{axis}{ordinal(it['at'] or it['which'])}" for axis, it in said.items()
            )
            more = PHRASES["another column"].match(text, other.end())
            found.append(Mention(one_line.start(), other.end(), place, more and text))
    return found


def places(text: str) -> list[Mention]:
    found = []
    for match in _PLACES.finditer(text):
        said = re.findall(_ANY, match[0].lower())
        found.append(Mention(*match.span(), frozenset(it for w in said for it in _PLACE_WORDS[w])))
    return found
