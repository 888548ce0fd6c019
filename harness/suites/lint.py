"""Looks a suite over before anybody is asked: what is wrong with it, and what guessing scores."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness import graders
from harness.errors import SuiteError
from harness.graders.question import lettered
from harness.images import header, read_regular, shown, split_page
from harness.images.drawn import contact_sheet
from harness.records import Case
from harness.stats import wilson_interval
from harness.suites import UNCATEGORIZED, Finding, Findings, Level, Suite, read, slug
from harness.suites.pictures import write_whole

MAX_OVERALL = 0.20
MAX_CATEGORY = 0.34
"""Of the prompts that a policy may score without looking."""
_FEW, _MANY = 5, 30
"""Prompts below which a category is not judged, and from which shares are taken as they are."""
_MAX_CANDIDATES = 100
"""Answers tried as a constant, the commonest first; a rarer one can hardly be the best."""
_MAX_GRADED = 1000
"""Beyond this many cases an answer is right only when it is the expected one, letter for letter:
grading 100 candidates against each of 100,000 cases would take the better part of an hour."""
_PER_SHEET = 24
_CODE_DIGITS = 4
"""Numbers this long that all have one length are codes, not counts."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBERS = ("three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS_ASKED = re.compile(rf"\b(\d+|{'|'.join(_NUMBERS)})[ -]digits?\b", re.IGNORECASE)
_FLOAT_OF_A_CODE = re.compile(r"\d(?:[.,]\d+)?E\+\d+")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE_OF_A_RANGE = re.compile(rf"\d{{1,2}}-{_MONTH}|{_MONTH}-\d{{2}}")
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


class Report(Struct, frozen=True, kw_only=True):
    """All that is known of a suite without asking a model."""

    suite: Suite
    pictures: int
    """Distinct ones, by their bytes."""
    findings: tuple[Finding, ...]
    unlisted: int
    """Problems beyond the first thousand, which `findings` does not hold."""
    policies: tuple[Policy, ...]

    def count(self, level: Level) -> int:
        listed = sum(finding.level is level for finding in self.findings)
        return listed + (self.unlisted if level is Level.PROBLEM else 0)

    @property
    def sound(self) -> bool:
        return self.count(Level.PROBLEM) == 0


def lint(path: Path, *, images: Path | None = None, strict: bool = False) -> Report:
    """Look the suite at `path` over; where it is `strict`, warnings are problems.

    Raises: SuiteError when there is no suite at all.
    """
    suite, found = read(path, images=images)
    if suite.categories == (UNCATEGORIZED,):
        found.note("columns", "none says the category")
    sha256 = _look_at_pictures(suite, found)
    _find_repeats(suite.cases, sha256, found)
    _find_spoilt(suite.cases, found)
    scores = policies(suite.cases)
    for what in _guessable(scores, suite.cases):
        found.warning("guessable", what)
    findings = [*found.problems, *found.remarks]
    if strict:
        worse = {Level.WARNING: Level.PROBLEM}
        findings = [replace(it, level=worse.get(it.level, it.level)) for it in findings]
    return Report(
        suite=suite,
        pictures=len(set(sha256.values())),
        findings=tuple(findings),
        unlisted=found.count - len(found.problems),
        policies=scores,
    )


def write_sheets(suite: Suite, folder: Path) -> list[Path]:
    """A PNG per category, several for a large one; returns their paths.

    Raises: SuiteError when a picture cannot be read, or the folder not be written.
    """
    written = []
    for category in suite.categories:
        cases = [case for case in suite.cases if case.category == category]
        for start in range(0, len(cases), _PER_SHEET):
            part = f"-{start // _PER_SHEET + 1}" if len(cases) > _PER_SHEET else ""
            captions = []
            for case in cases[start : start + _PER_SHEET]:
                answer = f"= {answer_of(case)}  [{case.grader}]"
                lines = [shown(case.id), *case.question.splitlines(), answer]
                captions.append((suite.pictures(case)[0], lines))
            path = folder / f"{slug(category) or 'other'}{part}.png"
            write_whole(path, contact_sheet(f"{suite.name}: {category}{part}", captions))
            written.append(path)
    return written


# --- pictures and answers -------------------------------------------------------------------


