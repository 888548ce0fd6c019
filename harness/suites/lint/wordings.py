"""Ten ways in which people and models word an answer; a grader must know its own in each."""

from __future__ import annotations

from collections.abc import Iterator

from harness import graders
from harness.records import Case
from harness.suites.lint.answers import answer_of

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


def unrecognised(case: Case) -> Iterator[str]:
    """The wordings of the right answer that the case's grader does not pass."""
    answer = answer_of(case)
    for wording in BLOCKS if "\n" in answer else WORDINGS:
        said = wording.format(answer=answer)
        if not graders.grade(case, said).passed:
            yield said
