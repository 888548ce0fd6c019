"""Places: a row and column, a side, a corner, a point of the compass."""

from __future__ import annotations

import re
from collections.abc import Hashable

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.reading import Finder, Mention, Said, decide
from harness.graders.terms import folded
from harness.records import Verdict

_ADVERB = lazy(r" (?:above|below|next|behind|in front|there|here|after|before|on top|now)\b", re.I)
_THATS = lazy(r"\b(?:that's|that is|you're|you are|all|is that) $", re.IGNORECASE)
_ROW = r"(?:row|r)[ :#=.-]{0,3}(?:number |no\.? )?"
_COLUMN = r"(?:column|col\.?|c)[ :#=.-]{0,3}(?:number |no\.? )?"
_LINK = r"[\s,;:/&-]{0,4}(?:and |at |in |of |the )?"
_NUMBER_WORDS = str.split("""one two three four five six seven eight nine ten eleven twelve""")
_ORDINAL_WORDS = str.split(
    """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"""
)
_ORDER = "|".join(_NUMBER_WORDS + _ORDINAL_WORDS)
_CELL = lazy(
    rf"(?<![a-z0-9]){_ROW}(\d{{1,3}}|{_ORDER}){_LINK}{_COLUMN}(\d{{1,3}}|{_ORDER})(?![a-z0-9])",
    re.IGNORECASE,
)
_CELL_TURNED = lazy(
    rf"(?<![a-z0-9]){_COLUMN}(\d{{1,3}}|{_ORDER}){_LINK}{_ROW}(\d{{1,3}}|{_ORDER})(?![a-z0-9])",
    re.IGNORECASE,
)
_CELL_ORDINAL = lazy(
    rf"\b(\d{{1,3}}(?:st|nd|rd|th)|{_ORDER}) row{_LINK}(\d{{1,3}}(?:st|nd|rd|th)"
    rf"|{_ORDER}) col(?:umn)?\b",
    re.IGNORECASE,
)
_PLACE_TABLE = """
top: top upper uppermost topmost
bottom: bottom lower bottommost
left: left leftmost left-hand lefthand
right: right rightmost right-hand righthand
center: center centre middle central centered centred mid
north: north northern
south: south southern
east: east eastern
west: west western
north east: northeast
north west: northwest
south east: southeast
south west: southwest
front: front foreground
back: back rear background
"""
_PLACE_WORDS = {
    word: line.partition(":")[0]
    for line in _PLACE_TABLE.strip().splitlines()
    for word in line.partition(":")[2].split()
}
_POINTS = {
    "n": "north",
    "s": "south",
    "e": "east",
    "w": "west",
    "ne": "north east",
    "nw": "north west",
    "se": "south east",
    "sw": "south west",
}
_PLACE = "|".join(sorted(_PLACE_WORDS, key=len, reverse=True))
_PLACES = lazy(
    rf"(?<![\w])(?:{_PLACE})(?:(?:[ ,/-]{{1,2}}|,? (?:and )?(?:to )?(?:the )?"
    rf"|most |ly )(?:{_PLACE}))*(?![\w])",
    re.IGNORECASE,
)
_PLACE_WORD = lazy(_PLACE, re.IGNORECASE)


def is_adverb(text: str, mention: Mention) -> bool:
    """ "Right above", "that's right"."""
    if mention.value != "right":
        return False
    after, before = text[mention.end : mention.end + 12], text[: mention.start]
    return bool(_ADVERB.match(after) or _THATS.search(before))


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
    written = one(task.expected, "position")
    cells = find_cells(written)
    find: Finder = find_cells if cells else find_places
    wanted = [mention.value for mention in find(written)]
    if len(wanted) != 1:
        raise Misfit(f"{written!r} is neither a row and column nor a place like 'top left'")

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find, None if cells else _most_precise)
        return (
            unread(reading)
            if reading.value is None
            else judged(reading.value == wanted[0], reading, written)
        )

    return check


def find_cells(text: str) -> list[Mention]:
    found = [_cell(match, match[1], match[2]) for match in _CELL.finditer(text)]
    if not found:
        found = [_cell(match, match[2], match[1]) for match in _CELL_TURNED.finditer(text)]
        found += [_cell(match, match[1], match[2]) for match in _CELL_ORDINAL.finditer(text)]
    return found


def _cell(match: re.Match[str], row: str, column: str) -> Mention:
    return Mention(*match.span(), f"R{_ordinal(row)}C{_ordinal(column)}")


def _ordinal(word: str) -> int:
    word = word.lower()
    for names in (_NUMBER_WORDS, _ORDINAL_WORDS):
        if word in names:
            return names.index(word) + 1
    return int(re.sub(r"\D", "", word))


def find_places(text: str) -> list[Mention]:
    point = _POINTS.get(folded(text))
    if point is not None:
        return [Mention(0, len(text), point)]
    found = [Mention(*match.span(), _place(match[0])) for match in _PLACES.finditer(text)]
    return [m for m in found if not is_adverb(text, m)]


def _place(said: str) -> str:
    named = {
        part for word in _PLACE_WORD.findall(said) for part in _PLACE_WORDS[word.lower()].split()
    }
    return " ".join(sorted(named))


def _most_precise(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """Without those that another one only makes more precise: "top" beside "top center"."""
    sets = {value: frozenset(str(value).split()) for value in values}
    return tuple(v for v in values if not any(sets[v] < other for other in sets.values()))


POSITION = Grader(name="position", check=_position)
