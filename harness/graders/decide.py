"""Which of the values that stand in a reply is its answer; none when nothing decides."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from harness.graders.extract import ANSWER, CONCLUSION, PLAIN, Reply, Statement, refusal
from harness.graders.question import asked_stems
from harness.graders.words import content, pattern, phrase
from harness.records import Case, Verdict


class Mention(NamedTuple):
    """A value that stands in a text."""

    start: int
    end: int
    value: Any
    hedge: str | None = None
    """The words that take it back: "about", "or more"."""
    lead: bool = False
    """Opens the statement as its answer: "No, ..."."""
    weak: bool = False
    """Only implied, or not of the kind that was asked for; counts where nothing better stands."""


class Reading(NamedTuple):
    """The answer of a statement or reply, or why there is none."""

    source: Statement = Statement("", PLAIN)
    value: Hashable | None = None
    said: str | None = None
    fault: str | None = None
    firm: bool = False
    """Stated as the answer, not inferred from a sentence."""
    weak: bool = False


Finder = Callable[[str], list[Mention]]
Same = Callable[[Any, Any], bool]
"""Whether the second value says what the first one says, or that and more."""
Check = Callable[..., Verdict]
"""Grades one reply to the case it was made for; a point or a box also takes a GradeContext."""


class Misfit(ValueError):
    """The expected answer, or an option, is not one that the grader can work with."""


def one(case: Case) -> str:
    """The expected answer of a grader that takes a single one. Raises: Misfit."""
    if not isinstance(case.expected, str):
        raise Misfit("this grader needs one expected answer, not a list")
    if not case.expected.strip():
        raise Misfit("the expected answer is empty")
    return case.expected.strip()


_NEGATED = phrase('"not X but Y" is Y')
_UNSURE, _UNSURE_AFTER = phrase("a hedge in front fails"), phrase("a hedge behind fails")
_ABOUT, _OR_SO = phrase("a hedge fails: about 5"), phrase("a hedge fails: 5 or more")
_SUBORDINATE = phrase("a subordinate clause in front")
_CONTRAST = phrase("what an answer is only compared with")
_SO = pattern(r"=|\b(?:so|therefore|thus|hence|total)\b", "a conclusion inside a sentence")


def no_answer(why: str | None, answer: str | None = None) -> Verdict:
    return Verdict(passed=False, answer=answer, reason=why or "no answer in the reply")


def checking(
    case: Case,
    find: Finder,
    fits: Callable[[Any], bool],
    same: Same | None = None,
    differs: Callable[[Any], str] | None = None,
    measure: Callable[[Any], dict[str, float]] | None = None,
) -> Check:
    """A check that reads one value and compares it. `same` joins values that say the same,
    `differs` words the reason of a fail, `measure` says how far off the value is."""
    expected = one(case)

    def check(reply: Reply) -> Verdict:
        reading = decide(reply, find, same, case.question)
        if reading.value is None:
            return no_answer(reading.fault)
        passed = fits(reading.value)
        reason = f"says {expected}" if passed else f"expected {expected}"
        if differs and not passed:
            reason = differs(reading.value)
        measures = measure(reading.value) if measure else {}
        return Verdict(passed=passed, answer=reading.said, reason=reason, measures=measures)

    return check


def comparing(case: Case, find: Finder, same: Same, what: str, fits: Same | None = None) -> Check:
    """A check that finds the expected answer as it finds the one of a reply. `fits` is stricter
    than `same`. Raises: Misfit."""
    wanted = find(one(case))
    if len(wanted) != 1:
        raise Misfit(f"{one(case)!r} is not {what}")
    return checking(case, find, partial(fits or same, wanted[0].value), same)


def decide(reply: Reply, find: Finder, same: Same | None = None, question: str = "") -> Reading:
    """The value that a reply gives as its answer: the last one stated as such, else the conclusion,
    else that of the sentence nearest to the question."""
    takes_back = max((at for at, it in enumerate(reply.statements) if not it.text), default=-1)
    found = [read(it, find, same) for it in reply.statements[takes_back + 1 :]]
    if not found:
        return Reading(fault="takes its answer back")
    if len(found) == 1 and found[0].firm:
        return found[0]
    last = found[-1]
    if answer := _stated([it for it in found if it.source.rank == ANSWER], same):
        return answer
    found = [
        r
        for r in found
        if r.firm or ((r.value is not None or r.fault) and not refusal(r.source.text))
    ]
    found = [r for r in found if not r.weak] or found
    if not found:
        return Reading(fault=refusal(reply.text) or "no answer in the reply")
    if len(_merged(found, same)) == 1 and (one := _merged(found, same)[0]) is not None:
        return next(r for r in found if r.value == one)
    return _of_sentences(found, found[-1] is last, same, question)


def _several(readings: Sequence[Reading]) -> Reading:
    said = " and ".join(dict.fromkeys(str(r.said) for r in readings if r.said))
    return Reading(fault=f"several answers: {said}"[:120])


def _stated(answers: Sequence[Reading], same: Same | None) -> Reading | None:
    """The last stated answer, unless an earlier one that it does not replace differs."""
    readable = [r for r in answers if r.value is not None or r.fault]
    if not readable:
        said = answers[-1].source.text if answers else ""
        why = refusal(said) or (f"its answer is {said[:60]!r}" if len(said.split()) < 13 else None)
        return Reading(fault=why) if said and why else None
    last, others = readable[-1], [r for r in readable[:-1] if r.value is not None]
    if last.value is None or not others or len(_merged([*others, last], same)) == 1:
        return last._replace(firm=True)
    return last._replace(firm=True) if last.source.final else _several([others[-1], last])


def _of_sentences(found: list[Reading], at_end: bool, same: Same | None, question: str) -> Reading:
    """No sentence says that it is the answer: the conclusion, else the one nearest to the question,
    else the first that holds a value."""
    first, last = found[0], _conclusion(found, at_end)
    bare = {r.value: r for r in found if r.firm and r.source.alone}
    if len(bare) > 1 and last is None:
        return _several([*bare.values()])
    if last is not None and last is not first:
        alike = len(_merged([first, last], same)) == 1
        opened = {r.value for r in found if r.firm and r is not last}
        return last if len(opened) > 1 or not first.firm or alike else _several([first, last])
    if first.firm:
        return first
    near = [len(asked_stems(question).intersection(content(r.source.text))) for r in found]
    best = near.index(max(near))
    return found[best]


def _conclusion(found: Sequence[Reading], at_end: bool) -> Reading | None:
    """The last line, where it is nothing but a value, or the last conclusion."""
    if at_end and found[-1].firm and (found[-1].source.alone or len(found) == 1):
        return found[-1]
    return next((r for r in reversed(found) if r.source.rank == CONCLUSION), None)


def read(statement: Statement, find: Finder, same: Same | None = None) -> Reading:
    """The one value of a statement; a fault when it has several or hedges."""
    text, found = statement.text, find(statement.text)
    if len(found) == 1 and not found[0].hedge and found[0].end - found[0].start == len(text):
        return Reading(statement, found[0].value, text, firm=True, weak=found[0].weak)
    mentions = affirmed(text, found)
    for narrowed in _narrower(text, mentions):
        if len(_merged(mentions, same)) < 2:
            break
        mentions = [m for m in mentions if m in narrowed] or mentions
    values = _merged(mentions, same)
    if not values:
        return Reading(statement)
    first, last = mentions[0], mentions[-1]
    if len(values) > 1:
        return Reading(statement, fault=f"several answers: {text[first.start : last.end]}"[:120])
    chosen = next(m for m in mentions if m.value == values[0])
    hedge = next((m.hedge for m in mentions if m.hedge and m.value == chosen.value), None)
    if _UNSURE.search(text[: first.start]) or _UNSURE_AFTER.search(text[last.end :]):
        hedge = text[: last.end + 20]
    if hedge:
        return Reading(statement, fault=f"hedged: {hedge.strip()}"[:120])
    said = text[chosen.start : chosen.end].strip()
    brief = len(text.split()) - len(said.split()) <= 1 and ":" not in text[: chosen.start]
    return Reading(statement, values[0], said, firm=brief or chosen.lead, weak=chosen.weak)


def affirmed(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Without those that a statement denies: "not X but Y"."""
    return [m for m in mentions if not _NEGATED.search(text[max(0, m.start - 60) : m.start])]


