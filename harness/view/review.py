"""Replies that a person should decide on, one after the other; decisions are the store's lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from harness.errors import EvalrunError
from harness.records import Correction, Record
from harness.view.index import Filters, Index
from harness.view.library import Library, Missing
from harness.view.pages import form, library, number, page
from harness.view.runs import card, run_name

QUEUES = {
    "asked": "somebody asked to see",
    "unread": "no rule could read",
    "differ": "models disagree on",
    "fail": "failed",
    "all": "all",
}
"""Name in an address -> which replies are in it."""
_NO_REASON = "seen in the review"
_MOST_OTHERS = 6
"""Other runs of the suite that disagreement is looked for in."""


class Decision(Struct, frozen=True, kw_only=True):
    """What was decided last, so that it can be undone."""

    at: int
    verdict: str
    before: Correction | None
    """The correction that was replaced."""
    seen: str
    """Of the correction that was written."""


def choose(request: Request) -> HTMLResponse:
    """Which run to review."""
    lines = [it for it in library(request).lines() if it.header]
    waiting = {it.name: len(list(_unread(it.index))) for it in lines if it.index}
    return page(request, "review_runs.html", title="Review", lines=lines, waiting=waiting)


def review(request: Request) -> HTMLResponse:
    """The next reply of a queue; or the one that is asked for."""
    name, query, shelf = run_name(request), request.query_params, library(request)
    index = shelf.review_index(name)
    queue = query.get("queue", "unread")
    at: int | None
    if "prompt" in query:
        key = query["prompt"], number(query.get("repeat"))
        if key not in index.position:
            raise Missing(f"the run has no reply to {key[0]!r}", fix="go back to the run")
        queue, at = "all", index.position[key]
    else:
        at = _next(shelf, index, name, queue, number(query.get("after"), -1))
    part = "_review.html" if request.headers.get("hx-request") else "review.html"
    return page(request, part, title="Review", **_shown(shelf, name, queue, at))


async def ask_to_see(request: Request) -> HTMLResponse:
    """Put a reply into the queue of those that somebody wants to see, or take it out."""
    fields = await form(request)
    name, shelf = run_name(request), library(request)
    key, wanted = (fields.get("prompt", ""), number(fields.get("repeat"))), "take_out" not in fields
    if key not in shelf.review_index(name).position:
        raise Missing(f"the run has no reply to {key[0]!r}", fix="reload the page")
    await run_in_threadpool(shelf.ask_to_see, name, key, wanted=wanted)
    return page(request, "_asked.html", run=name, prompt=key[0], repeat=key[1], asked=wanted)


async def decide(request: Request) -> HTMLResponse:
    """Write a verdict, or take the last one back; the answer is the next reply."""
    fields = await form(request)
    return await run_in_threadpool(_decide, request, fields)


def _decide(request: Request, fields: dict[str, str]) -> HTMLResponse:
    name, shelf = run_name(request), library(request)
    index, queue, at = shelf.review_index(name), fields.get("queue", "all"), number(fields["at"])
    if at >= len(index):
        raise Missing("there is no such reply", fix="reload the page")
    (record,) = index.records([at])
    problem, decision = "", None
    following: int | None = at
    if _seen(record) != fields.get("seen", ""):
        problem = f"Another window decided on this reply meanwhile: {record.state}. Decide again."
    else:
        try:
            correction = _correction(record, fields)
            shelf.correct(name, at, correction)
        except EvalrunError as error:
            problem = f"Not written: {error.problem}. What to do: {error.fix}"
        else:
            verdict = fields.get("verdict", "")
            if verdict != "undo":
                decision = Decision(
                    at=at,
                    verdict=verdict,
                    before=record.correction,
                    seen=correction.at.isoformat(),
                )
                following = _next(shelf, index, name, queue, at)
    shown = _shown(shelf, name, queue, following)
    return page(request, "_review.html", **shown | {"problem": problem, "decision": decision})


def _correction(record: Record, fields: dict[str, str]) -> Correction:
    """To undo a correction is to write the one before it again, or that there is none."""
    verdict, why = fields.get("verdict", ""), fields.get("why", "").strip()
    withdrawn = verdict == "undo" and not fields.get("before")
    return Correction(
        prompt=record.case.id,
        repeat=record.repeat,
        passed=(fields.get("before") if verdict == "undo" else verdict) == "pass",
        why=why or _NO_REASON,
        at=datetime.now(UTC),
        withdrawn=withdrawn,
    )


def _shown(shelf: Library, name: str, queue: str, at: int | None) -> dict[str, Any]:
    index = shelf.review_index(name)
    found = index.records([at]) if at is not None else []
    counts = index.counts("flag")
    return {
        "run_name": name,
        "header": index.run.header,
        "queue": queue,
        "queues": QUEUES,
        "at": at,
        "card": card(found[0], index.run.header, name) if found else None,
        "seen": _seen(found[0]) if found else "",
        "left": sum(1 for _ in _queued(shelf, index, name, queue)),
        "corrected": counts["corrected"],
        "overruled": counts["overruled"],
        "problem": "",
        "decision": None,
    }


def _seen(record: Record) -> str:
    """Stands for the decision that a person has before their eyes."""
    return record.correction.at.isoformat() if record.correction else ""


def _next(shelf: Library, index: Index, name: str, queue: str, after: int) -> int | None:
    return next((at for at in _queued(shelf, index, name, queue) if at > after), None)


def _queued(shelf: Library, index: Index, name: str, queue: str) -> Iterator[int]:
    """Positions of the replies that wait for a decision."""
    if queue == "unread":
        yield from _unread(index)
        return
    if queue == "asked":
        places = (index.position.get(it) for it in shelf.asked(name))
        found = sorted(at for at in places if at is not None)
        yield from (at for at in found if not index.has(at, "corrected"))
        return
    differing = _differing(shelf, index, name) if queue == "differ" else None
    verdict = "fail" if queue == "fail" else ""
    for at in index.chosen(Filters(verdict=verdict, prompts=differing)):
        if index.state(at) != "error" and not index.has(at, "corrected"):
            yield at


def _unread(index: Index) -> Iterator[int]:
    chosen = index.chosen(Filters(flag="unread"))
    return (at for at in chosen if not index.has(at, "corrected"))


def _differing(shelf: Library, index: Index, name: str) -> frozenset[str]:
    """Prompts on which another run of the same suite came to another verdict."""
    ours, suite = index.states(), index.run.header.suite_sha256
    others = [it for it in shelf.run_names() if it != name and shelf.suite_of(it) == suite]
    return frozenset(
        id_
        for other in others[:_MOST_OTHERS]
        for id_, state in shelf.index(other).states().items()
        if id_ in ours and ours[id_] != state
    )


ROUTES = [
    Route("/review", choose),
    Route("/review/{folder}/{stem}", review, methods=["GET"]),
    Route("/review/{folder}/{stem}/ask", ask_to_see, methods=["POST"]),
    Route("/review/{folder}/{stem}", decide, methods=["POST"]),
]
