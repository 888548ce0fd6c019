"""A small bar chart for every category: each model's score with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes

from harness.compare import Side
from harness.records import Score
from harness.report.charts.drawing import (
    GRID,
    INK,
    MUTED,
    Chart,
    canvas,
    inline,
    plain,
    series,
    settings,
)
from harness.tables import words

MOST_CHARTS = 12
_WIDTH_PX, _ROW_PX, _FOOT_PX, _MARGIN_PX = 340, 38, 26, 10
_NAME_CHARS = 26
_TICKS = {0: "0", 40: "40", 75: "75", 100: "100"}
"""Where the words of the score key change."""


def category_bars(sides: Sequence[Side]) -> Iterator[Chart]:
    """Overall first, then the categories in the suite's order, a dozen charts at most."""
    names = dict.fromkeys(score.category for side in sides for score in side.categories)
    yield _chart("Overall", [(number, it, it.overall) for number, it in enumerate(sides)], "bar-0")
    for at, name in enumerate(list(names)[: MOST_CHARTS - 1], start=1):
        scores = [
            (number, side, score)
            for number, side in enumerate(sides)
            for score in side.categories
            if score.category == name
        ]
        yield _chart(name, scores, f"bar-{at}")


def _chart(title: str, scores: Sequence[tuple[int, Side, Score]], name: str) -> Chart:
    height = len(scores) * _ROW_PX + _FOOT_PX
    with settings():
        figure = canvas(_WIDTH_PX, height)
        axes = figure.add_axes(
            (
                _MARGIN_PX / _WIDTH_PX,
                _FOOT_PX / height,
                1 - 2 * _MARGIN_PX / _WIDTH_PX,
                1 - _FOOT_PX / height,
            )
        )
        _scale(axes, len(scores))
        for row, (number, side, score) in enumerate(scores):
            _bar(axes, row, number, side, score)
        says = "; ".join(f"{plain(side.label, 80)}: {_told(it)}" for _, side, it in scores)
        return Chart(title=title, svg=inline(figure, name=name, title=plain(title, 80), says=says))


def _scale(axes: Axes, rows: int) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(rows, 0)
    axes.patch.set_visible(False)
    axes.set_yticks([])
    axes.set_xticks(list(_TICKS), list(_TICKS.values()), color=MUTED, fontsize=11)
    axes.tick_params(length=0, pad=6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for at in _TICKS:
        axes.axvline(at, color=GRID, linewidth=1, zorder=0)


def _bar(axes: Axes, row: int, number: int, side: Side, score: Score) -> None:
    """The name and the figures above; below them the bar, and its interval across its end."""
    middle, colour = row + 0.72, series(number)
    published = " (published)" if side.published else ""
    label = plain(side.label, _NAME_CHARS - len(published)) + published
    axes.text(0, row + 0.36, label, color=INK, va="baseline", fontweight="bold")
    axes.text(100, row + 0.36, words.share_and_counts(score), color=INK, va="baseline", ha="right")
    if score.share is not None:
        axes.barh(middle, 100 * score.share, height=0.3, color=colour, linewidth=0)
    low, high = 100 * score.low, 100 * score.high
    axes.hlines(middle, low, high, color=INK, linewidth=1.5)
    axes.vlines([low, high], middle - 0.1, middle + 0.1, color=INK, linewidth=1.5)


def _told(score: Score) -> str:
    """
    >>> _told(Score(category="c", passed=11, asked=15, not_heard=0, low=0.48, high=0.891))
    '73.3 % (11/15), 95 % interval 48.0 to 89.1'
    """
    said = words.share_and_counts(score)
    return f"{said}, 95 % interval {words.interval(score)}" if score.complete else said
