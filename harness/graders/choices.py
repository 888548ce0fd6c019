"""One of a few: options of the question, lettered options, places in the picture."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lexicon import rivals_of
from harness.graders.reading import About, Finder, Mention, Said, decide, stem, words
from harness.graders.terms import alternatives, folded, set_finder
from harness.records import Verdict

SAME_PLACE = {
    "above": ("above", "on top of", "on top", "over", "atop"),
    "below": ("below", "under", "underneath", "beneath"),
    "left": ("left", "left hand", "leftmost"),
    "right": ("right", "right hand", "rightmost"),
    "middle": ("middle", "center", "centre", "central"),
    "behind": ("behind", "at the back of", "in back of"),
    "in front of": ("in front of", "in front", "front"),
    "next to": ("next to", "beside", "alongside", "adjacent to"),
    "up": ("up", "upward", "upwards"),
    "down": ("down", "downward", "downwards"),
    "clockwise": ("clockwise",),
    "anticlockwise": ("anticlockwise", "counterclockwise", "counter clockwise", "anti clockwise"),
    "gray": ("gray", "grey"),
    "aluminum": ("aluminum", "aluminium"),
}
"""Words that name the same option, British and American spelling among them."""

_OPPOSITES = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
    "behind": "in front of",
    "in front of": "behind",
}
_ADVERB = re.compile(
    r" (?:above|below|next|behind|in front|there|here|after|before|on top|now)\b", re.I
)
_THATS = re.compile(r"\b(?:that's|that is|you're|you are|all|is that) $", re.IGNORECASE)
_LETTERED = re.compile(
    r"(?:^|[\s(])\(?([A-Ha-h])[).:]\s*([^\n;]+?)(?=[\s,;]+\(?[A-Ha-h][).:]\s|[\n;]|$)"
)
_LETTER_SAID = re.compile(
    r"^\W*(?:[Oo]ption |[Cc]hoice |[Ll]etter |[Aa]nswer )?\(?([A-Ha-h])\)?(?:\W|$)"
    r"|\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nd|[Oo]r|[Ii]s|,) \(?([A-H])\b\)?|\(([A-H])\)"
)
_ROW = r"(?:row|r)[ :#=.-]{0,3}(?:number |no\.? )?"
_COLUMN = r"(?:column|col\.?|c)[ :#=.-]{0,3}(?:number |no\.? )?"
_LINK = r"[\s,;:/&-]{0,4}(?:and |at |in |of |the )?"
_NUMBER_WORDS = str.split("""one two three four five six seven eight nine ten eleven twelve""")
_ORDINAL_WORDS = str.split(
    """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"""
)
_ORDER = "|".join(_NUMBER_WORDS + _ORDINAL_WORDS)
_CELL = re.compile(
    rf"(?<![a-z0-9]){_ROW}(\d{{1,3}}|{_ORDER}){_LINK}{_COLUMN}(\d{{1,3}}|{_ORDER})(?![a-z0-9])",
    re.IGNORECASE,
)
_CELL_TURNED = re.compile(
    rf"(?<![a-z0-9]){_COLUMN}(\d{{1,3}}|{_ORDER}){_LINK}{_ROW}(\d{{1,3}}|{_ORDER})(?![a-z0-9])",
    re.IGNORECASE,
)
_CELL_ORDINAL = re.compile(
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
_PLACES = re.compile(
    rf"(?<![\w])(?:{_PLACE})(?:(?:[ ,/-]{{1,2}}|,? (?:and )?(?:to )?(?:the )?"
    rf"|most |ly )(?:{_PLACE}))*(?![\w])",
    re.IGNORECASE,
)
_PLACE_WORD = re.compile(_PLACE, re.IGNORECASE)


def _choice(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("choice", "bolts", "Hex bolts (not nuts).", choices=["bolts", "nuts"]).passed
    True
    >>> try_out("choice", "bolts", "B", "Which? A) nuts B) bolts").passed
    True
    >>> try_out("choice", "left", "left or right", choices=["left", "right"]).reason
    'several answers: left, right'
    """
    written = one(task.expected, "choice")
    choices = [str(choice) for choice in task.options.get("choices", ())]
    lettered = letters(task.about.text)
    if not choices:
        choices = list(lettered.values())
    wanted = lettered.get(written.strip("().").upper(), written)
    terms = _terms(choices, task.options.get("aliases") or {})
    value = terms.get(folded(wanted))
    if value is None:
        raise Misfit(f"{written!r} is not one of the choices: {', '.join(choices)}")
    find = _turned(set_finder(terms), task.about, choices)
    if lettered:
        find = _with_letters(
            find, {letter: terms.get(folded(text)) for letter, text in lettered.items()}
        )

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find)
        return (
            unread(reading)
            if reading.value is None
            else judged(reading.value == value, reading, written)
        )

    return check