def _look_at_pictures(suite: Suite, found: Findings) -> Mapping[str, str]:
    """Decode each picture once; say which are damaged, alike, or not sent as they are. Their
    names, each with the sha256 of its bytes."""
    paths: dict[str, Path] = {}
    for case in suite.cases:
        paths.update(zip(case.pictures, suite.pictures(case), strict=True))
    quirks, sha256 = Counter[str](), dict[str, str]()
    limit = suite.side_px()
    for image, path in paths.items():
        file, page = split_page(str(path))
        data = read_regular(Path(file))
        sha256[image] = hashlib.sha256(data).hexdigest()
        try:
            head = header(data, shown(path), page=page, whole=True)
        except SuiteError as error:
            found.error(shown(image), error)
            continue
        quirks.update(head.quirks)
        if 0 < limit < max(head.width_px, head.height_px):
            quirks[f"longer than {limit} px"] += 1
    for quirk, count in quirks.most_common():
        found.note("pictures", f"{count} will be sent as PNG, made from: {quirk}")
    if copies := len(sha256) - len(set(sha256.values())):
        found.note("pictures", f"{copies} are copies of others under another name")
    return sha256


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


def _find_repeats(cases: Sequence[Case], sha256: Mapping[str, str], found: Findings) -> None:
    """Questions put twice to one picture, by its bytes; with two answers they contradict."""
    seen: dict[tuple[str, ...], Case] = {}
    for case in cases:
        asked = " ".join(case.question.casefold().split())
        first = seen.setdefault((asked, *(sha256[image] for image in case.pictures)), case)
        one, other = answer_of(first), answer_of(case)
        if one != other:
            found.problem(case.id, f"contradicts {first.id}: {other!r} here, {one!r} there")
        elif first is not case:
            found.warning(case.id, f"asks what {first.id} asks of the same picture")


def _find_spoilt(cases: Sequence[Case], found: Findings) -> None:
    """Answers that a spreadsheet seems to have turned into numbers or dates."""
    lengths = defaultdict[str, Counter[int]](Counter)
    for case in cases:
        answer = answer_of(case)
        lengths[case.question][len(answer) if answer.isdecimal() else 0] += 1
    for case in cases:
        answer, what = answer_of(case), ""
        if _FLOAT_OF_A_CODE.fullmatch(answer):
            what = "looks like a long code that a spreadsheet rounded"
        elif _DATE_OF_A_RANGE.fullmatch(answer):
            what = "looks like a text that a spreadsheet took for a date"
        elif answer.isdecimal() and len(answer) < _digits(case.question, lengths[case.question]):
            what = "has fewer digits than asked for: did a spreadsheet eat leading zeros?"
        if what:
            found.warning(case.id, f"{answer!r} {what}")


def _digits(question: str, lengths: Counter[int]) -> int:
    """How many an answer should have: as the question says, or as most answers to it have."""
    if asked := _DIGITS_ASKED.search(question):
        said = asked[1].lower()
        return _NUMBERS.index(said) + 3 if said in _NUMBERS else int(said[:3])
    ((usual, times),) = lengths.most_common(1)
    is_code = usual >= _CODE_DIGITS and 2 * times > lengths.total() > 2 and 0 not in lengths
    return usual if is_code else 0


# --- guessing -------------------------------------------------------------------------------

_CONSTANTS: Mapping[str, tuple[str, Callable[[Case], str]]] = {
    "constant": ("one answer to all", lambda _: "all"),
    "category": ("the commonest of each category", lambda case: case.category),
    "type": ("the commonest of each answer type", lambda case: _TYPES.get(case.grader, "text")),
}
"""Policies that always give the best single answer of a case's group."""


def policies(cases: Sequence[Case]) -> tuple[Policy, ...]:
    """What six ways to answer without looking would score."""
    if not cases:
        return ()
    found, graded = [], len(cases) <= _MAX_GRADED
    for name, (says, group) in _CONSTANTS.items():
        groups = defaultdict[str, list[Case]](list)
        for case in cases:
            groups[group(case)].append(case)
        answers = {key: _best(members, graded) for key, members in groups.items()}
        shares = [float(_is_right(case, answers[group(case)], graded)) for case in cases]
        found.append(_policy(name, says, cases, shares, answers))
    named = [(case, options_named(case)) for case in cases]
    for name, at in (("first", 0), ("last", -1)):
        shares = [float(bool(it) and _is_right(case, it[at], graded)) for case, it in named]
        found.append(_policy(name, f"the {name} option named", cases, shares))
    shares = [1 / len(options) if options else 0.0 for _, options in named]
    return (*found, _policy("guess", "a guess among the options named", cases, shares))


