"""The one template environment: every text that a page prints becomes inert here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import harness
from harness.report import charts
from harness.tables import compare, words
from harness.text import inert

TEMPLATES = Path(__file__).parent / "templates"


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
    made.globals.update(words=words, compare=compare, charts=charts, version=harness.__version__)
    made.filters.update(count="{:,}".format, sentence=lambda text: text[:1].upper() + text[1:])
    return made


def _finalize(value: Any) -> Any:
    """Whatever a template prints passes here first: model output is untrusted."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value
