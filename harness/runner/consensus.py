"""Whether several replies to one question say the same, read as the graders would read them.

Nobody knows the right answer here. Each answer that can be read is taken for the expected one, and
the other replies are graded against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.graders import grade, infer, problems
from harness.graders.numbers import numbers
from harness.records import Case
from harness.text import one_line

_POLAR = re.compile(
    r"(?:^|[.?!:]\s+)(?:is|are|am|was|were|do|does|did|has|have|had|can|could|will|would|should)\b"
    r"(?!.*\bor\b)",
    re.IGNORECASE | re.DOTALL,
)
_PROTOTYPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bhow (?:many|much)\b|\bcount\b|\bnumber of\b", re.IGNORECASE), "1"),
    (re.compile(r"\bcolou?rs?\b", re.IGNORECASE), "red"),
    (_POLAR, "yes"),
)
"""What a question asks for -> an answer of that kind."""
_BARE_WORDS, _BARE_CHARS = 4, 60
"""A reply no longer than this is nothing but its answer."""
_WORDS_TRIED, _PHRASE_WORDS = 60, 3


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
    if grader is not None:
        whole = _case(question, "", grader, {})
        return _grouped(whole, replies, {name: text.strip() for name, text in replies.items()})
    case = _best_case(question, list(replies.values()))
    if case is None:
        return Consensus(grader=None, unread=tuple(replies))
    return _grouped(case, replies, {name: _read(case, text) for name, text in replies.items()})


def sentence_on(consensus: Consensus) -> str:
    """Whether they say the same, in a sentence."""
    if consensus.grader is None:
        return "The replies are free text: whether they agree is for you to read."
    groups = "; ".join(
        f"{one_line(it.answer, 60)} ({', '.join(one_line(name, 60) for name in it.models)})"
        for it in consensus.groups
    )
    unread = ", ".join(one_line(name, 60) for name in consensus.unread)
    rest = f" No such answer could be read from {unread}." if unread else ""
    if consensus.agree:
        return f"They agree: {one_line(consensus.groups[0].answer, 200)}"
    if consensus.agree is False:
        return f"They differ: {groups}.{rest}"
    return f"Whether they agree cannot be told: {groups or 'nothing could be read'}.{rest}"


def _case(question: str, expected: str, grader: str, options: dict[str, Any]) -> Case:
    return Case(
        id="asked",
        category="",
        question=question,
        image="",
        expected=expected,
        grader=grader,
        options=options,
    )


def _best_case(question: str, texts: list[str]) -> Case | None:
    """The first kind of answer in which every reply can be read, or that suits most.

    What the question's form asks for stands first, and wins with half of the replies.
    """
    best, most = None, 0
    asked_for = sum(bool(asks.search(question)) for asks, _ in _PROTOTYPES)
    for at, case in enumerate(_candidates(question, texts)):
        count = sum(_read(case, text) is not None for text in texts)
        if count > most:
            best, most = case, count
        if most == len(texts) or (at < asked_for and 2 * most >= len(texts)):
            break
    return best


def _candidates(question: str, texts: list[str]) -> Iterator[Case]:
    """Cases with an answer of the kind that the question, or a reply, suggests."""
    for expected in _suggestions(question, texts):
        grader, options = infer(question, expected)
        case = _case(question, expected, grader, options)
        if not problems(case):
            yield case


def _suggestions(question: str, texts: list[str]) -> Iterator[str]:
    yield from (example for asks, example in _PROTOTYPES if asks.search(question))
    bare = (text.strip().strip("*_`\"' .") for text in texts)
    yield from sorted(
        (it for it in bare if it and len(it) <= _BARE_CHARS and len(it.split()) <= _BARE_WORDS),
        key=len,
    )
    for text in texts:  # one of the options that the question names
        words = [word.strip("*_`\"'.,;:!?()") for word in text.split()[:_WORDS_TRIED]]
        for start in range(len(words)):
            for end in range(start + 1, min(start + _PHRASE_WORDS, len(words)) + 1):
                phrase = " ".join(words[start:end])
                if phrase and infer(question, phrase)[0] == "choice":
                    yield phrase


def _read(case: Case, text: str) -> str | None:
    """The answer in a reply, spelled so that it can be expected of others."""
    if case.grader == "yes_no":
        both = (replace(case, expected=word) for word in ("yes", "no"))
        return next((str(it.expected) for it in both if grade(it, text).passed), None)
    verdict = grade(case, text)
    if verdict.passed:
        return str(case.expected)
    return _spelled(case, verdict.answer, text) if verdict.answer else None


def _spelled(case: Case, answer: str, text: str) -> str | None:
    """The answer that was read in a form that the grader takes for an expected one.

    >>> _spelled(_case("How many?", "1", "integer", {}), "four", "There are four.")
    '4'
    """
    as_number = [f"{it.value}" for it in numbers(answer)]
    first = as_number if case.grader == "integer" else []
    for spelling in (*first, answer, answer.strip("*_`\"' ."), *as_number, *_WORDLESS):
        expecting = replace(case, expected=spelling)
        if spelling and not problems(expecting) and grade(expecting, text).passed:
            return spelling
    return None


def _grouped(
    case: Case, replies: Mapping[str, str], answers: Mapping[str, str | None]
) -> Consensus:
    groups: list[tuple[str, list[str]]] = []
    for model, answer in answers.items():
        if not answer:
            continue
        alike = (it for it in groups if _same(case, it[0], answer, replies[model]))
        if (group := next(alike, None)) is not None:
            group[1].append(model)
        else:
            groups.append((answer, [model]))
    groups.sort(key=lambda it: -len(it[1]))
    return Consensus(
        grader=case.grader,
        groups=tuple(Group(answer, tuple(models)) for answer, models in groups),
        unread=tuple(model for model, answer in answers.items() if not answer),
    )


def _same(case: Case, expected: str, answer: str, text: str) -> bool:
    wanted = replace(case, expected=expected)
    return grade(wanted, answer).passed or grade(wanted, text).passed
