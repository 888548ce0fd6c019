"""A small bar chart for every category: each model's score with its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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


def category_bars(sides: Sequence[Side]) -> list[Chart]:
    """Overall first, then the categories in the suite's order, a dozen charts at most."""
    everything = [_Row(number, it, it.overall) for number, it in enumerate(sides)]
    rows: dict[str, list[_Row]] = {}
    for number, side in enumerate(sides):
        for score in side.categories:
            rows.setdefault(score.category, []).append(_Row(number, side, score))
    with settings():
        listed = [("Overall", everything), *rows.items()][:MOST_CHARTS]
        return [_chart(title, those, f"bar-{at}") for at, (title, those) in enumerate(listed)]


class _Row(NamedTuple):
    """One model's score in a chart."""

    number: int
    side: Side
    score: Score

    @property
    def label(self) -> str:
        published = " (published)" if self.side.published else ""
        return plain(self.side.label, _NAME_CHARS - len(published)) + published


def _chart(title: str, rows: Sequence[_Row], name: str) -> Chart:
    height = len(rows) * _ROW_PX + _FOOT_PX
    figure = canvas(_WIDTH_PX, height)
    margin, foot = _MARGIN_PX / _WIDTH_PX, _FOOT_PX / height
    axes = figure.add_axes((margin, foot, 1 - 2 * margin, 1 - foot))
    _scale(axes, len(rows))
    _bars(axes, rows)
    for at, row in enumerate(rows, start=1):
        figures = words.share_and_counts(row.score)
        axes.text(0, at - 0.64, row.label, color=INK, fontweight="bold")
        axes.text(100, at - 0.64, figures, color=INK, ha="right")
    says = "; ".join(f"{plain(it.side.label, 80)}: {_told(it.score)}" for it in rows)
    return Chart(title=title, svg=inline(figure, name=name, title=plain(title, 80), says=says))


def _scale(axes: Axes, rows: int) -> None:
    axes.set(xlim=(0, 100), ylim=(rows, 0), yticks=[])
    axes.patch.set_visible(False)
    axes.set_xticks(list(_TICKS), list(_TICKS.values()), color=MUTED, fontsize=11)
    axes.tick_params(length=0, pad=6)
    axes.spines[:].set_visible(False)
    axes.vlines(list(_TICKS), 0, rows, color=GRID, linewidth=1, zorder=0)


def _bars(axes: Axes, rows: Sequence[_Row]) -> None:
    """Under the name the bar, and across its end the interval; a range has no bar."""
    middles = [at + 0.72 for at in range(len(rows))]
    shares = [100 * (row.score.share or 0) for row in rows]
    colours = [series(row.number) for row in rows]
    low = [100 * row.score.low for row in rows]
    high = [100 * row.score.high for row in rows]
    axes.barh(middles, shares, height=0.3, color=colours, linewidth=0)
    axes.hlines(middles, low, high, color=INK, linewidth=1.5)
    top, bottom = ([it + off for it in middles * 2] for off in (-0.1, 0.1))
    axes.vlines(low + high, top, bottom, color=INK, linewidth=1.5)


def _told(score: Score) -> str:
    """
    >>> _told(Score(category="c", passed=11, asked=15, errors=0, low=0.48, high=0.891))
    '73.3 % (11/15), 95 % interval 48.0 to 89.1'
    """
    said = words.share_and_counts(score)
    return f"{said}, 95 % interval {words.interval(score)}" if score.complete else said
