"""Gathered runs in, the HTML of one page out."""

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
from harness.report import charts, marks
from harness.report.album import Album, Shown, album
from harness.report.gathering import Gathered
from harness.report.prompts import PREVIEW, Prompt, prompts
from harness.tables import words
from harness.tables.compare import facts, phrases
from harness.text import inert, one_line

MOST_PROMPTS = 2_000
_TEMPLATES = Path(__file__).parent / "templates"


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
    listed = _most_telling(everything)
    wanted = sorted(listed, key=_telling)
    found = album([it.picture for it in wanted if it.picture], suite)
    shown = _View(gathered, listed, found, left_out=len(everything) - len(listed))
    css = _css(shown)
    html = (
        _environment()
        .get_template("page.html")
        .render(
            page=shown,
            css=Markup(css),  # noqa: S704 - ours, but for numbers
            css_sha256=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        )
    )
    return Page(
        html=html.encode("utf-8", "backslashreplace").decode(),
        prompts=len(listed),
        pictures=found.found,
        missing=tuple(dict.fromkeys(it for it in found.pictures.values() if isinstance(it, str))),
    )


def _telling(prompt: Prompt) -> int:
    """Where models differ there is most to see, then where one failed."""
    return 0 if prompt.differ else 1 if prompt.outcome != "all-pass" else 2


def _most_telling(everything: list[Prompt]) -> list[Prompt]:
    if len(everything) <= MOST_PROMPTS:
        return everything
    kept = sorted(everything, key=_telling)[:MOST_PROMPTS]
    return sorted(kept, key=lambda it: it.number)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    """Whatever the template prints passes here first: nothing on the page can act."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _css(view: _View) -> str:
    """The style sheet, and a rule for every filter there is on this page."""
    rules = [f"body:has(#c{at}:checked) .prompt:not(.c{at})" for at in range(len(view.categories))]
    rules += [f"body:has(#{it.name}:checked) .prompt:not(.{it.name})" for it in view.filters]
    hiding = f"{','.join(rules)}{{display:none}}" if rules else ""
    return (_TEMPLATES / "page.css").read_text("utf-8") + hiding


class Filter(Struct, frozen=True):
    """A choice of prompts: a class name, what it is called, how many have it."""

    name: str
    label: str
    count: int


class _View:
    """What the template reads. Everything it prints is text, a number, or a chart of ours."""

    def __init__(
        self, gathered: Gathered, listed: list[Prompt], found: Album, *, left_out: int
    ) -> None:
        self.gathered, self.prompts, self.album = gathered, listed, found
        self.prompts_left_out = left_out
        self.columns = gathered.columns
        self.comparison = gathered.comparison
        self.sides = gathered.comparison.sides
        self.version = harness.__version__
        self.preview = PREVIEW
        self.categories = list(dict.fromkeys(it.case.category for it in listed))
        self.by_category = Counter(it.case.category for it in listed)
        self.filters = list(_filters(listed, [it.label for it in self.measured]))
        self.shared = _shared(listed, found)
        self.numbers = {it.case.id: it.number for it in reversed(listed)}
        self.facts = facts.rows(gathered.comparison)
        self.key = facts.KEY
        self.words, self.phrases, self.marks = words, phrases, marks

    @property
    def measured(self) -> list[Any]:
        return [it for it in self.columns if it.measured is not None]

    @property
    def title(self) -> str:
        labels = [one_line(it.label, 60) for it in self.columns]
        if len(labels) > 3:
            labels = [*labels[:3], f"{len(labels) - 3} more"]
        return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))

    @property
    def suites(self) -> str:
        headers = [it.measured.score.header for it in self.measured]
        named = dict.fromkeys(f"{it.suite} {it.suite_version}" for it in headers)
        return ", ".join(one_line(it, 80) for it in named)

    @property
    def bars(self) -> list[charts.Chart]:
        return charts.category_bars(self.sides)

    @property
    def planes(self) -> list[charts.Chart | str]:
        return [charts.cost_against_score(self.sides), charts.time_against_score(self.sides)]

    def svg(self, chart: charts.Chart) -> Markup:
        return Markup(chart.svg)  # noqa: S704 - drawn by us, its texts escaped

    def classes(self, prompt: Prompt) -> str:
        failed = (f"f{at}" for at, it in enumerate(prompt.said) if it.kind == "fail")
        error = ["error"] if any(it.kind == "error" for it in prompt.said) else []
        differ = ["differ"] if prompt.differ else []
        category = f"c{self.categories.index(prompt.case.category)}"
        return " ".join([category, prompt.outcome, *differ, *error, *failed])

    def picture(self, prompt: Prompt) -> Shown | str:
        """The picture, or in words why there is none."""
        if prompt.picture is None:
            return "no picture was sent"
        return self.album.pictures[prompt.picture.sha256]


def _shared(listed: Sequence[Prompt], found: Album) -> dict[str, Shown]:
    """Pictures that several prompts ask about, by name: embedded once, referred to by each."""
    times = Counter(it.picture.sha256 for it in listed if it.picture)
    several = (found.pictures[sha] for sha, count in times.items() if count > 1)
    return {it.name: it for it in several if isinstance(it, Shown)}


def _filters(listed: Sequence[Prompt], labels: Sequence[str]) -> Iterator[Filter]:
    """Only those that pick some prompts and not all."""
    several = len(labels) > 1
    named = [
        ("differ", "Models differ", sum(it.differ for it in listed)),
        ("all-pass", "Passed by all" if several else "Passed", _count(listed, "all-pass")),
        ("none-pass", "Passed by none" if several else "Not passed", _count(listed, "none-pass")),
        ("error", "Errors", sum(any(x.kind == "error" for x in it.said) for it in listed)),
    ]
    if several:
        named += [
            (
                f"f{at}",
                f"Failed by {one_line(label, 40)}",
                sum(it.said[at].kind == "fail" for it in listed),
            )
            for at, label in enumerate(labels)
        ]
    for name, label, count in named:
        if 0 < count < len(listed):
            yield Filter(name, label, count)


def _count(listed: Sequence[Prompt], outcome: str) -> int:
    return sum(it.outcome == outcome for it in listed)
