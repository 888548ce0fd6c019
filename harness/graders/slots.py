"""Whether a reply puts a given text forward as its answer, or only mentions it.

An open text has no list of rivals, so the place it stands in decides: after "is", as the subject, in quotes or
bold. A name beside it ("Fiji and Evian") is a second candidate; one in the background ("among Evian bottles") is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from harness.graders.reading import (
    About,
    Mention,
    Reading,
    Said,
    Statement,
    Weight,
    empty_because,
    refusal,
    stem,
    without_negated,
    words,
)
from harness.graders.reading.about import EMPTY_WORDS
from harness.graders.reading.decide import POLITE
from harness.graders.terms import hedge

_ARTICLE = r"(?:(?:a|an|the|this|that|one|some|its|called|named|about|probably|likely|clearly|most likely) ){0,3}"
_COPULA = re.compile(
    r"(?:\b(?:is|are|was|were|be|reads?|says?|said|called|named|shows?|states?|displays?|contains?|labell?ed(?: as)?"
    r"|identified as|known as|equals|suggests?|spells?)\b|:|=) {0,2}[\"'(]{0,2}(?:most likely |likely |probably |clearly )?",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"\b(?:with|on|onto|among|amongst|amid|near|beside|behind|from|by|in|inside|under|below|above|than|between|around|against"
    r"|next to|mixed in with|surrounded by|stocked with|alongside|like|such as|of|for|to)"
    rf" {_ARTICLE}(?:[\w'-]+ ){{0,2}}[\"']?$",
    re.IGNORECASE,
)
_NAME = re.compile(r"\"([^\"\n]{1,60})\"|\b[A-Z][\w'&-]*(?: (?:of |de |and )?[A-Z][\w'&-]*){0,4}")
_AND = re.compile(
    r"[\"']?(?: [a-z]+){0,2}(?:,? (?:and|or|as well as|along with|plus)|,|/| ?&)(?: (?:possibly|perhaps|maybe|also|a|an|the))* ?[\"']?$",
    re.I,
)
_BEFORE_AND = re.compile(
    r"[\"']?(?: [a-z]+){0,1}(?:,? (?:and|or|as well as)|,|/| ?&)(?: (?:possibly|perhaps|maybe|also|a|an|the))* ?[\"']?$",
    re.I,
)
_LEADING_YES = re.compile(r"^(?:yes|yeah|yep|sure|certainly)\b[,.!:;]?\s*", re.IGNORECASE)
_LEADING_NO = re.compile(r"^(?:no|nope|none)\b(?=\s*(?:[,.!:;-]|$))", re.IGNORECASE)
_POLAR_IF = re.compile(r"\bif (?:yes|so|there|any|it|they|not|no)\b", re.IGNORECASE)
_OR = re.compile(r",? or (?:[a-z]+ )?$", re.IGNORECASE)


class Seen(NamedTuple):
    """What one statement says on the matter."""

    value: bool | None
    """Whether it is the expected text; None: it says nothing, or too much."""
    said: str
    fault: str | None
    coverage: int
    weight: Weight


def pattern(texts: Sequence[str]) -> re.Pattern[str]:
    """A text in any case and spacing, with or without accents, in singular or plural.

    >>> bool(pattern(["Coca-Cola"]).fullmatch("coca cola")), bool(pattern(["bolts"]).fullmatch("bolt"))
    (True, True)
    """
    return re.compile(rf"(?<![\w])(?:{'|'.join(map(_spelled, texts))})(?![\w])", re.IGNORECASE)


def _spelled(text: str) -> str:
    parts = [part for part in re.split(r"[\s_-]+", unaccented(text).strip(" \"'.,;:!?")) if part]
    if not parts:
        return re.escape(text)
    spelled = [_letters(part) for part in parts]
    last = parts[-1]
    if last.isalpha() and len(last) > 3:
        if last.endswith("s") and not last.endswith("ss"):
            spelled[-1] = _letters(last[:-1]) + "(?:s)?"
        else:
            spelled[-1] = _letters(last) + "(?:'?e?s)?"
    return r"[\s_-]{0,2}".join(spelled)


_VARIANTS = {"colour": "colou?r", "color": "colou?r", "grey": "gr[ea]y", "gray": "gr[ea]y", "&": "(?:&|and)", "and": "(?:&|and)",
             "centre": "cent(?:re|er)", "center": "cent(?:re|er)", "aluminium": "alumini?um", "aluminum": "alumini?um"}  # fmt: skip


def _letters(part: str) -> str:
    variant = _VARIANTS.get(part.lower())
    return variant or "'?".join(re.escape(piece) for piece in part.split("'"))


def unaccented(text: str) -> str:
    """
    >>> unaccented("Nestlé")
    'Nestle'
    """
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def read(said: Said, spelled: re.Pattern[str], about: About) -> Reading:
    """Whether the expected text is the reply's answer: True, False, or why that cannot be said."""
    if not said.statements:
        return Reading(None, None, empty_because(said))
    seen = [
        s
        for statement in said.statements
        if (s := look(statement, spelled, about, said.emphasised))
    ]
    if denied := _says_no(said, about, spelled):
        return Reading(False, denied, None)
    answers = [s for s in seen if s.weight == Weight.ANSWER] or [
        s for s in seen if s.weight == Weight.BARE
    ]
    if answers:
        return _of(answers)
    if not any(s.value for s in seen):
        return _without(said, seen)
    most = max(s.coverage for s in seen)
    best = [s for s in seen if s.coverage == most]
    return _of(
        [s for s in best if s.value]
        if not any(s.value is False and s.fault is None for s in best[:1])
        else best[:1]
    )


