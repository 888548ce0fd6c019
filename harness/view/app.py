"""The web application: its addresses, its errors as pages, and the server around it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from harness.errors import EvalrunError, UsageError
from harness.report.page import TEMPLATES
from harness.view import models, review, runs, suite, trying
from harness.view.guard import Guard
from harness.view.library import Library, Missing
from harness.view.pages import page

PORT = 8740
_STATIC = Path(__file__).parent / "static"
_ONE_RUN = "/run/{folder}/{stem}"


def application(library: Library, *, host: str, port: int, token: str | None = None) -> Guard:
    """The pages behind their guard, whose `token` opens them."""
    routes = [
        Route("/", models.models),
        Route("/board", models.board),
        Route("/runs", models.runs),
        Route("/events", models.events),
        Route("/compare", models.compare),
        Route(_ONE_RUN, runs.run),
        Route(f"{_ONE_RUN}/about", runs.about),
        Route("/prompt", runs.prompt),
        Route("/picture", runs.picture),
        *review.ROUTES,
        *trying.ROUTES,
        *suite.ROUTES,
        Route("/style.css", lambda _: FileResponse(TEMPLATES / "page.css")),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    inner = Starlette(routes=routes, exception_handlers={EvalrunError: _failed, 404: _not_found})
    inner.state.library = library
    return Guard(inner, host=host, port=port, token=token)


def serve(
    library: Library, *, host: str, port: int | None, on_start: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C; `on_start` is given the address once it answers.

    Without a port, `PORT` or any free one. Raises: UsageError when the port is taken.
    """
    listening = listen(host, port)
    given = listening.getsockname()[1]
    guard = application(library, host=host, port=given)
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    shown = f"[{host}]" if ":" in host else host
    with contextlib.closing(listening):
        on_start(f"http://{shown}:{given}/?token={guard.token}")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that accepts already: whoever is given the address may come at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in [port] if port is not None else [PORT, 0]:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, tried))
            listening.listen(64)
        except OSError as error:
            listening.close()
            why = error.strerror or str(error)
        else:
            return listening
    place = host if port is None else f"{host}:{port}"
    raise UsageError(f"{place} cannot be listened on: {why}", fix="name another --port or --host")


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, EvalrunError)
    status = 404 if isinstance(error, Missing) else 400 if isinstance(error, UsageError) else 409
    part = "_error.html" if request.headers.get("hx-request") else "error.html"
    return page(request, part, status=status, title="Error", error=error)


def _not_found(request: Request, _: Exception) -> Response:
    error = Missing("there is no such page", fix="go back to the models")
    return _failed(request, error)
