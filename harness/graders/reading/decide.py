"""Which of the values a reply mentions is its answer.

A grader brings a finder (text to mentions); the rest is the same for all: what a statement says after negated,
corrected and bracketed values are set aside, which statement counts, and when a reply has no single answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from harness.graders.reading.about import EMPTY_WORDS, About, stem, words
from harness.graders.reading.refusals import refusal
from harness.graders.reading.statements import CORRECTS, Said, Statement, Weight


class Mention(NamedTuple):
    """A value somewhere in a statement."""

    start: int
    end: int
    value: Hashable
    hedge: str | None = None
    """The word that takes the certainty away, e.g. "about"."""
    preferred: bool = False
    """Stands with a word of the question ("28 containers")."""


class Claim(NamedTuple):
    """What one statement says."""

    values: tuple[Hashable, ...]
    said: str
    hedge: str | None
    weight: Weight
    coverage: float
    """Share of the question's content words that the statement takes up."""
    partial: bool
    """Speaks of a part ("in the top row") that the question does not name."""
    preferred: bool
    at: int


class Reading(NamedTuple):
    """The one value a reply settles on, or why there is none."""

    value: Hashable | None
    said: str | None
    fault: str | None


Finder = Callable[[str], list[Mention]]
Joiner = Callable[[tuple[Hashable, ...]], tuple[Hashable, ...]]

_FILL = (
    r"(?:a|an|the|any|some|visible|other|really|clearly|just|exactly|actually|only|in|on|at|to|of|see|have"
    r"|contain|contains|appear|appears|seem|be|look|quite|more|been|is|are|those|these|obvious|apparent|such|as"
    r"|both|signs|sign|evidence|there|it|being|either|from|colou?red|labell?ed|located|considered|called)"
)
_NEGATED = re.compile(
    r"(?:\bnot|n't|\bno|\bnever|\bwithout|\brather than|\binstead of|\bother than|\bunlike|\bneither"
    r"|\bnor|\bdistinct from|\bdifferent from|\bas opposed to|\bcompared (?:to|with)|\bversus|\bvs\.?"
    r"|\bexcept(?: for)?|\bexcluding|\bnone of|\black(?:s|ing)?(?: of)?|\babsence of|\bruled? out"
    r"|\bcannot be|\bno longer)"
    r"[ \"']+(?:" + _FILL + r"[ \"']+){0,4}$",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"[ \"']{0,3}(?:,|/|\bor\b|\bnor\b|\band\b|,\s?or|,\s?nor|,\s?and)[ \"']{1,3}(?:(?:a|an|the|any) )?$",
    re.I,
)
_BRACKETS = re.compile(r"\([^()]*\)")
_PARTS = frozenset(
    ["row", "rows", "column", "columns", "left", "right", "top", "bottom", "upper", "lower", "middle", "front", "back", "first", "second", "third", "fourth", "last", "layer", "layers", "tier", "tiers", "side", "section", "sections", "each", "per", "every", "another", "also", "additional", "more", "further", "other", "others", "foreground", "background", "group", "groups", "cluster", "stack", "level", "half", "corner", "near", "edge", "plus", "remaining", "rest", "shelf"]
)
POLITE = frozenset(
    ["sure", "certainly", "course", "ok", "okay", "thanks", "thank", "welcome", "hi", "hello", "happy", "help", "glad", "great", "question", "hope", "helps", "let", "know", "need", "anything", "else", "assistance", "further", "would", "say", "think", "believe", "i'd", "it's", "that's", "there's", "therefore", "thus", "so", "hence", "total", "altogether", "overall", "find", "found", "count", "counted", "counting", "identified", "identify", "value", "number", "correct", "right", "actually", "definitely", "clearly", "yes", "inspection", "examination", "careful", "carefully", "looking", "closely", "upon", "after", "based", "observed", "observation", "conclusion", "final", "answer", "equals", "equal", "amount", "written", "reads", "read", "states", "stated", "displayed", "indicated", "marked", "labeled", "labelled", "called", "named", "name", "known", "colour", "color", "approximately", "wait", "sorry", "mean", "meant"]
)


def decide(said: Said, about: About, find: Finder, join: Joiner | None = None) -> Reading:
    """The value that a reply settles on.

    `join` may merge values that do not contradict each other ("top" and "top center").
    """
    if not said.statements:
        return Reading(None, None, empty_because(said))
    quick = _whole(said, find)
    if quick is not None:
        return quick
    claims, takes_back = _claims(said, about, find)
    if takes_back:
        return Reading(None, said.text[:80], "takes its answer back")
    if not claims:
        return Reading(None, None, refusal(said.text) or "no answer of that kind in the reply")
    chosen = _chosen(claims, join)
    if isinstance(chosen, Reading):
        return chosen
    if chosen.weight < Weight.BARE and (why := refusal(said.text)):
        return Reading(None, chosen.said, why)
    return _settled(chosen, join)


def empty_because(said: Said) -> str:
    if said.truncated:
        return "the reply was cut before its answer"
    return "only reasoning, no answer" if said.body.strip() else "empty reply"


def _whole(said: Said, find: Finder) -> Reading | None:
    """The reply is one mention and nothing else: most replies are."""
    if len(said.statements) != 1:
        return None
    text = said.statements[0].text
    mentions = find(text)
    if len(mentions) != 1:
        return None
    (only,) = mentions
    if only.hedge or text[: only.start].strip(" \"'(") or text[only.end :].strip(" .!\"')"):
        return None
    return Reading(only.value, text[only.start : only.end], None)


