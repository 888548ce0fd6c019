"""Gathered runs in, the HTML of one page out."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from msgspec import Struct

from harness.records.settings import resume_command
from harness.report import charts, marks
from harness.report.album import album
from harness.report.answers import Prompt, prompts
from harness.report.gathering import Gathered
from harness.report.rendering import TEMPLATES, environment
from harness.tables.compare import facts
from harness.tables.table import as_cell
from harness.text import one_line

MOST_PROMPTS = 2_000


class Page(Struct, frozen=True, kw_only=True):
    """The page, and what is in it."""

    html: str
    prompts: int
    pictures: int
    missing: tuple[str, ...]
    """Why pictures are not in it, each reason once."""


def page(gathered: Gathered, *, suite: Path | None = None) -> Page:
    """Make the page. Raises: SuiteError when a suite was named that cannot be read."""
    everything = prompts(gathered.columns)
    by_interest = sorted(everything, key=lambda it: it.interest)[:MOST_PROMPTS]
    listed = sorted(by_interest, key=lambda it: it.number)
    found = album([picture for it in by_interest for picture in it.pictures], suite)
    categories = Counter(it.case.category for it in listed)
    names = {category: f"c{at}" for at, category in enumerate(categories)}
    filters = list(_filters(listed))
    css = (TEMPLATES / "page.css").read_text("utf-8") + _hiding(
        [*names.values(), *(name for name, _, _ in filters)]
    )
    html = (
        environment()
        .get_template("report.html")
        .render(
            **about(gathered),
            css=Markup(css),  # noqa: S704 - ours, but for numbers
            css_sha256=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
            prompts=listed,
            prompts_left_out=len(everything) - len(listed),
            numbers={it.case.id: it.number for it in reversed(listed)},
            categories=categories,
            category_names=names,
            filters=filters,
            album=found,
        )
    )
    return Page(
        html=html.encode("utf-8", "backslashreplace").decode(),
        prompts=len(listed),
        pictures=found.found,
        missing=tuple(dict.fromkeys(it for it in found.pictures.values() if isinstance(it, str))),
    )


def about(gathered: Gathered) -> dict[str, Any]:
    """What a page says of models and runs, prompts apart."""
    measured = [it.measured.score.header for it in gathered.columns if it.measured is not None]
    suites = dict.fromkeys(one_line(f"{it.suite} {it.suite_version}", 80) for it in measured)
    table = facts(gathered.comparison)
    rows = [it for it in table.rows if any(as_cell(cell).value is not None for cell in it[1:])]
    labels = [one_line(it.label, 60) for it in gathered.columns]
    return {
        "title": " and ".join([*labels[:3], *([f"{len(labels) - 3} more"] if labels[3:] else [])]),
        "suites": ", ".join(suites),
        "columns": gathered.columns,
        "comparison": gathered.comparison,
        "left_out": gathered.left_out,
        "marks": marks,
        "resume_command": resume_command,
        "key": table.notes[0],
        # The score key stands with each score.
        "facts": [[as_cell(cell) for cell in it] for it in rows if it[0] != "score key"],
        "bars": charts.bars(gathered.comparison.sides),
        "plots": charts.plots(gathered.comparison.sides),
    }


def _hiding(names: Sequence[str]) -> str:
    """The rule that makes filters work without a script: what lacks a chosen class is hidden."""
    rules = [f"body:has(#{name}:checked) .prompt:not(.{name})" for name in names]
    return f"{','.join(rules)}{{display:none}}" if rules else ""


def _filters(listed: Sequence[Prompt]) -> Iterator[tuple[str, str, int]]:
    """Class name, label and count of those that pick some prompts and not all."""
    models = listed[0].models if listed else ()
    several = len(models) > 1
    labels = {
        "differ": "Models differ",
        "all-pass": "Passed by all" if several else "Passed",
        "none-pass": "Passed by none" if several else "Not passed",
        "cut": "Cut",
        "error": "Errors",
    }
    if several:
        labels |= {
            f"fail-{at}": f"Failed by {one_line(it.label, 40)}" for at, it in enumerate(models)
        }
    counted = Counter(name for it in listed for name in it.classes)
    for name, label in labels.items():
        if 0 < counted[name] < len(listed):
            yield name, label, counted[name]
