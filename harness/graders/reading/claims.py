"""What one statement claims, once denied, corrected and bracketed values are set aside."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from harness.graders.lazily import lazy
from harness.graders.reading.about import (
    ATTRIBUTE_STEMS,
    ATTRIBUTES,
    EMPTY_WORDS,
    About,
    stem,
    word_set,
    words,
)
from harness.graders.reading.clauses import (
    JOINED,
    Mention,
    after_copula,
    asked_for,
    by_clause,
    clause_spans,
    joined,
    left_over,
)
from harness.graders.reading.clean import lowered
from harness.graders.reading.statements import CORRECTS, Statement, Weight


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
    on_side: bool
    """Names the side that the question names: the left one, the third."""
    at: int


Finder = Callable[[str], list[Mention]]

_FILL = (
    r"(?:a|an|the|any|some|visible|other|really|clearly|just|exactly|actually|only|in|on|at|to|of"
    r"|see"
    r"|have|contain|contains|appear|appears|seem|be|look|quite|more|been|is|are|those|these|obvious"
    r"|apparent|such|as|both|signs|sign|evidence|there|it|being|either|from|colou?red|labell?ed"
    r"|located|considered|called)"
)
_NEGATED = lazy(
    r"(?:\bnot|n't|\bno|\bnever|\bwithout|\brather than|\binstead of|\bother than|\bunlike"
    r"|\bneither|\bnor|\bdistinct from|\bdifferent from|\bas opposed to|\bcompared (?:to|with)"
    r"|\bversus|\bvs\.?|\bexcept(?: for)?|\bexcluding|\bnone of|\black(?:s|ing)?(?: of)?"
    r"|\babsence of|\bruled? out|\bcannot be|\bno longer|\bthan)"
    r"[ \"']+(?:" + _FILL + r"[ \"']+){0,4}$",
    re.IGNORECASE,
)
_BRACKETS = lazy(r"\([^()]*\)")
_ATTEMPT = lazy(
    r"\b(?:at first|initially|originally|at a glance|at first (?:glance|sight)"
    r"|first impression)\b.{0,120}?"
    r"(?P<turn>,? (?:but|however|yet)\b|[,;])",
    re.IGNORECASE,
)
_THEREFORE = lazy(
    r"(?:\b(?:therefore|thus|hence|giving|making|which makes|for a total of|totals?(?: of| is"
    r"|ing)|equals"
    r"|sums? (?:is|to)|adds? up to|adding up to|the answer)|(?:^|[,;-] |\band )so)\b|=",
    re.IGNORECASE,
)
_IN_TOTAL = lazy(
    r"\b(?:in total|altogether|in all|overall|all together|total(?=[.,;)]|$| \())", re.IGNORECASE
)
_PARTS = word_set(
    """row rows column columns left right top bottom upper lower middle front back first second
    third fourth last layer layers tier tiers side section sections each per every another
    also additional more further other others foreground background group groups cluster stack
    level half corner near edge plus remaining rest shelf"""
)
POLITE = word_set(
    """sure certainly course ok okay thanks thank welcome hi hello happy help glad great question
    hope helps let know need anything else assistance further would say think believe i'd it's
    that's there's therefore thus so hence total altogether overall find found count counted
    counting identified identify value number correct right actually definitely clearly yes
    inspection examination careful carefully looking closely upon after based observed
    observation conclusion final answer equals equal amount written reads read states stated
    displayed indicated marked labeled labelled called named name known colour color however
    additionally furthermore moreover specifically indeed simply clear light dark bright deep
    pale vivid vibrant solid approximately wait sorry mean meant"""
)


_PLAIN = POLITE | EMPTY_WORDS | ATTRIBUTES


def claim_of(
    statement: Statement, mentions: Sequence[Mention], about: About, at: int
) -> Claim | None:
    """What a statement says; None when it only denies."""
    text = statement.text
    kept = affirmed(text, mentions, about)
    if not kept:
        return None
    kept = settled(text, kept, about)
    rest = left_over(text, kept)
    weight = statement.weight
    partial = any(
        word in _PARTS and word not in about.words and stem(word) not in about.stems
        for word in rest
    )
    if contrary(rest, about):
        return None
    if _is_plain(rest, about):
        weight = Weight.ANSWER if weight >= Weight.CONCLUSION else Weight.BARE
    covered = len({stem(word) for word in rest} & about.stems)
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
        on_side=any(asked in rest and rivals.isdisjoint(rest) for asked, rivals in about.sides),
        at=at,
    )


def contrary(said: Sequence[str], about: About) -> bool:
    """Whether it speaks of another side: of the right one, asked for the left one."""
    if not about.sides:
        return False
    return any(asked not in said and not rivals.isdisjoint(said) for asked, rivals in about.sides)


def _is_plain(left_over: Sequence[str], about: About) -> bool:
    """Whether nothing but politeness and the question stands around the value.

    A sentence on something else of the question ("the dog is left", asked for the cat) is not.
    """
    asked = [
        stem(word) for word in left_over if word not in EMPTY_WORDS and stem(word) in about.stems
    ]
    named = about.subject in asked or (about.counted and "number" in left_over)
    if asked and about.subject and not named and len(left_over) > 2:
        return False
    return all(w in _PLAIN or stem(w) in about.stems | ATTRIBUTE_STEMS for w in left_over)


def settled(text: str, mentions: list[Mention], about: About) -> list[Mention]:
    """The values that a statement ends up with."""
    if len(mentions) < 2:
        return mentions
    kept = _outside_brackets(text, _after_correction(text, mentions))
    if not about.counted and (asked := asked_for(text, kept, about)):
        return asked
    kept = _concluded(text, kept, about)
    if about.counted and about.doing:
        kept = _those_doing(text, kept, about)
    if not _is_a_tally(kept):
        kept = _preferred(text, kept)
    if len({m.value for m in kept}) > 1 and not about.counted:
        kept = by_clause(text, kept, about)
    if len({m.value for m in kept}) > 1 and not about.counted:
        kept = after_copula(text, kept) or kept
    return kept


def _those_doing(text: str, mentions: list[Mention], about: About) -> list[Mention]:
    """Of "3 people, and 2 of them are wearing helmets" the 2."""
    spans = [
        (start, end)
        for start, end in clause_spans(text)
        if about.doing & {stem(word) for word in words(text[start:end])}
    ]
    return [m for m in mentions if any(a <= m.start < b for a, b in spans)] or mentions


def _preferred(text: str, mentions: list[Mention]) -> list[Mention]:
    """The values that stand with most words of the question, and what "and" joins to them."""
    most = max(m.preferred for m in mentions)
    kept = {at for at, m in enumerate(mentions) if m.preferred == most}
    for at, (left, right) in enumerate(itertools.pairwise(mentions)):
        if joined(text, left, right) and kept & {at, at + 1}:
            kept |= {at, at + 1}
    return [m for at, m in enumerate(mentions) if at in kept]


def affirmed(text: str, mentions: Sequence[Mention], about: About) -> list[Mention]:
    """Mentions that are not denied, nor said of another side than the question's."""
    kept = _without_negated(text, mentions)
    if not about.sides or not kept:
        return kept
    elsewhere = [
        (start, end)
        for start, end in clause_spans(text)
        if contrary(left_over(text, [m for m in kept if start <= m.start < end], start, end), about)
    ]
    return [m for m in kept if not any(a <= m.start < b for a, b in elsewhere)]


