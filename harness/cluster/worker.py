"""What runs on a node: it opens the model there, asks what it is sent, and streams replies back."""

from __future__ import annotations

import hashlib
import platform
import queue
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec.structs import replace

import harness
from harness.adapters import Adapter, Opened, Request, Target
from harness.adapters.routes import opener
from harness.errors import EvalrunError
from harness.records import EncodedImage, Reply

AHEAD = 4
"""For each call in flight so many questions lie on the node, and what goes to and fro is gathered
for a moment: the way costs neither time nor much work. Not where questions on a picture should
follow each other in a server's cache."""
GATHERING_S = 0.05

Question = tuple[int, Request, tuple[str, ...]]
"""Its number, the request without its pictures, and their checksums."""
Answer = tuple[int, Reply | EvalrunError | str]
"""A text is the traceback of a bug of ours."""


class Worker:
    """Holds one open model; threads of its own ask it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._asked: queue.SimpleQueue[tuple[int, Request]] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._gathering_s, self._most = 0.0, 1

    def code(self) -> tuple[str, str]:
        """The node's name, and what evalrun is installed there."""
        return platform.node(), code_sha256()

    def open(self, backend: str, target: dict[str, Any]) -> tuple[Opened, list[str]] | EvalrunError:
        """Also what went on meanwhile. `target`: its fields. Its key is looked up here, in this
        node's environment."""
        notes: list[str] = []
        try:
            adapter = self._stack.enter_context(
                opener(backend)(Target(**target, notify=notes.append))
            )
        except EvalrunError as error:
            return error
        opened = adapter.opened
        if not opened.shards_by_picture:
            opened = replace(opened, ahead=AHEAD)
            self._gathering_s = GATHERING_S
        self._most = max(1, opened.concurrency // 2)
        for _ in range(opened.concurrency):
            threading.Thread(target=self._work, args=(adapter,), daemon=True).start()
        return opened, notes

    def take(self, questions: Sequence[Question], *images: EncodedImage) -> None:
        """Put questions where the threads find them."""
        by_sha256 = {it.sha256: it for it in images}
        for number, request, shown in questions:
            whole = replace(request, images=tuple(by_sha256[it] for it in shown))
            self._asked.put((number, whole))

    def answers(self) -> Iterator[list[Answer]]:
        """Batches of replies, as they land, until `close`."""
        while True:
            # With a node that dies go the answers that it still holds: fewer than are in flight.
            batch = gathered(self._answered, self._gathering_s, self._most)
            yield [it for it in batch if it is not None]
            if None in batch:
                return

    def close(self) -> None:
        """Stop the server, if one was started."""
        self._answered.put(None)
        self._stack.close()

    def _work(self, adapter: Adapter) -> None:
        while True:
            number, request = self._asked.get()
            reply: Reply | EvalrunError | str
            try:
                reply = adapter.ask(request)
            except EvalrunError as error:  # a value here: no failure of the cluster
                reply = error
            except BaseException:  # noqa: BLE001 - crosses the machines, raised by the driver
                reply = traceback.format_exc()
            self._answered.put((number, reply))


def gathered(source: queue.SimpleQueue[Any], seconds: float, most: int) -> list[Any]:
    """What comes within a moment: at least one thing."""
    batch, until = [source.get()], time.monotonic() + seconds
    while len(batch) < most and batch[-1] is not None:
        try:
            batch.append(source.get(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            break
    return batch


def code_sha256() -> str:
    """Of all of evalrun's own code."""
    root = Path(harness.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def without_callbacks(target: Target) -> dict[str, Any]:
    """The fields of a target that can travel."""
    fields = {name: getattr(target, name) for name in target.__struct_fields__}
    if target.weights is not None:  # which lie in each node's own cache
        fields["gguf"] = None
    return {name: it for name, it in fields.items() if name not in ("stopping", "notify", "log")}
