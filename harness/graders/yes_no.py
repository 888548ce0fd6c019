"""Yes or no: the word, in many languages, or a statement that affirms or denies the question."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harness.graders.implied import MOSTLY, NEGATION, clauses, first_clause, implies
from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.reading import (
    About,
    Finder,
    Mention,
    Reading,
    Said,
    decide,
    empty_because,
    refusal,
    stem,
    stems,
    word_set,
    words,
)
from harness.graders.terms import folded, hedge
from harness.records import Verdict

YES = word_set(
    """yes yeah yep yup yea aye affirmative true correct indeed definitely certainly absolutely
    sure sí si oui ja sim да tak evet はい 是 是的 有 对 對 네 예 jawohl ano igen kyllä"""
)
NO = word_set(
    """no none nope nah negative false incorrect non nein não nao nej нет nie hayır いいえ 否
    不是 没有 不
    아니요 아니오 nee ne nem ei"""
)
_ONLY_ALONE = frozenset(("sure", "certainly"))
"""A yes as the whole reply, politeness before another word."""
_WORD = "(?P<word>" + "|".join(sorted((YES - _ONLY_ALONE) | NO, key=len, reverse=True)) + ")"
_LEADING = lazy(
    r"^[\"'(]{0,2}(?:(?:well|ok|okay|so|hmm+|oh|thus|therefore|hence|actually|wait|sorry|clearly"
    r"|definitely|simply"
    r"|probably|likely|most likely|a clear|a definite|a resounding|(?:based on|according to"
    r"|looking at|judging by|from)"
    r" [\w ]{1,50}|in (?:this|the|that) (?:image|picture|photo)|i would say|i'd say|i think"
    r"|i believe)[,:]? ){0,2}[\"'(]{0,2}"
    + _WORD
    + r"(?:[\"')]{0,2}(?:\s*$|\s{0,3}[.,;:!?(-])|(?= (?:there|it|the|this|that|they|i|we|he|she|you"
    r"|nothing|none)\b)"
    r"|(?<=[\u3040-\uffef]))",
    re.IGNORECASE,
)
_LATER = lazy(
    r"(?:\b(?:is|be|was|and|or|so|therefore|thus|hence|either|with|a|clear|definite|actually)"
    r"|[,;:-]"
    r"|\b(?:say|answer|answered)(?: is)? {0,2}[\"'(]{0,2}) {0,2}(?P<word>yes|no)"
    r"(?=[\"')]{0,2}\s?(?:[.,;:!?-]|\bor\b|\band\b|$))",
    re.IGNORECASE,
)
_BOTH = lazy(r"\b(?:yes (?:and|or|/) no|no (?:and|or|/) yes)\b", re.IGNORECASE)
_NO_SUCH = lazy(
    r"^(?:there (?:is|are|'s|was|were) |i (?:can )?(?:see|find"
    r"|detect) )?no (?P<noun>[\w-]+(?: [\w-]+){0,3})",
    re.IGNORECASE,
)
_SUCH = lazy(
    r"^there (?:is|are|'s|appears? to be) (?:an?|some|two|three|several) "
    r"(?P<noun>[\w-]+(?: [\w-]+){0,3})",
    re.IGNORECASE,
)
_HAVING = lazy(r"\b(?:have|contain|show|include) (?:an?|any) ((?:[\w-]+ ?){1,3})\W*$", re.I)
_NOT_SO = lazy(
    r"^not(?! (?:sure|certain|clear|possible|enough|applicable|available|only"
    r"|visible enough))(?: [\w']+){0,5}\W*$",
    re.I,
)
_ECHO = lazy(
    r"^(?:it|there|they|he|she|this|that)(?:'s|'re)? ?(?:is|does|do|are|has|have|was|were|can|did"
    r"|could|should)?"
    r"(?P<not>n't| not)?\W*$",
    re.IGNORECASE,
)
_DOUBT = lazy(
    r"\b(?:may|might|could|possibly|perhaps|maybe|unclear|whether|not sure|uncertain|if)\b",
    re.IGNORECASE,
)
_POLAR = lazy(
    r"^(?:please |can you tell me |tell me |say |determine )?(?:if |whether )?"
    r"(?:is|are|does|do|has|have|can|was|were|did|will|could|should|would|am|any)\b",
    re.IGNORECASE,
)


def _check(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("yes_no", "No", "No, the seal is not broken.").passed
    True
    >>> try_out("yes_no", "No", "I see no cracks in the rim.", "Is the rim cracked?").passed
    True
    >>> try_out("yes_no", "No", "I am not sure.").passed
    False
    """
    wanted = as_yes_or_no(one(task.expected, "yes_no"))
    if wanted is None:
        raise Misfit(f"{task.expected!r} is neither yes nor no")
    word = "yes" if wanted else "no"
    spoken, implied = _finders(task.about)

    def check(said: Said) -> Verdict:
        reading = _read(said, task.about, spoken, implied)
        return (
            unread(reading)
            if reading.value is None
            else judged(reading.value == word, reading, word)
        )

    return check


