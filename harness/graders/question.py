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
    """Stems of what "how many" asks for."""
    found = [match[1] for match in _HOW_MANY.finditer(plain_question(question))]
    noun = [word for word in words(found[-1]) if not word.isdigit()] if found else []
    ends = [at for at, word in enumerate(noun, 1) if _PLURAL.fullmatch(word)]
    return frozenset(map(stem, noun[: ends[0] if ends else None]))


def polar_clause(question: str) -> str:
    """The last clause to answer with yes or no; the whole question without one."""
    text = plain_question(question)
    return str([text, *_POLAR.findall(text)][-1])


@lru_cache(maxsize=4096)
def lettered(question: str) -> dict[str, str]:
    """Options that a question marks with letters."""
    text = plain_question(question)
    for mark in _MARKS if _FIRST_MARK.search(text) else ():
        hits: list[re.Match[str]] = []
        run: list[re.Match[str]] = []
        for hit in mark.finditer(text):  # the longest run of A, B, C..., the last of several
            follows = run and ord(hit[1].upper()) == ord(run[-1][1].upper()) + 1
            run = [*run, hit] if follows else [hit] if hit[1].upper() == "A" else run
            hits = run if len(run) >= max(2, len(hits)) else hits
        if hits:
            ends = [*(hit.start() for hit in hits[1:]), len(text)]
            said = [text[hit.end() : end] for hit, end in zip(hits, ends, strict=True)]
            said[-1] = _AFTER_OPTIONS.split(said[-1])[0]
            options = (option.split("\n\n")[0].strip(" \n,;") for option in said)
            return {hit[1].upper(): option for hit, option in zip(hits, options, strict=True)}
    return {}
