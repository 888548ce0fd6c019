"""Which of the values that stand in a reply is its answer; none when nothing decides."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.graders.extract import CANNOT_TELL, Rank, Reply, Statement, refusal
from harness.graders.patterns import pattern
from harness.graders.words import content


class Mention(NamedTuple):
    """A value that stands in a text."""

    start: int
    end: int
    value: Hashable
    hedge: str | None = None
    """The words that take it back: "about", "or more"."""
    lead: bool = False
    """Opens the statement as its answer: "No, ..."."""
    weak: bool = False
    """Only implied, or not of the kind that was asked for; counts where nothing better stands."""


class Reading(NamedTuple):
    """The answer of a reply, or why there is none."""

    value: Hashable | None
    said: str | None
    fault: str | None
    firm: bool = False
    """Stated as the answer, not inferred from a sentence."""
    weak: bool = False


Finder = Callable[[str], list[Mention]]
Settle = Callable[[Sequence[Hashable]], Sequence[Hashable]]
"""Takes the values of one statement and leaves out those that say the same as another."""
_NONE = Reading(None, None, None)
_REFUSED = Reading(None, None, CANNOT_TELL)

_NEGATED = pattern("negated")
_AND = pattern("also negated")
_NOT_ONLY = pattern("not only")
_UNSURE = pattern("unsure")
_UNSURE_AFTER = pattern("unsure after")
_SUBORDINATE = pattern("subordinate clause in front")
_CONTRAST = pattern("contrast")
_BOTH = pattern("both", r"\b(?:both|either)\b", policy="both is two answers")
_SO = pattern("so")
_CLAUSE = pattern("clauses with a value")
_VERB = pattern("verbs")
_COPULA = pattern("copula")


def decide(
    reply: Reply,
    find: Finder,
    settle: Settle | None = None,
    asked: frozenset[str] = frozenset(),
) -> Reading:
    """The value that a reply gives as its answer.

    >>> from harness.graders.extract import take_apart
    >>> find = lambda text: [Mention(i, i + 1, c) for i, c in enumerate(text) if c.isdigit()]
    >>> decide(take_apart("First 3, then 4. Answer: 5"), find).value
    '5'
    >>> decide(take_apart("3 or 4"), find).fault
    'several answers: 3 or 4'
    """
    if reply.fault:
        return Reading(None, None, reply.fault)
    statements = _since_correction(reply.statements)
    if statements is None:
        return Reading(None, None, "takes its answer back")
    answers = [s for s in statements if s.rank == Rank.ANSWER]
    if answers and (found := _of_answers(answers, find, settle, asked)) is not None:
        return found
    readings = [(s, read(s.text, find, settle, asked)) for s in statements]
    if len(readings) == 1 and (readings[0][1].value is not None or readings[0][1].fault):
        return readings[0][1]
    if len(readings) > 1:
        readings = [(s, _REFUSED if not r.firm and refusal(s.text) else r) for s, r in readings]
    return _of_sentences(reply, readings, settle, asked)


def _since_correction(statements: tuple[Statement, ...]) -> tuple[Statement, ...] | None:
    """The statements behind the last correction; None when nothing stands there."""
    marks = [at for at, s in enumerate(statements) if not s.text]
    if not marks:
        return statements
    return statements[marks[-1] + 1 :] or None


def _of_answers(
    answers: Sequence[Statement],
    find: Finder,
    settle: Settle | None,
    asked: frozenset[str],
) -> Reading | None:
    """The last stated answer, unless an earlier one that it does not replace differs."""
    readings = [(s, read(s.text, find, settle, asked)) for s in answers]
    readable = [(s, r) for s, r in readings if r.value is not None or r.fault]
    if not readable:
        why = refusal(answers[-1].text)
        if why or len(answers[-1].text.split()) <= 12:
            return Reading(None, None, why or f"its answer is {answers[-1].text[:60]!r}")
        return None
    last, reading = readable[-1]
    others = [(s, r) for s, r in readable[:-1] if r.value is not None and r.value != reading.value]
    replaces = last.final and not others[-1:][0][0].final if others else True
    closes = last.alone and not any(s.alone for s, _ in others)  # a line of its own, at the end
    if reading.value is not None and others and not (replaces or closes):
        same = settle([r.value for _, r in [*others, (last, reading)]]) if settle else ()
        if len(same) != 1:
            said = f"{others[-1][1].said} and {reading.said}"
            return Reading(None, None, f"several answers: {said}"[:120])
    return reading._replace(firm=True)


def _of_sentences(
    reply: Reply,
    readings: Sequence[tuple[Statement, Reading]],
    settle: Settle | None,
    asked: frozenset[str],
) -> Reading:
    """No sentence says that it is the answer: the conclusion, else the one nearest to the question,
    else the first that holds a value."""
    readable = [(at, s, r) for at, (s, r) in enumerate(readings) if r.value is not None or r.fault]
    refused = [at for at, (s, r) in enumerate(readings) if r is _REFUSED]
    readable = [it for it in readable if it[2] is not _REFUSED]
    if not readable:
        return Reading(None, None, refusal(reply.text[:4000]) or "no answer in the reply")
    readable = [it for it in readable if not it[2].weak] or readable
    if settle and len(alike := settle([r.value for _, _, r in readable])) == 1:
        return next(r for _, _, r in readable if r.value == alike[0])
    ends, lead = _ending(readings, readable), readable[0]
    bare = {r.value: r for _, s, r in readable if r.firm and s.alone}
    if len(bare) > 1 and ends is None:
        said = " and ".join(str(r.said) for r in bare.values())
        return Reading(None, None, f"several answers: {said}"[:120])
    if ends is not None and ends is not lead:
        opened = {r.value for _, _, r in readable if r.firm and r is not ends[2]}
        return _unless_contradicted(lead[2], ends[2], settle) if len(opened) < 2 else ends[2]
    nearest = _nearest(readable, asked)
    if refused and nearest[0] not in (0, *range(refused[-1], len(readings))):
        return Reading(None, None, CANNOT_TELL)
    values = {r.value or r.fault for _, _, r in readable}
    if nearest is not lead or lead[0] == 0 or len(values) == 1:
        return nearest[2]
    said = ", ".join(dict.fromkeys(str(r.said) for _, _, r in readable if r.said))
    return Reading(None, None, f"several answers: {said}"[:120])


def _unless_contradicted(first: Reading, last: Reading, settle: Settle | None) -> Reading:
    """The conclusion, unless the reply opened with another answer."""
    if first.firm and last.weak:
        return first
    same = settle is not None and len(settle([first.value, last.value])) == 1
    if first.firm and first.value != last.value and not same:
        return Reading(None, None, f"several answers: {first.said} and {last.said}"[:120])
    return last


_Readable = Sequence[tuple[int, Statement, Reading]]


def _ending(
    readings: Sequence[tuple[Statement, Reading]], readable: _Readable
) -> tuple[int, Statement, Reading] | None:
    """The last line, where it is nothing but a value, or the last conclusion."""
    at, statement, reading = readable[-1]
    bare = reading.firm and (statement.alone or len(readable) == 1)
    computed = " = " in statement.text and not readable[0][2].firm
    if at == len(readings) - 1 and (bare or computed):
        return readable[-1]
    concluding = [it for it in readable if it[1].rank == Rank.CONCLUSION]
    return concluding[-1] if concluding else None


def _nearest(readable: _Readable, asked: frozenset[str]) -> tuple[int, Statement, Reading]:
    """The first sentence, unless another repeats far more of the question."""
    lead = readable[0]
    if lead[2].firm or not asked:
        return lead
    near = [len(asked.intersection(content(s.text))) for _, s, _ in readable]
    best = max(range(len(readable)), key=lambda at: (near[at], -at))
    labelled = ":" in readable[best][1].text and near[best] > near[0]
    if near[best] >= near[0] + 2 or labelled:
        return readable[best]
    if near[best] > near[0] and readable[best][2].value != lead[2].value and len(readable) == 2:
        said = f"{lead[2].said} and {readable[best][2].said}"
        return (*lead[:2], Reading(None, None, f"several answers: {said}"[:120]))
    return lead


def read(
    text: str,
    find: Finder,
    settle: Settle | None = None,
    asked: frozenset[str] = frozenset(),
) -> Reading:
    """The one value of a statement; a fault when it has several or hedges."""
    whole, found = text, find(text)
    if not found:
        return _NONE
    if len(found) == 1 and found[0].hedge is None and found[0].end - found[0].start == len(text):
        return Reading(found[0].value, text, None, firm=True, weak=found[0].weak)
    if (so := _SO.search(text)) and (behind := find(text[so.end() :])):
        text, found = text[so.end() :], behind
    mentions = affirmed(text, found)
    if not mentions:
        return _NONE
    mentions = [m for m in mentions if not m.weak] or mentions
    mentions = _narrowed(text, mentions, settle, asked)
    values = _distinct(mentions, settle)
    if len(values) > 1:
        said = text[mentions[0].start : mentions[-1].end]
        return Reading(None, None, f"several answers: {said}"[:120])
    chosen = next((m for m in mentions if m.value == values[0]), mentions[0])
    hedge = next((m.hedge for m in mentions if m.hedge and m.value == chosen.value), None)
    hedge = hedge or _doubt(text, mentions)
    if hedge:
        return Reading(None, None, f"hedged: {hedge.strip()}"[:120])
    brief = len(whole.split()) - len(text[chosen.start : chosen.end].split()) <= 1
    firm = brief and ":" not in text[: chosen.start]
    said = text[chosen.start : chosen.end].strip()
    return Reading(values[0], said, None, firm or chosen.lead, chosen.weak)


def affirmed(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Without those that a statement denies: "not X but Y"."""
    kept: list[Mention] = []
    denied: Mention | None = None
    for mention in mentions:
        joined = denied is not None and _AND.fullmatch(text[denied.end : mention.start])
        if joined or _is_denied(text[max(0, mention.start - 60) : mention.start]):
            denied = mention
        else:
            kept.append(mention)
    return kept


