"""Which of the values a reply mentions is its answer.

A grader brings a finder (text to mentions); the rest is the same for all: which statement counts,
and when a reply has no single answer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from harness.graders.reading.about import About, stem, words
from harness.graders.reading.claims import (
    Claim,
    Finder,
    affirmed,
    claim_of,
    contrary,
)
from harness.graders.reading.clauses import Mention
from harness.graders.reading.refusals import denies, refusal
from harness.graders.reading.statements import Said, Weight


class Reading(NamedTuple):
    """The one value a reply settles on, or why there is none."""

    value: Hashable | None
    said: str | None
    fault: str | None


_NOTHING = "no answer of that kind in the reply"
_NOT_THERE = "says that what was asked about is not there"
Joiner = Callable[[tuple[Hashable, ...]], tuple[Hashable, ...]]


def decide(said: Said, about: About, find: Finder, join: Joiner | None = None) -> Reading:
    """The value that a reply settles on.

    `join` may merge values that do not contradict each other ("top" and "top center").
    """
    if not said.statements:
        return Reading(None, None, empty_because(said))
    found = [find(statement.text) for statement in said.statements]
    if len(found) == 1 and len(found[0]) == 1:
        return _only(said.statements[0].text, found[0][0], about)
    claims, takes_back = _claims(said, about, found)
    if takes_back:
        return Reading(None, said.text[:80], "takes its answer back")
    if not claims:
        return Reading(None, None, refusal(said.text) or _NOTHING)
    chosen = _chosen(claims, join)
    if isinstance(chosen, Reading):
        return chosen
    if chosen.weight < Weight.BARE and (why := _misses(said, chosen, about)):
        return Reading(None, chosen.said, why)
    return _settled(chosen, join)


def _misses(said: Said, chosen: Claim, about: About) -> str | None:
    """Why a claim among other sentences is no answer: a refusal, or it is on something else."""
    if why := refusal(said.text):
        return why
    elsewhere = about.subject not in map(stem, words(said.statements[chosen.at].text))
    denied = elsewhere and any(denies(s.text, about) for s in said.statements[: chosen.at])
    return _NOT_THERE if denied else None


def _denied(text: str, mention: Mention, about: About) -> str | None:
    """ "No large coffee is listed, but the small one is 4.25"."""
    turn = text.rfind(", but ", 0, mention.start)
    elsewhere = turn > 0 and about.subject not in map(stem, words(text[turn:]))
    return _NOT_THERE if elsewhere and denies(text[:turn], about) else None


def empty_because(said: Said) -> str:
    if said.truncated:
        return "the reply was cut before its answer"
    return "only reasoning, no answer" if said.body.strip() else "empty reply"


def _only(text: str, mention: Mention, about: About) -> Reading:
    """The reply is one statement with one value in it: most replies are."""
    before, after = text[: mention.start].strip(" \"'($£€#"), text[mention.end :].strip(" .!\"')")
    said = text[mention.start : mention.end]
    if mention.hedge:
        return Reading(None, said, f"hedged: {mention.hedge!r}")
    if before and not affirmed(text, (mention,), about):
        return Reading(None, None, refusal(text) or _NOTHING)
    if (before or after) and contrary(words(f"{before} {after}"), about):
        return Reading(None, said, "speaks of another side than the question")
    if (before or after) and (why := refusal(text) or _denied(text, mention, about)):
        return Reading(None, said, why)
    return Reading(mention.value, said, None)


def _claims(said: Said, about: About, found: list[list[Mention]]) -> tuple[list[Claim], bool]:
    """Claims in order, and whether the last thing a reply does is take its answer back."""
    claims: list[Claim] = []
    corrected_at = -1
    for at, (statement, mentions) in enumerate(zip(said.statements, found, strict=True)):
        if statement.corrects:
            corrected_at = at
        if mentions and (claim := claim_of(statement, mentions, about, at)):
            claims.append(claim)
    after = [claim for claim in claims if claim.at >= corrected_at]
    return after, corrected_at >= 0 and bool(claims) and not after


def _chosen(claims: list[Claim], join: Joiner | None) -> Claim | Reading:
    heavy = [claim for claim in claims if claim.weight >= Weight.BARE]
    if heavy:
        last = heavy[-1]
        if listed := [c for c in claims if c.at > last.at and c.on_side and len(last.values) > 1]:
            return listed[-1]  # "they are red, blue and green. The third one is green."
        rivals = [claim for claim in heavy if last.weight < Weight.ANSWER]
        rivals += [
            c for c in claims if c.at > last.at and c.preferred and c.weight == Weight.CONCLUSION
        ]
        rivals = [rival for rival in rivals if not set(last.values) < set(rival.values)]
        return _unless_contradicted(last, rivals, join)
    if concluding := [claim for claim in claims if claim.weight == Weight.CONCLUSION]:
        return concluding[-1]
    pool = [claim for claim in claims if claim.weight == Weight.ON_TOPIC] or claims
    pool = [claim for claim in pool if claim.on_side] or pool
    pool = [claim for claim in pool if claim.preferred] or pool
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
