"""A reply as statements, each with how strongly it is put forward as the answer."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

from harness.graders.lazily import lazy
from harness.graders.reading import clean
from harness.graders.reading.about import word_set


class Weight(IntEnum):
    """How a statement presents itself; of two that differ the heavier one counts."""

    ASIDE = 0
    ON_TOPIC = 1
    """Takes up the words of the question."""
    CONCLUSION = 2
    """"Therefore", "in total", "="."""
    BARE = 3
    """Nothing but an answer."""
    ANSWER = 4
    """"Answer: ...", "the answer is ...", a box."""


class Statement(NamedTuple):
    """A sentence, or a line without one."""

    text: str
    weight: Weight
    corrects: bool
    """Takes back what was said before ("wait", "actually")."""
    starts_line: bool


class Said(NamedTuple):
    """A reply, taken apart once for all graders."""

    text: str
    """Plain text."""
    body: str
    """With its markup; without reasoning."""
    statements: tuple[Statement, ...]
    emphasised: tuple[str, ...]
    truncated: bool


_ANSWER_WORD = (
    r"(?:(?:final|correct|right|best|short|my|overall) ){0,3}"
    r"(?:answer|ans\.?|response|result|conclusion|solution|r[ée]ponse|antwort|respuesta|resposta"
    r"|risposta|odpowied[źz]|cevap|svar|antwoord|ответ|答案|答え|정답)"
)
_MARKER = lazy(
    r"\b" + _ANSWER_WORD + r"(?: (?:to|for) (?:the|your|this) question|\s?choice)?"
    r"(?: here| therefore| then)?"
    r"\s{0,3}(?:\b(?:is|would be|should be|will be|must be|equals|est|ist|es|é)\b"
    r"(?: therefore| thus| simply| just)?|[:=：]|->|→|\s-\s)"
    r"[\s:=\"'(]{0,4}",
)
_QUICK_MARKER = lazy(
    r"answer|ans\b|ans\.|response|result|conclusion|solution|r[ée]ponse|antwort|respuesta|resposta"
    r"|risposta|odpowied|cevap|svar|ответ|答|정답",
)
_WEAK_WORD = lazy(r"response|result|conclusion|solution")
_LEADS_TO_WORD = lazy(r"(?:\b(?:the|my|our|this|a|is|in|and|so|then|thus|hence)|[^\w\s])\s?$")
"""What may stand before such a word: "the result is 4", but not "the first result is a nut"."""
_CONCLUDES = lazy(
    r"\b(?:therefore|thus|hence|so|in total|totals?|altogether|overall|in conclusion|in summary"
    r"|to sum up|in short|to conclude|ultimately|in all|all together|summing|adding|sum"
    r"|final (?:count|tally|number|reading|value))\b|=",
)
CORRECTS = lazy(
    r"\b(?:wait|hold on|hang on|actually|correction|scratch that|strike that|on second thoughts?"
    r"|i mean|i meant|let me re-?(?:count|check|read|consider|examine|evaluate|do|think)\w*"
    r"|my (?:mistake|bad|apologies)|i made (?:a mistake|an error)|i was wrong|that(?:'s| is| was)"
    r" (?:wrong|incorrect|not right|not correct)|on closer (?:inspection|look|examination)"
    r"|upon closer (?:inspection|look|examination)|rather, |sorry|oops|hmm+|no wait"
    r"|not quite|recounting|edit:)(?![\w])",
)
_STRONG_CORRECTION = lazy(
    r"(?:^|[-,;.(]\s?|\bbut |\bno,? |\boh,? |\bhmm+,? )(?:wait|hold on|hang on|actually|correction"
    r"|scratch that|strike that|on second thoughts?|i mean|i meant"
    r"|let me re-?(?:count|check|read|consider|examine|evaluate|do|think)\w*"
    r"|my (?:mistake|bad|apologies)|i made (?:a mistake|an error)|i was wrong"
    r"|that(?:'s| is| was) (?:wrong|incorrect|not right|not correct)|sorry|oops|recounting|edit:)"
    r"(?![\w])",
)
_PLEASANTRY = lazy(
    r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great question|happy to help|hi"
    r"|hello"
    r"|you're welcome|(?:i )?hope (?:this|that) helps|thank you.{0,80}|thanks.{0,80}"
    r"|let me know if.{0,120}|(?:is there|if there is) anything else.{0,120}"
    r"|(?:please )?feel free.{0,120}"
    r"|here(?:'s| is| are) (?:the|my|your) (?:answer|result)s?)[.!?:,]{0,3}",
    re.IGNORECASE,
)
_CORRECTS_AT_ALL = lazy(
    r"wait|hold on|hang on|actual|correct|scratch|strike|second|i mean|let me|my |mistake|error"
    r"|wrong"
    r"|that|sorry|oops|recount|edit"
)
_END = lazy(r"[.!?]+[\"')\]]{0,3}(?=\s)")
_SHORTENED = word_set(
    """approx no mr mrs ms dr st fig vs eg ie e.g i.e etc vol pp ca cf qty max min nr num ver v
    max. a.m p.m jan feb mar apr jun jul aug sep sept oct nov dec art inc ltd co u.s"""
)
_TITLES = word_set("dr mr mrs ms st")
_NUMBERED = lazy(r"^[ ]{0,8}(?:step )?(\d{1,2})[.):][ ]+(?=\S)", re.MULTILINE | re.IGNORECASE)
_SHORT = 60
_LONGEST_SENTENCE = 2_000


def take_apart(reply: str, *, truncated: bool) -> Said:
    """Statements of a reply, without reasoning and markup.

    >>> [s.text for s in take_apart("Yes. It is 4.5 m wide.", truncated=False).statements]
    ['Yes.', 'It is 4.5 m wide.']
    >>> take_apart("I see 3.\\n\\nAnswer: 3", truncated=False).statements[1]
    Statement(text='3', weight=<Weight.ANSWER: 4>, corrects=False, starts_line=True)
    """
    body = (
        clean.clipped(clean.without_reasoning(clean.clipped(reply, clean.LONGEST_HELD)))
        if len(reply) > _SHORT or "<" in reply
        else reply
    )
    text = clean.plain(body)
    if "\n" not in text and len(text) < _SHORT and not _END.search(text):
        statements = tuple(_weighed(text)) if text else ()
    else:
        statements = tuple(_statements(_without_numbering(text)))
    return Said(text, body if text else reply, statements, clean.emphasised(body), truncated)


def _statements(text: str) -> list[Statement]:
    found: list[Statement] = []
    awaiting = False
    """The last statement announced an answer and did not give it yet."""
    for line in text.split("\n"):
        starts = True
        for sentence in sentences(line):
            for statement in _weighed(sentence, starts_line=starts):
                if awaiting and statement.text:
                    statement = statement._replace(weight=Weight.ANSWER)
                    awaiting = False
                if statement.text:
                    found.append(statement)
                else:
                    awaiting = True
            starts = False
    return [s for s in found if not _PLEASANTRY.fullmatch(s.text)] or found


def _weighed(sentence: str, *, starts_line: bool = True) -> list[Statement]:
    """A sentence as one statement, or as what precedes and what follows "the answer is"."""
    if sentence.isalnum():
        return [Statement(sentence, Weight.ASIDE, False, starts_line)]
    low = clean.lowered(sentence)
    corrects = bool(_CORRECTS_AT_ALL.search(low) and _STRONG_CORRECTION.search(low))
    if _QUICK_MARKER.search(low):
        marks = [mark for mark in _MARKER.finditer(low) if _announces(low, mark)]
        if marks:
            tail = sentence[marks[-1].end() :].strip(" \"'")
            return [Statement(tail, Weight.ANSWER, corrects, starts_line)]
    weight = Weight.CONCLUSION if _CONCLUDES.search(low) else Weight.ASIDE
    return [Statement(sentence, weight, corrects, starts_line)]


def _announces(sentence: str, mark: re.Match[str]) -> bool:
    """Whether "answer is" puts an answer forward, and does not talk about answering."""
    before = sentence[max(0, mark.start() - 24) : mark.start()]
    after = sentence[mark.end() : mark.end() + 24]
    if re.search(
        r"\b(?:as a|possible|if the|any|wrong|incorrect|cannot|not the|the wrong)\s?$", before
    ):
        return False
    if _WEAK_WORD.match(mark[0]) and before.strip() and not _LEADS_TO_WORD.search(before):
        return False
    return not re.match(
        r"(?:not (?:clear|possible|certain|visible|known|determinable)|based on|as follows|below"
        r"|in the|yes or no\b|unclear|difficult|hard)",
        after,
    ) or after.startswith("as follows")


def sentences(line: str) -> list[str]:
    """
    >>> sentences("No. It weighs approx. 5.2 kg. See Fig. 3!")
    ['No.', 'It weighs approx. 5.2 kg.', 'See Fig. 3!']
    """
    line = line.strip()
    if not line:
        return []
    found: list[str] = []
    start = 0
    for end in _END.finditer(line):
        before = line[start : end.start()]
        word = before[before.rfind(" ") + 1 :].lower().lstrip("(\"'")
        alone = before.strip().lower() == word
        if (
            end[0][0] == "."
            and (not alone or word in _TITLES)
            and (word in _SHORTENED or (len(word) == 1 and word.isalpha()))
        ):
            continue
        found.append(line[start : end.end()].strip())
        start = end.end()
    rest = line[start:].strip()
    whole = [*found, rest] if rest else found
    return whole if len(line) <= _LONGEST_SENTENCE else [part for it in whole for part in _cut(it)]


def _cut(sentence: str) -> list[str]:
    """A sentence beyond all measure in pieces, so that no search in it takes long."""
    return [
        sentence[at : at + _LONGEST_SENTENCE] for at in range(0, len(sentence), _LONGEST_SENTENCE)
    ]


def _without_numbering(text: str) -> str:
    """List numbers are no numbers of the answer; a lone "4. " may well be one."""
    marks = [int(mark[1]) for mark in _NUMBERED.finditer(text)]
    if 1 in marks and 2 in marks:
        return _NUMBERED.sub("", text)
    return text
