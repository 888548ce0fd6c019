"""Where the points of a plot stand, in pixels; the templates draw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from harness.comparison.sides import Side
from harness.records import Score
from harness.tables import dollars, seconds

MOST_BAR_CHARTS = 12
WIDTH_PX, HEIGHT_PX = 460, 320
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 40, 445, 24, 272
_LOG_FROM = 20.0
"""A dearest that costs this many times the cheapest asks for a logarithmic scale."""


class Point(Struct, frozen=True, kw_only=True):
    """A model in the plot: its column, its score, and what that takes."""

    column: int
    label: str
    score: Score
    price: float
    spelled: str
    """The price in words."""


class Plot(Struct, frozen=True, kw_only=True):
    """Score upwards, money or time to the right."""

    title: str
    axis: str
    points: Sequence[Point]
    """Cheapest first."""
    absent: Sequence[str]
    """Models without a score or a price."""
    log: bool
    start: float
    stop: float
    """Ends of the axis; logarithms on a logarithmic one."""

    def x(self, price: float) -> float:
        share = ((math.log10(price) if self.log else price) - self.start) / (self.stop - self.start)
        return round(LEFT_PX + share * (RIGHT_PX - LEFT_PX), 1)

    def y(self, share: float) -> float:
        return round(BOTTOM_PX - share * (BOTTOM_PX - TOP_PX), 1)

    @property
    def ticks(self) -> list[float]:
        if self.log:
            return [10.0**it for it in range(math.ceil(self.start), math.floor(self.stop) + 1)]
        rough = self.stop / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * it for it in (1, 2, 5, 10) if power * it >= rough)
        return [step * it for it in range(int(self.stop / step) + 1)]

    @property
    def frontier(self) -> str:
        """Path through the models that no other beats at their price; empty for a single one."""
        best: list[tuple[float, float]] = []
        for it in sorted(self.points, key=lambda it: (it.price, -(it.score.share or 0))):
            at = self.x(it.price), self.y(it.score.share or 0)
            if not best or at[1] < best[-1][1]:
                best.append(at)
        steps = "".join(f"H{x}V{y}" for x, y in best[1:])
        return f"M{best[0][0]} {best[0][1]}{steps}" if steps else ""


def label(side: Side) -> str:
    return side.label if side.measured else f"{side.label} (published)"


def bars(sides: Sequence[Side]) -> list[tuple[str, list[tuple[int, str, Score]]]]:
    """Overall first, then the categories in the suite's order: title, and a bar a model."""
    charts = {"Overall": [(at, label(side), side.overall) for at, side in enumerate(sides)]}
    for at, side in enumerate(sides):
        for score in side.categories:
            charts.setdefault(score.category, []).append((at, label(side), score))
    return list(charts.items())[:MOST_BAR_CHARTS]


def plots(sides: Sequence[Side]) -> list[Plot]:
    """Cost and response time against score; a plot of fewer than two models says nothing."""
    found = (
        _plot("cost per task, US dollars", sides, lambda it: it.overall.cost_per_task_usd, dollars),
        _plot("mean response time, seconds", sides, lambda it: it.overall.latency_mean_s, seconds),
        _plot("weights and projector, GB", sides, _gb, lambda it: f"{it:.3g} GB"),
    )
    return [plot for plot in found if plot is not None]


def _gb(side: Side) -> float | None:
    machine = side.header.server.machine if side.header and side.header.server else None
    if machine is None or machine.weights_gb is None:
        return None
    return machine.weights_gb + (machine.projector_gb or 0.0)


def _plot(
    axis: str,
    sides: Sequence[Side],
    price_of: Callable[[Side], float | None],
    spell: Callable[[float], str],
) -> Plot | None:
    points = [
        Point(column=at, label=label(side), score=side.overall, price=price, spelled=spell(price))
        for at, side in enumerate(sides)
        if side.overall.share is not None and (price := price_of(side)) is not None
    ]
    if len(points) < 2:
        return None
    points.sort(key=lambda it: it.price)
    low, high = points[0].price, points[-1].price
    log = low > 0 and high / low >= _LOG_FROM
    return Plot(
        title=f"Score against {axis.split(',')[0]}",
        axis=axis,
        points=points,
        absent=[label(it) for it in sides if None in (it.overall.share, price_of(it))],
        log=log,
        start=math.log10(low / 2) if log else 0.0,
        stop=math.log10(high * 2) if log else 1.1 * high or 1.0,
    )
