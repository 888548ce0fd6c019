"""Sentences and cells that several formats of a comparison share."""

from __future__ import annotations

from collections.abc import Iterator

from harness.compare import Comparison, Contrast, Difference, Said
from harness.compare.sentences import p_value, points
from harness.text import one_line

SHOWN = 100
"""Prompts listed before the rest is left to `--json`."""
_LONGEST = 200


def tasks(comparison: Comparison) -> str:
    """What all of them can be asked to do, or that it is too little to show them side by side."""
    shared = comparison.shared_tasks
    if shared is None:
        without = [
            one_line(side.label, 80)
            for side in comparison.sides
            if not (side.card and side.card.vision_tasks)
        ]
        stated = f"no source states the vision tasks of {' and '.join(without)}"
        return f"They share too few vision tasks to be shown side by side: {stated}."
    if not shared:
        return "They share too few vision tasks to be shown side by side: none is common to all."
    return f"Vision tasks they share: {one_line(', '.join(shared), 400)}."


def overviews(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Each model's name and what the catalogue says it is for, once."""
    cards = {side.card.name: side.card for side in comparison.sides if side.card}
    for name, card in cards.items():
        if card.about is not None:
            yield name, card.about.value


def contrast_title(contrast: Contrast) -> str:
    return f"{one_line(contrast.second, 80)} minus {one_line(contrast.first, 80)}"


def difference_columns(contrast: Contrast) -> list[str]:
    """Published figures have no p: which prompts were passed is not known."""
    p = ["p"] if contrast.kind == "paired" else []
    return ["category", "points", "95 % interval", *p, "verdict"]


def difference_rows(contrast: Contrast) -> Iterator[list[str]]:
    """The cells of those columns, a row a category, then overall."""
    for part in (*contrast.categories, contrast.overall):
        if part is None:
            continue
        p = contrast.p if part is contrast.overall else part.p_holm
        yield [
            one_line(part.category, 80),
            points(part.difference),
            f"{points(part.low)} to {points(part.high)}",
            *([_number(p)] if p is not None else []),
            _meaning(part, p),
        ]


def _number(p: float) -> str:
    """
    >>> _number(0.031), _number(0.0001)
    ('0.031', '< 0.001')
    """
    return p_value(p).removeprefix("p ").removeprefix("= ")


def _meaning(difference: Difference, p: float | None) -> str:
    sure = p < 0.05 if p is not None else not difference.low <= 0 <= difference.high
    if not sure:
        return "not told apart"
    return "better" if difference.difference > 0 else "worse"


def corrections(contrast: Contrast, *, several: bool) -> str:
    """What the p column means."""
    if contrast.kind == "unpaired":
        return "difference in percentage points; each interval for itself; pairing unknown"
    family = "categories of all models" if several else "categories"
    return f"difference in percentage points; p of categories corrected (Holm) for all {family}"


def verdict(said: Said) -> str:
    """
    >>> verdict(Said(label="a", passed=1, asked=1, answer="4", text="4"))
    'pass'
    >>> verdict(Said(label="a", passed=1, asked=3, answer="5", text="5"))
    'pass 1 of 3'
    """
    if said.asked > 1:
        return f"pass {said.passed} of {said.asked}"
    return "pass" if said.passed else "fail"


def words_of(said: Said) -> str:
    return one_line(said.text, _LONGEST) or "(nothing)"


def left_out(comparison: Comparison) -> str | None:
    """How many prompts are not listed."""
    more = len(comparison.disagreements) - SHOWN
    return f"… and {more:,} more; `--json` has them all" if more > 0 else None
