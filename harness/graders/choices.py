"""One of a few: options of the question, or lettered options."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.lexicon import rivals_of
from harness.graders.positions import is_adverb
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
_LETTERED = lazy(
    r"(?:^|[\s(])\(?([A-Ha-h])[).:]\s*([^\n;]+?)"
    r"(?=[\s,;]+\(?[A-Ha-h][).:]\s|[\n;]|[.?] (?:answer|return|reply|only|please|choose)|$)",
    re.IGNORECASE,
)
_LETTER_SAID = lazy(
    r"^\W*(?:[Oo]ption |[Cc]hoice |[Ll]etter |[Aa]nswer )?\(?([A-Ha-h])\)?(?:\W|$)"
    r"|\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nd|[Oo]r|[Ii]s|,) \(?([A-H])\b\)?|\(([A-H])\)"
)


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
    find = _turned(_options_finder(terms), task.about, choices)
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


def _options_finder(terms: Mapping[str, Hashable]) -> Finder:
    """Finds options; "orange or amber" hedges, although orange is none."""
    kin = {word: word for term in terms for word in rivals_of(term)}
    find, options = set_finder({**kin, **terms}), set(terms.values())
    return lambda text: [m for m in find(text) if m.value in options]


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
        found = [m for m in find(text) if not is_adverb(text, m)]
        if len(found) != 1 or found[0].value not in opposite or not about.subject:
            return found
        only = found[0]
        before = {stem(word) for word in words(text[: only.start])}
        after = {stem(word) for word in words(text[only.end :])}
        if about.subject in after - before and others & before:
            return [only._replace(value=opposite[str(only.value)])]
        return found

    return (
        find_turned if opposite else lambda text: [m for m in find(text) if not is_adverb(text, m)]
    )


CHOICE = Grader(name="choice", check=_choice, options={"choices": list, "aliases": dict})
