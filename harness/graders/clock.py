"""Times of day, in any usual notation."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import NamedTuple

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.quantities import approximate
from harness.graders.reading import Mention, Said, decide
from harness.records import Verdict

_HOURS = str.split("""one two three four five six seven eight nine ten eleven twelve""")
_HALF_DAY = (
    r"(?: ?(?P<half>[ap])\.? ?m\b\.?| (?P<when>in the (?:morning|afternoon|evening)|at night))?"
)
_CLOCK = lazy(
    rf"(?<![\d:.])(?P<hour>\d{{1,2}})(?: ?: ?"
    rf"|[.h])(?P<minute>\d{{2}})(?::(?P<second>\d{{2}}))?(?!\d){_HALF_DAY}",
    re.IGNORECASE,
)
_HOUR = lazy(
    rf"(?<![\d:.])(?P<hour>\d{{1,2}}|{'|'.join(_HOURS)})(?: ?o'?clock)?{_HALF_DAY}", re.IGNORECASE
)
_SPOKEN = lazy(
    rf"\b(?P<part>half|(?:a )?quarter|\d{{1,2}}|five|ten|twenty"
    rf"|twenty[ -]five)(?: minutes?)? (?P<side>past|to|after|before)"
    rf" (?P<hour>\d{{1,2}}|{'|'.join(_HOURS)})\b{_HALF_DAY}",
    re.IGNORECASE,
)
_PARTS = {
    "half": 30,
    "quarter": 15,
    "a quarter": 15,
    "five": 5,
    "ten": 10,
    "twenty": 20,
    "twenty five": 25,
    "twenty-five": 25,
}


_MILITARY = lazy(r"([01]\d|2[0-3])([0-5]\d)(?: ?(?:h|hrs|hours))?\.?", re.IGNORECASE)


class Clock(NamedTuple):
    """A time of day. `half` is "a", "p" or "" when it is not said."""

    hour: int
    minute: int
    second: int | None
    half: str


def times(text: str) -> list[Mention]:
    """
    >>> [(m.value.hour, m.value.minute) for m in times("quarter to three, 14:05 or 2 pm")]
    [(2, 45), (14, 5), (2, 0)]
    """
    found = [Mention(*m.span(), _spoken(m)) for m in _SPOKEN.finditer(text)]
    for clock_pattern in (_CLOCK, _HOUR):
        for match in clock_pattern.finditer(text):
            if any(m.start < match.end() and match.start() < m.end for m in found):
                continue
            time = _clock(match)
            if time is not None:
                found.append(Mention(*match.span(), time))
    if not found and (bare := _MILITARY.fullmatch(text)):
        found.append(Mention(0, 4, Clock(int(bare[1]), int(bare[2]), None, "")))
    for word, hour in (("noon", 12), ("midday", 12), ("midnight", 0)):
        at = text.lower().find(word)
        if at >= 0 and not found:
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
    if not half and minute is not None and match["hour"].startswith("0"):
        half = "a"  # "08:30" is written by a clock of 24 hours
    if hour > 24 or int(minute or 0) > 59:
        return None
    return Clock(hour, int(minute or 0), None if second is None else int(second), half)


def _spoken(match: re.Match[str]) -> Clock:
    part = match["part"].lower()
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
    written = one(task.expected, "time")
    wanted = times(written)
    if len(wanted) != 1 or not isinstance(wanted[0].value, Clock):
        raise Misfit(f"{written!r} is not one time of day")
    meant = wanted[0].value

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, times, _same_time)
        if not isinstance(reading.value, Clock):
            return unread(reading)
        return judged(_agrees(meant, reading.value), reading, written)

    return check


def _agrees(wanted: Clock, said: Clock) -> bool:
    if wanted.minute != said.minute or (
        (wanted.second or 0) != (said.second or 0) and wanted.second is not None
    ):
        return False
    if _certain(wanted) and _certain(said):
        return _of_day(wanted) == _of_day(said)
    return wanted.hour % 12 == said.hour % 12 and not _certain(wanted)


def _certain(time: Clock) -> bool:
    """Whether the half of the day is known."""
    return bool(time.half) or time.hour > 12 or time.hour == 0


def _of_day(time: Clock) -> int:
    return time.hour % 12 + 12 * (time.half == "p") if time.half else time.hour % 24


def _same_time(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    kept: list[Hashable] = []
    for value in values:
        if not any(
            isinstance(k, Clock)
            and isinstance(value, Clock)
            and (_agrees(k, value) or _agrees(value, k))
            for k in kept
        ):
            kept.append(value)
    return tuple(kept)


TIME = Grader(name="time", check=_time)