def _of(seen: list[Seen]) -> Reading:
    """The last one, unless they contradict each other."""
    last = seen[-1]
    values = {s.value for s in seen}
    if last.weight < Weight.ANSWER and len(values) > 1:
        return Reading(
            None,
            last.said,
            f"several answers: {', '.join(dict.fromkeys(s.said for s in seen))[:120]}",
        )
    return Reading(last.value, last.said, last.fault)


def _without(said: Said, seen: list[Seen]) -> Reading:
    if why := refusal(said.text):
        return Reading(None, None, why)
    fault = next((s for s in seen if s.fault), None)
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
    text = unaccented(_LEADING_YES.sub("", statement.text))
    mentions = [
        Mention(*match.span(), True, hedge(text, match.start())) for match in spelled.finditer(text)
    ]
    coverage = len({stem(word) for word in words(text)} & about.stems)
    mentions = without_negated(text, mentions)
    if not mentions:
        return _something_else(text, statement, about, emphasised, coverage)
    first = mentions[0]
    value, fault = _role(text, first, about, emphasised)
    weight = statement.weight
    if weight < Weight.BARE and value is not None and _is_bare(text, first, about):
        weight = Weight.BARE
    said = text if fault else text[first.start : first.end]
    return Seen(value, said[:80].strip(" .\"'"), fault, coverage, weight)


def _something_else(
    text: str, statement: Statement, about: About, emphasised: Sequence[str], coverage: int
) -> Seen | None:
    """Another answer where one is put forward; None for a statement in passing."""
    if not text.strip(" .!\"'"):
        return None
    if statement.weight == Weight.ANSWER or _short(text):
        weight = max(statement.weight, Weight.BARE)
        return Seen(False, text[:80].strip(" .\"'"), None, coverage, weight)
    if coverage and any(name for name, _, _ in _names(text, about, emphasised)):
        return Seen(False, text[:80].strip(), None, coverage, Weight.ON_TOPIC)
    return None


def _short(text: str) -> bool:
    return len(text.split()) <= 3


def _is_bare(text: str, mention: Mention, about: About) -> bool:
    rest = words(text[: mention.start]) + words(text[mention.end :])
    return all(
        word in EMPTY_WORDS or word in POLITE or stem(word) in about.stems or word in about.words
        for word in rest
    )