def _is_right(case: Case, answer: str, graded: bool) -> bool:
    same = answer_of(case).casefold() == answer.casefold()
    return same or (graded and graders.grade(case, answer).passed)


def _best(members: Sequence[Case], graded: bool) -> str:
    """The answer that is right for the most of them."""
    answers = Counter(map(answer_of, members)).most_common(_MAX_CANDIDATES)
    same = Counter(answer_of(case).casefold() for case in members)

    def score(answer: str) -> int:
        if graded:
            return sum(_is_right(case, answer, graded) for case in members)
        return same[answer.casefold()]

    return max((answer for answer, _ in answers), key=score)


def _policy(
    name: str,
    says: str,
    cases: Sequence[Case],
    shares: Sequence[float],
    answers: dict[str, str] | None = None,
) -> Policy:
    """`shares` are what it scores on each of the cases."""
    own = defaultdict[str, list[float]](list)
    for case, share in zip(cases, shares, strict=True):
        own[case.category].append(share)
    return Policy(
        name=name,
        says=says,
        answers=answers or {},
        overall=sum(shares) / len(cases),
        categories={category: sum(it) / len(it) for category, it in own.items()},
    )


def options_named(case: Case) -> list[str]:
    """The answers among which the question lets choose, in the order in which it names them.

    >>> def case(question, grader, **options):
    ...     return Case(id="", category="", question=question, image="", expected="no",
    ...                 grader=grader, options=options)
    >>> options_named(case("Is it open? Answer no or yes.", "yes_no"))
    ['no', 'yes']
    >>> options_named(case("Is it above or below the belt?", "choice", choices=["below", "above"]))
    ['above', 'below']
    """
    asked = case.question.casefold()
    options = ["yes", "no"] if case.grader == "yes_no" else []
    if case.grader == "choice":
        options = [str(choice) for choice in case.options.get("choices", ())]
        if not options:
            return list(lettered(case.question))
    # Where the question names them last; those it does not name keep the end.
    return sorted(options, key=lambda option: asked.rfind(option.casefold()) % (len(asked) + 1))


def _guessable(scores: Sequence[Policy], cases: Sequence[Case]) -> Iterator[str]:
    """Policies that score more without looking than a suite should allow.

    A few prompts cannot be spread widely, and some of them are guessed by luck: under 30 only the
    best policy is named, and only when more is guessed than the commonest answer of each group,
    and luck, explain.
    """
    if len(cases) < _MANY:
        groups = {name: len(set(map(group, cases))) for name, (_, group) in _CONSTANTS.items()}
        by_luck = ((it, it.overall * len(cases) - groups.get(it.name, 0)) for it in scores)
        over = [
            policy
            for policy, more in by_luck
            if wilson_interval(max(0.0, more), len(cases)).low > MAX_OVERALL
        ]
        for policy in sorted(over, key=lambda policy: -policy.overall)[:1]:
            yield _guessed(policy, _percent(policy.overall), MAX_OVERALL)
        return
    sizes = Counter(case.category for case in cases)
    for policy in scores:
        if policy.overall > MAX_OVERALL:
            yield _guessed(policy, _percent(policy.overall), MAX_OVERALL)
        shares = {name: share for name, share in policy.categories.items() if sizes[name] >= _FEW}
        high = [name for name, share in shares.items() if share > MAX_CATEGORY]
        if high and len(sizes) > 1:
            where = max(high, key=lambda name: shares[name])
            more = f", and {len(high) - 1} more categories" if len(high) > 1 else ""
            yield _guessed(policy, f"{_percent(shares[where])} in {where}{more}", MAX_CATEGORY)


def _guessed(policy: Policy, share: str, most: float) -> str:
    return f"{policy.says}: {share}, over {_percent(most)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
