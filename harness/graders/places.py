"""Places: a row and column, a side or corner, a point, a box; and the dimensions of a thing."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import NamedTuple

from harness.graders.decide import Mention
from harness.graders.kinds import Check, Grader, Misfit, Task, checking
from harness.graders.measures import approximate
from harness.graders.numbers import parsed
from harness.graders.patterns import LISTS, TABLES, pattern, regex
from harness.graders.units import UNITS, Unit, unit_at
from harness.graders.words import folded

_CARDINALS, _ORDINALS = LISTS["ones"][1:13], LISTS["ordinals"]
_ORDER = "|".join(_CARDINALS + _ORDINALS)
_ROW = r"(?:row|r)[ :#=.-]{0,3}(?:number |no\.? )?"
_COLUMN = r"(?:column|col\.?|c)[ :#=.-]{0,3}(?:number |no\.? )?"
_LINK = r"[\s,;:/&-]{0,4}(?:and |at |in |of |the )?"
_AT = rf"(\d{{1,3}}|{_ORDER})"
_CELL = pattern("row, column", rf"(?<![a-z0-9]){_ROW}{_AT}{_LINK}{_COLUMN}{_AT}(?![a-z0-9])")
_CELL_TURNED = pattern(
    "column, row", rf"(?<![a-z0-9]){_COLUMN}{_AT}{_LINK}{_ROW}{_AT}(?![a-z0-9])", policy="C4R1"
)
_CELL_ORDINAL = pattern(
    "first row, fourth column",
    rf"\b(\d{{1,3}}(?:st|nd|rd|th)|{_ORDER}) row{_LINK}"
    rf"(\d{{1,3}}(?:st|nd|rd|th)|{_ORDER}) col(?:umn)?\b",
    policy="in words",
)
_PLACE_WORDS = {
    word: line.partition(": ")[0]
    for line in TABLES["places"].splitlines()
    for word in line.partition(": ")[2].split()
}
_POINTS = {"n": "north", "s": "south", "e": "east", "w": "west"}
_POINTS |= {a + b: f"{_POINTS[a]} {_POINTS[b]}" for a in "ns" for b in "ew"}
_PLACE = "|".join(sorted(_PLACE_WORDS, key=len, reverse=True))
_PLACES = pattern(
    "places",
    rf"(?<![\w])(?:{_PLACE})(?:(?:[ ,/-]{{1,2}}|,? (?:and )?(?:to )?(?:the )?|most |ly )"
    rf"(?:{_PLACE}))*"
    r"(?![\w])",
)
_PLACE_WORD = regex(_PLACE, re.IGNORECASE)
_ADVERB = regex(r" (?:above|below|next|behind|in front|there|here|now|on top)\b", re.I)


def _position(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("position", "R1C4", "Row 1, column 4").passed
    True
    >>> try_out("position", "top center", "top").passed
    False
    >>> try_out("position", "top left", "It is in the upper-left corner.").passed
    True
    """
    written = task.one("position")
    cells = find_cells(written)
    find = find_cells if cells else find_places
    wanted = [mention.value for mention in find(written)]
    if len(wanted) != 1:
        raise Misfit(f"{written!r} is neither a row and column nor a place like 'top left'")
    settle = None if cells else _most_precise
    return checking(find, lambda said: said == wanted[0], written, settle, None, task.question)


def find_cells(text: str) -> list[Mention]:
    found = [_cell(m, m[1], m[2]) for m in _CELL.finditer(text)]
    if not found:
        found = [_cell(m, m[2], m[1]) for m in _CELL_TURNED.finditer(text)]
        found += [_cell(m, m[1], m[2]) for m in _CELL_ORDINAL.finditer(text)]
    return found


def _cell(match: re.Match[str], row: str, column: str) -> Mention:
    return Mention(*match.span(), f"R{_ordinal(row)}C{_ordinal(column)}")


def _ordinal(word: str) -> int:
    for names in (_CARDINALS, _ORDINALS):
        if word.lower() in names:
            return names.index(word.lower()) + 1
    return int(re.sub(r"\D", "", word))


def find_places(text: str) -> list[Mention]:
    point = _POINTS.get(folded(text))
    if point is not None:
        return [Mention(0, len(text), point)]
    return [
        Mention(*m.span(), _place(m[0]))
        for m in _PLACES.finditer(text)
        if not (m[0].lower() == "right" and _ADVERB.match(text[m.end() : m.end() + 12]))
    ]


