"""Names in a statement that might be answers too: quoted, in bold or capitalised."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.graders.lazily import lazy
from harness.graders.reading import EMPTY_WORDS, POLITE, About, stem, word_set, words

_NAME = lazy(r"\"([^\"\n]{1,60})\"|\b[A-Z][\w'&-]*(?: (?:of |de )?[A-Z][\w'&-]*){0,4}")
_ARTICLE = r"(?:(?:a|an|the|this|that|one|some|its|called|named) ){0,3}"
_BACKGROUND = lazy(
    r"\b(?:with|on|onto|among|amongst|amid|near|beside|behind|from|by|in|inside|under|below|above"
    r"|than|between|around|against|next to|surrounded by|alongside|like|such as|of|for|to|over"
    r"|beneath"
    rf"|atop|at) {_ARTICLE}(?:[\w'-]+ ){{0,2}}[\"'(]?$",
    re.IGNORECASE,
)
_BESIDE = r"(?: (?:possibly|perhaps|maybe|also|a|an|the)){0,3} ?[\"']?"
_AND_NEXT = lazy(
    rf"[\"']?(?: [a-z]+){{0,2}}(?:,? (?:and|or|as well as|along with|plus)|,|/| ?&){_BESIDE}", re.I
)
_AND_BEFORE = lazy(rf"[\"']?(?: [a-z]+)?(?:,? (?:and|or|as well as)|,|/| ?&){_BESIDE}", re.I)
_OR_NEXT = lazy(r"[\"']? (?:or|and/or) (?!less|so|more)\w", re.IGNORECASE)
_OR_BEFORE = lazy(r"(?:,? or (?:[a-z]+ )?|\b(?:both|either) (?:\w+ )?[\"']?)$", re.IGNORECASE)
_LIST_NEXT = lazy(
    r"[\"']?\s?(?:,|/|;|\band\b|&)\s?(?!(?:with|as|by|on|in|at|a|an|the|which|who|is|it|since"
    r"|because"
    r"|making|located|from|for|not|based|although|but|this|that|there|and is)\b)\w",
    re.IGNORECASE,
)
_LIST_BEFORE = lazy(r"\w[\"']?\s?(?:,|/|;|\band\b|&)\s?(?:(?:an?|the) )?[\"']?$", re.IGNORECASE)
_PAIR_BEFORE = lazy(r"\ban? (?:\w+ )?\w+ and an? (?:\w+ )?$", re.IGNORECASE)
_PAIR_NEXT = lazy(r" and an? (?:\w+ )?\w+(?= on\b| in\b| at\b|[.,;]|$)", re.IGNORECASE)
_LEAD_IN = lazy(r"(?:according|based|looking|from|in|on|at|as|for|judging)\b", re.IGNORECASE)
_EXAMPLE = lazy(r"\b(?:like|such as|e\.g\.|for example),? ([A-Z][\w'-]*)")
_OPENERS = word_set(
    """looking however additionally also upon specifically while although since because another
    among yes no ok okay in on at from here there it this that these those one if as bottom
    top left right middle upper lower first second third all most many several two three four
    five meanwhile furthermore moreover overall examining unfortunately"""
)


class Name(NamedTuple):
    """A possible other answer and where it stands."""

    text: str
    start: int
    end: int


def names_in(
    text: str, about: About, emphasised: Sequence[str], apart: re.Pattern[str] | None
) -> list[Name]:
    """Names that the question does not use, but for those that are spelled like `apart`.

    >>> from harness.graders.reading import about
    >>> found = names_in("The drill is by Bosch, near a Makita.", about("Which drill?"), (), None)
    >>> [name.text for name in found]
    ['Bosch', 'Makita']
    """
    found = []
    for match in _NAME.finditer(text):
        name = match[1] or match[0]
        if not (apart and apart.search(name)) and not _names_nothing(name, about):
            found.append(Name(match[0], *match.span()))
    for span in emphasised:
        at = text.find(span)
        if at >= 0 and not (apart and apart.search(span)) and not _names_nothing(span, about):
            found.append(Name(span, at, at + len(span)))
    return found


def _names_nothing(name: str, about: About) -> bool:
    """Words of the question, of politeness, or of grammar."""
    examples = _examples(about.text)
    return all(
        word in EMPTY_WORDS
        or word in POLITE
        or word in _OPENERS
        or (word in about.words and word not in examples)
        or stem(word) in about.stems
        for word in words(name)
    )


@lru_cache(maxsize=4096)
def _examples(question: str) -> frozenset[str]:
    """Answers that a question gives as examples: "like Coca-Cola"."""
    return frozenset(word for match in _EXAMPLE.finditer(question) for word in words(match[1]))


def in_background(text: str, start: int) -> bool:
    """Whether what starts here hangs on a preposition: "among the Evian bottles".

    >>> in_background("among the Evian bottles", 10), in_background("The Evian bottle", 4)
    (True, False)
    """
    return bool(_BACKGROUND.search(text[:start]))


def coordinated(text: str, start: int, end: int, names: Sequence[Name], *, listed: bool) -> bool:
    """Joined with another candidate by "and", "or", or in a list.

    With `listed`, any word behind a comma is a candidate: for a reply without a verb.
    """
    if any(n.start >= end and _AND_NEXT.fullmatch(text[end : n.start]) for n in names):
        return True
    if any(n.end <= start and _AND_BEFORE.fullmatch(text[n.end : start]) for n in names):
        return True
    head, tail = text[:start], text[end : end + 40]
    if _OR_NEXT.match(tail) or _OR_BEFORE.search(head):
        return True
    if _PAIR_NEXT.match(tail) or _PAIR_BEFORE.search(head):
        return True
    if not listed:
        return False
    return bool(_LIST_NEXT.match(tail)) or bool(
        _LIST_BEFORE.search(head) and not _LEAD_IN.match(head)
    )
