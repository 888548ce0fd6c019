"""A reply taken apart: its sentences, and which of them states the answer."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from harness.graders.clean import LONGEST_SCANNED, clipped, emphasised, plain, without_reasoning
from harness.graders.patterns import pattern, regex


class Rank(IntEnum):
    """How plainly a sentence states an answer."""

    PLAIN = 0
    CONCLUSION = 1
    ANSWER = 2


class Statement(NamedTuple):
    """A sentence, or what follows "the answer is"."""

    text: str
    rank: Rank
    alone: bool = False
    """Nothing else stands on its line."""
    final: bool = False
    """Says that it replaces what was said before: "final answer", "therefore", "correction"."""


class Reply(Struct, frozen=True):
    """A reply without reasoning and markup."""

    text: str
    statements: tuple[Statement, ...]
    bold: tuple[str, ...]
    fault: str | None = None
    """Why there is nothing to read."""
    loops: bool = False
    """Ends in one piece, over and over."""
    body: str = ""
    """The text with its markup."""


_LEAD = r"(?:(?:final|correct|right|best|closest|short|my|the|your|our|most \w+) ){0,3}"
_ANSWER = pattern(
    "answer cue",
    r"(?:^|(?<=[\s\"'(*#.,:;-]))"
    rf"{_LEAD}(?:answer|(?<!each )(?<!every )(?<!given )(?<!these )(?<!following )(?<!wrong )"
    r"(?:option|choice|final value|letter|match|guess|estimate))"
    r"(?: (?:choice|option|letter|value|here|is option))?"
    r"(?: (?:to|for|of|from|among|in) [^.:\n]{1,90}?)?"
    r"(?: (?:would|should|must|will|seems? to|appears? to|could only) be| is| was)?"
    r"(?:(?<= is)|(?<= be)|(?<= was)|\s{0,2}[:=→])(?: (?:as follows|simply|therefore|thus|that))?"
    r"\s{0,2}[:-]?\s{0,3}(?!\S{0,3}(?:incorrect|based|correct\b|wrong|not (?:in|among|listed)))",
)
_BARE_CUE = pattern(
    "answer heading", rf"^\W*{_LEAD}(?:answer|solution)\W*$", policy="a heading over the answer"
)
_HINT = regex(
    r"answer|option|choice|value|letter|match|guess|estimate|cho|select|pick|go with|opt |say"
    r"|[^\x00-\x7f]|resp|ris|antw|odp|cevap|r.ponse",
    re.IGNORECASE,
)
"""Every cue holds one of these: a quick look."""
_CHOSEN = pattern("choosing cue")
_IS_ANSWER = pattern("answer stands first")
_FOREIGN = pattern("answer cue in other languages")
_CONCLUDES = pattern("conclusion")
_CORRECTS = pattern("correction")
_POLITE = pattern("politeness")
_SURE = pattern("polite opening")
_BREAK = pattern("sentence end")
_REFUSES = pattern("refusal")
_BLIND = pattern("no image")
_FILTERED = pattern("content filter")
CANNOT_TELL = "refuses or says it cannot tell"
_LONGEST_PERIOD, _LOOP_LENGTH = 160, 480
_MOST_STATEMENTS = 400


@lru_cache(maxsize=256)
def take_apart(raw: str) -> Reply:
    """
    >>> [s.text for s in take_apart("I see two. **Answer:** `2`").statements]
    ['I see two.', '2']
    >>> take_apart("<think>hm").fault
    'only reasoning, no answer'
    """
    unreasoned = without_reasoning(raw[:LONGEST_SCANNED] if len(raw) > LONGEST_SCANNED else raw)
    if len(raw) > LONGEST_SCANNED:
        unreasoned += without_reasoning(raw[-LONGEST_SCANNED // 2 :])
    body = clipped(unreasoned)
    loops = _loops(body)
    text = plain(body)
    if not text.strip(" \n.*_#`"):
        fault = "only reasoning, no answer" if raw.strip() else "empty reply"
        return Reply(text="", statements=(), bold=(), fault=fault)
    return Reply(
        text=text, statements=_statements(text), bold=emphasised(body), loops=loops, body=body
    )


def refusal(text: str) -> str | None:
    """Why a text is no answer, in words; None when it may be one.

    >>> refusal("I'm sorry, I cannot see any image."), refusal("I can't tell from this angle.")
    ('says it sees no image', 'refuses or says it cannot tell')
    >>> refusal("No, I see no cracks.") is None
    True
    """
    if _FILTERED.search(text):
        return "refused by a content filter"
    if _BLIND.search(text):
        return "says it sees no image"
    return CANNOT_TELL if _REFUSES.search(text) else None


def _loops(text: str) -> bool:
    """Whether a text ends in one piece that is repeated till the end."""
    tail = text.rstrip()[-_LOOP_LENGTH:]
    if len(tail) < _LOOP_LENGTH:
        return False
    period = (tail + tail).find(tail, 1)
    if period <= _LONGEST_PERIOD:
        return True
    unit = tail[-24:]
    before = tail.rfind(unit, 0, len(tail) - 1)
    period = len(tail) - 24 - before
    return before > 0 and period <= _LONGEST_PERIOD and tail[period:] == tail[:-period]


_SIMPLE = regex(
    r"(?!.*(?:[.!?;] |answer|option|wait|actually|sorry|mean|so |total|thus|final|no,))"
    r"[\w $£€.,%°'/-]{1,48}\Z",
    re.IGNORECASE,
)
"""A short reply without anything to take apart."""


def _statements(text: str) -> tuple[Statement, ...]:
    if _SIMPLE.match(text) and not _HINT.search(text):
        return (Statement(text.strip(), Rank.PLAIN, alone=True),)
    found: list[Statement] = []
    pending = False
    for line in text.split("\n"):
        line = _SURE.sub("", line.strip())
        if not line or not any(c.isalnum() or c in "?-" for c in line):
            continue
        parts = [part.strip() for part in _BREAK.split(line) if part and part.strip()]
        for part in parts:
            alone = len(parts) == 1
            for statement in _read(part, alone, pending):
                pending = not statement.text or (
                    statement.rank == Rank.ANSWER and statement.text.endswith(":")
                )
                if statement.text and not pending:
                    found.append(statement)
        if len(found) > _MOST_STATEMENTS:
            del found[_MOST_STATEMENTS // 2 : -_MOST_STATEMENTS // 2]
    meant = [s for s in found if s.rank == Rank.ANSWER or not _POLITE.search(s.text)]
    return _corrected(meant or found)


def _read(part: str, alone: bool, pending: bool) -> list[Statement]:
    """The statements of one sentence; one without text announces the next."""
    if len(part) < 40 and _BARE_CUE.search(part):
        return [Statement("", Rank.ANSWER)]
    concludes = bool(_CONCLUDES.search(part))
    for cue in (_ANSWER, _FOREIGN, _CHOSEN) if _HINT.search(part) else ():
        hits = list(cue.finditer(part))
        if hits:
            final = concludes or "final" in hits[-1][0].lower()
            said = part[hits[-1].end() :].strip()
            return [Statement(said, Rank.ANSWER, alone, final)]
    if " the " in part and (stated := _IS_ANSWER.match(part)):
        return [Statement(stated[1], Rank.ANSWER, alone, concludes)]
    rank = Rank.ANSWER if pending else Rank.CONCLUSION if concludes else Rank.PLAIN
    return [Statement(part, rank, alone, concludes)]


def _corrected(found: list[Statement]) -> tuple[Statement, ...]:
    """Without what a correction takes back."""
    kept: list[Statement] = []
    for statement in found:
        cut = _CORRECTS.last(statement.text)
        rest = statement.text[cut.end() :].strip() if cut else ""
        if cut and rest:
            kept.append(statement._replace(text=statement.text[: cut.start()]))
            kept = [it for it in kept if it.text.strip()]
            kept.append(Statement("", Rank.ANSWER))
            kept.append(statement._replace(text=rest, final=True))
        elif cut and not rest:
            kept.append(Statement("", Rank.ANSWER))
        else:
            kept.append(statement)
    return tuple(kept)


_SAYS_AT_ONCE = pattern("answer at once")
_BRIEF_WORDS = 6


def plainly_stated(reply: Reply) -> Reply:
    """Of a reply that was cut, what it says is its answer: the rest may have led elsewhere."""
    first = reply.statements[:1]
    brief = [s for s in first if s.alone and len(s.text.split()) <= _BRIEF_WORDS]
    at_once = [s for s in first if _SAYS_AT_ONCE.match(s.text)]
    stated = [s for s in reply.statements if s.rank == Rank.ANSWER and s.text]
    whole = len(reply.statements) == 1 and bool(brief)
    kept = tuple(stated or brief or at_once)
    if whole or (brief and len(reply.statements) > 1) or stated or at_once:
        return replace(reply, statements=kept)
    fault = reply.fault or "cut before it stated an answer"
    return replace(reply, statements=(), text="", body="", bold=(), fault=fault)
