"""Whether a reply puts a given text forward as its answer, or only mentions it.

An open text has no list of rivals, so the place it stands in decides: after "is", as the subject,
in quotes or bold. A name beside it ("Fiji and Evian") is a second candidate; one in the background
("among Evian bottles") is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from harness.graders.grammar import (
    COMPLEMENT_OVER,
    COPULA,
    asked_complement,
    better_clause,
    fills,
    is_modifier,
    leads_in,
    says_nothing,
)
from harness.graders.lazily import lazy
from harness.graders.names import Name, coordinated, in_background, names_in
from harness.graders.reading import (
    CORRECTS,
    EMPTY_WORDS,
    POLITE,
    About,
    Mention,
    Reading,
    Said,
    Statement,
    Weight,
    affirmed,
    contrary,
    empty_because,
    lowered,
    refusal,
    stem,
    words,
)
from harness.graders.spelling import unaccented
from harness.graders.terms import hedge

_LIKE = lazy(
    r"\b(?:similar to|like|resembl\w{1,5}|reminiscent of|competitor of|unlike|compared (?:to|with))"
    r" (?:(?:a|an|the) )?$",
    re.IGNORECASE,
)
_LEADING_YES = lazy(r"^(?:yes|yeah|yep|sure|certainly)\b[,.!:;-]?\s*", re.IGNORECASE)
_LEADING_NO = lazy(r"^(?:no|nope|none)\b(?=\s*(?:[,.!:;-]|$))", re.IGNORECASE)
_POLAR_IF = lazy(r"\bif (?:yes|so|there|any|it|they|not|no)\b", re.IGNORECASE)
_NUMBERING = lazy(r"\d{1,2}[.)]?")
_FROM = lazy(r"\bfrom (?:the )?[\"']?$", re.IGNORECASE)
_TO = lazy(r" to (?:the )?[\"']?$", re.IGNORECASE)
_CONCLUDED = lazy(
    r"\b(?:so|therefore|thus|hence|i\.e\.|that is|namely)[ ,:\"']{1,4}$"
    r"|\b(?:mean(?:s|ing)|indicat(?:es|ing))(?: that)?(?: (?:the|an?|its|it|they|this))?"
    r"(?: \w+)?(?: is| are)? [\"']?$",
    re.IGNORECASE,
)
_PART_LABEL = lazy(
    r"(?:the )?(?:top|upper|middle|bottom|lower|left|right|cent(?:er|re)|first|second|third"
    r"|fourth|last|front|back|far left|far right)(?: [a-z-]+){1,2}:",
    re.IGNORECASE,
)
"""A line of an inventory: "Top shelf: Sprite"."""
_CONCLUSION = lazy(r", (?:and )?(?:so|therefore|thus|hence),? (?=the\b)", re.IGNORECASE)
_SHORT_REPLY = 60


class Seen(NamedTuple):
    """What one statement says on the matter."""

    value: bool | None
    """Whether it is the expected text; None: it says too much, see `fault`."""
    said: str
    fault: str | None
    coverage: int
    weight: Weight


def read(said: Said, spelled: re.Pattern[str], about: About) -> Reading:
    """Whether the expected text is the reply's answer: True, False, or why that cannot be said."""
    if not said.statements:
        return Reading(None, None, empty_because(said))
    looked = [(s.corrects, look(s, spelled, about, said.emphasised)) for s in said.statements]
    last = max((at for at, (corrects, _) in enumerate(looked) if corrects), default=0)
    seen = [one for _, one in looked[last:] if one] or [one for _, one in looked if one]
    if denied := _says_no(said, about, spelled):
        return Reading(False, denied, None)
    for weight in (Weight.ANSWER, Weight.BARE):
        if heavy := [one for one in seen if one.weight == weight]:
            return _last_of(heavy)
    if not any(one.value for one in seen):
        return _without(said, seen)
    most = max(one.coverage for one in seen)
    best = [one for one in seen if one.coverage == most]
    first = best[0]
    if first.value is False:
        return Reading(False, first.said, None)
    return _last_of([one for one in best if one.value is not False])


def _last_of(seen: list[Seen]) -> Reading:
    """The last one, unless they contradict each other."""
    last = seen[-1]
    if last.weight < Weight.ANSWER and len({one.value for one in seen}) > 1:
        candidates = ", ".join(dict.fromkeys(one.said for one in seen))
        return Reading(None, last.said, f"several answers: {candidates[:120]}")
    return Reading(last.value, last.said, last.fault)


def _without(said: Said, seen: list[Seen]) -> Reading:
    if why := refusal(said.text):
        return Reading(None, None, why)
    fault = next((one for one in seen if one.fault), None)
    if fault:
        return Reading(None, fault.said, fault.fault)
    return Reading(False, said.statements[0].text[:80], None)


def _says_no(said: Said, about: About, spelled: re.Pattern[str]) -> str | None:
    """To "Is any ...? If so, which?" a reply that starts with "No"."""
    first = said.statements[0].text
    no = _LEADING_NO.match(first)
    if no is None or spelled.match(first) or not _POLAR_IF.search(about.text):
        return None
    later = [s for s in said.statements[1:] if s.weight == Weight.ANSWER or s.corrects]
    return None if later else no[0]


