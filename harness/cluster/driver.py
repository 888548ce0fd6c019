"""A model that is opened on a node of a Ray cluster, and on another when that one dies."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.adapters import Opener, Request, Target
from harness.cluster.worker import Opened, Worker, code_sha256, without_callbacks
from harness.errors import EvalrunError, TargetError, UsageError, check_extra
from harness.records import EncodedImage, Reply
from harness.transport import Stopped, without_credentials

AHEAD = 3
"""For each call in flight so many questions lie on the node: the way there costs no time. Not where
questions on a picture should follow each other in a server's cache."""
_LOOK_EVERY_S = 0.2
_KNOCK_S = 5.0
_CLOSE_S = 10.0
_PLACED_MOST = 5
"""Deaths in a row, without a reply between them, after which it is not the node's fault."""
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


class RemoteModel:
    """A model on some node. Threads share it."""

    def __init__(self, backend: str, target: Target, needed: dict[str, float]) -> None:
        self.backend, self._target, self._needed = backend, target, needed
        self._placing = threading.Lock()
        self._deaths = 0
        self._pictures: OrderedDict[str, Any] = OrderedDict()
        self._worker, self.opened = self._place()
        self.concurrency, self.server = self.opened.concurrency, self.opened.server
        self.base_url, self.endpoint = self.opened.base_url, self.opened.endpoint
        self.shards_by_picture = self.opened.shards_by_picture
        self.workers = self.concurrency * (1 if self.shards_by_picture else AHEAD)

    def ask(self, request: Request) -> Reply:
        """Raises: as the adapter on the node; TargetError when node after node dies."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        while True:
            worker = self._worker
            try:
                images = [self._sent(it) for it in request.images]
                plain = replace(request, images=(), on_text=None)
                reply: Reply | EvalrunError = ray.get(worker.ask.remote(plain, *images))
            except RayTaskError:
                raise  # a bug of ours, on the node
            except RayError as error:
                self._place_again(worker, error)
                continue
            if isinstance(reply, EvalrunError):
                raise reply
            self._deaths = 0
            return reply

    def close(self) -> None:
        """Stop the server there, then give the place back."""
        import ray

        with suppress(Exception):  # the node may be gone
            ray.get(self._worker.close.remote(), timeout=_CLOSE_S)
        with suppress(Exception):
            ray.kill(self._worker)

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

    def _wait(self, future: Any) -> Any:
        """Raises: Stopped when the run ends meanwhile; RayError when the node does."""
        import ray

        while True:
            ready, _ = ray.wait([future], timeout=_LOOK_EVERY_S)
            if ready:
                return ray.get(ready[0])
            if self._target.stopping.is_set():
                raise Stopped

    def _place_again(self, dead: Any, error: Exception) -> None:
        """The first thread that meets a death finds another node; the others wait for it."""
        with self._placing:
            if self._worker is not dead:
                return
            self._deaths += 1
            if self._deaths > _PLACED_MOST:
                raise TargetError(
                    f"{self._deaths} nodes in a row died: {_first_line(error)}",
                    fix="look into the cluster's logs: `ray list actors`",
                ) from error
            self._target.notify(f"WARNING: node {self.opened.node} is gone; placing it again")
            self._worker, self.opened = self._place()

    def _place(self) -> tuple[Any, Opened]:
        """Raises: TargetError when it cannot be opened, or a node has another evalrun."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        options = {"max_concurrency": 2 + AHEAD * (self._target.concurrency or 8), **self._needed}
        remote = ray.remote(Worker).options(scheduling_strategy="SPREAD", **options)
        while True:
            worker = remote.remote()
            try:
                return worker, self._open(worker)
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

    def _open(self, worker: Any) -> Opened:
        node, code = self._wait(worker.code.remote())
        if code != code_sha256():
            raise TargetError(
                f"node {node} has another evalrun than this machine",
                fix="install the same version on every node",
            )
        target = without_callbacks(self._target)
        opened: Opened | EvalrunError = self._wait(worker.open.remote(self.backend, target))
        if isinstance(opened, EvalrunError):
            raise opened
        for note in opened.notes:
            self._target.notify(f"{opened.node}: {note}")
        return opened


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
