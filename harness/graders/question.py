"""What a question says about its answer: its words, its numbers, its options."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from harness.graders.clean import unusual_characters, without_tex
from harness.graders.numbers import numbers
from harness.graders.patterns import pattern, regex
from harness.graders.words import content, folded, stem, words

_HOW_MANY = pattern("how many")
_PLURAL = regex(r"\b(?:\w+[^\Wsu]s|people|children|men|women|feet|teeth)\b", re.IGNORECASE)
_COUNTED_ENDS = regex(
    r"\b(?:are|is|were|was|do|does|did|have|has|can|could|will|would|in|on|of|that|which|with|from"
    r"|at|there|lie|stand|fit|printed|shown|left|visible)\b"
)
_POLAR = pattern("polar question")
_MARKS = (
    pattern("options in brackets"),
    pattern("options with bracket"),
    pattern("options with dot"),
    pattern("options with colon"),
)
_AFTER_OPTIONS = pattern("after the options")
_LETTERS_ALONE = pattern("letters to choose from")


class Question(Struct, frozen=True, kw_only=True):
    """A question, read once for all replies to it."""

    text: str
    words: frozenset[str]
    stems: frozenset[str]
    numbers: frozenset[Decimal]
    counted: frozenset[str]
    """Stems of what "how many" asks for."""
    polar: str
    """The clause that can be answered with yes or no; the last sentence where there is none."""
    options: dict[str, str]
    """Letter: what it stands for."""

    @property
    def asks_how_many(self) -> bool:
        return bool(self.counted)


@lru_cache(maxsize=4096)
def about(question: str) -> Question:
    """
    >>> sorted(about("How many red bolts are in the box?").counted)
    ['bolt', 'red']
    >>> about("The van drives. Is it moving forward?").polar
    'Is it moving forward'
    """
    text = without_tex(unusual_characters(question)).strip()
    return Question(
        text=text,
        words=frozenset(words(text)),
        stems=frozenset(content(text)),
        numbers=frozenset(number.value for number in numbers(text)),
        counted=_counted(text),
        polar=_polar(text),
        options=lettered(text),
    )


def lettered(question: str) -> dict[str, str]:
    """Options that a question marks with letters.

    >>> lettered("Which one? A) nuts B) bolts"), lettered("Pick: (a) a nut; (b) a bolt (a, b)")
    ({'A': 'nuts', 'B': 'bolts'}, {'A': 'a nut', 'B': 'a bolt'})
    >>> lettered("Select from A, B and C. (A) a set; or two (B) a map (C) Neither set A nor set B")
    {'A': 'a set; or two', 'B': 'a map', 'C': 'Neither set A nor set B'}
    """
    for mark in _MARKS:
        chain = _chain(list(mark.finditer(question)))
        if len(chain) < 2:
            continue
        ends = [hit.start() for hit in chain[1:]] + [len(question)]
        texts = [question[hit.end() : end] for hit, end in zip(chain, ends, strict=True)]
        cut = _AFTER_OPTIONS.search(texts[-1])
        if cut:
            texts[-1] = texts[-1][: cut.start()]
        texts = [text.split("\n\n")[0].strip(" \n,;") for text in texts]
        return {hit[1].upper(): text for hit, text in zip(chain, texts, strict=True)}
    return {}


def letters_offered(question: str) -> list[str]:
    """Letters among which a question lets choose without saying what they stand for.

    >>> letters_offered("Which figure fits? (select from A-D)"), letters_offered("Which?")
    (['A', 'B', 'C', 'D'], [])
    """
    found = _LETTERS_ALONE.search(question)
    if found is None:
        return []
    first = found[1] or found[4]
    last = found[2] or found[3] or found[5]
    return [chr(code) for code in range(ord(first), ord(last) + 1)]


def _chain(hits: list[re.Match[str]]) -> list[re.Match[str]]:
    """The longest run of A, B, C..., the last of several."""
    best: list[re.Match[str]] = []
    for at, hit in enumerate(hits):
        if hit[1].upper() != "A":
            continue
        run = [hit]
        for other in hits[at + 1 :]:
            if ord(other[1].upper()) == ord(run[-1][1].upper()) + 1:
                run.append(other)
            elif other[1].upper() == "A":
                break
        if len(run) >= max(2, len(best)):
            best = run
    return best


def _counted(text: str) -> frozenset[str]:
    found = _HOW_MANY.last(text)
    if found is None:
        return frozenset()
    phrase = _COUNTED_ENDS.split(found[2])[0]
    head = _PLURAL.search(phrase)
    noun = words(phrase[: head.end()] if head else phrase)
    return frozenset(stem(word) for word in noun if not word.isdigit()) or frozenset("?")


def _polar(text: str) -> str:
    clauses = [m[1] for m in _POLAR.finditer(text)]
    if clauses:
        return clauses[-1]
    sentences = [part for part in re.split(r"(?<=[.?!])\s+", text) if part]
    stated = [
        s for s in sentences if not folded(s).startswith(("true or false", "answer", "before"))
    ]
    return stated[0] if stated else text
