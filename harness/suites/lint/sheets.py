"""Contact sheets of a suite: every picture with its question and answer, for a person to see."""

from __future__ import annotations

from pathlib import Path

from harness.images import shown
from harness.images.sheets import Thumbnail, contact_sheet
from harness.records import Case
from harness.suites.lint.answers import answer_of
from harness.suites.suite import Suite, slug, write_whole

_PER_SHEET = 24


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
            thumbnails = [_thumbnail(suite, case) for case in cases[start : start + _PER_SHEET]]
            write_whole(path, contact_sheet(f"{suite.name}: {category}{part}", thumbnails))
            written.append(path)
    return written


def _thumbnail(suite: Suite, case: Case) -> Thumbnail:
    return Thumbnail(
        picture=suite.pictures(case)[0],
        heading=shown(case.id),
        lines=(*case.question.splitlines(), f"= {answer_of(case)}  [{case.grader}]"),
    )
