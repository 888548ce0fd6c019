"""A model that is opened on a node of a Ray cluster, and on another when that one dies."""

from __future__ import annotations

import logging
import os
import queue
import socket
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.adapters import Opened, Opener, Request, Target
from harness.cluster.worker import (
    GATHERING_S,
    Question,
    Worker,
    code_sha256,
    gathered,
    without_callbacks,
)
from harness.errors import EvalrunError, TargetError, UsageError, check_extra
from harness.records import EncodedImage, Reply
from harness.transport import Stopped, without_credentials

_LOOK_EVERY_S = 0.2
_KNOCK_S = 5.0
_CLOSE_S = 10.0
_PLACED_MOST = 5
"""Deaths in a row, without a reply between them, after which it is not the node's fault."""
_MOST_QUESTIONS = 64
"""In one batch."""
_MOST_PICTURES = 64
"""Of which the cluster's store holds a copy."""


def connect(address: str) -> None:
    """Join the cluster. Raises: UsageError without ray; TargetError when no cluster is there."""
    check_extra("ray")
    import ray

    if ray.is_initialized():
        return
    try:
        _knock(address)
        ray.init(
            address=address,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise TargetError(
            f"there is no Ray cluster at {address!r}: {str(error).splitlines()[0]}",
            fix="start one (`ray start --head`), or name its address: --ray HOST:6379",
        ) from error
    # Ray tells of dead nodes on stdout, which is for data, and has no switch for it.
    worker = import_module("ray._private.worker")
    worker.print_to_stdstream = _nothing_said  # type: ignore[attr-defined]


def _nothing_said(*_: object, **__: object) -> None: ...


def _knock(address: str) -> None:
    """Ray itself would try for minutes. Raises: OSError."""
    if address == "auto":
        with suppress(OSError):
            started_here = Path(tempfile.gettempdir()) / "ray" / "ray_current_cluster"
            address = os.environ.get("RAY_ADDRESS") or started_here.read_text().strip()
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


def resources(num_gpus: float | None, target: Target) -> dict[str, float]:
    """What a server takes: a GPU where the cluster has any, else a CPU, as asking one does."""
    import ray

    gpus = ray.cluster_resources().get("GPU", 0.0)
    usual = 1.0 if gpus and target.base_url is None else 0.0
    wanted = usual if num_gpus is None else num_gpus
    if wanted > gpus:
        raise TargetError(
            f"--num-gpus {wanted:g}: the cluster has {gpus:g}", fix="ask for fewer, or add nodes"
        )
    return {"num_gpus": wanted, "num_cpus": 0.0 if wanted else 1.0}


def places(needed: dict[str, float]) -> int:
    """How many cells or replicas have room at the same time."""
    import ray

    there = ray.cluster_resources()
    gpus, cpus = needed["num_gpus"], needed["num_cpus"]
    return max(1, int(there.get("GPU", 0) / gpus if gpus else there.get("CPU", 1) / cpus))


class _Link:
    """The way to one worker: questions go in batches, answers come in a stream."""

    def __init__(self, worker: Any, node: str, gathering_s: float) -> None:
        self.worker, self.node, self._gathering_s = worker, node, gathering_s
        self._outbox: queue.SimpleQueue[tuple[Question, tuple[Any, ...]] | None] = (
            queue.SimpleQueue()
        )
        self._waiting: dict[int, Future[Reply | EvalrunError | str]] = {}
        self._numbers, self._changing = count(), threading.Lock()
        self._dead: Exception | None = None
        for work in (self._send, self._receive):
            threading.Thread(target=work, daemon=True).start()

    def ask(self, request: Request, pictures: tuple[Any, ...]) -> Reply:
        """Raises: as the adapter there; RayError when the worker is gone."""
        answer: Future[Reply | EvalrunError | str] = Future()
        with self._changing:
            if self._dead is not None:
                raise self._dead
            number = next(self._numbers)
            self._waiting[number] = answer
        shown = tuple(image.sha256 for image in request.images)
        plain = replace(request, images=(), on_text=None)
        self._outbox.put(((number, plain, shown), pictures))
        reply = answer.result()
        if isinstance(reply, EvalrunError):
            raise reply
        if isinstance(reply, str):
            raise RuntimeError(f"a bug of ours, on the node:\n{reply}")  # noqa: TRY004
        return reply

    def close(self) -> None:
        self._outbox.put(None)

    def _send(self) -> None:
        while True:
            batch = gathered(self._outbox, self._gathering_s, _MOST_QUESTIONS)
            going = [it for it in batch if it is not None]
            pictures = {
                sha256: picture
                for (_, _, shown), held in going
                for sha256, picture in zip(shown, held, strict=True)
            }
            self.worker.take.remote([question for question, _ in going], *pictures.values())
            if None in batch:
                return

    def _receive(self) -> None:
        import ray

        try:
            for batch in self.worker.answers.options(num_returns="streaming").remote():
                for number, reply in ray.get(batch):
                    self._waiting.pop(number).set_result(reply)
        except ray.exceptions.RayError as error:
            self._fail(error)
        else:
            self._fail(ray.exceptions.RayError("the worker was closed"))

    def _fail(self, error: Exception) -> None:
        with self._changing:
            self._dead, left = error, list(self._waiting.values())
            self._waiting.clear()
        for answer in left:
            answer.set_exception(error)


class RemoteModel:
    """A model on some node. Threads share it."""

    def __init__(self, backend: str, target: Target, needed: dict[str, float]) -> None:
        self._backend, self._target, self._needed = backend, target, needed
        self._placing = threading.Lock()
        self._deaths = 0
        self._pictures: OrderedDict[str, Any] = OrderedDict()
        self._link, self.opened = self._place()

    def ask(self, request: Request) -> Reply:
        """Raises: as the adapter on the node; TargetError when node after node dies."""
        from ray.exceptions import RayError, RayTaskError

        while True:
            link = self._link
            try:
                reply = link.ask(request, tuple(self._sent(it) for it in request.images))
            except RayTaskError:
                raise  # a bug of ours, on the node
            except RayError as error:
                self._place_again(link, error)
            else:
                self._deaths = 0
                return reply

    def close(self) -> None:
        """Stop the server there, then give the place back."""
        import ray

        worker = self._link.worker
        self._link.close()
        with suppress(Exception):  # the node may be gone
            ray.get(worker.close.remote(), timeout=_CLOSE_S)
        with suppress(Exception):
            ray.kill(worker)

    def _sent(self, image: EncodedImage) -> Any:
        """Each picture travels once to each node."""
        import ray

        with self._placing:
            if image.sha256 not in self._pictures:
                self._pictures[image.sha256] = ray.put(image)
            self._pictures.move_to_end(image.sha256)
            while len(self._pictures) > _MOST_PICTURES:
                self._pictures.popitem(last=False)
            return self._pictures[image.sha256]

    def _place_again(self, dead: _Link, error: Exception) -> None:
        """The first thread that meets a death finds another node; the others wait for it."""
        if self._target.stopping.is_set():
            raise Stopped
        with self._placing:
            if self._link is not dead:
                return
            dead.close()
            self._deaths += 1
            if self._deaths > _PLACED_MOST:
                raise TargetError(
                    f"{self._deaths} nodes in a row died: {_first_line(error)}",
                    fix="look into the cluster's logs: `ray list actors`",
                ) from error
            self._target.notify(f"WARNING: node {dead.node} is gone; placing it again")
            self._link, self.opened = self._place()

    def _place(self) -> tuple[_Link, Opened]:
        """Raises: TargetError when it cannot be opened, or a node has another evalrun."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        remote = ray.remote(Worker).options(
            scheduling_strategy="SPREAD", max_concurrency=4, **self._needed
        )
        while True:
            worker = remote.remote()
            try:
                node, opened = self._open(worker)
            except RayTaskError:
                raise  # a bug of ours, on the node
            except RayError as error:
                self._deaths += 1
                if self._deaths > _PLACED_MOST:
                    raise TargetError(
                        f"no node could take {self._target.model}: {_first_line(error)}",
                        fix="install evalrun on every node; `ray list actors` says more",
                    ) from error
            except BaseException:
                ray.kill(worker)
                raise
            else:
                gathering_s = GATHERING_S if opened.ahead > 1 else 0.0
                return _Link(worker, node, gathering_s), opened

    def _open(self, worker: Any) -> tuple[str, Opened]:
        node, code = self._wait(worker.code.remote())
        if code != code_sha256():
            raise TargetError(
                f"node {node} has another evalrun than this machine",
                fix="install the same version on every node",
            )
        target = without_callbacks(self._target)
        found: tuple[Opened, list[str]] | EvalrunError
        found = self._wait(worker.open.remote(self._backend, target))
        if isinstance(found, EvalrunError):
            raise found
        opened, notes = found
        for note in notes:
            self._target.notify(f"{node}: {note}")
        return node, opened

    def _wait(self, future: Any) -> Any:
        """Raises: Stopped when the run ends meanwhile; RayError when the node does."""
        import ray

        while True:
            ready, _ = ray.wait([future], timeout=_LOOK_EVERY_S)
            if ready:
                return ray.get(ready[0])
            if self._target.stopping.is_set():
                raise Stopped


def opener_on(backend: str, needed: dict[str, float]) -> Opener:
    """Opens a target somewhere in the cluster."""

    @contextmanager
    def opened(target: Target) -> Iterator[RemoteModel]:
        if target.base_url and without_credentials(target.base_url) != target.base_url:
            raise UsageError(
                "--base-url holds a password, which would travel through the cluster",
                fix="export it on every node, and name the variable with --api-key-env",
            )
        model = RemoteModel(backend, target, needed)
        try:
            yield model
        finally:
            model.close()

    return opened


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