def _claims(said: Said, about: About, find: Finder) -> tuple[list[Claim], bool]:
    claims: list[Claim] = []
    corrected_at = -1
    for at, statement in enumerate(said.statements):
        if statement.corrects:
            corrected_at = at
        mentions = find(statement.text)
        if mentions and (claim := claim_of(statement, mentions, about, at)):
            claims.append(claim)
    after = [claim for claim in claims if claim.at >= corrected_at]
    if corrected_at >= 0 and claims and not after:
        return [], True
    return after, False


def claim_of(
    statement: Statement, mentions: Sequence[Mention], about: About, at: int
) -> Claim | None:
    """What a statement says, once denied, corrected and bracketed values are set aside."""
    text = statement.text
    kept = without_negated(text, mentions)
    if not kept:
        return None
    kept = _after_correction(text, kept)
    kept = _outside_brackets(text, kept)
    kept = [m for m in kept if m.preferred] or kept
    left_over = _left_over(text, kept, about)
    weight, partial = (
        statement.weight,
        any(word in _PARTS and word not in about.words for word in left_over),
    )
    rest_is_plain = all(
        word in POLITE or word in EMPTY_WORDS or stem(word) in about.stems for word in left_over
    )
    if rest_is_plain:
        weight = Weight.ANSWER if weight >= Weight.CONCLUSION else Weight.BARE
    covered = len({stem(word) for word in words(text)} & about.stems)
    if weight == Weight.ASIDE and covered:
        weight = Weight.ON_TOPIC
    return Claim(
        values=tuple(dict.fromkeys(m.value for m in kept)),
        said=text[min(m.start for m in kept) : max(m.end for m in kept)],
        hedge=next((m.hedge for m in kept if m.hedge), None),
        weight=weight,
        coverage=covered / max(1, len(about.stems)),
        partial=partial,
        preferred=any(m.preferred for m in kept),
        at=at,
    )


def without_negated(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Mentions that are affirmed; in "no screws or nuts" neither is."""
    kept: list[Mention] = []
    denied_end: int | None = None
    for mention in mentions:
        before = text[max(0, mention.start - 70) : mention.start]
        joined = denied_end is not None and _JOINED.fullmatch(text[denied_end : mention.start])
        if joined or _NEGATED.search(before):
            denied_end = mention.end
        else:
            denied_end = None
            kept.append(mention)
    return kept


def _after_correction(text: str, mentions: list[Mention]) -> list[Mention]:
    if len(mentions) < 2:
        return mentions
    cut = max((mark.start() for mark in CORRECTS.finditer(text)), default=-1)
    return [m for m in mentions if m.start > cut] or mentions


def _outside_brackets(text: str, mentions: list[Mention]) -> list[Mention]:
    if "(" not in text or len(mentions) < 2:
        return mentions
    spans = [bracket.span() for bracket in _BRACKETS.finditer(text)]
    outside = [m for m in mentions if not any(a <= m.start and m.end <= b for a, b in spans)]
    return outside or mentions


def _left_over(text: str, mentions: Sequence[Mention], about: About) -> list[str]:
    parts, start = [], 0
    for mention in sorted(mentions):
        parts.append(text[start : mention.start])
        start = max(start, mention.end)
    return words(" ".join([*parts, text[start:]]))


def _chosen(claims: list[Claim], join: Joiner | None) -> Claim | Reading:
    heavy = [claim for claim in claims if claim.weight >= Weight.BARE]
    if heavy:
        last = heavy[-1]
        rivals = [claim for claim in heavy if last.weight < Weight.ANSWER]
        rivals += [
            c for c in claims if c.at > last.at and c.preferred and c.weight == Weight.CONCLUSION
        ]
        return _unless_contradicted(last, rivals, join)
    if concluding := [claim for claim in claims if claim.weight == Weight.CONCLUSION]:
        return concluding[-1]
    pool = [claim for claim in claims if claim.weight == Weight.ON_TOPIC] or claims
    pool = [claim for claim in pool if not claim.partial] or pool
    most = max(claim.coverage for claim in pool)
    pool = [claim for claim in pool if claim.coverage >= most - 0.01]
    return _unless_contradicted(pool[0], pool[1:], join)


def _unless_contradicted(
    claim: Claim, rivals: Sequence[Claim], join: Joiner | None
) -> Claim | Reading:
    together = tuple(dict.fromkeys((*claim.values, *(v for rival in rivals for v in rival.values))))
    joined = join(together) if join else together
    if len(joined) > 1 and any(set(rival.values) != set(claim.values) for rival in rivals):
        return Reading(None, worded(together), f"several answers: {worded(together)}")
    return claim._replace(values=joined) if len(claim.values) <= 1 else claim


def _settled(claim: Claim, join: Joiner | None) -> Reading:
    values = join(claim.values) if join else claim.values
    if len(values) > 1:
        return Reading(None, claim.said, f"several answers: {worded(values)}")
    if claim.hedge:
        return Reading(None, claim.said, f"hedged: {claim.hedge!r}")
    return Reading(values[0], claim.said, None)


def worded(values: Sequence[Hashable]) -> str:
    return ", ".join(str(value) for value in values[:5])
