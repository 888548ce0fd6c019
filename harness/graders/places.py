"""Places in a picture: a row and column, a side or corner; and the dimensions of a thing."""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from harness.graders.decide import Check, Mention, Task, comparing
from harness.graders.measures import approximate
from harness.graders.numbers import UNITS, Unit, parsed, unit_at
from harness.graders.words import LISTS, TABLES, any_of, pattern, phrase

_CARDINALS, _ORDINALS = LISTS["ones"][1:13], LISTS["ordinals"]
_ORDER = rf"\d{{1,3}}(?:st|nd|rd|th)?|{any_of(_CARDINALS + _ORDINALS)}"
_LINK = r"[\s,;:/&-]{0,4}(?:and |at |in |of |the )?"
_BEFORE = r"[ :#=.-]{0,3}(?:number |no\.? )?"
_CELL = pattern(
    rf"(?<![a-z0-9])(?:(?:row|r){_BEFORE}(?P<row>{_ORDER}){_LINK}(?:column|col\.?|c){_BEFORE}"
    rf"(?P<column>{_ORDER})|(?:column|col\.?|c){_BEFORE}(?P<column2>{_ORDER}){_LINK}(?:row|r)"
    rf"{_BEFORE}(?P<row2>{_ORDER})|(?P<row3>{_ORDER}) row{_LINK}(?P<column3>{_ORDER}) col(?:umn)?)"
    r"(?![a-z0-9])",
    "R1C4; column 4, row 1; first row, fourth column",
)
_PLACE_WORDS = {
    word: line.partition(": ")[0]
    for line in TABLES["places"].splitlines()
    for word in line.partition(": ")[2].split()
}
_PLACES = pattern(
    rf"(?<!\w)(?!right (?:above|below|next|behind|in front|there|here|now|on top)\b)"
    rf"(?:{any_of(_PLACE_WORDS)})(?:(?:[ ,/-]{{1,2}}|,? (?:and )?(?:to )?(?:the )?|most |ly )"
    rf"(?:{any_of(_PLACE_WORDS)}))*(?!\w)",
    "top left",
)
_PLACE_WORD = pattern(any_of(_PLACE_WORDS), "a word of place")


def position(task: Task) -> Check:
    """A row and column, or a side or corner with all of its words."""
    what = "a row and column, or a place like 'top left'"
    find = cells if cells(task.one) else places
    return comparing(task, find, frozenset.issubset, what, operator.eq)


def cells(text: str) -> list[Mention]:
    return [
        Mention(*m.span(), frozenset([f"R{row}", f"C{column}"]))
        for m in _CELL.finditer(text)
        for row in [_order(m["row"] or m["row2"] or m["row3"])]
        for column in [_order(m["column"] or m["column2"] or m["column3"])]
    ]


def _order(word: str) -> int:
    for names in (_CARDINALS, _ORDINALS):
        if word.lower() in names:
            return names.index(word.lower()) + 1
    return int(re.sub(r"\D", "", word))


def places(text: str) -> list[Mention]:
    return [Mention(*m.span(), _place(m[0])) for m in _PLACES.finditer(text)]


def _place(said: str) -> frozenset[str]:
    named = (_PLACE_WORDS[word.lower()] for word in _PLACE_WORD.findall(said))
    return frozenset(part for name in named for part in name.split())


_LENGTH = phrase("lengths: 9 ft 2 or 2.5 m")
_BETWEEN = phrase("one length by another")


class Sizes(NamedTuple):
    """Lengths in metres, or bare numbers where no unit is given."""

    sizes: tuple[Decimal, ...]
    bare: bool


class _Length(NamedTuple):
    start: int
    end: int
    number: Decimal
    unit: Unit | None


def dimensions_in(text: str, least: int = 2) -> list[Mention]:
    """Runs of at least so many lengths; a single one needs its unit.

    >>> found = dimensions_in("120 x 60 cm; 10' 2'' by 16 ft")
    >>> [[str(size) for size in m.value.sizes] for m in found]
    [['1.200000', '0.600000'], ['3.098800', '4.876800']]
    """
    text = re.sub(r"(?<=\d)[xX](?=\d)", "*", text)
    runs: list[list[_Length]] = []
    for length in (_length(text, match) for match in _LENGTH.finditer(text)):
        if runs and _BETWEEN.fullmatch(text[runs[-1][-1].end : length.start]):
            runs[-1].append(length)
        else:
            runs.append([length])
    found = []
    for run in runs:
        units = [it.unit for it in run if it.unit]
        if len(run) >= least and (len(run) > 1 or units):
            last = run[-1].unit or (units[0] if units else None)
            factors = [(it.unit or last or UNITS["m"]).factor for it in run]
            sizes = tuple(round(it.number * by, 6) for it, by in zip(run, factors, strict=True))
            span = run[0].start, run[-1].end
            found.append(Mention(*span, Sizes(sizes, last is None), approximate(text, *span)))
    return found


def _length(text: str, match: re.Match[str]) -> _Length:
    if match["feet"]:
        inches = Decimal((match["inches"] or "0").replace(",", "."))
        if match["top"] and int(match["under"]):
            inches += Decimal(match["top"]) / Decimal(match["under"])
        end = match.start() + len(match[0].rstrip(" ,-"))
        return _Length(match.start(), end, int(match["feet"]) + inches / 12, UNITS["ft"])
    unit = unit_at(text, match.end())
    unit = unit if unit and unit[0].dimension == "length" else None
    number = parsed(match["number"])[0] or Decimal(0)
    return _Length(match.start(), unit[1] if unit else match.end(), number, unit and unit[0])


def dimensions(task: Task) -> Check:
    """Lengths, each to 0.2 % or half a millimetre."""
    plain = [Decimal(number) for number in re.findall(r"\d+(?:\.\d+)?", task.one)]

    def fits(wanted: Sizes, said: Sizes) -> bool:
        against = wanted.sizes if said.bare == wanted.bare else plain
        return len(said.sizes) == len(against) and all(
            abs(a - b) <= Decimal("0.002") * max(b, Decimal("0.25"))
            for a, b in zip(said.sizes, against, strict=True)
        )

    find = partial(dimensions_in, least=2 if dimensions_in(task.one) else 1)
    return comparing(task, find, operator.eq, "one set of dimensions", fits)