def look(
    statement: Statement, spelled: re.Pattern[str], about: About, emphasised: Sequence[str]
) -> Seen | None:
    """What a statement says on the matter; None when it is about something else."""
    text = _settled(unaccented(_LEADING_YES.sub("", statement.text)), spelled)
    mentions = [
        Mention(*match.span(), True, hedge(text, match.start())) for match in spelled.finditer(text)
    ]
    coverage = len({stem(word) for word in words(text)} & about.stems)
    kept = affirmed(text, mentions, about)
    if not kept:
        return _something_else(text, statement, about, emphasised, coverage)
    if contrary(words(text), about):
        return None
    first = kept[0]
    value, fault = _role(text, first, about, emphasised, spelled)
    weight = statement.weight
    if weight < Weight.BARE and (value or fault) and _is_bare(text, first, about):
        weight = Weight.BARE
    said = text if fault else text[first.start : first.end]
    return Seen(value, said[:80].strip(" .\"'"), fault, coverage, weight)


def _settled(text: str, spelled: re.Pattern[str]) -> str:
    """What follows "I mean", and "so the", where the expected text stands there."""
    if " " not in text:
        return text
    cut = max((mark.end() for mark in CORRECTS.finditer(lowered(text))), default=0)
    if cut and words(text[cut:]):
        text = text[cut:]
    if ", " not in text:
        return text
    concluded = max((mark.end() for mark in _CONCLUSION.finditer(text)), default=0)
    return text[concluded:] if spelled.search(text, concluded) else text


def _something_else(
    text: str, statement: Statement, about: About, emphasised: Sequence[str], coverage: int
) -> Seen | None:
    """Another answer where one is put forward; None for a statement in passing."""
    said = text[:80].strip(" .!\"'")
    if not words(said) or contrary(words(text), about) or _NUMBERING.fullmatch(said):
        return None
    if _PART_LABEL.match(text):
        return None
    if statement.weight == Weight.ANSWER or len(text.split()) <= 3:
        return Seen(False, said, None, coverage, max(statement.weight, Weight.BARE))
    names = names_in(text, about, emphasised, None)
    if (coverage and names) or asked_complement(text, about) is not None:
        return Seen(False, said, None, coverage, Weight.ON_TOPIC)
    return None


def _is_bare(text: str, mention: Mention, about: About) -> bool:
    rest = words(text[: mention.start]) + words(text[mention.end :])
    plain = EMPTY_WORDS | POLITE | about.words
    return all(word in plain or stem(word) in about.stems for word in rest)


def _role(
    text: str,
    mention: Mention,
    about: About,
    emphasised: Sequence[str],
    spelled: re.Pattern[str],
) -> tuple[bool | None, str | None]:
    """Whether the mention is the statement's answer, and if that cannot be said, why."""
    if mention.hedge:
        return None, f"hedged: {mention.hedge!r}"
    found = names_in(text, about, emphasised, spelled)
    names = [n for n in found if n.end <= mention.start or n.start >= mention.end]
    names = [n for n in names if not leads_in(text, n, mention)]
    listed = len(text) < _SHORT_REPLY and not COPULA.search(text)
    if coordinated(text, mention.start, mention.end, names, listed=listed):
        return None, f"several answers: {text[:80].strip(' .')}"
    if (
        "from" not in about.words
        and _FROM.search(text[: mention.start])
        and any(_TO.search(text[mention.end : n.start]) for n in names if n.start > mention.end)
    ):
        return None, f"several answers: {text[:80].strip(' .')}"
    if _CONCLUDED.search(text[: mention.start]):
        return True, None
    if better_clause(text, mention, names, about):
        return False, None
    if _LIKE.search(text[: mention.start]) and (names or COPULA.search(text, mention.end)):
        return False, None
    if is_modifier(text, mention, about):
        return False, None
    asked = asked_complement(text, about)
    if asked is not None and asked <= mention.start:
        return fills(text[asked : mention.start], asked, names), None
    return _stands_alone(text, mention, names, about)


def _is_on(subject: str, about: About) -> bool:
    return any(stem(word) in about.stems for word in words(subject))


def _stands_alone(
    text: str, mention: Mention, names: Sequence[Name], about: About
) -> tuple[bool | None, str | None]:
    """The role of a mention in a sentence that is not "(what was asked) is ..."."""
    copula = max((c.end() for c in COPULA.finditer(text, 0, mention.start)), default=None)
    between = text[copula : mention.start] if copula is not None else ""
    if copula is not None and len(words(between)) <= 3 and fills(between, copula, names):
        return True, None
    if says_nothing(text, mention):
        return False, None
    if copula is not None and COMPLEMENT_OVER.search(between) and _is_on(text[:copula], about):
        return False, None
    in_front = [name for name in names if not in_background(text, name.start)]
    if not in_front:
        return True, None
    if in_background(text, mention.start):
        return False, None
    if any(name.end <= mention.start for name in in_front):
        return None, f"several answers: {text[:80].strip(' .')}"
    return True, None
