"""Which of the values that stand in a reply is its answer; none when nothing decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from harness.graders.extract import ANSWER, CONCLUSION, PLAIN, Reply, Statement, asked, refusal
from harness.graders.words import PHRASES, content, words
from harness.records import Case, GradeContext, Verdict


class Mention(NamedTuple):
    """A value that stands in a text."""

    start: int
    end: int
    value: Any
    hedge: str | None = None  # the words that take it back: "about", "or more"
    lead: bool = False  # opens the statement as its answer: "No, ..."
    weak: bool = False  # only implied, or of another kind; counts where nothing better stands


class Reading(NamedTuple):
    """The answer of a statement or reply, or why there is none."""

    source: Statement = Statement("", PLAIN)
    value: Hashable | None = None
    said: str | None = None
    fault: str | None = None
    firm: bool = False  # stated as the answer, not inferred from a sentence
    weak: bool = False


Finder = Callable[[str], list[Mention]]
Fits = Callable[[Any], bool]
Check = Callable[[Reply, GradeContext], Verdict]
"""Grades one reply to the case it was made for."""


class Misfit(ValueError):
    """The expected answer, or an option, is not one that the grader can work with."""


def require(fine: object, otherwise: str) -> None:
    """Raises: Misfit."""
    if not fine:
        raise Misfit(otherwise)


def one(case: Case) -> str:
    """The expected answer of a grader that takes a single one. Raises: Misfit."""
    require(isinstance(case.expected, str), "this grader needs one expected answer, not a list")
    require(str(case.expected).strip(), "the expected answer is empty")
    return str(case.expected).strip()


def only(found: Sequence[Mention], case: Case, what: str) -> Any:
    """The value of an expected answer that holds a single one. Raises: Misfit."""
    require(len(found) == 1, f"{one(case)!r} is not {what}")
    return found[0].value


def no_answer(why: str | None, answer: str | None = None) -> Verdict:
    return Verdict(passed=False, answer=answer, reason=why or "no answer in the reply")


def checking(
    case: Case,
    find: Finder,
    fits: Fits,
    measure: Callable[[Any], tuple[str, dict[str, float]]] = lambda _: ("", {}),
    right: Fits | None = None,
) -> Check:
    """A check that reads one value and compares it. `measure` says how far off the value is, in
    words and figures; all that is `right` (else all that fits) counts as one value."""
    expected = one(case)

    def check(reply: Reply, _: GradeContext) -> Verdict:
        reading = decide(reply, find, right or fits, case.question)
        if reading.value is None:
            return no_answer(reading.fault)
        passed, (off, measures) = fits(reading.value), measure(reading.value)
        reason = f"says {expected}" if passed else f"{off}expected {expected}"
        return Verdict(passed=passed, answer=reading.said, reason=reason, measures=measures)

    return check


def decide(reply: Reply, find: Finder, right: Fits, question: str) -> Reading:
    """The value that a reply gives as its answer: the last one stated as such; else the last line
    that is nothing but a value, or the last conclusion; else the sentence nearest to the question.
    """
    said = [read(it, find, right, question) for it in reply.statements]
    if not said:
        return Reading(fault="takes its answer back")
    if len(said) == 1 and said[0].firm:
        return said[0]
    found = [r for r in said if r.fault or r.value is not None]
    if answers := [r for r in said if r.source.rank == ANSWER]:
        if readable := [r for r in answers if r in found]:
            return _unless_contradicted(readable[-1], readable[:-1], right)
        last = answers[-1].source.text
        if (why := refusal(last)) or len(last.split()) < 13:
            return Reading(fault=why or f"its answer is {last[:60]!r}")
    found = [r for r in found if r.firm or not refusal(r.source.text)]
    found = [r for r in found if not r.weak] or found
    if not found:  # "Row: 2" and "Column: 3" may stand on two lines
        whole = Statement(" ".join(it.text for it in reply.statements), PLAIN)
        why = refusal(reply.text)
        return Reading(fault=why) if why else read(whole, find, right)
    first, last_one = found[0], found[-1]
    if not (last_one is said[-1] and last_one.firm):
        last_one = next((r for r in reversed(found) if r.source.rank == CONCLUSION), first)
    if last_one is not first:
        firm = {r.value for r in found if r.firm and r is not last_one}
        listing = len(firm) > 1 or not first.firm
        return _unless_contradicted(last_one, [] if listing else [first], right)
    bare = [r for r in found if r.firm and r.source.alone]
    return _unless_contradicted(first if first.firm else _nearest(found, question), bare, right)


def _nearest(found: Sequence[Reading], question: str) -> Reading:
    """The statement that shares most with the question. Of each of several things something may be
    said, as in "A: open", "B: shut"; then the one that shares what no other does."""
    against = asked(question).opposites
    found = [r for r in found if not against.intersection(words(r.source.text))] or found
    order = content(asked(question).text)
    last = content(PHRASES["the last sentence that asks"].findall(asked(question).text)[-1])
    own = [content(r.source.text.replace(r.said or "", " ", 1)) for r in found]
    shared = [frozenset(order).intersection(it) for it in own]
    most = max(map(len, shared))
    nearest = [(r, it) for r, it in zip(found, shared, strict=True) if len(it) == most]
    if len({r.value for r, _ in nearest}) < 3:
        return nearest[0][0]
    every = Counter(stem for _, stems in nearest for stem in stems)
    alone = {
        min(map(order.index, its)): r
        for r, it in nearest
        if (its := [stem for stem in it if every[stem] == 1 and stem in last])
    }
    said = " and ".join(str(r.said) for r, _ in nearest)
    return alone[min(alone)] if alone else Reading(fault=f"several answers: {said}"[:120])


def _unless_contradicted(chosen: Reading, others: Sequence[Reading], right: Fits) -> Reading:
    values = [r for r in others if r.value is not None]
    if chosen.value is None or len(_different([*values, chosen], right)) == 1:
        return chosen
    said = dict.fromkeys(str(r.said) for r in (*values, chosen))
    return Reading(fault=f"several answers: {' and '.join(said)}"[:120])


def _different(said: Sequence[Mention] | Sequence[Reading], right: Fits) -> set[Hashable]:
    """The values that are said; those that are right are one."""
    return {(it.value is not None and right(it.value)) or it.value for it in said}


def read(statement: Statement, find: Finder, right: Fits, question: str = "") -> Reading:
    """The one value of a statement; a fault when it has several or hedges. Where each stands in a
    clause of its own, the clause nearest to the `question` counts."""
    text, found = statement.text, find(statement.text)
    if len(found) == 1 and found[0][:4] == (0, len(text), found[0].value, None):
        return Reading(statement, found[0].value, text, firm=True, weak=found[0].weak)
    mentions = affirmed(text, found)
    if not mentions:
        return Reading(statement)
    for start, end in _parts(text):
        if len(mentions) == 1 or len(_different(mentions, right)) == 1:
            break
        mentions = [m for m in mentions if start <= m.start and m.end <= end] or mentions
    if len(mentions) > 1 and len(_different(mentions, right)) > 1:
        mentions = _in_nearest_clause(text, mentions, question)
    first, last = mentions[0], mentions[-1]
    if last is not first and len(_different(mentions, right)) > 1:
        return Reading(statement, fault=f"several answers: {text[first.start : last.end]}"[:120])
    hedge = next((m.hedge for m in mentions if m.hedge), None)
    unsure = PHRASES["a hedge in front fails"].search(text, 0, first.start)
    if unsure or PHRASES["a hedge behind fails"].search(text[last.end :]):
        hedge = text[: last.end + 20]
    if hedge:
        return Reading(statement, fault=f"hedged: {hedge.strip()}"[:120])
    said = text[first.start : first.end].strip()
    label = ":" in text[: first.start] or text[first.end : first.end + 1] == ":"
    brief = len(text.split()) - len(said.split()) <= 1 and not label
    return Reading(statement, first.value, said, firm=brief or first.lead, weak=first.weak)


def _in_nearest_clause(text: str, mentions: list[Mention], question: str) -> list[Mention]:
    """Of "the left car is red and the right one is blue" what is said of the car asked for; of "A
    is lighter, B is heavier" what is said in the question's words."""
    if " but " in text:  # takes back what stands in front
        return mentions
    cuts = [0, *(it.end() for it in PHRASES["between clauses"].finditer(text)), len(text)]
    clauses = [(a, [m for m in mentions if a <= m.start < b], text[a:b]) for a, b in pairwise(cuts)]
    clauses = [it for it in clauses if it[1]]
    against = asked(question).opposites
    fitting = [it for it in clauses if not against.intersection(words(it[2]))]
    if len(fitting) == 1 < len(clauses):
        return fitting[0][1]
    verb, beside = PHRASES["a verb in front of an answer"], PHRASES["next to"]
    for start, held, _ in clauses:
        at = held[0].start
        if not verb.search(text, start, at) or beside.search(text, start, at):
            return mentions
    fronts = (content(text[start : held[0].start]) for start, held, _ in clauses)
    near = [len(asked(question).stems.intersection(front)) for front in fronts]
    return clauses[near.index(max(near))][1] if near.count(max(near)) == 1 else mentions


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the parts of a statement that hold its answer rather than the rest does."""
    if front := PHRASES["a subordinate clause in front"].match(text):
        yield front.end(), len(text)
    yield 0, (text + "(").index("(") or len(text)
    if contrast := PHRASES["what an answer is only compared with"].search(text, 1):
        yield 0, contrast.start()
    for conclusion in PHRASES["a conclusion inside a sentence"].finditer(text):
        yield conclusion.end(), len(text)


def affirmed(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Without those that a statement denies: "not X but Y"."""
    kept: list[Mention] = []
    denied: Mention | None = None
    for m in mentions:
        also = denied and PHRASES['"not X or Y" denies both'].fullmatch(text, denied.end, m.start)
        if also or PHRASES['"not X but Y" is Y'].search(text, max(0, m.start - 60), m.start):
            denied = m
        else:
            kept.append(m)
    return kept
