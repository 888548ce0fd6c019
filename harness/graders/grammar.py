"""The grammar around a mention: what it complements, what it modifies, which clause answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.graders.lazily import lazy
from harness.graders.names import Name
from harness.graders.reading import (
    EMPTY_WORDS,
    POLITE,
    About,
    Mention,
    clause_spans,
    stem,
    word_set,
    words,
)

COPULA = lazy(
    r"(?:\b(?:is|are|was|were|be|reads?|says?|said|called|named|shows?|states?|displays?|depicts?"
    r"|contains?|labell?ed(?: as)?|identified as|known as|equals|suggests?|spells?|by)\b"
    r"|:|=) {0,2}[\"'(]{0,2}",
    re.IGNORECASE,
)
_SAYS = lazy(rf"{COPULA.pattern}|\b(?:has|have)\b", re.IGNORECASE)
COMPLEMENT_OVER = lazy(
    r"[,;(]|\b(?:as|like|from|for|with|than|because|which|and|against|above|below|near|next"
    r"|beside|under"
    r"|over)\b",
    re.IGNORECASE,
)
_FIRST_WORD = lazy(
    r"^\s*(?:(?:most |very |mostly )?\w+(?:ed|en|full|made) (?:with|of|by|as|from|in)\b"
    r"|(?!(?:above|below|near|next|beside|under|over)\b)[\w']+)"
)
_FOLLOWER = lazy(r" ([a-z]{3,})(?=[.,;!?\"]|$)")
_WIDER = word_set(
    """game match sport machine vehicle truck car tool device animal bird fish tree plant flower
    fruit vegetable logo sign symbol icon button brand product bottle can box bag package food
    drink dish station city building shape line team type style design bottles boxes cans"""
)
"""Heads that only say what kind of thing the answer is: "a basketball game"."""


def better_clause(text: str, mention: Mention, names: Sequence[Name], about: About) -> bool:
    """Another clause names something and takes up more of the question than the mention's own."""

    def takes_up(span: tuple[int, int]) -> int:
        return len({stem(word) for word in words(text[slice(*span)])} & about.stems)

    spans = clause_spans(text)
    own = next((it for it in spans if it[0] <= mention.start < it[1]), (0, len(text)))
    named = [it for it in spans if it != own and any(it[0] <= n.start < it[1] for n in names)]
    return any(takes_up(it) > takes_up(own) and _SAYS.search(text[slice(*it)]) for it in named)


def is_modifier(text: str, mention: Mention, about: About) -> bool:
    """The head of an English noun phrase is its last word: "apple pie" is no apple."""
    follower = _FOLLOWER.match(text, mention.end)
    if follower is None or not text[mention.start : mention.end].islower():
        return False
    word = follower[1]
    known = EMPTY_WORDS | POLITE | about.words | _WIDER
    return (
        word not in known
        and stem(word) not in about.stems
        and not word.endswith(("ing", "ed", "ly"))
    )


def leads_in(text: str, name: Name, mention: Mention) -> bool:
    """The maker of a thing: "a Volvo excavator", "Monet's 'Lilies'"."""
    if text[name.end : mention.start] not in (" ", ' "'):
        return False
    return name.text.endswith("'s") or text[mention.start : mention.end].islower()


def asked_complement(text: str, about: About) -> int | None:
    """Where the complement of a sentence starts whose subject takes up the question."""
    if not about.stems:
        return None
    for match in COPULA.finditer(text):
        subject = {stem(word) for word in words(text[: match.start()])}
        if len(subject & about.stems) * 2 >= len(about.stems):
            return match.end()
    return None


def fills(complement: str, start: int, names: Sequence[Name]) -> bool:
    """Whether nothing stands between "is" and the mention that would be the answer itself."""
    inside = any(start <= name.start < start + len(complement) for name in names)
    return not inside and not COMPLEMENT_OVER.search(_FIRST_WORD.sub("", complement))


def says_nothing(text: str, mention: Mention) -> bool:
    """An answer like "however" that a sentence may just as well use for itself."""
    own = words(text[mention.start : mention.end])
    quoted = text[mention.start - 1 : mention.start] == '"'
    return (
        len(words(text)) > len(own)
        and not quoted
        and all(w in EMPTY_WORDS or w in POLITE for w in own)
    )