def letters(question: str) -> dict[str, str]:
    """Lettered options of a question.

    >>> letters("Which one? A) nuts B) bolts"), letters("Pick: (a) a nut; (b) a bolt")
    ({'A': 'nuts', 'B': 'bolts'}, {'A': 'a nut', 'B': 'a bolt'})
    """
    found = {letter.upper(): text.strip(" .,") for letter, text in _LETTERED.findall(question)}
    return found if "A" in found and "B" in found else {}


def _terms(choices: list[str], aliases: Mapping[str, list[str]]) -> dict[str, Hashable]:
    terms: dict[str, Hashable] = {}
    for choice in choices:
        name = folded(choice)
        others = [folded(alias) for alias in aliases.get(choice, ())]
        for spelling in (name, *others, *_spellings(name)):
            terms.setdefault(spelling, name)
    return terms


def _spellings(name: str) -> tuple[str, ...]:
    bare = name.removeprefix("a ").removeprefix("an ").removeprefix("the ")
    kin = rivals_of(bare)
    same = tuple(word for word, group in kin.items() if group == kin.get(bare))
    return (bare, *SAME_PLACE.get(_place_named(bare), ()), *same)


def _place_named(word: str) -> str:
    """The usual word for a place or direction; "" for other words."""
    return next((name for name, spellings in SAME_PLACE.items() if word in spellings), "")


def _with_letters(find: Finder, by_letter: Mapping[str, Hashable]) -> Finder:
    """Also "B", "(b)" and "option B"; a letter beside its own option says nothing new."""

    def find_both(text: str) -> list[Mention]:
        found = find(text)
        for match in _LETTER_SAID.finditer(text):
            at = next(index for index in (1, 2, 3) if match[index])
            value = by_letter.get(match[at].upper())
            lone_article = match[at] == "a" and not text[match.end(at) :].startswith(")")
            if value is not None and not (lone_article and len(text) > 3):
                found.append(Mention(match.start(at), match.end(at), value))
        return alternatives(text, sorted(found, key=lambda m: m.start))

    return find_both


def _turned(find: Finder, about: About, choices: list[str]) -> Finder:
    """ "The shelf is below the lamp", asked where the lamp is, says that it is above."""
    places = {_place_named(folded(choice)): folded(choice) for choice in choices}
    opposite = {
        name: places[other]
        for place, name in places.items()
        if (other := _OPPOSITES.get(place)) in places
    }
    place_stems = {stem(word) for choice in choices for word in words(choice)}
    others = about.stems - place_stems - {about.subject}

    def find_turned(text: str) -> list[Mention]:
        found = [m for m in find(text) if not _is_adverb(text, m)]
        if len(found) != 1 or found[0].value not in opposite or not about.subject:
            return found
        only = found[0]
        before = {stem(word) for word in words(text[: only.start])}
        after = {stem(word) for word in words(text[only.end :])}
        if about.subject in after - before and others & before:
            return [only._replace(value=opposite[str(only.value)])]
        return found

    return (
        find_turned if opposite else lambda text: [m for m in find(text) if not _is_adverb(text, m)]
    )


def _is_adverb(text: str, mention: Mention) -> bool:
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
    cells = _find_cells(written)
    find: Finder = _find_cells if cells else _find_places
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


def _find_cells(text: str) -> list[Mention]:
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


def _find_places(text: str) -> list[Mention]:
    point = _POINTS.get(folded(text))
    if point is not None:
        return [Mention(0, len(text), point)]
    found = [Mention(*match.span(), _place(match[0])) for match in _PLACES.finditer(text)]
    return [m for m in found if not _is_adverb(text, m)]


def _place(said: str) -> str:
    named = {
        part for word in _PLACE_WORD.findall(said) for part in _PLACE_WORDS[word.lower()].split()
    }
    return " ".join(sorted(named))


def _most_precise(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """Without those that another one only makes more precise: "top" beside "top center"."""
    sets = {value: frozenset(str(value).split()) for value in values}
    return tuple(v for v in values if not any(sets[v] < other for other in sets.values()))


CHOICE = Grader(name="choice", check=_choice, options={"choices": list, "aliases": dict})
POSITION = Grader(name="position", check=_position)
