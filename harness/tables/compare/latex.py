"""A comparison for a paper: one table that needs the package booktabs, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.compare import Comparison, Contrast
from harness.tables.compare import facts, phrases
from harness.tables.words import DASH
from harness.text import one_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    DASH: "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_PATTERN = re.compile("|".join(re.escape(character) for character in _SPECIAL))


def latex(comparison: Comparison) -> str:
    """Facts and scores side by side, the differences below, the verdict as caption."""
    verdicts = " ".join(plain(contrast.sentence) for contrast in comparison.contrasts)
    warnings = " ".join(f"{plain(warning)}." for warning in comparison.warnings)
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        f"\\caption{{{verdicts}{' ' if warnings else ''}{warnings} {plain(facts.KEY)}.}}",
        *_facts(comparison),
    ]
    for contrast in comparison.contrasts:
        if contrast.overall is not None:
            lines += _differences(contrast)
    return "\n".join([*lines, "\\end{table}", ""])


def plain(text: str) -> str:
    r"""
    >>> plain("50 % & a_b")
    '50 \\% \\& a\\_b'
    """
    return _PATTERN.sub(lambda it: _SPECIAL[it[0]], one_line(text, 4_000))


def _tabular(columns: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        f"{' & '.join(head)} \\\\",
        "\\midrule",
        *(f"{' & '.join(row)} \\\\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]


def _facts(comparison: Comparison) -> list[str]:
    labels = [plain(side.label) for side in comparison.sides]
    rows = [[plain(row.label), *map(_cell, row.cells)] for row in facts.rows(comparison)]
    width = f"p{{{0.75 / len(labels):.2f}\\textwidth}}"
    return _tabular("l" + width * len(labels), ["", *labels], rows)


def _cell(cell: facts.Cell) -> str:
    scored = cell.key and cell.key != cell.text
    return plain(f"{cell.text} {cell.key}, {cell.detail}" if scored else cell.text)


def _differences(contrast: Contrast) -> list[str]:
    rows = [[plain(cell) for cell in row] for row in phrases.difference_rows(contrast)]
    _, *columns = phrases.difference_columns(contrast)
    head = [plain(it) for it in (phrases.contrast_title(contrast), *columns)]
    return ["", "\\bigskip", *_tabular("l" + "r" * (len(columns) - 1) + "l", head, rows)]