def _without_negated(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Mentions that are affirmed; in "no screws or nuts" neither is."""
    kept: list[Mention] = []
    denied_end: int | None = None
    for mention in mentions:
        before = text[max(0, mention.start - 70) : mention.start]
        linked = denied_end is not None and JOINED.fullmatch(text[denied_end : mention.start])
        if linked or _NEGATED.search(before):
            denied_end = mention.end
        else:
            denied_end = None
            kept.append(mention)
    return kept


def _after_correction(text: str, mentions: list[Mention]) -> list[Mention]:
    cut = max((mark.start() for mark in CORRECTS.finditer(lowered(text))), default=-1)
    if (attempt := _ATTEMPT.search(text)) is not None:
        cut = max(cut, attempt.start("turn"))
    return [m for m in mentions if m.start > cut] or mentions


def _outside_brackets(text: str, mentions: list[Mention]) -> list[Mention]:
    if "(" not in text or len(mentions) < 2:
        return mentions
    spans = [bracket.span() for bracket in _BRACKETS.finditer(text)]
    outside = [m for m in mentions if not any(a <= m.start and m.end <= b for a, b in spans)]
    units = {getattr(m.value, "unit", None) for m in outside}
    if not outside or any(getattr(m.value, "unit", None) not in units for m in mentions):
        return mentions  # "17.6 oz (500 g)" says one thing twice
    return outside


def _concluded(text: str, mentions: list[Mention], about: About) -> list[Mention]:
    """Values behind "so", "a total of" or "="; before "in total" the nearest one.

    Not those of "the tip was 6, making the total 46", asked for the tip.
    """
    if len(mentions) < 2:
        return mentions
    total = _IN_TOTAL.search(text)
    if total is not None:
        before = [m for m in mentions if m.end <= total.start() and total.start() - m.end < 30]
        if before and not _THEREFORE.match(text, total.end() + 1):
            return before[-1:]
    for mark in reversed(list(_THEREFORE.finditer(text))):
        if after := [m for m in mentions if m.start >= mark.end()]:
            return mentions if _totals_up(text, mark, about) else after
    return mentions


def _totals_up(text: str, mark: re.Match[str], about: About) -> bool:
    """Whether what follows is a total, asked for a part of it that stands before."""
    if about.counted or "total" in about.words or "total" not in words(text[mark.start() :]):
        return False
    return about.subject in {stem(word) for word in words(text[: mark.start()])}


def _is_a_tally(mentions: Sequence[Mention]) -> bool:
    """Counts of parts that nobody added up: "4 forks here and 3 there"."""
    elliptic = [m for m in mentions if m.elliptic and not m.preferred]
    asked = [m for m in mentions if m.preferred]
    if not elliptic or not asked or len({m.value for m in asked}) > 1:
        return False
    parts = sum(getattr(m.value, "number", 0) for m in elliptic)
    return bool(parts != getattr(asked[0].value, "number", None))
