"""Yes or no: the word, in many languages, or a sentence that affirms or denies the question."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from harness.graders.decide import Check, Finder, Mention, Misfit, Task, checking
from harness.graders.question import polar_clause
from harness.graders.words import LISTS, STOPWORDS, antonyms, any_of, phrase, stem, words

_YES, _NO = frozenset(LISTS["yes"]), frozenset(LISTS["no"])
_LEADING = phrase("opens with yes or no", **{"yes or no": any_of(_YES | _NO)})
_LATER = phrase("says yes or no later")
_NEGATION = phrase("negations")
_DOUBT = phrase("a doubt about what is implied")
_CLAUSE = phrase("clauses that may imply an answer")
_NO_SUCH = phrase("no cracks")
_EQUALITY = frozenset(["same", "equal", "equals", "identical"])
_COMPARATIVES = frozenset(LISTS["comparatives"])
_MOSTLY = 0.6


def yes_no(task: Task) -> Check:
    """The word, or a sentence that implies it."""
    wanted = as_yes_or_no(task.one)
    if wanted is None:
        raise Misfit(f"{task.expected!r} is neither yes nor no")
    return checking(task, yes_no_finder(task.question), lambda value: value == wanted)


def as_yes_or_no(word: str) -> str | None:
    """
    >>> as_yes_or_no("Yes."), as_yes_or_no("nein"), as_yes_or_no("maybe")
    ('yes', 'no', None)
    """
    word = word.strip(" .,!\"'*`").lower()
    return "yes" if word in _YES else "no" if word in _NO else None


def yes_no_finder(question: str) -> Finder:
    """Finds "yes" and "no", spoken or implied."""

    def find(text: str) -> list[Mention]:
        spoken = _spoken(text)
        return spoken or _denied(_asked(question), text) or _implied(_asked(question), text)

    return find


def _spoken(text: str) -> list[Mention]:
    leading = _LEADING.match(text)
    found = []
    if leading:
        found = [Mention(*leading.span("word"), as_yes_or_no(leading["word"]), lead=True)]
    for match in _LATER.finditer(text, max(0, leading.end("word") - 1) if leading else 0):
        value = "yes" if match["word"].lower() in ("yes", "true") else "no"
        found.append(Mention(*match.span("word"), value))
    return found


class _Asked(NamedTuple):
    """What a question of yes or no asks, in words."""

    words: frozenset[str]
    stems: frozenset[str]
    denied: bool


@lru_cache(maxsize=1024)
def _asked(question: str) -> _Asked:
    clause = polar_clause(question)
    return _Asked(frozenset(words(clause)), _stems(clause), bool(_NEGATION.search(clause)))


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(text) if word not in STOPWORDS)


def _denied(asked: _Asked, text: str) -> list[Mention]:
    """ "No cracks visible" denies what a question of existence asks for."""
    found = () if asked.denied else _NO_SUCH.finditer(text)
    denied = any(asked.stems & _stems(match[1]) for match in found)
    return [Mention(0, len(text), "no")] if denied else []


def _implied(asked: _Asked, text: str) -> list[Mention]:
    """What the clauses of a statement say about the question."""
    for pieces in (_CLAUSE.split(text), [text]):
        found = []
        for clause in pieces:
            if clause and (value := _implies(asked, clause)):
                at, doubt = text.find(clause), _DOUBT.search(clause)
                hedge = doubt[0] if doubt else None
                found.append(Mention(at, at + len(clause), value, hedge, weak=True))
        if found:
            return found
    return []


def _implies(asked: _Asked, clause: str) -> str | None:
    said = set(words(clause))
    against = any(antonyms(word) & said and word not in said for word in asked.words)
    covered = len(asked.stems & {stem(word) for word in said}) + against
    compared, same_asked = asked.words & _COMPARATIVES, asked.words & _EQUALITY
    same_said = _EQUALITY & said
    if covered and (
        (compared and same_said and not same_asked) or (same_asked and _COMPARATIVES & said)
    ):
        return "no"
    if (compared and not compared & said and not against) or not asked.stems:
        return None
    if covered < max(1, _MOSTLY * len(asked.stems)):
        return None
    denied = bool(_NEGATION.search(clause)) != asked.denied
    return "no" if denied != against else "yes"