def approximate(text: str, found: Sequence[Mention]) -> list[Mention]:
    """With the words that make a number uncertain: "about 5", "5 or more"."""
    return [m._replace(hedge=_uncertain(text, m.start, m.end)) for m in found]


def _uncertain(text: str, start: int, end: int) -> str | None:
    if before := _ABOUT.search(text[max(0, start - 24) : start]):
        return text[max(0, start - 24) + before.start() : end]
    after = _OR_SO.match(text[end : end + 24])
    return text[start : end + after.end()] if after else None


def _merged(said: Sequence[Mention] | Sequence[Reading], same: Same | None) -> list[Hashable]:
    """Each value once, in its fullest form."""
    kept: list[Hashable] = []
    for value in dict.fromkeys(it.value for it in said):
        twins = [k for k in kept if same and k and value and (same(k, value) or same(value, k))]
        if not twins:
            kept.append(value)
        elif same and same(twins[0], value):
            kept[kept.index(twins[0])] = value
    return kept


def _narrower(text: str, mentions: Sequence[Mention]) -> Iterator[Sequence[Mention]]:
    """Of a statement with several values, those of the parts that hold its answer rather than the
    rest does."""
    if front := _SUBORDINATE.match(text):
        yield [m for m in mentions if m.start >= front.end()]
    if (bracket := text.find("(")) > 0:
        yield [m for m in mentions if m.end <= bracket]
    if contrast := _CONTRAST.search(text, 1):
        yield [m for m in mentions if m.end <= contrast.start()]
    for conclusion in _SO.finditer(text):
        yield [m for m in mentions if m.start >= conclusion.end()]
