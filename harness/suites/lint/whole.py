"""Everything that can be said of a suite, put together."""

from __future__ import annotations

from pathlib import Path

from harness.suites.lint import house
from harness.suites.lint.findings import Report, stricter
from harness.suites.lint.pictures import look
from harness.suites.lint.policies import policies
from harness.suites.lint.questions import repeats, spoilt, wordings
from harness.suites.loading import read


def lint(path: Path, *, images: Path | None = None, strict: bool = False) -> Report:
    """Look the suite at `path` over. In our own suite, and where it is `strict`, warnings are
    problems.

    Raises: SuiteError when there is no suite at all.
    """
    suite, found = read(path, images=images)
    looked = look(suite)
    scores = policies(suite.cases)
    ours = suite.name == house.NAME
    findings = [
        *found.problems,
        *found.remarks,
        *looked.findings,
        *repeats(suite.cases, looked.sha256),
        *spoilt(suite.cases),
        *wordings(suite.cases),
        *house.guessable(scores, suite.cases),
        *(house.promises(suite, looked) if ours else ()),
    ]
    return Report(
        suite=suite,
        pictures=len(set(looked.sha256.values())),
        findings=tuple(stricter(findings) if strict or ours else findings),
        unlisted=found.count - len(found.problems),
        policies=scores,
    )
