"""Looks a suite over before anybody is asked: what is wrong with it, and what guessing scores."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from harness import graders
from harness.errors import SuiteError
from harness.graders.question import lettered
from harness.images import header
from harness.images.drawn import contact_sheet
from harness.images.files import read_regular, shown, split_page
from harness.records import Case
from harness.stats import wilson_interval
from harness.suites import read
from harness.suites.rows import UNCATEGORIZED
from harness.suites.suite import Finding, Level, Suite, finding, slug, write_whole

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
    cases, sha256 = suite.cases, dict[str, str]()
    scores = policies(cases)
    findings = [*found.problems, *found.remarks]
    if suite.categories == (UNCATEGORIZED,):
        findings.append(finding(Level.NOTE, "columns", "none says the category"))
    findings += _of_pictures(suite, sha256)
    findings += [*_repeats(cases, sha256), *_spoilt(cases)]
    findings += _guessable(scores, cases)
    if strict:
        worse = {Level.WARNING: Level.PROBLEM}
        findings = [structs.replace(it, level=worse.get(it.level, it.level)) for it in findings]
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


def _of_pictures(suite: Suite, sha256: dict[str, str]) -> Iterator[Finding]:
    """Decode each picture once; say which are damaged, alike, or not sent as they are."""
    paths: dict[str, Path] = {}
    for case in suite.cases:
        paths.update(zip(case.pictures, suite.pictures(case), strict=True))
    quirks: Counter[str] = Counter()
    limit = suite.side_px()
    for image, path in paths.items():
        file, page = split_page(str(path))
        data = read_regular(Path(file))
        sha256[image] = hashlib.sha256(data).hexdigest()
        try:
            head = header(data, shown(path), page=page, whole=True)
        except SuiteError as error:
            yield finding(Level.PROBLEM, shown(image), error.problem, error.fix)
            continue
        quirks.update(head.quirks)
        if 0 < limit < max(head.width_px, head.height_px):
            quirks[f"longer than {limit} px"] += 1
    for quirk, count in quirks.most_common():
        what = f"{count} will be sent as PNG, made from: {quirk}"
        yield finding(Level.NOTE, "pictures", what)
    if copies := len(sha256) - len(set(sha256.values())):
        what = f"{copies} are copies of others under another name"
        yield finding(Level.NOTE, "pictures", what)


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


def _repeats(cases: Sequence[Case], sha256: Mapping[str, str]) -> Iterator[Finding]:
    """Questions put twice to one picture, by its bytes; with two answers they contradict."""
    seen: dict[tuple[str, ...], Case] = {}
    for case in cases:
        asked = " ".join(case.question.casefold().split())
        first = seen.setdefault((asked, *(sha256[image] for image in case.pictures)), case)
        if first is case:
            continue
        one, other = answer_of(first), answer_of(case)
        if one == other:
            what = f"asks what {first.id} asks of the same picture"
            yield finding(Level.WARNING, case.id, what)
        else:
            what = f"contradicts {first.id}: {other!r} here, {one!r} there"
            yield finding(Level.PROBLEM, case.id, what)


def _spoilt(cases: Sequence[Case]) -> Iterator[Finding]:
    """Answers that a spreadsheet seems to have turned into numbers or dates."""
    lengths = defaultdict[str, Counter[int]](Counter)
    for case in cases:
        digits = answer_of(case).isdecimal()
        lengths[case.question][len(answer_of(case)) if digits else 0] += 1
    for case in cases:
        answer = answer_of(case)
        (usual, times), all_ = lengths[case.question].most_common(1)[0], lengths[case.question]
        is_code = usual >= _CODE_DIGITS and 2 * times > all_.total() > 2 and 0 not in all_
        wanted = usual if is_code else 0
        if asked := _DIGITS_ASKED.search(case.question):
            said = asked[1].lower()
            wanted = _NUMBERS.index(said) + 3 if said in _NUMBERS else int(said[:3])
        if _FLOAT_OF_A_CODE.fullmatch(answer):
            what = "looks like a long code that a spreadsheet rounded"
        elif _DATE_OF_A_RANGE.fullmatch(answer):
            what = "looks like a text that a spreadsheet took for a date"
        elif answer.isdecimal() and len(answer) < wanted:
            what = "has fewer digits than asked for: did a spreadsheet eat leading zeros?"
        else:
            continue
        yield finding(Level.WARNING, case.id, f"{answer!r} {what}")


# --- guessing -------------------------------------------------------------------------------


def _type(case: Case) -> str:
    return _TYPES.get(case.grader, "text")


_CONSTANTS: Mapping[str, tuple[str, Callable[[Case], str]]] = {
    "constant": ("one answer to all", lambda _: "all"),
    "category": ("the commonest of each category", lambda case: case.category),
    "type": ("the commonest of each answer type", _type),
}
"""Policies that always give the best single answer of a case's group."""