def _is_denied(before: str) -> bool:
    return bool(before and _NEGATED.search(before)) and not _NOT_ONLY.search(before)


def _doubt(text: str, mentions: Sequence[Mention]) -> str | None:
    first, last = mentions[0], mentions[-1]
    if first.start and _UNSURE.search(text[: first.start]):
        return text[: first.end][-60:]
    return text[last.start :][:60] if _UNSURE_AFTER.search(text[last.end :]) else None


def _distinct(mentions: Sequence[Mention], settle: Settle | None) -> Sequence[Hashable]:
    values = list(dict.fromkeys(m.value for m in mentions))
    return settle(values) if settle is not None and len(values) > 1 else values


def _narrowed(
    text: str, mentions: list[Mention], settle: Settle | None, asked: frozenset[str]
) -> list[Mention]:
    """Of a statement with several values, those of the clause that is about the question, and
    those outside of what it only compares with."""
    for narrow in (_behind_subordinate, _nearest_clause, _in_windows):
        if len(_distinct(mentions, settle)) <= 1:
            break
        mentions = narrow(text, mentions, asked)
    return mentions


def _behind_subordinate(text: str, mentions: list[Mention], _: frozenset[str]) -> list[Mention]:
    front = _SUBORDINATE.match(text)
    return [m for m in mentions if m.start >= front.end()] or mentions if front else mentions


