"""Pages about one run, and about one prompt in all runs."""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from harness import store
from harness.records import Record, RunHeader
from harness.report.answers import Picture, pictures_of
from harness.tables.runs import notes
from harness.view.index import FLAGS, STATES, Filters, Index
from harness.view.library import Library, Missing
from harness.view.pages import library, number, page

PAGE = 30
"""Records on a page; the next ones come when one scrolls."""
FILTERS = ("category", "verdict", "flag", "reason", "differs")
_MOST_REASONS = 15


class Card(Struct, frozen=True, kw_only=True):
    """One record as a page shows it."""

    record: Record
    pictures: list[Picture]
    run: str
    label: str
    asked: bool = False
    """Whether somebody asked to see it in the review."""

    @property
    def key(self) -> tuple[str, int]:
        return self.record.case.id, self.record.repeat


def card(record: Record, header: RunHeader, name: str) -> Card:
    return Card(
        record=record,
        pictures=pictures_of(record, header.image_max_side_px),
        run=name,
        label=header.model,
    )


def run(request: Request) -> HTMLResponse:
    """A run with its filters, a page of its records at a time."""
    name, query = run_name(request), request.query_params
    kept = {key: value for key, value in query.items() if key in FILTERS and value}
    start = number(query.get("start"))
    shelf = library(request)
    header = shelf.header(name)
    if not kept and not start and not shelf.is_ready(name):
        # The first page of a long run is shown before the run is read.
        first = islice(store.read(shelf.path(name)).records(), PAGE)
        cards, index, chosen = [card(it, header, name) for it in first], None, header.asked
    else:
        index = shelf.index(name)
        positions = index.chosen(_filters(shelf, index, kept))
        records = index.records(positions[start : start + PAGE])
        cards, chosen = [card(it, header, name) for it in records], len(positions)
    more = urlencode(kept | {"start": str(start + PAGE)}) if start + PAGE < chosen else ""
    asked = shelf.asked(name)
    cards = [structs.replace(it, asked=it.key in asked) for it in cards]
    shown: dict[str, Any] = {"cards": cards, "more": more, "run_name": name, "header": header}
    if start and request.headers.get("hx-request"):
        return page(request, "_cards.html", **shown)
    about = _about(shelf, index, name) if index else {}
    return page(request, "run.html", title=header.model, kept=kept, chosen=chosen, **shown, **about)


def about(request: Request) -> HTMLResponse:
    """Score and filters of a long run, which come when it has been read."""
    name = run_name(request)
    shelf = library(request)
    index = shelf.index(name)
    shown = _about(shelf, index, name)
    return page(request, "_about.html", run_name=name, header=index.run.header, kept={}, **shown)


def _about(shelf: Library, index: Index, name: str) -> dict[str, Any]:
    suite = index.run.header.suite_sha256
    others = [it for it in shelf.run_names() if it != name and shelf.suite_of(it) == suite]
    return {
        "score": index.score,
        "notes": notes(index.score),
        "choices": _choices(index),
        "others": others,
    }


def prompt(request: Request) -> HTMLResponse:
    """One question, and the answers of every run that asked it."""
    id_ = request.query_params.get("id", "")
    cards = []
    for name in library(request).run_names():
        index = library(request).line(name).index
        if index is None:
            continue
        header = index.run.header
        found = [index.position.get((id_, repeat)) for repeat in range(header.repeats)]
        records = index.records([it for it in found if it is not None])
        cards += [card(it, header, name) for it in records]
    if not cards:
        raise Missing(f"no run here asked {id_!r}", fix="go back to the list of models")
    return page(request, "prompt.html", title=id_, cards=cards)


def picture(request: Request) -> Response:
    """The picture that was sent to the model, or a light copy of it."""
    query = request.query_params
    limit = number(query.get("px"))
    wanted = Picture(query.get("sha256", ""), query.get("path", ""), limit)
    image = library(request).picture(wanted, thumb="thumb" in query)
    kept = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(image.data, media_type=image.media_type, headers=kept)


def run_name(request: Request) -> str:
    return f"{request.path_params['folder']}/{request.path_params['stem']}"


def _filters(shelf: Library, index: Index, kept: dict[str, str]) -> Filters:
    given = {key: value for key, value in kept.items() if key != "differs"}
    wanted = msgspec.convert(given, Filters)
    if "differs" not in kept:
        return wanted
    theirs, ours = shelf.index(kept["differs"]).states(), index.states()
    differing = frozenset(it for it in ours if it in theirs and theirs[it] != ours[it])
    return structs.replace(wanted, prompts=differing)


def _choices(index: Index) -> dict[str, list[tuple[str, str, int]]]:
    """Filter -> its choices: value, label, how many records. Only those that choose some."""
    flags, verdicts = index.counts("flag"), index.counts("verdict")
    categories, reasons = index.counts("category"), index.reasons.most_common(_MOST_REASONS)
    named: dict[str, list[tuple[str, str, int]]] = {
        "category": [(it, it, count) for it, count in categories.items()],
        "verdict": [(it, it, verdicts[it]) for it in STATES],
        "flag": [(it, label, flags[it]) for it, label in FLAGS.items()],
        "reason": [(it, it, count) for it, count in reasons if it],
    }
    kept = {name: [it for it in choices if it[2]] for name, choices in named.items()}
    return {name: choices for name, choices in kept.items() if choices}
