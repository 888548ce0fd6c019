"""A reply taken apart: its sentences, which of them states the answer, why there may be none."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from harness.graders.clean import plain, without_reasoning
from harness.graders.words import LISTS, phrase

LONGEST_READ = 40_000
"""Characters. Of a longer reply the first and the last half of this are read."""
_LONGEST_SCANNED = 1_000_000
"""Characters. Of a longer one, reasoning included, the rest is not looked at."""
_MOST_STATEMENTS = 400
PLAIN, CONCLUSION, ANSWER = range(3)
"""How plainly a sentence states an answer."""
CANNOT_TELL = "refuses or says it cannot tell"


class Statement(NamedTuple):
    """A sentence, or what follows "the answer is". Without text, it takes back what came before."""

    text: str
    rank: int
    alone: bool = False
    """Nothing else stands on its line."""
    final: bool = False
    """Says that it replaces what was said before: "final answer", "therefore", "correction"."""


class Reply(Struct, frozen=True):
    """A reply without reasoning and markup."""

    text: str
    statements: tuple[Statement, ...]
    fault: str | None = None
    """Why there is nothing to read."""
    loops: bool = False
    """Ends in one piece, over and over."""
    body: str = ""
    """The text with its markup."""

    @property
    def answers(self) -> list[str]:
        """What the reply says is its answer."""
        return [it.text for it in self.statements if it.rank == ANSWER and it.text]


_PICTURE = "(?:image|picture|photo|attachment)s?"
_GIVEN = "(?:provided|attached|uploaded|included|shared|received|loaded|given|available|visible)"
_CUE = phrase("the answer is ..., in several languages; I would choose ...")
_CUE_WORDS = LISTS["cue_words"]
"""Every such cue holds one of these: a quick look."""
_CONCLUDES = phrase("a conclusion")
_CORRECTS = phrase("the answer that a reply ends up with counts")
_POLITE = phrase("politeness is no answer")
_SURE = phrase("politeness in front")
_BREAK = phrase("where a sentence ends")
_REFUSALS = {
    "refused by a content filter": phrase("a content filter fails with that reason"),
    "says it sees no image": phrase(
        "a model that was sent no picture must not look like one that saw nothing",
        picture=_PICTURE,
        given=_GIVEN,
    ),
    CANNOT_TELL: phrase("a refusal fails"),
}
_SIMPLE = phrase("a short reply without anything to take apart")


@lru_cache(maxsize=256)
def take_apart(raw: str) -> Reply:
    """
    >>> [s.text for s in take_apart("I see two. **Answer:** `2`").statements]
    ['I see two.', '2']
    >>> take_apart("<think>hm").fault
    'only reasoning, no answer'
    """
    if len(raw) < 32 and _SIMPLE.match(raw):
        return Reply(raw.strip(), (Statement(raw.strip(), PLAIN, alone=True),), body=raw)
    body = without_reasoning(raw[:_LONGEST_SCANNED])
    if len(raw) > _LONGEST_SCANNED:
        body += without_reasoning(raw[-_LONGEST_SCANNED // 2 :])
    if len(body) > LONGEST_READ:
        body = body[: LONGEST_READ // 2] + "\n" + body[-LONGEST_READ // 2 :]
    text = plain(body)
    if not text.strip(" \n.*_#`"):
        return Reply("", (), "only reasoning, no answer" if raw.strip() else "empty reply")
    return Reply(text, _statements(text), loops=loops(body), body=body)


def refusal(text: str) -> str | None:
    """Why a text is no answer, in words; None when it may be one.

    >>> refusal("I'm sorry, I cannot see any image."), refusal("I can't tell from this angle.")
    ('says it sees no image', 'refuses or says it cannot tell')
    >>> refusal("No, I see no cracks.") is None
    True
    """
    text = text[:4000]
    return next((why for why, said in _REFUSALS.items() if said.search(text)), None)


def plainly_stated(reply: Reply) -> Reply:
    """Of a reply that was cut, what it says is its answer: the rest may have led elsewhere."""
    first = reply.statements[:1]
    brief = [s for s in first if s.alone and len(s.text.split()) <= 6]
    at_once = [s for s in first if s.text.lower().startswith(("yes", "no", "true", "false"))]
    kept = [s for s in reply.statements if s.rank == ANSWER and s.text] or brief or at_once
    if kept:
        return replace(reply, statements=tuple(kept))
    fault = reply.fault or "cut before it stated an answer"
    return Reply("", (), fault)


def loops(text: str, length: int = 480, longest: int = 160) -> bool:
    """Whether so many characters at a text's end are one piece, no longer than that, repeated."""
    tail = text.rstrip()[-length:]
    before = tail.rfind(tail[-24:], 0, -1)
    period = len(tail) - 24 - before
    repeats = before >= 0 and period <= longest and tail[period:] == tail[:-period]
    return len(tail) == length and repeats


def _statements(text: str) -> tuple[Statement, ...]:
    found: list[Statement] = []
    announced = False
    for line in text.split("\n"):
        line = _SURE.sub("", line.strip())
        if not any(c.isalnum() or c in "?-" for c in line):
            continue
        parts = [part.strip() for part in _BREAK.split(line) if part and part.strip()]
        for part in parts:
            statement = _read(part, alone=len(parts) == 1, announced=announced)
            announced = statement.rank == ANSWER and statement.text[-1:] in ("", ":")
            if not announced:
                found.append(statement)
        if len(found) > _MOST_STATEMENTS:
            del found[_MOST_STATEMENTS // 2 : -_MOST_STATEMENTS // 2]
    meant = [s for s in found if s.rank == ANSWER or not _POLITE.search(s.text)]
    return tuple(it for statement in meant or found for it in _corrected(statement))


def _read(part: str, *, alone: bool, announced: bool) -> Statement:
    """One sentence; an answer without text announces the next one."""
    concludes = bool(_CONCLUDES.search(part))
    hinted = any(word in part.lower() for word in _CUE_WORDS)
    if hits := list(_CUE.finditer(part)) if hinted else []:
        final = concludes or "final" in hits[-1][0].lower()
        return Statement(part[hits[-1].end() :].strip(), ANSWER, alone, final)
    rank = ANSWER if announced else CONCLUSION if concludes else PLAIN
    return Statement(part, rank, alone, concludes)


def _corrected(statement: Statement) -> list[Statement]:
    """A correction, which takes back all that came before, and what stands behind it."""
    cuts = list(_CORRECTS.finditer(statement.text))
    if not cuts:
        return [statement]
    behind = statement._replace(text=statement.text[cuts[-1].end() :].strip(), final=True)
    return [Statement("", ANSWER), behind] if behind.text else [Statement("", ANSWER)]
