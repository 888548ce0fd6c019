"""One self-contained HTML page about runs: readable without network and without script.

Names --gather--> Comparison --page--> HTML. Model output is untrusted from end to end: every text
passes `inert` and the template's autoescape, and the page forbids itself scripts and requests.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

import harness
from harness import tables
from harness.catalogue import Catalogue
from harness.comparison import Comparison, compare_sides, ranking
from harness.comparison.ranking import check_comparable, settings_of
from harness.comparison.sides import Names, Side, labelled
from harness.errors import ResultsError
from harness.records import EncodedImage, ServerFacts
from harness.records.settings import memory, resume_command
from harness.report import charts
from harness.report.album import album
from harness.report.answers import Prompt, caveats, figures, prompts
from harness.tables import compare, runs
from harness.text import as_text, inert, one_line

TEMPLATES = Path(__file__).parent / "templates"
MOST_PROMPTS = 2_000
_HEAD_CHARS, _TAIL_CHARS = 6_000, 2_000
"""Of a reply that the page holds; the rest stays in the run file."""


def gather(
    names: Sequence[str],
    *,
    results: Path,
    catalogue: Catalogue,
    force: bool = False,
    include_cached: bool = False,
) -> Comparison:
    """The named models and runs, or without a name every model's newest complete run.

    Unlike `compare` it takes a single run, and incomplete ones, whose scores are ranges.

    Raises: ResultsError for names that mean nothing, damaged files, nothing to report, and runs
        that are not comparable unless `force`; UsageError for one run named twice.
    """
    left_out: list[str] = []
    if not names:
        names, left_out = _ranked(results, include_cached=include_cached)
    meant = Names(results=results, catalogue=catalogue, force=True, include_cached=include_cached)
    found = [meant.resolve(name) for name in names]
    check_comparable([side.header for side in found if side.header is not None], force=force)
    comparison = Comparison(sides=(), contrasts=())
    if len(found) > 1:
        comparison = compare_sides(found, names, meant)
    warnings = [*comparison.warnings, *(f"Not in this report: {why}" for why in left_out)]
    # Whole runs, also where its verdicts rest on the prompts that all share.
    return replace(comparison, sides=tuple(labelled(found)), warnings=tuple(warnings))


def _ranked(results: Path, *, include_cached: bool) -> tuple[list[str], list[str]]:
    """The runs of the leaderboard, best first, and which models are not on it and why."""
    board = ranking.leaderboard(results, include_cached=include_cached)
    left_out = [f"{it.run}: {it.reason} (`{it.command}`)" for it in board.unranked]
    if not board.groups:
        because = f" ({'; '.join(left_out)})" if left_out else ""
        raise ResultsError(
            f"there is no complete run in {results}{because}",
            fix="make one with `evalrun --model NAME`, or name the run to report: "
            "`evalrun runs` lists them",
        )
    first, *others = board.groups
    for group in others:
        models = ", ".join(it.score.model for it in group.standings)
        left_out.append(f"{models}: measured on {group.suite} with {group.settings}")
    return [it.score.header.run for it in first.standings], left_out


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
    made.globals.update(figures=figures, caveats=caveats, held_chars=_HEAD_CHARS + _TAIL_CHARS)
    made.filters.update(count="{:,}".format, sentence=lambda text: text[:1].upper() + text[1:])
    made.filters.update(data_uri=_data_uri, shortened=_shortened, brief=partial(inert, limit=400))
    made.globals.update(as_text=as_text)
    return made


def _finalize(value: Any) -> Any:
    """Whatever a template prints passes here first: model output is untrusted."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _data_uri(image: EncodedImage) -> Markup:
    return Markup(f"data:{image.media_type};base64,{image.base64.decode()}")  # noqa: S704


def _shortened(text: str) -> str:
    if len(text) <= _HEAD_CHARS + _TAIL_CHARS:
        return text
    return f"{text[:_HEAD_CHARS]}\n[…]\n{text[-_TAIL_CHARS:]}"


class Page(Struct, frozen=True, kw_only=True):
    """The page, and what is in it."""

    html: str
    prompts: int
    pictures: int
    missing: tuple[str, ...]
    """Why pictures are not in it, each reason once."""


def page(comparison: Comparison, *, suite: Path | None = None) -> Page:
    """Make the page. Raises: SuiteError when a suite was named that cannot be read."""
    everything = prompts(comparison.sides)
    by_interest = sorted(everything, key=lambda it: it.interest)[:MOST_PROMPTS]
    listed = sorted(by_interest, key=lambda it: it.number)
    wanted = [picture for it in by_interest for picture in it.pictures]
    headers = [side.header for side in comparison.sides if side.header is not None]
    found = album(wanted, headers, suite)
    times = Counter(it.sha256 for it in wanted)
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
            **about(comparison),
            css=Markup(css),  # noqa: S704 - ours, but for numbers
            css_sha256=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
            prompts=listed,
            prompts_left_out=len(everything) - len(listed),
            numbers={it.case.id: it.number for it in reversed(listed)},
            categories=categories,
            category_names=names,
            filters=filters,
            album=found,
            lossy=any(sha != it.sha256 for sha, it in found.items() if not isinstance(it, str)),
            shared={sha: it for sha, it in found.items() if times[sha] > 1},
        )
    )
    missing = [it for it in found.values() if isinstance(it, str)]
    return Page(
        html=html.encode("utf-8", "backslashreplace").decode(),
        prompts=len(listed),
        pictures=len(found) - len(missing),
        missing=tuple(dict.fromkeys(missing)),
    )


def about(comparison: Comparison) -> dict[str, Any]:
    """What a page says of models and runs, prompts apart."""
    sides = comparison.sides
    headers = [side.header for side in sides if side.header is not None]
    suites = dict.fromkeys(one_line(f"{it.suite} {it.suite_version}", 80) for it in headers)
    table = compare.facts(sides)
    rows = [[tables.as_cell(cell) for cell in row] for row in table.rows]
    named = [one_line(side.label, 60) for side in sides]
    named[3:] = [f"{len(named) - 3} more"] if named[3:] else []
    return {
        "title": " and ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named),
        "suites": ", ".join(suites),
        "sides": sides,
        "comparison": comparison,
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
    for at, model in enumerate(models if several else ()):
        labels[f"fail-{at}"] = f"Failed by {one_line(model.label, 40)}"
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
    missing = f"{overall.errors:,} of {overall.asked:,} failed or were not asked"
    cut = f"{overall.cut:,} of {overall.asked:,} replies were cut before they stated an answer"
    regraded = f"{header.regraded_from} by the rules of grader {header.grader_version}"
    held = {
        f"incomplete: {missing}, so the score is a range": overall.errors,
        f"incomplete: {cut}, so the score is a range": overall.cut,
        "blind: no picture was sent, so this is what guessing reaches": header.blind,
        f"a subset: {header.prompts:,} of {header.suite_prompts:,} prompts": header.subset,
        f"every prompt was asked {header.repeats} times": header.repeats > 1,
        f"regraded from {regraded}": header.regraded_from,
        f"{header.judge} judged replies that the rules could not read": header.judge,
        "the last line of its file is cut short": any(run.torn for run in side.runs),
    }
    yield from (words for words, is_so in held.items() if is_so)


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
        "notes": "; ".join(runs.notes(side.score)),
    }
    return [(name, one_line(str(it), 400)) for name, it in known.items() if it not in (None, "")]
