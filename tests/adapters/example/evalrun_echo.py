"""An adapter in a package of its own: it answers with the last word of the question."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.adapters import Opened, Request, Target
from harness.errors import TargetError
from harness.records import Reply


class Echo:
    opened = Opened(backend="echo", concurrency=4)

    def ask(self, prompt: Request) -> Reply:
        started = time.perf_counter()
        word = prompt.question.split()[-1].strip("?.")
        return Reply(text=word, latency_s=time.perf_counter() - started)


@contextmanager
def open_echo(target: Target) -> Iterator[Echo]:
    if target.model == "deaf":
        raise TargetError("this one never hears anything", fix="choose another model")
    yield Echo()
