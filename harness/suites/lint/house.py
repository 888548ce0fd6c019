"""What our own suite promises of itself, whatever seed it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.images import shown
from harness.records import Case
from harness.suites.findings import Finding, Level
from harness.suites.lint.answers import answer_of
from harness.suites.lint.pictures import Looked, why_not_as_is
from harness.suites.lint.policies import MAX_CATEGORY, MAX_OVERALL, Policy
from harness.suites.suite import Suite

NAME = "evalrun-vision"
PROMPTS = {
    "Defect Detection": 15,
    "Document Understanding": 9,
    "Object Counting": 10,
    "Object Understanding": 14,
    "Spatial Understanding": 19,
}
MAX_YES_NO = 16
MAX_BYTES = 20_000_000
THIRD = (0.2, 0.45)
"""The least and the most of a category's prompts that are of one difficulty."""
_FEW = 5


def promises(suite: Suite, looked: Looked) -> Iterator[Finding]:
    """Where our suite is not as it is described."""
    for image, header in looked.headers.items():
        if why := why_not_as_is(header, suite):
            yield _problem(shown(image), f"is not canonical: {', '.join(why)}")
    if looked.size_bytes > MAX_BYTES:
        size = f"{looked.size_bytes / 10**6:.1f} MB"
        yield _problem("pictures", f"{size} together, and {MAX_BYTES // 10**6} MB are the most")
    counted = Counter(case.category for case in suite.cases)
    for category in sorted(PROMPTS.keys() | counted.keys()):
        if counted[category] != PROMPTS.get(category, 0):
            what = f"{counted[category]} instead of {PROMPTS.get(category, 0)} prompts"
            yield _problem(category, what)
    yield from _uneven(suite.cases)
    asked = [case for case in suite.cases if case.grader == "yes_no"]
    if len(asked) > MAX_YES_NO:
        yield _problem("yes or no", f"{len(asked)} questions, and {MAX_YES_NO} are the most")
    yield from _unbalanced(asked)


def guessable(policies: Sequence[Policy], cases: Sequence[Case]) -> Iterator[Finding]:
    """Policies that score more without looking than a suite should allow.

    A handful of prompts cannot be spread widely enough, and is not judged.
    """
    sizes = Counter(case.category for case in cases)
    judged = [category for category, prompts in sizes.items() if prompts >= _FEW]
    for policy in policies:
        if len(cases) >= _FEW and policy.overall > MAX_OVERALL:
            what = f"{policy.says}: {_percent(policy.overall)}, over {_percent(MAX_OVERALL)}"
            yield Finding(level=Level.WARNING, where="guessable", what=what)
        over = {name: policy.categories[name] for name in judged}
        over = {name: share for name, share in over.items() if share > MAX_CATEGORY}
        if over:
            where = max(over, key=lambda name: over[name])
            more = f", and {len(over) - 1} more categories" if len(over) > 1 else ""
            what = f"{policy.says}: {_percent(over[where])} in {where}{more}"
            what += f", over {_percent(MAX_CATEGORY)}"
            yield Finding(level=Level.WARNING, where="guessable", what=what)


def _uneven(cases: Sequence[Case]) -> Iterator[Finding]:
    counted = Counter((case.category, case.difficulty) for case in cases)
    for category, size in Counter(case.category for case in cases).items():
        for difficulty in ("easy", "medium", "hard"):
            count = counted[category, difficulty]
            if not THIRD[0] <= count / size <= THIRD[1]:
                yield _problem(category, f"{count} of {size} prompts are {difficulty}")


def _unbalanced(asked: Sequence[Case]) -> Iterator[Finding]:
    answers = Counter((case.category, answer_of(case).casefold()) for case in asked)
    for category in dict.fromkeys(case.category for case in asked):
        yes, no = answers[category, "yes"], answers[category, "no"]
        if yes != no:
            yield _problem(category, f"{yes} questions are answered yes, and {no} no")


def _problem(where: str, what: str) -> Finding:
    return Finding(level=Level.PROBLEM, where=where, what=what)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
