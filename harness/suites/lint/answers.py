"""What is wrong with answers: asked twice, contradicted, spoilt by a spreadsheet, unrecognised."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness import graders
from harness.records import Case
from harness.suites.findings import Finding, Level

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MAX_WORDED = 5000
"""Cases whose wordings are tried: ten gradings each."""
_NUMBERS = {
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_DIGITS_ASKED = re.compile(rf"\b(\d+|{'|'.join(_NUMBERS)})[ -]digits?\b", re.IGNORECASE)
_FLOAT_OF_A_CODE = re.compile(r"\d(?:[.,]\d+)?E\+\d+")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE_OF_A_RANGE = re.compile(rf"\d{{1,2}}-{_MONTH}|{_MONTH}-\d{{2}}")
_CODE_DIGITS = 4
"""Numbers this long that all have one length are codes, not counts."""

WORDINGS = (
    "{answer}",
    "{answer}.",
    "**{answer}**",
    "`{answer}`",
    "Answer: {answer}",
    "The answer is {answer}.",
    "The correct answer is **{answer}**.",
    "Final answer: {answer}",
    "I looked at the picture with care.\n\nAnswer: {answer}",
    "Based on the image, the answer is {answer}.",
)


BLOCKS = (
    "{answer}",
    "{answer}\n",
    "```\n{answer}\n```",
    "Answer:\n{answer}",
    "**Answer:**\n\n{answer}",
    "The answer is:\n{answer}",
    "Final answer:\n{answer}",
    "Here it is:\n\n{answer}",
    "Sure, here is what I see:\n\n{answer}",
    "Based on the image:\n\n{answer}",
)
"""For an answer of several lines."""


def answer_of(case: Case) -> str:
    """The expected answer as one would say it; for a point, the middle of the box it must hit."""
    if not isinstance(case.expected, str):
        return ", ".join(case.expected)
    if case.grader != "point":
        return case.expected
    left, top, right, bottom = (float(number) for number in _NUMBER.findall(case.expected))
    if case.options.get("format") == "xywh":
        right, bottom = left + right, top + bottom
    return f"{(left + right) / 2:g}, {(top + bottom) / 2:g}"


def repeats(cases: Sequence[Case], picture_sha256: Mapping[str, str]) -> Iterator[Finding]:
    """Questions put twice to one picture, by its bytes; with two answers they contradict."""
    seen: dict[tuple[tuple[str, ...], str], Case] = {}
    for case in cases:
        asked = " ".join(case.question.casefold().split())
        pictures = tuple(picture_sha256[image] for image in case.pictures)
        first = seen.setdefault((pictures, asked), case)
        if first is case:
            continue
        if answer_of(first) == answer_of(case):
            said = f"asks what {first.id} asks of the same picture"
            yield Finding(level=Level.WARNING, where=case.id, what=said)
        else:
            said = f"contradicts {first.id}: {answer_of(case)!r} here, {answer_of(first)!r} there"
            yield Finding(level=Level.PROBLEM, where=case.id, what=said)


def wordings(cases: Sequence[Case]) -> Iterator[Finding]:
    """Cases whose grader does not know the right answer in some natural wording."""
    for case in cases[:_MAX_WORDED]:
        missed = list(unrecognised(case))
        if missed:
            said = f"its grader does not pass {missed[0]!r} ({len(missed)} of 10 wordings)"
            yield Finding(level=Level.WARNING, where=case.id, what=said)


def spoilt(cases: Sequence[Case]) -> Iterator[Finding]:
    """Answers that a spreadsheet seems to have turned into numbers or dates."""
    usual = _usual_lengths(cases)
    for case in cases:
        answer = answer_of(case)
        if _FLOAT_OF_A_CODE.fullmatch(answer):
            what = "looks like a long code that a spreadsheet rounded"
        elif _DATE_OF_A_RANGE.fullmatch(answer):
            what = "looks like a text that a spreadsheet took for a date"
        elif answer.isdecimal() and len(answer) < _digits_wanted(case, usual):
            what = "has fewer digits than asked for: did a spreadsheet eat leading zeros?"
        else:
            continue
        yield Finding(level=Level.WARNING, where=case.id, what=f"{answer!r} {what}")


def _digits_wanted(case: Case, usual: Mapping[str, int]) -> int:
    """How many digits the answer must have; 0 when any number of them will do."""
    asked = _DIGITS_ASKED.search(case.question)
    if asked is None:
        return usual.get(case.question, 0)
    said = asked[1].lower()
    return _NUMBERS.get(said) or int(said[:3])


def _usual_lengths(cases: Sequence[Case]) -> dict[str, int]:
    """Question: the one length that most of its answers have, where they are codes of digits."""
    answers: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        answers[case.question].append(answer_of(case))
    usual = {}
    for question, given in answers.items():
        length, times = Counter(map(len, given)).most_common(1)[0]
        digits = all(answer.isdecimal() for answer in given)
        if digits and length >= _CODE_DIGITS and 2 * times > len(given) > 2:
            usual[question] = length
    return usual


def unrecognised(case: Case) -> Iterator[str]:
    """The wordings of the right answer that the case's grader does not pass."""
    if case.options.get("coordinates"):  # the answer is in pixels, the reply in that convention
        return
    answer = answer_of(case)
    for wording in BLOCKS if "\n" in answer else WORDINGS:
        said = wording.format(answer=answer)
        if not graders.grade(case, said).passed:
            yield said
