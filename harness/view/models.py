"""Pages about models: the leaderboard, the runs, and models compared."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse

from harness.comparison.ranking import Group, Standing
from harness.comparison.sides import of_score
from harness.errors import EvalrunError
from harness.report import charts
from harness.report.answers import prompts
from harness.report.page import about, gather
from harness.view.library import Library
from harness.view.pages import library, number, page

_LOOK_EVERY_S = 1.0
_PAGE = 40
"""Prompts of a comparison at a time."""
_MOST_RUNS = 200


def _known(figure: float | None) -> tuple[bool, float]:
    """What is not known comes last."""
    return figure is None, figure or 0.0


_SORTS: dict[str, Callable[[Standing], Any]] = {
    "score": lambda it: -it.score.overall.passed / it.score.overall.asked,
    "rank": lambda it: it.rank,
    "model": lambda it: it.score.model,
    "time": lambda it: _known(it.score.overall.latency_mean_s),
    "cost": lambda it: _known(it.score.overall.cost_per_task_usd),
}


def models(request: Request) -> HTMLResponse:
    """Who is how good, who is running, and every run there is."""
    shelf, sort = library(request), request.query_params.get("sort", "rank")
    ranked = _board(shelf, sort) if shelf.is_short() else {"board": None}
    return page(request, "models.html", title="Models", **ranked, **_runs(shelf))


def board(request: Request) -> HTMLResponse:
    """The leaderboard of a folder of long runs, which comes when they have been read."""
    sort = request.query_params.get("sort", "rank")
    return page(request, "_board.html", **_board(library(request), sort))


def runs(request: Request) -> HTMLResponse:
    """The list of runs alone, renewed while one of them grows."""
    return page(request, "_runs.html", **_runs(library(request)))


def compare(request: Request) -> HTMLResponse:
    """Models or runs side by side; the address names them, so it can be passed on."""
    shelf, names = library(request), [it for it in request.query_params.getlist("m") if it]
    lines = shelf.lines()
    offered = [*dict.fromkeys(it.header.model for it in lines if it.header)]
    offered += [it.name for it in lines if it.header]
    shown: dict[str, Any] = {"offered": offered, "names": names, "error": None}
    if len(names) < 2:
        return page(request, "compare.html", title="Compare", **shown)
    try:
        comparison = gather(
            names,
            results=shelf.results,
            catalogue=shelf.catalogue,
            force="force" in request.query_params,
        )
    except EvalrunError as error:
        return page(request, "compare.html", title="Compare", **shown | {"error": error})
    start = number(request.query_params.get("start"))
    asked = sorted(prompts(comparison.sides), key=lambda it: it.interest)
    return page(
        request,
        "compare.html",
        **shown,
        **about(comparison),
        prompts=asked[start : start + _PAGE],
        start=start,
        following=start + _PAGE if start + _PAGE < len(asked) else None,
        differing=sum(it.differ for it in asked),
    )


def events(request: Request) -> StreamingResponse:
    """Says which runs have grown, as server-sent events."""
    return StreamingResponse(_changes(request), media_type="text/event-stream")


async def _changes(request: Request) -> AsyncIterator[str]:
    shelf = library(request)
    before = await asyncio.to_thread(shelf.sizes)
    yield "retry: 2000\n\n"
    while not await request.is_disconnected():
        await asyncio.sleep(_LOOK_EVERY_S)
        now = await asyncio.to_thread(shelf.sizes)
        if grown := [name for name, size in now.items() if before.get(name) != size]:
            yield f"event: grown\ndata: {json.dumps(grown)}\n\n"
        before = now


def _board(shelf: Library, sort: str) -> dict[str, Any]:
    ranked = shelf.board()
    boards = [_group(shelf, it, sort) for it in ranked.groups]
    return {"board": ranked, "boards": boards, "sort": sort}


def _group(shelf: Library, group: Group, sort: str) -> dict[str, Any]:
    """The comparable runs of one suite: their table and plots."""
    sides = [of_score(it.score, shelf.catalogue.get(it.score.model)) for it in group.standings]
    return {
        "group": group,
        "standings": sorted(group.standings, key=_SORTS.get(sort) or _in_category(sort)),
        "categories": group.standings[0].score.header.categories,
        "numbers": {it.label: at for at, it in enumerate(sides)},
        "cards": {it.label: it.card for it in sides if it.card},
        "plots": charts.plots(sides),
        "bars": charts.bars(sides)[1:],
    }


def _in_category(name: str) -> Callable[[Standing], Any]:
    """Best first; a model whose suite has no such category keeps its rank behind them."""

    def place(it: Standing) -> tuple[float, int]:
        found = [part for part in it.score.categories if part.category == name]
        return -found[0].passed / found[0].asked if found else 1.0, it.rank

    return place


def _runs(shelf: Library) -> dict[str, Any]:
    lines = shelf.lines()
    return {"lines": lines[:_MOST_RUNS], "lines_left": max(0, len(lines) - _MOST_RUNS)}