def policies(cases: Sequence[Case]) -> tuple[Policy, ...]:
    """What six ways to answer without looking would score."""
    if not cases:
        return ()

    def right(case: Case, answer: str) -> bool:
        if answer_of(case).casefold() == answer.casefold():
            return True
        return len(cases) <= _MAX_GRADED and graders.grade(case, answer).passed

    def best(members: Sequence[Case]) -> str:
        answers = Counter(map(answer_of, members)).most_common(_MAX_CANDIDATES)
        if len(cases) > _MAX_GRADED:
            same = Counter(answer_of(case).casefold() for case in members)
            return max((it for it, _ in answers), key=lambda it: same[it.casefold()])
        return max((it for it, _ in answers), key=lambda it: sum(right(c, it) for c in members))

    found = []
    for name, (says, group) in _CONSTANTS.items():
        groups = defaultdict[str, list[Case]](list)
        for case in cases:
            groups[group(case)].append(case)
        answers = {key: best(members) for key, members in groups.items()}
        shares = [float(right(case, answers[group(case)])) for case in cases]
        found.append(_policy(name, says, cases, shares, answers))
    named = [options_named(case) for case in cases]
    for name, says, at in (("first", "the first", slice(1)), ("last", "the last", slice(-1, None))):
        shares = [
            float(any(right(case, option) for option in options[at]))
            for case, options in zip(cases, named, strict=True)
        ]
        found.append(_policy(name, f"{says} option named", cases, shares))
    shares = [1 / len(options) if options else 0.0 for options in named]
    return (*found, _policy("guess", "a guess among the options named", cases, shares))


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
    >>> options_named(case("How many?", "integer"))
    []
    """
    asked = case.question.casefold()
    options = ["yes", "no"] if case.grader == "yes_no" else []
    if case.grader == "choice":
        options = [str(choice) for choice in case.options.get("choices", ())]
        if not options:
            return list(lettered(case.question))
    # Where the question names them last; those it does not name keep the end.
    return sorted(options, key=lambda option: asked.rfind(option.casefold()) % (len(asked) + 1))


def _guessable(scores: Sequence[Policy], cases: Sequence[Case]) -> Iterator[Finding]:
    """Policies that score more without looking than a suite should allow.

    A few prompts cannot be spread widely, and some of them are guessed by luck: under 30 only the
    best policy is named, and only when more is guessed than the commonest answer of each group,
    and luck, explain.
    """
    if len(cases) < _MANY:
        groups = {"constant": 1, "category": len({case.category for case in cases})}
        groups["type"] = len(set(map(_type, cases)))
        over = []
        for policy in scores:
            passed = policy.overall * len(cases) - groups.get(policy.name, 0)
            if wilson_interval(max(0.0, passed), len(cases)).low > MAX_OVERALL:
                over.append(policy)
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


def _guessed(policy: Policy, share: str, most: float) -> Finding:
    what = f"{policy.says}: {share}, over {_percent(most)}"
    return Finding(level=Level.WARNING, where="guessable", what=what)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