def _place(said: str) -> str:
    named = {
        part for word in _PLACE_WORD.findall(said) for part in _PLACE_WORDS[word.lower()].split()
    }
    return " ".join(sorted(named))


def _most_precise(values: Sequence[Hashable]) -> list[Hashable]:
    """Without those that another one only makes more precise: "top" beside "top center"."""
    sets = {value: frozenset(str(value).split()) for value in values}
    return [v for v in dict.fromkeys(values) if not any(sets[v] < other for other in sets.values())]


_NUMBER = r"\d+(?:[.,]\d+)*"
_LENGTH = pattern(
    "lengths",
    r"(?<![\w.,/])(?P<feet>\d+)\s?(?:'(?!')|ft\.?|feet|foot)[\s,-]{0,2}"
    rf"(?:(?P<inches>{_NUMBER})?(?:[\s-]?(?P<part>\d/\d{{1,2}}))?\s?(?:\"|''|in(?:ch(?:es)?)?\b\.?)?)"
    rf"|(?<![\w.,/])(?P<number>{_NUMBER})",
)
_BETWEEN = pattern("between lengths")
_TIMES = regex(r"(?<=\d)[xX](?=\d)")


class Sizes(NamedTuple):
    """Lengths in metres, or bare numbers where no unit is given."""

    sizes: tuple[Decimal, ...]
    bare: bool


class _Length(NamedTuple):
    start: int
    end: int
    number: Decimal
    unit: Unit | None


def dimensions(text: str, least: int = 2) -> list[Mention]:
    """Runs of at least so many lengths; a single one needs its unit.

    >>> [[str(size) for size in m.value.sizes] for m in dimensions("120 x 60 cm; 10' 2'' by 16 ft")]
    [['1.200000', '0.600000'], ['3.098800', '4.876800']]
    """
    found: list[Mention] = []
    run: list[_Length] = []
    for length in _lengths(_TIMES.sub("*", text)):
        if run and not _BETWEEN.fullmatch(text[run[-1].end : length.start].replace("X", "x")):
            found += _together(text, run, least)
            run = []
        run.append(length)
    return found + _together(text, run, least)


def _lengths(text: str) -> list[_Length]:
    found = []
    for match in _LENGTH.finditer(text):
        if match["feet"]:
            inches = Decimal((match["inches"] or "0").replace(",", "."))
            if match["part"]:
                top, bottom = match["part"].split("/")
                inches += Decimal(top) / Decimal(bottom) if bottom.strip("0") else 0
            end = match.start() + len(match[0].rstrip(" ,-"))
            found.append(_Length(match.start(), end, int(match["feet"]) + inches / 12, UNITS["ft"]))
        elif (number := parsed(match["number"])[0]) is not None:
            unit = unit_at(text, match.end())
            unit = unit if unit and unit[0].dimension == "length" else None
            end = unit[1] if unit else match.end()
            found.append(_Length(match.start(), end, number, unit[0] if unit else None))
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
    return [Mention(start, end, Sizes(sizes, last is None), approximate(text, start, end))]


def _dimensions(task: Task) -> Check:
    r"""
    >>> from harness.graders import try_out
    >>> said = ("9'2 X 16'0", "9 ft 2 in by 16 ft", "9' x 16'")
    >>> [try_out("dimensions", "9'2\" x 16'", it).passed for it in said]
    [True, True, False]
    """
    written = task.one("dimensions")
    found = dimensions(written, least=1)
    if len(found) != 1:
        raise Misfit(f"{written!r} is not one set of dimensions")
    wanted = found[0].value
    assert isinstance(wanted, Sizes)
    find = dimensions if len(wanted.sizes) > 1 else _single

    def fits(said: Sizes) -> bool:
        if len(said.sizes) != len(wanted.sizes):
            return False
        pairs = list(zip(said.sizes, wanted.sizes, strict=True))
        if said.bare == wanted.bare:
            return all(abs(a - b) <= Decimal("0.002") * max(b, Decimal(1) / 4) for a, b in pairs)
        plain = re.findall(r"\d+(?:\.\d+)?", written)
        return [f"{size.normalize():f}" for size in said.sizes] == plain

    return checking(find, fits, written, None, None, task.question)


def _single(text: str) -> list[Mention]:
    return dimensions(text, least=1)


POSITION = Grader(name="position", check=_position)
DIMENSIONS = Grader(name="dimensions", check=_dimensions)
