"""Try: one picture and one question to up to four models, their answers streamed side by side."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.adapters import Target
from harness.adapters.routes import DEMO, Running, look_around, routes
from harness.adapters.routes import Route as ModelRoute
from harness.ask import case_of
from harness.catalogue import Catalogue
from harness.errors import CallError, UsageError
from harness.images.drawn import lighter
from harness.records import ModelCard
from harness.runner.panel import TASKS, PanelAnswer, question_for
from harness.suites.writing import append_case, with_free_id
from harness.text import inert
from harness.view.library import Missing
from harness.view.pages import body, form, library, page
from harness.view.trial import Bench, Trial

MOST_MODELS = 4
_MOST_UPLOAD_BYTES = 64 * 2**20
_LOOK_EVERY_S = 0.1


def bench(request: Request) -> Bench:
    state = request.app.state
    if not hasattr(state, "bench"):
        state.bench = Bench()
    found: Bench = state.bench
    return found


def _trial(request: Request) -> Trial:
    return bench(request).trial(request.path_params["trial"])


def show(request: Request) -> HTMLResponse:
    return page(request, "try.html", title="Try", tasks=TASKS, most=MOST_MODELS)


def offer(request: Request) -> HTMLResponse:
    """The models that can be asked from here: served, in the local cache, or by a key."""
    known = library(request).catalogue
    running = look_around(known.presets.values())
    offered = [
        (card.name, found[0].via)
        for card in known.cards.values()
        if (found := _open_routes(card, known, running))
    ]
    offered += [(it, server.base_url) for server in running for it in server.models]
    return page(request, "_try_models.html", offered=[*offered, (DEMO, "built in")])


def _open_routes(card: ModelCard, known: Catalogue, running: list[Running]) -> list[ModelRoute]:
    return [it for it in routes(card, Target(model=card.name), known, running) if it.open]


async def upload(request: Request) -> Response:
    """Take a picture in; it is checked and made canonical like any picture of a suite."""
    data = await body(request, most_bytes=_MOST_UPLOAD_BYTES)
    suffix = {"image/jpeg": ".jpg", "image/webp": ".webp"}.get(
        request.headers.get("content-type", ""), ".png"
    )
    id_ = await run_in_threadpool(bench(request).add_picture, data, suffix)
    return JSONResponse({"picture": id_})


def thumbnail(request: Request) -> Response:
    found = bench(request).pictures.get(request.path_params["picture"])
    if found is None:
        raise Missing("this picture is no longer kept", fix="choose it again")
    image = lighter(found.encoded, most_bytes=200_000)
    return Response(image.data, media_type=image.media_type)


async def start(request: Request) -> HTMLResponse:
    """Put the question to the models; the answer is the page that follows them."""
    fields = await form(request)
    return await run_in_threadpool(_start, request, fields)


def _start(request: Request, fields: dict[str, str]) -> HTMLResponse:
    picture = bench(request).pictures.get(fields.get("picture", ""))
    if picture is None:
        raise UsageError("there is no picture", fix="drop one on the page, or choose a file")
    task = fields.get("task", "")
    question = question_for(task if task in TASKS else None, fields.get("question"))
    given = [
        (fields.get(f"model{at}", "").strip(), fields.get(f"url{at}", "").strip())
        for at in range(MOST_MODELS)
    ]
    models = [name for name, _ in dict.fromkeys(given) if name]
    if twice := next((it for it in models if models.count(it) > 1), None):
        raise UsageError(
            f"two servers are given for {twice}",
            fix="ask one after the other, or give one a name of its own in evalrun.toml",
        )
    if not models:
        raise UsageError("no model is named", fix="choose one, or demo, the built-in one")
    hidden = "hidden" in fields
    if hidden:
        random.shuffle(models)
    trial = Trial(picture, question, task, models, hidden=hidden)
    id_ = bench(request).add_trial(trial)
    addresses = {name: url for name, url in given if name and url}
    known = library(request).catalogue
    threading.Thread(target=trial.ask, args=(addresses, known), daemon=True).start()
    return page(request, "_trial.html", trial=trial, trial_id=id_, suite=library(request).suite)


async def follow(request: Request) -> StreamingResponse:
    """The answers as they come, as server-sent events."""
    trial = _trial(request)
    return StreamingResponse(_events(request, trial), media_type="text/event-stream")


async def _events(request: Request, trial: Trial) -> AsyncIterator[str]:
    shown: dict[str, object] = {}
    while not await request.is_disconnected():
        done = trial.done
        for at, name in enumerate(trial.models):
            answer = trial.answers.get(name)
            if answer is not None and shown.get(name) is not answer:
                shown[name] = answer
                yield _event("answer", at=at, html=_answer_html(request, trial, answer))
            elif answer is None and shown.get(name) != trial.texts[name]:
                shown[name] = trial.texts[name]
                yield _event("text", at=at, text=inert(trial.texts[name]))
        if done:
            yield _event("done", agreement="" if trial.hidden else inert(trial.agreement))
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _event(kind: str, **data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _answer_html(request: Request, trial: Trial, answer: PanelAnswer) -> str:
    error = answer.error
    why = (error.problem if isinstance(error, CallError) else str(error)) if error else ""
    html = page(request, "_try_answer.html", answer=answer, error=why, hidden=trial.hidden).body
    return bytes(html).decode()


def stop(request: Request) -> Response:
    _trial(request).stopping.set()
    return Response(status_code=204)


async def vote(request: Request) -> HTMLResponse:
    """Show the hidden names, once the best answer was chosen."""
    fields = await form(request)
    trial = _trial(request)
    trial.hidden = False
    return page(request, "_try_vote.html", trial=trial, best=fields.get("best", ""))


async def save(request: Request) -> HTMLResponse:
    """Append the question with its right answer to the suite that `--suite` names."""
    fields = await form(request)
    return await run_in_threadpool(_save, request, fields)


def _save(request: Request, fields: dict[str, str]) -> HTMLResponse:
    trial, folder = _trial(request), library(request).suite
    expected = fields.get("expected", "").strip()
    if folder is None:
        raise UsageError(
            "no suite of your own is open", fix="start `evalrun view --suite DIR`, DIR may be new"
        )
    if not expected:
        raise UsageError("the right answer is missing", fix="type it")
    category = fields.get("category", "").strip() or "Tried"
    case = case_of(trial.question, expected, name=trial.question, category=category)
    path = append_case(folder, with_free_id(folder, case), trial.picture.file)
    return page(request, "_saved.html", path=str(path), grader=case.grader)


ROUTES = [
    Route("/try", show),
    Route("/try/models", offer),
    Route("/try/picture", upload, methods=["POST"]),
    Route("/try/picture/{picture}", thumbnail),
    Route("/try/ask", start, methods=["POST"]),
    Route("/try/{trial}/events", follow),
    Route("/try/{trial}/stop", stop, methods=["POST"]),
    Route("/try/{trial}/vote", vote, methods=["POST"]),
    Route("/try/{trial}/save", save, methods=["POST"]),
]