def as_yes_or_no(word: str) -> bool | None:
    """
    >>> as_yes_or_no("Yes."), as_yes_or_no("nein"), as_yes_or_no("maybe")
    (True, False, None)
    """
    word = folded(word)
    return True if word in YES else False if word in NO else None


def _read(said: Said, about: About, spoken: Finder, implied: Finder) -> Reading:
    """The word where there is one, else what the statements imply."""
    if not said.statements:
        return Reading(None, None, empty_because(said))
    if len(said.statements) == 1 and (plain := as_yes_or_no(said.statements[0].text)) is not None:
        return Reading(_worded(plain), said.statements[0].text.strip(" .!\"'"), None)
    reading = decide(said, about, spoken)
    if reading.value is not None or (reading.fault or "").startswith(
        ("several", "hedged", "takes")
    ):
        return reading
    if (why := refusal(said.text)) is not None:
        return Reading(None, None, why)
    guessed = decide(said, about, implied)
    return guessed if guessed.value is not None else reading


def _worded(yes: bool) -> str:
    return "yes" if yes else "no"


class _Polar(NamedTuple):
    """What a question of yes or no asks."""

    asked: frozenset[str]
    core: frozenset[str]
    """Its first and its last content word."""
    had: frozenset[str]
    """What something may have, contain or show."""
    denied: bool
    """Asks whether something is not so."""


def _polar_of(about: About) -> _Polar:
    polar = _polar(about.ask)
    in_order = stems(polar)
    having = _HAVING.search(polar)
    return _Polar(
        asked=frozenset(in_order),
        core=frozenset((in_order[0], in_order[-1])) if in_order else frozenset(),
        had=frozenset(stems(having[1])) if having else frozenset(),
        denied=bool(NEGATION.search(polar)),
    )


def _finders(about: About) -> tuple[Finder, Finder]:
    asked, core, had, denied = _polar_of(about)

    def implied(text: str) -> list[Mention]:
        return [
            Mention(start, start + len(clause), _worded(value), _doubt(clause))
            for start, clause in clauses(text)
            if (value := implies(clause, asked, denied, MOSTLY, core)) is not None
        ]

    def spoken(text: str) -> list[Mention]:
        leading = _LEADING.match(text)
        if both := _BOTH.search(text):
            return [Mention(*both.span(), word) for word in ("yes", "no")]
        if leading is None:
            return _spoken_later(text, 0) or _spoken_briefly(text, asked, had, denied)
        value = as_yes_or_no(leading["word"])
        later = _spoken_later(text, leading.end() - 1)
        found = [
            Mention(
                leading.start("word"),
                len(text),
                _worded(bool(value)),
                hedge(text, leading.start("word")),
            ),
            *later,
        ]
        opposite = (
            None if denied else implies(first_clause(text[leading.end() :]), asked, denied, 1.0)
        )
        if opposite is not None and opposite != value:
            found.append(Mention(leading.end(), len(text), _worded(opposite)))
        return found

    return spoken, implied


def _doubt(clause: str) -> str | None:
    found = _DOUBT.search(clause)
    return found[0] if found else None


def _spoken_later(text: str, start: int) -> list[Mention]:
    return [
        Mention(
            match.start("word"),
            match.end("word"),
            match["word"].lower(),
            hedge(text, match.start()),
        )
        for match in _LATER.finditer(text, start)
    ]


def _spoken_briefly(
    text: str, asked: frozenset[str], had: frozenset[str], denied: bool
) -> list[Mention]:
    """ "It does not.", "Not at all.", "No cracks visible", "There is a crack in the rim"."""
    echo = _ECHO.match(text)
    if echo is not None and len(text.split()) > 1:
        return [Mention(0, len(text), _worded(not echo["not"]))]
    such = _SUCH.match(text)
    if such is not None and had and had <= {stem(word) for word in words(such["noun"])}:
        return [Mention(*such.span(), "yes", hedge(text, such.start("noun")))]
    none = _NO_SUCH.match(text)
    if none is not None and not denied and any(stem(word) in asked for word in words(none["noun"])):
        return [Mention(*none.span(), "no")]
    return [Mention(0, len(text), "no")] if _NOT_SO.match(text) else []


@lru_cache(maxsize=4096)
def _polar(ask: str) -> str:
    """The sentence that can be answered with yes or no."""
    parts = [part.strip() for part in ask.split(". ")]
    return next((part for part in parts if _POLAR.match(part)), parts[0])


YES_NO = Grader(name="yes_no", check=_check)
