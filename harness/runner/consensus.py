"""Whether several replies to one question say the same, read as the graders would read them.

Nobody knows the right answer here. Each answer that can be read is taken for the expected one, and
the other replies are graded against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from harness.graders import field_case, grade, infer, problems
from harness.graders.quantities import numbers
from harness.records import Case
from harness.text import one_line

_PROTOTYPES = {
    r"\bhow (?:many|much)\b|\bcount\b|\bnumber of\b": "1",
    r"\bcolou?rs?\b": "red",
    r"(?:^|[.?!:]\s+)(?:is|are|am|was|were|do|does|did|has|have|had|can|could|will|would|should)\b"
    r"(?![\s\S]*\bor\b)": "yes",
}
"""What a question asks for -> an answer of that kind."""
_BARE_WORDS, _BARE_CHARS = 4, 60
"""A reply no longer than this is nothing but its answer."""
_MARKUP = "*_`\"' ."
_WORDLESS = ("0", "1")
"""Numbers that are said without one: "no bolts", "a single bolt"."""


class Group(Struct, frozen=True):
    """Models that say the same."""

    answer: str
    models: tuple[str, ...]


class Consensus(Struct, frozen=True, kw_only=True):
    """Who says what."""

    grader: str | None
    """How the answers were read; None when they are free text."""
    groups: tuple[Group, ...] = ()
    """The largest first."""
    unread: tuple[str, ...] = ()
    """Models in whose reply no answer of that kind was found."""

    @property
    def agree(self) -> bool | None:
        """Whether all say the same; None when that cannot be told."""
        if len(self.groups) > 1:
            return False
        alone = sum(len(group.models) for group in self.groups) < 2
        return None if alone or self.unread else True


def consensus(question: str, replies: Mapping[str, str], *, grader: str | None = None) -> Consensus:
    """Read every reply and group what is alike. `grader`: how to read them, when it is known.

    >>> said = consensus("How many bolts?", {"a": "Four.", "b": "I see 4 bolts.", "c": "5"})
    >>> said.agree, [(group.answer, group.models) for group in said.groups]
    (False, [('4', ('a', 'b')), ('5', ('c',))])
    """
    case, answers = _read_all(question, replies)
    if grader is not None:
        case = field_case(grader, "", {}, question)
        answers = {name: text.strip() for name, text in replies.items()}
    groups: dict[str, list[str]] = {}
    for model, answer in answers.items():
        if answer and case:
            for known in groups:
                wanted = replace(case, expected=known)
                if grade(wanted, answer).passed or grade(wanted, replies[model]).passed:
                    answer = known
                    break
            groups.setdefault(answer, []).append(model)
    largest_first = sorted(groups.items(), key=lambda it: -len(it[1]))
    return Consensus(
        grader=case.grader if case else None,
        groups=tuple(Group(answer, tuple(models)) for answer, models in largest_first),
        unread=tuple(model for model, answer in answers.items() if not answer),
    )


def sentence_on(consensus: Consensus) -> str:
    """Whether they say the same, in a sentence."""
    if consensus.grader is None:
        return "The replies are free text: whether they agree is for you to read."

    def named(models: Iterable[str]) -> str:
        return ", ".join(one_line(it, 60) for it in models)

    groups = "; ".join(f"{one_line(it.answer, 60)} ({named(it.models)})" for it in consensus.groups)
    unread = named(consensus.unread)
    rest = f" No such answer could be read from {unread}." if unread else ""
    if consensus.agree:
        return f"They agree: {one_line(consensus.groups[0].answer, 200)}"
    if consensus.agree is False:
        return f"They differ: {groups}.{rest}"
    return f"Whether they agree cannot be told: {groups or 'nothing could be read'}.{rest}"


def _read_all(
    question: str, replies: Mapping[str, str]
) -> tuple[Case | None, dict[str, str | None]]:
    """The first kind of answer in which every reply can be read, or that suits most.

    What the question's form asks for stands first, and wins with half of the replies.
    """
    asked_for = [it for asks, it in _PROTOTYPES.items() if re.search(asks, question, re.IGNORECASE)]
    best: tuple[Case | None, dict[str, str | None]] = (None, dict.fromkeys(replies))
    most = 0
    for case in _candidates(question, asked_for, replies.values()):
        answers = {name: _read(case, text) for name, text in replies.items()}
        count = sum(it is not None for it in answers.values())
        if count > most:
            best, most = (case, answers), count
        if most == len(replies) or (case.expected in asked_for and 2 * most >= len(replies)):
            break
    return best


def _candidates(question: str, asked_for: list[str], texts: Iterable[str]) -> Iterator[Case]:
    """Cases with an answer of the kind that the question, a short reply, or an option suggests."""
    bare = {text.strip().strip(_MARKUP) for text in texts}
    short = (it for it in bare if len(it) <= _BARE_CHARS and 0 < len(it.split()) <= _BARE_WORDS)
    options = re.findall(r"\bor (?:an? |the )?(\w+)", question)
    for expected in (*asked_for, *sorted(short, key=lambda it: (len(it), it)), *options):
        grader, settings = infer(question, expected)
        case = field_case(grader, expected, settings, question)
        if not problems(case):
            yield case


def _read(case: Case, text: str) -> str | None:
    """The answer in a reply, spelled so that it can be expected of others.

    >>> _read(field_case("integer", "1", {}, "How many?"), "There are four.")
    '4'
    """
    if case.grader == "yes_no":
        both = (replace(case, expected=word) for word in ("yes", "no"))
        return next((str(it.expected) for it in both if grade(it, text).passed), None)
    verdict = grade(case, text)
    if verdict.passed:
        return str(case.expected)
    answer = verdict.answer or ""
    as_number = [f"{it.value.number}" for it in numbers(answer)]
    first = as_number if case.grader == "integer" else []
    for spelling in (*first, answer, answer.strip(_MARKUP), *as_number, *_WORDLESS):
        expecting = replace(case, expected=spelling)
        if answer and spelling and not problems(expecting) and grade(expecting, text).passed:
            return spelling
    return None
