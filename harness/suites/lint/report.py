"""Everything that can be said of a suite without asking a model."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, field, structs

from harness.errors import SuiteError
from harness.images import Header, header
from harness.images.drawn import contact_sheet
from harness.images.files import read_regular, shown, split_page
from harness.records import Case
from harness.suites.findings import Finding, Level
from harness.suites.lint.answers import answer_of, repeats, spoilt, wordings
from harness.suites.lint.guessing import Policy, guessable, policies
from harness.suites.loading import read
from harness.suites.rows import UNCATEGORIZED
from harness.suites.suite import Suite, slug, write_whole

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
_PER_SHEET = 24


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
    """Look the suite at `path` over. In our own suite, and where it is `strict`, warnings are
    problems.

    Raises: SuiteError when there is no suite at all.
    """
    suite, found = read(path, images=images)
    looked = look(suite)
    scores = policies(suite.cases)
    ours = suite.name == NAME
    findings = [
        *found.problems,
        *found.remarks,
        *_uncategorized(suite),
        *looked.findings,
        *repeats(suite.cases, looked.sha256),
        *spoilt(suite.cases),
        *wordings(suite.cases),
        *guessable(scores, suite.cases),
        *(promises(suite, looked) if ours else ()),
    ]
    return Report(
        suite=suite,
        pictures=len(set(looked.sha256.values())),
        findings=tuple(stricter(findings) if strict or ours else findings),
        unlisted=found.count - len(found.problems),
        policies=scores,
    )


def _uncategorized(suite: Suite) -> Iterator[Finding]:
    if suite.categories == (UNCATEGORIZED,):
        yield _finding(Level.NOTE, "columns", "none says the category")


def stricter(findings: Sequence[Finding]) -> list[Finding]:
    """Warnings made problems."""
    return [
        structs.replace(it, level=Level.PROBLEM) if it.level is Level.WARNING else it
        for it in findings
    ]


class Looked(Struct, kw_only=True):
    """What the pictures were found to be, by the paths that cases name."""

    sha256: dict[str, str] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    """Of those that decode to their end."""
    size_bytes: int = 0
    """All of them together."""
    findings: list[Finding] = field(default_factory=list)


def look(suite: Suite) -> Looked:
    """Decode each picture once; say which are damaged, alike, or not sent as they are."""
    looked = Looked()
    paths: dict[str, Path] = {}
    for case in suite.cases:
        paths.update(zip(case.pictures, suite.pictures(case), strict=True))
    for image, path in paths.items():
        file, page = split_page(str(path))
        data = read_regular(Path(file))
        looked.sha256[image] = hashlib.sha256(data).hexdigest()
        looked.size_bytes += len(data)
        try:
            looked.headers[image] = header(data, shown(path), page=page, whole=True)
        except SuiteError as error:
            looked.findings.append(_finding(Level.PROBLEM, shown(image), error.problem))
    quirks = Counter(
        it for header in looked.headers.values() for it in why_not_as_is(header, suite)
    )
    for quirk, count in quirks.most_common():
        what = f"{count} will be sent as PNG, made from: {quirk}"
        looked.findings.append(_finding(Level.NOTE, "pictures", what))
    copies = len(looked.sha256) - len(set(looked.sha256.values()))
    if copies:
        what = f"{copies} are copies of others under another name"
        looked.findings.append(_finding(Level.NOTE, "pictures", what))
    return looked


def why_not_as_is(header: Header, suite: Suite) -> list[str]:
    """Why a picture is not sent as its own bytes, at the suite's limit on its longest side."""
    limit = suite.side_px()
    too_long = 0 < limit < max(header.width_px, header.height_px)
    return [*header.quirks, *([f"longer than {limit} px"] if too_long else [])]


def _finding(level: Level, where: str, what: str) -> Finding:
    return Finding(level=level, where=where, what=what)


def promises(suite: Suite, looked: Looked) -> Iterator[Finding]:
    """Where our suite is not as it is described."""
    for image, head in looked.headers.items():
        if why := why_not_as_is(head, suite):
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


def write_sheets(suite: Suite, folder: Path) -> list[Path]:
    """A PNG per category, several for a large one; returns their paths.

    Raises: SuiteError when a picture cannot be read, or the folder not be written.
    """
    written = []
    for category in suite.categories:
        cases = [case for case in suite.cases if case.category == category]
        for start in range(0, len(cases), _PER_SHEET):
            part = f"-{start // _PER_SHEET + 1}" if len(cases) > _PER_SHEET else ""
            path = folder / f"{slug(category) or 'other'}{part}.png"
            captions = [_caption(suite, case) for case in cases[start : start + _PER_SHEET]]
            write_whole(path, contact_sheet(f"{suite.name}: {category}{part}", captions))
            written.append(path)
    return written


def _caption(suite: Suite, case: Case) -> tuple[Path, list[str]]:
    answer = f"= {answer_of(case)}  [{case.grader}]"
    return suite.pictures(case)[0], [shown(case.id), *case.question.splitlines(), answer]
