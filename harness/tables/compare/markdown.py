"""A comparison for a report or a pull request: GitHub's Markdown, with nothing left active."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.compare import Comparison, Contrast
from harness.tables.compare import facts, phrases
from harness.text import one_line

_PUNCTUATION = re.compile(r"([\\`*_\[\]|~#])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_LINKS = re.compile(r"(?i)(?<=[a-z])://|(?<=www)\.")


def markdown(comparison: Comparison) -> str:
    """Verdict first, tables, then the prompts where they differ folded away."""
    blocks = [f"> {plain(warning)}" for warning in comparison.warnings]
    for contrast in comparison.contrasts:
        blocks.append(f"**{plain(contrast.sentence)}**")
        blocks.append("\n".join(f"- {plain(remark)}" for remark in contrast.remarks))
    blocks += _facts(comparison)
    blocks += _differences(comparison)
    blocks += _disagreements(comparison)
    blocks += _overviews(comparison)
    return "\n\n".join(block for block in blocks if block) + "\n"


def plain(text: str) -> str:
    r"""Text that shows as itself: no markup, no HTML, no links, no mentions.

    >>> plain("<b>*hi* @all</b> | https://x.org")
    '&lt;b&gt;\\*hi\\* &#64;all&lt;/b&gt; \\| https&#58;//x.org'
    """
    escaped = _PUNCTUATION.sub(r"\\\1", one_line(text, 4_000))
    for character, entity in _ENTITIES.items():
        escaped = escaped.replace(character, entity)
    return _LINKS.sub(lambda it: "&#58;//" if it[0] == "://" else "&#46;", escaped)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _facts(comparison: Comparison) -> Iterator[str]:
    labels = [plain(side.label) for side in comparison.sides]
    rows = [[plain(row.label), *map(_cell, row.cells)] for row in facts.rows(comparison)]
    yield _table(["", *labels], rows)
    yield f"<sub>{plain(facts.KEY)}</sub>"


def _cell(cell: facts.Cell) -> str:
    key = f" {cell.key}" if cell.key and cell.key != cell.text else ""
    detail = f"<br><sub>{plain(cell.detail)}</sub>" if cell.detail else ""
    return f"{plain(cell.text)}{key}{detail}"


def _differences(comparison: Comparison) -> Iterator[str]:
    several = len(comparison.contrasts) > 1
    for contrast in comparison.contrasts:
        if contrast.overall is not None:
            yield f"**{plain(phrases.contrast_title(contrast))}**"
            yield _difference_table(contrast)
            yield f"<sub>{plain(phrases.corrections(contrast, several=several))}</sub>"


def _difference_table(contrast: Contrast) -> str:
    rows = [[plain(cell) for cell in row] for row in phrases.difference_rows(contrast)]
    return _table(phrases.difference_columns(contrast), rows)


def _disagreements(comparison: Comparison) -> Iterator[str]:
    if not comparison.disagreements:
        return
    listed = comparison.disagreements[: phrases.SHOWN]
    labels = [plain(said.label) for said in listed[0].said]
    rows = [
        [
            plain(it.prompt),
            plain(it.question),
            plain(it.expected),
            *(f"{phrases.verdict(said)}: {plain(phrases.words_of(said))}" for said in it.said),
        ]
        for it in listed
    ]
    count = f"{len(comparison.disagreements):,}"
    table = _table(["prompt", "asked", "expected", *labels], rows)
    more = phrases.left_out(comparison)
    yield f"<details><summary>Prompts where they differ ({count})</summary>"
    yield table
    yield plain(more) if more else ""
    yield "</details>"


def _overviews(comparison: Comparison) -> Iterator[str]:
    for name, about in phrases.overviews(comparison):
        yield f"**{plain(name)}**: {plain(about)}"
    yield plain(phrases.tasks(comparison))
