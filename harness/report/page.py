"""Gathered runs in, the HTML of one page out; the environment that every page is rendered with."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from msgspec import Struct

import harness
from harness import tables
from harness.comparison.sides import Side, settings_of
from harness.records import ServerFacts
from harness.records.settings import memory, resume_command
from harness.report import Gathered, charts
from harness.report.album import album
from harness.report.answers import Prompt, prompts
from harness.tables import compare, scores
from harness.text import inert, one_line

TEMPLATES = Path(__file__).parent / "templates"
MOST_PROMPTS = 2_000


@cache
def environment(*more: Path) -> jinja2.Environment:
    """Templates of the report, and of the folders `more`, which share its components."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*more, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(words=tables, compare=compare, charts=charts, version=harness.__version__)
    made.globals.update(marks=marks, provenance=provenance, resume_command=resume_command)
    made.filters.update(count="{:,}".format, sentence=lambda text: text[:1].upper() + text[1:])
    return made


def _finalize(value: Any) -> Any:
    """Whatever a template prints passes here first: model output is untrusted."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


class Page(Struct, frozen=True, kw_only=True):
    """The page, and what is in it."""

    html: str
    prompts: int
    pictures: int
    missing: tuple[str, ...]
    """Why pictures are not in it, each reason once."""


def page(gathered: Gathered, *, suite: Path | None = None) -> Page:
    """Make the page. Raises: SuiteError when a suite was named that cannot be read."""
    everything = prompts(gathered.sides)
    by_interest = sorted(everything, key=lambda it: it.interest)[:MOST_PROMPTS]
    listed = sorted(by_interest, key=lambda it: it.number)
    headers = [side.header for side in gathered.sides if side.header is not None]
    found = album([picture for it in by_interest for picture in it.pictures], headers, suite)
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
    sides = gathered.sides
    headers = [side.header for side in sides if side.header is not None]
    suites = dict.fromkeys(one_line(f"{it.suite} {it.suite_version}", 80) for it in headers)
    table = compare.facts(sides)
    rows = [[tables.as_cell(cell) for cell in row] for row in table.rows]
    labels = [one_line(side.label, 60) for side in sides]
    named = [*labels[:3], *([f"{len(labels) - 3} more"] if labels[3:] else [])]
    return {
        "title": " and ".join([", ".join(named[:-1]), named[-1]]) if named[1:] else named[0],
        "suites": ", ".join(suites),
        "sides": sides,
        "comparison": gathered.comparison,
        "left_out": gathered.left_out,
        "key": table.notes[0],
        # The score key stands with each score; rows of dashes say nothing.
        "facts": [
            row
            for row in rows
            if row[0].value != "score key" and any(cell.value is not None for cell in row[1:])
        ],
        "bars": charts.bars(sides),
        "plots": charts.plots(sides),
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


def marks(side: Side) -> Iterator[str]:
    """Why this column is not a plain, complete run of the whole suite; empty when it is one."""
    score, overall = side.score, side.overall
    if score is None:
        source = side.published.source if side.published else ""
        yield f"published by {source}, not measured here"
        return
    header = score.header
    if overall.errors:
        missing = f"{overall.errors:,} of {overall.asked:,}"
        yield f"incomplete: {missing} failed or were not asked, so the score is a range"
    if overall.cut:
        cut = f"{overall.cut:,} of {overall.asked:,} replies were cut before they stated an answer"
        yield f"incomplete: {cut}, so the score is a range"
    if header.blind:
        yield "blind: no picture was sent, so this is what guessing reaches"
    if header.subset:
        yield f"a subset: {header.prompts:,} of the suite’s {header.suite_prompts:,} prompts"
    if header.repeats > 1:
        yield f"every prompt was asked {header.repeats} times"
    if header.regraded_from:
        yield f"regraded from {header.regraded_from} by the rules of grader {header.grader_version}"
    if header.judge:
        yield f"{header.judge} judged replies that the rules could not read"
    if score.corrected:
        yield f"verdicts corrected by a person: {score.corrected:,}"
    if any(run.torn for run in side.runs):
        yield "the last line of its file is cut short"


def provenance(side: Side) -> list[tuple[str, str]]:
    """Where the figures of a column come from: name and value, known ones only."""
    if side.published is not None:
        return [("published by", side.published.source), ("as of", side.published.as_of)]
    assert side.score is not None
    header = side.score.header
    server = header.server or ServerFacts()
    known: dict[str, object] = {
        "run": header.run,
        "measured": f"{header.started_at:%d %B %Y %H:%M %Z}".lstrip("0"),
        "backend": f"{header.backend} {header.base_url or ''}".strip(),
        **{setting.name: value for setting, value in settings_of(header)},
        "weights": server.model_file,
        "memory": memory(server),
        "layers on the GPU": server.machine.offloaded_layers if server.machine else None,
        "features of the processor": server.system_info,
        "evalrun": header.evalrun_version,
        "notes": "; ".join(scores.notes(side.score)),
    }
    return [(name, one_line(str(it), 400)) for name, it in known.items() if it not in (None, "")]
