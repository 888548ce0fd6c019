"""What one can score without looking: a suite on which that is much measures guessing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import Struct, structs

from harness import graders
from harness.graders.question import lettered
from harness.records import Case
from harness.stats import wilson_interval
from harness.suites.findings import Finding, Level
from harness.suites.lint.answers import answer_of

MAX_OVERALL = 0.20
MAX_CATEGORY = 0.34
_MAX_CANDIDATES = 100
"""Answers tried as a constant, the commonest first; a rarer one can hardly be the best."""
_MAX_GRADED = 1000
"""Beyond this many cases an answer is right only when it is the expected one, letter for letter:
grading 100 candidates against each of 100,000 cases would take the better part of an hour."""


_TYPES = {
    "yes_no": "yes or no",
    **dict.fromkeys(("integer", "decimal", "money"), "number"),
    **dict.fromkeys(("choice", "position"), "option"),
}
"""Grader: the type of answer it asks for; any other is a text."""


class Policy(Struct, frozen=True, kw_only=True):
    """A way to answer without looking, and what it would score."""

    name: str
    says: str
    """What it answers, in words."""
    answers: dict[str, str] = {}
    """Category or answer type: what is always answered there."""
    overall: float
    """0 to 1, like the categories."""
    categories: dict[str, float]


def policies(cases: Sequence[Case]) -> tuple[Policy, ...]:
    """The six that the suite's own limits speak of."""
    if not cases:
        return ()
    right = partial(_right, graded=len(cases) <= _MAX_GRADED)
    return (
        _constant("constant", "one answer to all", cases, lambda _: "all", right),
        _constant(
            "category", "the commonest of each category", cases, lambda case: case.category, right
        ),
        _constant("type", "the commonest of each answer type", cases, _type, right),
        _policy("first", "the first option named", cases, partial(_named, at=0, right=right)),
        _policy("last", "the last option named", cases, partial(_named, at=-1, right=right)),
        _policy("guess", "a guess among the options named", cases, _chance),
    )


_FEW, _MANY = 5, 30
"""Prompts below which a category is not judged, and from which shares are taken as they are."""

Right = Callable[[Case, str], bool]


def _right(case: Case, answer: str, *, graded: bool) -> bool:
    if answer_of(case).casefold() == answer.casefold():
        return True
    return graded and graders.grade(case, answer).passed


def _best(cases: Sequence[Case], right: Right) -> str:
    """The answer that is right most often when it is always given."""
    counted = Counter(answer_of(case) for case in cases).most_common(_MAX_CANDIDATES)
    return max(
        (answer for answer, _ in counted),
        key=lambda answer: sum(right(case, answer) for case in cases),
    )


def _constant(
    name: str, says: str, cases: Sequence[Case], group: Callable[[Case], str], right: Right
) -> Policy:
    """Always the best single answer of the case's group."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[group(case)].append(case)
    answers = {key: _best(members, right) for key, members in groups.items()}
    policy = _policy(name, says, cases, lambda case: right(case, answers[group(case)]))
    return structs.replace(policy, answers=answers)


def _type(case: Case) -> str:
    return _TYPES.get(case.grader, "text")


def _policy(name: str, says: str, cases: Sequence[Case], score: Callable[[Case], float]) -> Policy:
    scores: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        scores[case.category].append(score(case))
    return Policy(
        name=name,
        says=says,
        overall=sum(map(sum, scores.values())) / len(cases),
        categories={category: sum(own) / len(own) for category, own in scores.items()},
    )


def _named(case: Case, *, at: int, right: Right) -> bool:
    options = options_named(case)
    return bool(options) and right(case, options[at])


def _chance(case: Case) -> float:
    options = options_named(case)
    return 1 / len(options) if options else 0.0


def options_named(case: Case) -> list[str]:
    """The answers among which the question lets choose, in the order in which it names them.

    >>> def case(question, grader, **options):
    ...     return Case(id="", category="", question=question, image="", expected="no",
    ...                 grader=grader, options=options)
    >>> options_named(case("Is it open? Answer no or yes.", "yes_no"))
    ['no', 'yes']
    >>> options_named(case("Is it above or below the belt?", "choice", choices=["below", "above"]))
    ['above', 'below']
    >>> options_named(case("How many?", "integer"))
    []
    """
    if case.grader == "yes_no":
        return _in_order(["yes", "no"], case.question)
    if case.grader != "choice":
        return []
    choices = [str(choice) for choice in case.options.get("choices", ())]
    return _in_order(choices, case.question) if choices else list(lettered(case.question))


def _in_order(options: list[str], question: str) -> list[str]:
    """Sorted by where the question names them last; those it does not name keep the end."""
    asked = question.casefold()
    return sorted(options, key=lambda option: asked.rfind(option.casefold()) % (len(asked) + 1))


def guessable(policies: Sequence[Policy], cases: Sequence[Case]) -> Iterator[Finding]:
    """Policies that score more without looking than a suite should allow.

    A few prompts cannot be spread widely, and some of them are guessed by luck: under 30 only the
    best policy is named, and only when it is beyond both.
    """
    if len(cases) < _MANY:
        over = [policy for policy in policies if _beyond_smallness(policy, cases)]
        for policy in sorted(over, key=lambda policy: -policy.overall)[:1]:
            yield _guessed(policy, _percent(policy.overall), MAX_OVERALL)
        return
    sizes = Counter(case.category for case in cases)
    for policy in policies:
        if policy.overall > MAX_OVERALL:
            yield _guessed(policy, _percent(policy.overall), MAX_OVERALL)
        high = {
            name: share
            for name, share in policy.categories.items()
            if sizes[name] >= _FEW and share > MAX_CATEGORY
        }
        if high and len(sizes) > 1:
            where = max(high, key=lambda name: high[name])
            more = f", and {len(high) - 1} more categories" if len(high) > 1 else ""
            yield _guessed(policy, f"{_percent(high[where])} in {where}{more}", MAX_CATEGORY)


def _guessed(policy: Policy, share: str, most: float) -> Finding:
    what = f"{policy.says}: {share}, over {_percent(most)}"
    return Finding(level=Level.WARNING, where="guessable", what=what)


def _beyond_smallness(policy: Policy, cases: Sequence[Case]) -> bool:
    """Whether more is guessed than the commonest answer of each group, and luck, explain."""
    groups = {"constant": 1, "category": len({case.category for case in cases})}
    groups["type"] = len({_type(case) for case in cases})
    passed = policy.overall * len(cases) - groups.get(policy.name, 0)
    return wilson_interval(max(0.0, passed), len(cases)).low > MAX_OVERALL


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