def _role(
    text: str, mention: Mention, about: About, emphasised: Sequence[str]
) -> tuple[bool | None, str | None]:
    """Whether the mention is the statement's answer, and if that cannot be said, why."""
    if mention.hedge:
        return None, f"hedged: {mention.hedge!r}"
    names = _names(text, about, emphasised, apart=(mention.start, mention.end))
    before = [name for name in names if name[2] <= mention.start]
    after = [name for name in names if name[1] >= mention.end]
    if _coordinated(text, mention, before, after):
        return None, f"several answers: {text[:80].strip(' .')}"
    head, copula = text[: mention.start], _last_copula(text, mention.start)
    if copula is not None and not words(head[copula:])[3:]:
        return True, None
    if before and _BACKGROUND.search(head):
        return False, None
    return _by_place(text, mention, copula, about)


def _by_place(
    text: str, mention: Mention, copula: int | None, about: About
) -> tuple[bool | None, str | None]:
    """A mention behind another complement ("the word is fork, as in forklift") is no answer."""
    first = _COPULA.search(text)
    if first is None or first.start() >= mention.end:
        return True, None
    subject = {stem(word) for word in words(text[: first.start()])}
    if about.stems and len(subject & about.stems) * 2 > len(about.stems):
        complement = text[first.end() : mention.start]
        return not re.search(
            r"[,;(]|\b(?:as|like|in|of|from|for|with|than|because|which|and)\b", complement
        ), None
    return True, None


def _last_copula(text: str, end: int) -> int | None:
    found = None
    for match in _COPULA.finditer(text, 0, end):
        found = match.end()
    return found


def _coordinated(
    text: str,
    mention: Mention,
    before: list[tuple[str, int, int]],
    after: list[tuple[str, int, int]],
) -> bool:
    """Joined with another candidate by "and", "or" or a comma in a list."""
    if any(_AND.fullmatch(text[mention.end : start]) for _, start, _ in after):
        return True
    if any(_BEFORE_AND.fullmatch(text[end : mention.start]) for _, _, end in before):
        return True
    tail = text[mention.end : mention.end + 40]
    if re.match(r"[\"']? (?:or|and/or) (?!less|so|more)\w", tail, re.IGNORECASE):
        return True
    head = text[: mention.start]
    if _OR.search(head) or re.search(r"\b(?:both|either) (?:\w+ )?[\"']?$", head, re.IGNORECASE):
        return True
    lone = len(text) < 60 and not _COPULA.search(text)
    return lone and bool(
        re.match(r"[\"']?\s?(?:,|/|;|\band\b|&)\s?\w", tail)
        or re.search(r"\w[\"']?\s?(?:,|/|;|\band\b|&)\s?[\"']?$", head)
    )


def _names(
    text: str, about: About, emphasised: Sequence[str], apart: tuple[int, int] = (0, 0)
) -> list[tuple[str, int, int]]:
    """Quoted, emphasised and capitalised words that the question does not use: possible other answers."""
    found = []
    for match in _NAME.finditer(text):
        if match.start() < apart[1] and match.end() > apart[0]:
            continue
        if not _plain_words(match[1] or match[0], about):
            found.append((match[0], *match.span()))
    for span in emphasised:
        at = text.find(span)
        if (
            at >= 0
            and not (at < apart[1] and at + len(span) > apart[0])
            and not _plain_words(span, about)
        ):
            found.append((span, at, at + len(span)))
    return found


def _plain_words(name: str, about: About) -> bool:
    """Words that name nothing: of the question, of politeness, or of grammar."""
    return all(
        word in EMPTY_WORDS
        or word in POLITE
        or word in about.words
        or stem(word) in about.stems
        or word in _OPENERS
        for word in words(name)
    )


_OPENERS = frozenset(
    ["looking", "however", "additionally", "also", "upon", "specifically", "while", "although", "since", "because", "another", "among", "yes", "no", "ok", "okay", "in", "on", "at", "from", "here", "there", "it", "this", "that", "these", "those", "one", "if", "as", "bottom", "top", "left", "right", "middle", "upper", "lower", "first", "second", "third", "all", "most", "many", "several", "two", "three", "four", "five", "meanwhile", "furthermore", "moreover", "overall", "examining", "unfortunately"]
)