def _nearest_clause(text: str, mentions: list[Mention], asked: frozenset[str]) -> list[Mention]:
    """The values of the clause that repeats the most words of the question."""
    if _BOTH.search(text):
        return mentions
    cuts = [0]
    for joint in _CLAUSE.finditer(text):
        parts = (cuts[-1], joint.start()), (joint.end(), len(text))
        if all(_VERB.search(text[a:b]) or asked & _said(text, a, b, mentions) for a, b in parts):
            cuts.append(joint.start())
    clauses = [
        (len(asked & _said(text, start, end, mentions)), inside)
        for start, end in pairwise([*cuts, len(text)])
        if (inside := [m for m in mentions if start <= m.start < end])
    ]
    clauses.sort(key=lambda it: -it[0])
    if len(clauses) > 1 and clauses[0][0] > clauses[1][0]:
        return clauses[0][1]
    return mentions


def _said(text: str, start: int, end: int, mentions: Sequence[Mention]) -> set[str]:
    """Stems of a part of a text but for its values."""
    for mention in reversed(mentions):
        if start <= mention.start and mention.end <= end:
            text = text[: mention.start] + "-" * (mention.end - mention.start) + text[mention.end :]
    return set(content(text[start:end]))


def _in_windows(text: str, mentions: list[Mention], _: frozenset[str]) -> list[Mention]:
    for start, end in _windows(text):
        if len({m.value for m in mentions}) <= 1:
            break
        mentions = [m for m in mentions if start <= m.start and m.end <= end] or mentions
    return mentions


def _windows(text: str) -> list[tuple[int, int]]:
    """Parts of a sentence that hold its answer rather than the rest does."""
    windows = []
    if (bracket := text.find("(")) > 0:
        windows.append((0, bracket))
    if contrast := _CONTRAST.search(text, 1):
        windows.append((0, contrast.start()))
    if (equals := text.rfind("=")) >= 0:
        windows.append((equals + 1, len(text)))
    copulas = list(_COPULA.finditer(text))
    if len(copulas) == 1:
        windows.append((copulas[0].end(), len(text)))
    return windows
