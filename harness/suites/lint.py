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
from harness.graders.choices import lettered
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
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBERS = ("three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS_ASKED = re.compile(rf"\b(\d+|{'|'.join(_NUMBERS)})[ -]digits?\b", re.IGNORECASE)
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_SPOILT = re.compile(rf"\d(?:[.,]\d+)?E\+\d+|\d{{1,2}}-{_MONTH}|{_MONTH}-\d{{2}}")
"""What spreadsheets make of long codes, and of ranges such as 3-5."""
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
    """The first thousand problems, and all remarks."""
    counts: Counter[Level]
    """How many there are of each level."""
    policies: tuple[Policy, ...]

    @property
    def sound(self) -> bool:
        return not self.counts[Level.PROBLEM]


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
    counts = Counter(it.level for it in findings)
    counts[Level.PROBLEM] += found.count - len(found.problems)
    return Report(
        suite=suite,
        pictures=len(set(sha256.values())),
        findings=tuple(findings),
        counts=counts,
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
            for it in cases[start : start + _PER_SHEET]:
                answer = f"= {answer_of(it)}  [{it.grader}]"
                lines = [shown(it.id), *it.question.splitlines(), answer]
                captions.append((suite.pictures(it)[0], lines))
            path = folder / f"{slug(category) or 'other'}{part}.png"
            write_whole(path, contact_sheet(f"{suite.name}: {category}{part}", captions))
            written.append(path)
    return written


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
    for case in cases:
        answer, asked = answer_of(case), _DIGITS_ASKED.search(case.question)
        digits = asked[1].lower() if asked else "0"
        wanted = _NUMBERS.index(digits) + 3 if digits in _NUMBERS else int(digits[:3])
        if _SPOILT.fullmatch(answer):
            what = "looks like a text that a spreadsheet took for a number or a date"
            found.warning(case.id, f"{answer!r} {what}")
        elif answer.isdecimal() and len(answer) < wanted:
            what = "has fewer digits than asked for: did a spreadsheet eat leading zeros?"
            found.warning(case.id, f"{answer!r} {what}")


_CONSTANTS: Mapping[str, tuple[str, Callable[[Case], str]]] = {
    "constant": ("one answer to all", lambda _: "all"),
    "category": ("the commonest of each category", lambda case: case.category),
    "type": ("the commonest of each answer type", lambda case: _TYPES.get(case.grader, "text")),
}
"""Policies that always give the best single answer of a case's group."""


def policies(cases: Sequence[Case]) -> tuple[Policy, ...]:
    """What six ways to answer without looking would score."""
    found, graded = list[tuple[str, str, dict[str, str], list[float]]](), len(cases) <= _MAX_GRADED
    for name, (says, group) in _CONSTANTS.items():
        groups = defaultdict[str, list[Case]](list)
        for case in cases:
            groups[group(case)].append(case)
        answers = {key: _best(members, graded) for key, members in groups.items()}
        shares = [float(_is_right(case, answers[group(case)], graded)) for case in cases]
        found.append((name, says, answers, shares))
    named = [(case, options_named(case)) for case in cases]
    for name, at in (("first", 0), ("last", -1)):
        shares = [float(bool(it) and _is_right(case, it[at], graded)) for case, it in named]
        found.append((name, f"the {name} option named", {}, shares))
    shares = [1 / len(options) if options else 0.0 for _, options in named]
    found.append(("guess", "a guess among the options named", {}, shares))
    return tuple(_policy(*it, cases) for it in found if cases)


def _policy(
    name: str, says: str, answers: dict[str, str], shares: Sequence[float], cases: Sequence[Case]
) -> Policy:
    """`shares` are what it scores on each of the cases."""
    own = defaultdict[str, list[float]](list)
    for case, share in zip(cases, shares, strict=True):
        own[case.category].append(share)
    categories = {category: sum(it) / len(it) for category, it in own.items()}
    overall = sum(shares) / len(cases)
    return Policy(name=name, says=says, answers=answers, overall=overall, categories=categories)


def _is_right(case: Case, answer: str, graded: bool) -> bool:
    same = answer_of(case).casefold() == answer.casefold()
    return same or (graded and graders.grade(case, answer).passed)


def _best(members: Sequence[Case], graded: bool) -> str:
    """The answer that is right for the most of them."""
    answers = Counter(map(answer_of, members)).most_common(_MAX_CANDIDATES)
    if not graded:
        return answers[0][0]
    score = {it: sum(_is_right(case, it, graded) for case in members) for it, _ in answers}
    return max(score, key=score.__getitem__)


def options_named(case: Case) -> list[str]:
    """The answers among which the question lets choose, in the order in which it names them."""
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
    sizes = Counter(case.category for case in cases)
    over = [it for it in scores if it.overall > MAX_OVERALL]
    if len(cases) < _MANY:
        groups = {name: len(set(map(group, cases))) for name, (_, group) in _CONSTANTS.items()}
        for policy in sorted(over, key=lambda it: -it.overall):
            more = max(0.0, policy.overall * len(cases) - groups.get(policy.name, 0))
            if wilson_interval(more, len(cases)).low > MAX_OVERALL:
                yield f"{policy.says}: {_percent(policy.overall)}, over {_percent(MAX_OVERALL)}"
                return
        return
    for policy in over:
        yield f"{policy.says}: {_percent(policy.overall)}, over {_percent(MAX_OVERALL)}"
    for policy in scores if len(sizes) > 1 else ():
        high = {
            name: share
            for name, share in policy.categories.items()
            if sizes[name] >= _FEW and share > MAX_CATEGORY
        }
        if high:
            where = max(high, key=high.__getitem__)
            more_too = f", and {len(high) - 1} more categories" if len(high) > 1 else ""
            what = f"{_percent(high[where])} in {where}{more_too}, over {_percent(MAX_CATEGORY)}"
            yield f"{policy.says}: {what}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
