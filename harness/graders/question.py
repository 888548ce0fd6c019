"""What a question says about its answer: its words, what it counts, its options."""

from __future__ import annotations

import re
from functools import lru_cache

from harness.graders.extract import usual_characters, without_tex
from harness.graders.words import content, pattern, phrase, stem, words

_HOW_MANY, _POLAR = phrase("what is counted"), phrase("a question of yes or no")
_PLURAL = pattern(r"\b(?:\w+[^\Wsu]s|people|children|men|women|feet|teeth)\b", "plurals")
_AFTER_OPTIONS = phrase("instructions behind the last option")
_FIRST_MARK = pattern(r"a[).:]", "what any marks begin with: a quick look")
_MARKS = (
    pattern(r"(?<!\w)\(([a-z])\)\s*", "(A) nut (B) bolt"),
    pattern(r"(?:^|(?<=[\s,;:]))([a-z])\)\s*", "A) nut B) bolt"),
    pattern(r"(?:^|(?<=\s))([a-z])\.\s+", "A. nut B. bolt"),
    pattern(r"(?:^|(?<=\n)|(?<=[,;:]\s))([a-z]):\s+", "A: nut"),
)


@lru_cache(maxsize=4096)
def plain_question(question: str) -> str:
    return without_tex(usual_characters(question)).strip()


@lru_cache(maxsize=4096)
def asked_words(question: str) -> frozenset[str]:
    return frozenset(words(plain_question(question)))


@lru_cache(maxsize=4096)
def asked_stems(question: str) -> frozenset[str]:
    return frozenset(content(plain_question(question)))


@lru_cache(maxsize=4096)
def counted(question: str) -> frozenset[str]:
    """Stems of what "how many" asks for.

    >>> sorted(counted("How many red bolts are in the box?"))
    ['bolt', 'red']
    """
    found = _HOW_MANY.findall(plain_question(question))
    if not found:
        return frozenset()
    head = _PLURAL.search(found[-1])
    noun = words(found[-1][: head.end() if head else None])
    return frozenset(stem(word) for word in noun if not word.isdigit()) or frozenset("?")


def polar_clause(question: str) -> str:
    """The last clause to answer with yes or no; the whole question without one.

    >>> polar_clause("The van drives. Is it moving forward?")
    'Is it moving forward'
    """
    text = plain_question(question)
    return str([text, *_POLAR.findall(text)][-1])


@lru_cache(maxsize=4096)
def lettered(question: str) -> dict[str, str]:
    """Options that a question marks with letters.

    >>> lettered("Which one? A) nuts B) bolts"), lettered("Pick: (a) a nut; (b) a bolt (a, b)")
    ({'A': 'nuts', 'B': 'bolts'}, {'A': 'a nut', 'B': 'a bolt'})
    """
    text = plain_question(question)
    for mark in _MARKS if _FIRST_MARK.search(text) else ():
        if hits := _chain(list(mark.finditer(text))):
            ends = [*(hit.start() for hit in hits[1:]), len(text)]
            said = [text[hit.end() : end] for hit, end in zip(hits, ends, strict=True)]
            said[-1] = _AFTER_OPTIONS.split(said[-1])[0]
            options = (option.split("\n\n")[0].strip(" \n,;") for option in said)
            return {hit[1].upper(): option for hit, option in zip(hits, options, strict=True)}
    return {}


def _chain(hits: list[re.Match[str]]) -> list[re.Match[str]]:
    """The longest run of A, B, C..., the last of several; empty without two."""
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for hit in hits:
        follows = run and ord(hit[1].upper()) == ord(run[-1][1].upper()) + 1
        run = [*run, hit] if follows else [hit] if hit[1].upper() == "A" else run
        if len(run) >= max(2, len(best)):
            best = run
    return best
