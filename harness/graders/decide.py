"""Which of the values that stand in a reply is its answer; none when nothing decides."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from msgspec import Struct

from harness.graders.extract import ANSWER, CONCLUSION, Reply, Statement, refusal
from harness.graders.question import asked_stems
from harness.graders.words import content, pattern, phrase
from harness.records import Verdict


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


class Task(Struct, frozen=True, kw_only=True):
    """What a grader works from."""

    grader: str
    expected: str | tuple[str, ...]
    options: Mapping[str, Any]
    question: str

    @property
    def one(self) -> str:
        """The expected answer of a grader that takes a single one. Raises: Misfit."""
        if not isinstance(self.expected, str):
            raise Misfit("this grader needs one expected answer, not a list")
        if not self.expected.strip():
            raise Misfit("the expected answer is empty")
        return self.expected.strip()


_NEGATED = phrase('"not X but Y" is Y')
_AND = phrase('"not X or Y" denies both')
_UNSURE, _UNSURE_AFTER = phrase("a hedge in front fails"), phrase("a hedge behind fails")
_SUBORDINATE = phrase("a subordinate clause in front")
_CONTRAST = phrase("what an answer is only compared with")
_SO = pattern(r"=|\b(?:so|therefore|thus|hence|total)\b", "a conclusion inside a sentence")


def no_answer(why: str | None, answer: str | None = None) -> Verdict:
    return Verdict(passed=False, answer=answer, reason=why or "no answer in the reply")


def checking(
    task: Task,
    find: Finder,
    fits: Callable[[Any], bool],
    same: Same | None = None,
    differs: Callable[[Any], str] | None = None,
    measure: Callable[[Any], dict[str, float]] | None = None,
) -> Check:
    """A check that reads one value and compares it. `same` joins values that say the same,
    `differs` words the reason of a fail, `measure` says how far off the value is."""
    expected = task.one

    def check(reply: Reply) -> Verdict:
        reading = decide(reply, find, same, task.question)
        if reading.value is None:
            return no_answer(reading.fault)
        passed = fits(reading.value)
        reason = f"says {expected}" if passed else f"expected {expected}"
        if differs and not passed:
            reason = differs(reading.value)
        measures = measure(reading.value) if measure else {}
        return Verdict(passed=passed, answer=reading.said, reason=reason, measures=measures)

    return check


def comparing(task: Task, find: Finder, same: Same, what: str, fits: Same | None = None) -> Check:
    """A check that finds the expected answer as it finds the one of a reply. `fits` is stricter
    than `same`. Raises: Misfit."""
    wanted = find(task.one)
    if len(wanted) != 1:
        raise Misfit(f"{task.one!r} is not {what}")
    return checking(task, find, partial(fits or same, wanted[0].value), same)


_Read = Sequence[tuple[Statement, Reading]]


def decide(reply: Reply, find: Finder, same: Same | None = None, question: str = "") -> Reading:
    """The value that a reply gives as its answer: the last one stated as such, else the conclusion,
    else that of the sentence nearest to the question.

    >>> from harness.graders.extract import take_apart
    >>> find = lambda text: [Mention(i, i + 1, c) for i, c in enumerate(text) if c.isdigit()]
    >>> decide(take_apart("First 3, then 4. Answer: 5"), find).value
    '5'
    >>> decide(take_apart("3 or 4"), find).fault
    'several answers: 3 or 4'
    """
    marks = [at for at, statement in enumerate(reply.statements) if not statement.text]
    statements = reply.statements[marks[-1] + 1 :] if marks else reply.statements
    if not statements:
        return Reading(fault="takes its answer back")
    found = [(s, read(s.text, find, same)) for s in statements]
    if len(found) == 1 and found[0][1].firm:
        return found[0][1]
    if answer := _stated([it for it in found if it[0].rank == ANSWER], same):
        return answer
    found = [(s, r) for s, r in found if (r.value is not None or r.fault) and not _refuses(s, r)]
    found = [it for it in found if not it[1].weak] or found
    if not found:
        return Reading(fault=refusal(reply.text) or "no answer in the reply")
    kept = _merged([r.value for _, r in found], same)
    if len(kept) == 1 and kept[0] is not None:
        return next(r for _, r in found if r.value == kept[0])
    return _of_sentences(found, statements[-1], same, question)


def _refuses(statement: Statement, reading: Reading) -> bool:
    return not reading.firm and refusal(statement.text) is not None


def _several(readings: Sequence[Reading]) -> Reading:
    said = " and ".join(dict.fromkeys(str(r.said) for r in readings if r.said))
    return Reading(fault=f"several answers: {said}"[:120])


def _stated(answers: _Read, same: Same | None) -> Reading | None:
    """The last stated answer, unless an earlier one that it does not replace differs."""
    readable = [(s, r) for s, r in answers if r.value is not None or r.fault]
    if not readable:
        said = answers[-1][0].text if answers else ""
        why = refusal(said) or (f"its answer is {said[:60]!r}" if len(said.split()) < 13 else None)
        return Reading(fault=why) if answers and why else None
    last, reading = readable[-1]
    others = [(s, r) for s, r in readable[:-1] if r.value is not None]
    both = [*(r for _, r in others), reading]
    if reading.value is None or len(_merged([r.value for r in both], same)) == 1:
        return reading._replace(firm=True)
    replaces = last.final and not others[-1][0].final
    return reading._replace(firm=True) if replaces else _several(both[-2:])


def _of_sentences(found: _Read, end: Statement, same: Same | None, question: str) -> Reading:
    """No sentence says that it is the answer: the conclusion, else the one nearest to the question,
    else the first that holds a value."""
    first = found[0][1]
    last = _conclusion(found, end)
    bare = {r.value: r for s, r in found if r.firm and s.alone}
    if len(bare) > 1 and last is None:
        return _several([*bare.values()])
    if last is not None and last is not first:
        alike = len(_merged([first.value, last.value], same)) == 1
        opened = {r.value for _, r in found if r.firm and r is not last}
        return last if len(opened) > 1 or not first.firm or alike else _several([first, last])
    if first.firm:
        return first
    asked = asked_stems(question)
    near = [len(asked.intersection(content(s.text))) for s, _ in found]
    best = near.index(max(near))
    if near[best] >= near[0] + 2:
        return found[best][1]
    return _several([r for _, r in found]) if near[best] > near[0] and len(found) == 2 else first


def _conclusion(found: _Read, end: Statement) -> Reading | None:
    """The last line, where it is nothing but a value, or the last conclusion."""
    statement, reading = found[-1]
    if statement is end and reading.firm and (statement.alone or len(found) == 1):
        return reading
    return next((r for s, r in reversed(found) if s.rank == CONCLUSION), None)


def read(text: str, find: Finder, same: Same | None = None) -> Reading:
    """The one value of a statement; a fault when it has several or hedges."""
    found = find(text)
    if not found:
        return Reading()
    if len(found) == 1 and found[0].hedge is None and found[0].end - found[0].start == len(text):
        return Reading(found[0].value, text, None, firm=True, weak=found[0].weak)
    mentions = affirmed(text, found)
    mentions = [m for m in mentions if not m.weak] or mentions
    for narrowed in _narrower(text, mentions):
        if len(_merged([m.value for m in mentions], same)) < 2:
            break
        mentions = [m for m in mentions if m in narrowed] or mentions
    values = _merged([m.value for m in mentions], same)
    if not values:
        return Reading()
    first, last = mentions[0], mentions[-1]
    if len(values) > 1:
        return Reading(fault=f"several answers: {text[first.start : last.end]}"[:120])
    chosen = next(m for m in mentions if m.value == values[0])
    hedge = next((m.hedge for m in mentions if m.hedge and m.value == chosen.value), None)
    if _UNSURE.search(text[: first.start]) or _UNSURE_AFTER.search(text[last.end :]):
        hedge = text[: last.end + 20].strip()
    if hedge:
        return Reading(fault=f"hedged: {hedge.strip()}"[:120])
    said = text[chosen.start : chosen.end].strip()
    brief = len(text.split()) - len(said.split()) <= 1 and ":" not in text[: chosen.start]
    return Reading(values[0], said, None, brief or chosen.lead, chosen.weak)


def affirmed(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Without those that a statement denies: "not X but Y"."""
    kept: list[Mention] = []
    denied: Mention | None = None
    for mention in mentions:
        joined = denied is not None and _AND.fullmatch(text[denied.end : mention.start])
        if joined or _NEGATED.search(text[max(0, mention.start - 60) : mention.start]):
            denied = mention
        else:
            kept.append(mention)
    return kept


def _merged(values: Sequence[Hashable], same: Same | None) -> list[Hashable]:
    """Each value once, in its fullest form."""
    kept: list[Hashable] = []
    for value in dict.fromkeys(values):
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
