"""What a clause implies about a question that is answered with yes or no."""

from __future__ import annotations

import re

from harness.graders.lazily import lazy
from harness.graders.reading import EMPTY_WORDS, stem, words

NEGATION = lazy(
    r"\bnot\b(?! only)|n't\b|\b(?:no|without|none|never|neither|nor|lacks?|lacking|absent|absence"
    r"|cannot|nothing"
    r"|nobody|zero|free of|devoid|fails?)\b",
    re.IGNORECASE,
)
_QUOTED = lazy(r"\"[^\"]{1,80}\"")
_CLAUSE = lazy(
    r"[,;]|\b(?:but|although|though|however|while|whereas|except|and (?=not\b|no\b)|because|since"
    r"|which|as)\b",
    re.I,
)
_OPPOSITES = """
    empty/full empty/occupied empty/loaded open/closed open/shut cracked/intact
    cracked/undamaged damaged/intact damaged/undamaged broken/intact broken/undamaged
    clean/dirty dry/wet present/absent present/missing on/off straight/bent straight/crooked
    straight/tilted ripe/unripe level/tilted safe/unsafe same/different aligned/misaligned
    locked/unlocked sealed/unsealed sealed/open visible/hidden correct/incorrect correct/wrong
    complete/incomplete inside/outside within/outside
"""
MOSTLY = 0.75
_WITH_CORE = 0.6
"""Enough of the question when its first and its last word are there."""


def _opposites() -> dict[str, frozenset[str]]:
    pairs = [tuple(map(stem, pair.split("/"))) for pair in _OPPOSITES.split()]
    both = pairs + [(b, a) for a, b in pairs]
    return {left: frozenset(b for a, b in both if a == left) for left, _ in both}


_OPPOSED = _opposites()


def clauses(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    for mark in _CLAUSE.finditer(text):
        found.append((start, text[start : mark.start()]))
        start = mark.end()
    return [*found, (start, text[start:])]


def first_clause(text: str) -> str:
    return next((clause for _, clause in clauses(text) if clause.strip(" .")), "")


def _opposed_to(asked: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(_OPPOSED.get(word, ()) for word in asked))


def _brings_more(clause: str, known: frozenset[str]) -> bool:
    """ "The lid is lying next to the box" says more than that it is on the box."""
    return any(
        word not in EMPTY_WORDS and stem(word) not in known and not word.endswith("ly")
        for word in words(NEGATION.sub(" ", clause))
    )


def implies(
    clause: str,
    asked: frozenset[str],
    denied: bool,
    share: float,
    core: frozenset[str] = frozenset(),
) -> bool | None:
    """Whether a clause affirms or denies the question; None when it speaks of something else.

    >>> from harness.graders.reading import stems
    >>> asked = frozenset(stems("Is the belt empty"))
    >>> implies("the belt is full", asked, False, 1.0)
    False
    >>> implies("the belt is yellow", asked, False, 1.0) is None
    True
    """
    said = frozenset(stem(word) for word in words(clause))
    covered = len(said & asked)
    opposites = {word for word in asked - said if _OPPOSED.get(word, frozenset()) & said}
    opposed = bool(opposites)
    if core and core <= said | opposites:
        share = min(share, _WITH_CORE)
    if not asked or (covered + opposed) / len(asked) < share:
        return None
    if share >= 1 and _brings_more(clause, asked | _opposed_to(asked)):
        return None
    negated = bool(NEGATION.search(_QUOTED.sub("", clause)))
    return (negated == denied) != opposed
