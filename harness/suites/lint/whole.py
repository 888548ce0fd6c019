"""Everything that can be said of a suite, put together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.suites.lint import house
from harness.suites.lint.findings import Finding, Level, Report, stern
from harness.suites.lint.pictures import look
from harness.suites.lint.policies import policies
from harness.suites.lint.questions import repeats, spoilt, wordings
from harness.suites.loading import read
from harness.suites.problems import Problems


def lint(path: Path, *, strict: bool = False) -> Report:
    """Look the suite at `path` over. In our own suite, and where it is `strict`, warnings are
    problems.

    Raises: SuiteError when there is no suite at all.
    """
    suite, problems = read(path)
    looked = look(suite)
    scores = policies(suite.cases)
    ours = suite.name == house.NAME
    findings = [
        *_of_loading(problems),
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
        findings=tuple(stern(findings) if strict or ours else findings),
        unlisted=problems.count - len(problems.kept),
        policies=scores,
    )


def _of_loading(problems: Problems) -> Iterator[Finding]:
    for problem in problems.kept:
        yield Finding(level=Level.PROBLEM, where=problem.where, what=problem.what)
