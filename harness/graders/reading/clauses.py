"""Values and the clauses of a statement that they stand in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from harness.graders.lazily import lazy
from harness.graders.reading.about import About, stem, words


class Mention(NamedTuple):
    """A value somewhere in a statement."""

    start: int
    end: int
    value: Hashable
    hedge: str | None = None
    """The word that takes the certainty away, e.g. "about"."""
    preferred: int = 0
    """How many words of the question stand with it ("28 red containers")."""
    elliptic: bool = False
    """A number whose noun is left out: "4 forks here and 3 there"."""


JOINED = lazy(
    r"[ \"']{0,3}(?:,|/|\bor\b|\bnor\b|\band\b|,\s?or|,\s?nor|,\s?and)[ \"']{1,3}(?:(?:a|an|the"
    r"|any) )?$",
    re.IGNORECASE,
)
_COPULA = lazy(
    r"(?:\b(?:is|are|was|were|be|reads?|says?|shows?|equals)\b|:|=) {0,2}[\"'(]{0,2}"
    r"(?:(?:a|an|the|mostly|clearly|in|at|on) ){0,3}$",
    re.IGNORECASE,
)
_IS = lazy(r"\b(?:is|are|was|were)\b", re.IGNORECASE)
_CLAUSE = lazy(
    r"[,;:]\s|\s-\s|\s(?=(?:and|but|while|whereas|although|though|since|because|which|where|when"
    r"|as|however"
    r"|until|before|after|despite|unlike|with)\b)",
    re.IGNORECASE,
)
_SUBORDINATE = lazy(
    r"^\s*(?:while|whereas|although|though|since|because|which|where|when|as|unlike|running|lying"
    r"|standing|next to"
    r"|with|until|before|after|despite|out of|based|according|due|similar|below|above|under"
    r"|beside|near|behind|away)\b",
    re.IGNORECASE,
)
_GOES_ON = lazy(
    r"\s*(?:and|but|then) (?!(?:the|a|an|it|they|this|that|there|its|their|is|are|in|on|at|one"
    r"|\d))",
    re.IGNORECASE,
)


def joined(text: str, left: Mention, right: Mention) -> bool:
    """Whether nothing but "and", "or" or a comma parts two values."""
    return left.value != right.value and bool(JOINED.fullmatch(text[left.end : right.start]))


def asked_for(text: str, mentions: Sequence[Mention], about: About) -> list[Mention]:
    """The last value, when it follows "(what was asked) is"."""
    last = mentions[-1]
    copula = _COPULA.search(text[: last.start])
    if copula is None or "," in text[: copula.start()] or len(_IS.findall(text)) > 1:
        return []
    subject = {stem(word) for word in words(text[: copula.start()])}
    return [last] if len(subject & about.stems) * 2 >= len(about.stems) > 0 else []


def after_copula(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """The one value that follows "is": "the cable along the black wall is orange"."""
    if any(joined(text, a, b) for a, b in itertools.pairwise(mentions)):
        return []
    found = [m for m in mentions if _COPULA.search(text[max(0, m.start - 40) : m.start])]
    return found if len({m.value for m in found}) == 1 else []


def by_clause(text: str, mentions: list[Mention], about: About) -> list[Mention]:
    """The values of the clause that speaks of what was asked, if one does more than the others."""
    scored: dict[Mention, tuple[bool, int, bool]] = {}
    carried: set[str] = set()
    """The subject of the clause before, which "and expires on" takes over."""
    for start, end in clause_spans(text):
        clause = text[start:end]
        inside = [m for m in mentions if start <= m.start < end]
        said = {stem(word) for word in left_over(text, inside, start, end)}
        has_subject = about.subject in said
        inherits = bool(carried) and not has_subject and bool(_GOES_ON.match(clause))
        said |= carried if inherits else set()
        score = (
            not _SUBORDINATE.match(clause),
            len(said & about.stems),
            about.subject in said,
        )
        scored.update(dict.fromkeys(inside, score))
        carried = carried if inherits else _subject_of(clause, about)
    for left, right in itertools.pairwise(mentions):
        if joined(text, left, right) and scored[left][0]:
            scored[right] = scored[left]
    best = max(scored.values(), default=None)
    kept = [m for m in mentions if scored.get(m) == best]
    return kept if len({m.value for m in kept}) == 1 else mentions


def _subject_of(clause: str, about: About) -> set[str]:
    """What of the question stands before the verb; without "is", what the question is about."""
    verb = _IS.search(clause)
    said = {stem(word) for word in words(clause[: verb.start()] if verb else clause)}
    return said & (about.stems if verb else {about.subject})


def clause_spans(text: str) -> list[tuple[int, int]]:
    cuts = [mark.end() if mark[0].strip() else mark.start() for mark in _CLAUSE.finditer(text)]
    return list(zip([0, *cuts], [*cuts, len(text)], strict=True))


def left_over(
    text: str, mentions: Sequence[Mention], start: int = 0, end: int | None = None
) -> list[str]:
    """The words of a text, or of a part of it, around the values."""
    parts = []
    for mention in sorted(mentions, key=lambda m: m.start):
        parts.append(text[start : mention.start])
        start = max(start, mention.end)
    return words(" ".join([*parts, text[start:end]]))
