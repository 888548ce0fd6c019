"""What the foreign formats share: a row becomes a case, with an id and a grader found for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct

from harness import graders
from harness.images import shown
from harness.records import Case
from harness.suites.problems import Problems
from harness.suites.readers.overrides import Overrides
from harness.suites.source import Source
from harness.suites.suite import slug

UNCATEGORIZED = "Uncategorized"
_NAMES = {
    "picture": ("file_name", "image", "image_path", "filename"),
    "question": ("question", "prompt", "prefix"),
    "answer": ("answer", "expected", "suffix"),
}
"""What a row must have, and the columns or keys that may hold it, best known first."""
_SLUG_CHARS = 40

Fields = Mapping[str, str | tuple[str, ...]]


class Row(Struct, frozen=True, kw_only=True):
    """A question as a foreign file states it."""

    where: str
    number: int
    """Among the rows with content, from 1."""
    about: str
    """What the id says beside the number: the picture's name or the question."""
    image: str
    question: str
    expected: str | tuple[str, ...]
    category: str | None = None
    grader: str | None = None
    """None: to be inferred from question and answer."""


def source(path: Path, root: Path, rows: Iterable[Row], problems: Problems) -> Source:
    """The suite in the foreign file `path`; `questions.csv` goes by its folder's name."""
    name = path.stem if path.stem != "questions" else path.resolve().parent.name
    return Source(name=name, root=root, cases=_cases(path, rows, problems))


def from_fields(
    records: Iterable[tuple[str, Fields]], root: Path, problems: Problems
) -> Iterator[Row]:
    """Rows whose picture is a file under `root`, from named cells with their place."""
    find = _picture_finder(root)
    for number, (where, fields) in enumerate(records, start=1):
        picture = _text(fields, "picture", where, problems)
        question = _text(fields, "question", where, problems)
        expected = _picked(fields, "answer", where, problems)
        category = fields.get("category")
        if picture and question and expected:
            yield Row(
                where=where,
                number=number,
                about=Path(picture).stem,
                image=find(picture),
                question=question,
                expected=expected,
                category=category if isinstance(category, str) else None,
            )


def _picked(
    fields: Fields, what: str, where: str, problems: Problems
) -> str | tuple[str, ...] | None:
    names = _NAMES[what]
    found = next((fields[name] for name in names if fields.get(name)), None)
    if found is None:
        known = [name for name in names if name in fields]
        there = f"`{known[0]}` is empty" if known else f"among {shown(', '.join(fields))}"
        problems.add(where, f"no {what}: {there}")
    return found


def _text(fields: Fields, what: str, where: str, problems: Problems) -> str | None:
    found = _picked(fields, what, where, problems)
    if isinstance(found, tuple):
        problems.add(where, f"its {what} is a list")
        return None
    return found


def _picture_finder(root: Path) -> Callable[[str], str]:
    """A picture's path from `root`: it may lie in `images/`, and be written with backslashes."""

    @cache
    def find(name: str) -> str:
        path = name.replace("\\", "/")
        beside = f"images/{path}"
        return beside if "\0" not in path and os.path.lexists(root / beside) else path

    return find


def _cases(path: Path, rows: Iterable[Row], problems: Problems) -> Iterator[tuple[str, Case]]:
    overrides = Overrides(path.with_suffix(".graders.toml"), problems)
    for row in rows:
        case_id = f"{row.number:04d}-{slug(row.about)[:_SLUG_CHARS].strip('-') or 'case'}"
        category = row.category or UNCATEGORIZED
        grader, options = overrides.apply(
            (row.grader, {}) if row.grader else _inferred(row.question, row.expected),
            case_id=case_id,
            category=category,
        )
        yield (
            row.where,
            Case(
                id=case_id,
                category=category,
                question=row.question,
                image=row.image,
                expected=row.expected,
                grader=grader,
                options=options,
            ),
        )
    overrides.report_unused()


_inferred = lru_cache(maxsize=4096)(graders.infer)
"""Large suites ask the same again and again. The options are never changed in place."""
