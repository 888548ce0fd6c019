"""The pages on a real socket, over runs that the store wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("starlette", reason="the pages come with the extra `view`")
import uvicorn

from harness import suites
from harness.catalogue import Catalogue
from harness.view.app import application, listen
from harness.view.library import Library
from tests.report.conftest import own, results, write_run  # noqa: F401


class Pages:
    """A server, and a client that has its cookie."""

    def __init__(self, url: str, token: str, form_token: str) -> None:
        self.url, self.token = url, token
        self.posting = {"x-evalrun-token": form_token}
        self.client = httpx.Client(base_url=url, follow_redirects=True, timeout=20)
        self.stranger = httpx.Client(base_url=url, timeout=20)

    def enter(self) -> None:
        assert self.client.get("/", params={"token": self.token}).status_code == 200

    def get(self, path: str, /, **params: str) -> httpx.Response:
        return self.client.get(path, params=params or None)

    def post(self, path: str, /, **fields: str) -> httpx.Response:
        return self.client.post(path, data=fields, headers=self.posting)


Serve = Callable[..., Pages]


@pytest.fixture
def serve(results: Path) -> Iterator[Serve]:  # noqa: F811
    """`serve(suite=PATH)`: the pages about `results`, entered already."""
    running: list[tuple[uvicorn.Server, threading.Thread, Pages]] = []

    def start(*, suite: Path | None = None, cards: Catalogue | None = None) -> Pages:
        listening = listen("127.0.0.1", 0)
        port = listening.getsockname()[1]
        known = cards or Catalogue(cards={}, presets={})
        guard = application(Library(results, suite, known), host="127.0.0.1", port=port)
        config = uvicorn.Config(
            guard, log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        pages = Pages(f"http://127.0.0.1:{port}", guard.token, guard.form_token)
        running.append((server, thread, pages))
        pages.enter()
        return pages

    yield start
    for server, thread, pages in running:
        server.should_exit = True
        pages.client.close()
        pages.stranger.close()
        thread.join(10)


@pytest.fixture
def pages(serve: Serve, own: suites.Suite) -> Pages:  # noqa: F811
    return serve(suite=own.root)


def until(is_so: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Wait until something of another thread or process has happened."""
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
