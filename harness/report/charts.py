"""Where the points of a plot stand, in pixels; the templates draw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from harness.comparison.ranking import on_frontier
from harness.comparison.sides import Side
from harness.records import Score
from harness.tables import dollars, seconds

MOST_BAR_CHARTS = 12
WIDTH_PX, HEIGHT_PX = 460, 320
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 40, 445, 24, 272
_LOG_FROM = 20.0
"""A dearest that costs this many times the cheapest asks for a logarithmic scale."""


class Plot(Struct, frozen=True, kw_only=True):
    """Score upwards, money or time to the right."""

    axis: str
    points: Sequence[tuple[int, str, Score, str, float]]
    """Cheapest first: a model's column, its label, its score, what that takes in words, and x."""
    absent: Sequence[str]
    """Models without a score or a price."""
    ticks: Sequence[tuple[float, float]]
    """Place and value."""
    frontier: str
    """Path through the models that no other beats at their price; empty for a single one."""


def y(share: float) -> float:
    return round(BOTTOM_PX - share * (BOTTOM_PX - TOP_PX), 1)


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
    return [plot for plot in found if len(plot.points) > 1]


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
) -> Plot:
    shown = sorted(
        (price, -side.overall.share, at)
        for at, side in enumerate(sides)
        if side.overall.share is not None and (price := price_of(side)) is not None
    )
    low, high = (shown[0][0], shown[-1][0]) if shown else (0.0, 0.0)
    log = low > 0 and high / low >= _LOG_FROM
    start, stop = (math.log10(low / 2), math.log10(high * 2)) if log else (0.0, 1.1 * high or 1.0)

    def x(price: float) -> float:
        share = ((math.log10(price) if log else price) - start) / (stop - start)
        return round(LEFT_PX + share * (RIGHT_PX - LEFT_PX), 1)

    places = [(-lost, price) for price, lost, _ in shown]
    best = [(x(it[1]), y(it[0])) for it in places if on_frontier(it, places)]
    steps = "".join(f"H{across}V{up}" for across, up in best[1:])
    return Plot(
        axis=axis,
        points=[
            (at, label(sides[at]), sides[at].overall, spell(price), x(price))
            for price, _, at in shown
        ],
        absent=[label(it) for it in sides if None in (it.overall.share, price_of(it))],
        ticks=[(x(it), it) for it in _ticks(start, stop, log=log)],
        frontier=f"M{best[0][0]} {best[0][1]}{steps}" if steps else "",
    )


def _ticks(start: float, stop: float, *, log: bool) -> list[float]:
    if log:
        return [10.0**it for it in range(math.ceil(start), math.floor(stop) + 1)]
    rough = stop / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * it for it in (1, 2, 5, 10) if power * it >= rough)
    return [step * it for it in range(int(stop / step) + 1)]
