"""Score against what it takes: money, or time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from msgspec import Struct

from harness.compare import Side
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

_WIDTH_PX, _HEIGHT_PX = 460, 340
_BOX = (0.105, 0.15, 0.855, 0.81)
_NAME_CHARS = 24
_CHAR_PX, _LINE_PX = 7.5, 15.0
_MARKERS = "osD^vPX*"
_LOG_FROM = 20.0
"""A dearest that costs this many times the cheapest asks for a logarithmic scale."""


_Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in pixels."""


class Point(Struct, frozen=True, kw_only=True):
    """A model in the plane."""

    number: int
    label: str
    price: float
    share: float
    low: float
    high: float


def cost_against_score(sides: Sequence[Side]) -> Chart | str:
    """The plot, or in words why there is none."""
    return _chart(
        sides,
        lambda side: side.overall.cost_per_task_usd,
        name="cost",
        title="Cost against score",
        axis="cost per task, US dollars",
        spelled=words.dollars,
        missing="no price is known for it",
    )


def time_against_score(sides: Sequence[Side]) -> Chart | str:
    """The plot, or in words why there is none."""
    return _chart(
        sides,
        lambda side: side.overall.latency_mean_s,
        name="time",
        title="Response time against score",
        axis="mean response time, seconds",
        spelled=words.seconds,
        missing="no response time is known",
    )


def _chart(
    sides: Sequence[Side],
    price: Callable[[Side], float | None],
    *,
    name: str,
    title: str,
    axis: str,
    spelled: Callable[[float | None], str],
    missing: str,
) -> Chart | str:
    points, absent = _points(sides, price, missing)
    note = f"Not in this plot: {'; '.join(absent)}." if absent else ""
    if not points:
        return note
    points.sort(key=lambda it: it.price)
    with settings():
        figure = canvas(_WIDTH_PX, _HEIGHT_PX)
        axes = figure.add_axes(_BOX)
        _scale(axes, points, axis)
        _frontier(axes, points)
        for point in points:
            _dot(axes, point)
        _name_all(axes, points)
        says = "; ".join(
            f"{it.label}: {100 * it.share:.1f} % at {spelled(it.price)}" for it in points
        )
        svg = inline(figure, name=name, title=title, says=says)
    return Chart(title=title, svg=svg, note=note)


def _points(
    sides: Sequence[Side], price: Callable[[Side], float | None], missing: str
) -> tuple[list[Point], list[str]]:
    points, absent = [], []
    for number, side in enumerate(sides):
        label, score, value = plain(side.label, _NAME_CHARS), side.overall, price(side)
        if score.share is None:
            absent.append(f"{label} (its run is incomplete)")
        elif value is None:
            absent.append(f"{label} ({missing})")
        else:
            points.append(
                Point(
                    number=number,
                    label=label,
                    price=value,
                    share=score.share,
                    low=score.low,
                    high=score.high,
                )
            )
    return points, absent


def _scale(axes: Axes, points: Sequence[Point], axis: str) -> None:
    low, high = points[0].price, points[-1].price
    if low > 0 and high / low >= _LOG_FROM:
        axes.set_xscale("log")
        axes.set_xlim(low / 2, high * 2)
        exponents = range(math.floor(math.log10(low / 2)), math.ceil(math.log10(high * 2)) + 1)
        ticks = [10.0**it for it in exponents if low / 2 <= 10.0**it <= high * 2]
        axes.set_xticks(ticks, [f"{it:g}" for it in ticks])
        axes.minorticks_off()
    else:
        axes.set_xlim(0, 1.25 * high or 1)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 20, 40, 60, 80, 100])
    axes.set_xlabel(axis, color=MUTED, fontsize=12)
    axes.text(0, 1.01, "score, %", color=MUTED, transform=axes.transAxes, va="bottom", ha="center")
    axes.tick_params(length=0, pad=6, colors=MUTED, labelsize=11)
    axes.grid(color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)


def _frontier(axes: Axes, points: Sequence[Point]) -> None:
    """A step through those that nobody beats at their price: `points` are cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda it: (it.price, -it.share)):
        if not best or point.share > best[-1].share:
            best.append(point)
    if len(best) > 1:
        across, up = [it.price for it in best], [100 * it.share for it in best]
        axes.step(across, up, where="post", color=MUTED, linewidth=1, linestyle=(0, (4, 3)))


def _dot(axes: Axes, point: Point) -> None:
    colour = series(point.number)
    axes.vlines(point.price, 100 * point.low, 100 * point.high, color=colour, linewidth=1.5)
    axes.plot(
        [point.price],
        [100 * point.share],
        marker=_MARKERS[point.number % len(_MARKERS)],
        markersize=9,
        color=colour,
        linestyle="none",
    )


def _name_all(axes: Axes, points: Sequence[Point]) -> None:
    """Each name beside its point, where it hides no other name and no point."""
    size = axes.figure.bbox
    at = [axes.transData.transform((it.price, 100 * it.share)) for it in points]
    taken: list[_Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in at]
    taken += [_upright(axes, it) for it in points]
    for point, (x, y) in zip(points, at, strict=True):
        width = _CHAR_PX * len(point.label)
        places = [
            (x + 10 if right else x - 10 - width, y + up * _LINE_PX - _LINE_PX / 2)
            for up in (0, 0.8, -0.8, 1.6, -1.6, 2.4, -2.4)
            for right in (True, False)
        ]
        boxes = [(left, low, left + width, low + _LINE_PX) for left, low in places]
        inside = [it for it in boxes if it[0] >= 0 and it[2] <= size.width]
        free = [it for it in inside if not any(_overlap(it, other) for other in taken)]
        box = (free or inside or boxes)[0]
        taken.append(box)
        across, up = axes.transData.inverted().transform((box[0], box[1] + 4))
        axes.text(across, up, point.label, color=INK, fontsize=12)


def _upright(axes: Axes, point: Point) -> _Box:
    """The room that a point's interval takes."""
    x, low = axes.transData.transform((point.price, 100 * point.low))
    high = axes.transData.transform((point.price, 100 * point.high))[1]
    return x - 2, low, x + 2, high


def _overlap(one: _Box, other: _Box) -> bool:
    """
    >>> _overlap((0, 0, 2, 2), (1, 1, 3, 3)), _overlap((0, 0, 1, 1), (1, 1, 2, 2))
    (True, False)
    """
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
