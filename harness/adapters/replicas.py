"""Several servers of one model as one: a picture stays with one of them, a dead one is left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import PurePath
from threading import Event
from typing import Any

from msgspec.structs import replace

from harness.adapters import Adapter, Opener, Request, Target
from harness.adapters.endpoints import models_of, open_transport, same_model
from harness.errors import CallTimeout, EvalrunError, TargetError, Unreachable
from harness.records import Reply
from harness.text import one_line
from harness.transport import Stopped, without_credentials

GIVE_UP_S = 3.0
"""How long a replica may be gone: its questions are better asked elsewhere than waited for."""
_TRIES = 3
_LOOK_EVERY_S = 0.1
_LISTING_S = 3.0
_VOLATILE = ("id", "created", "permission")
"""What a server says of a model that may be another on each."""
_MUST_AGREE = {
    "build": "server build",
    "model_sha256": "weights",
    "model_file": "weights file",
    "quantization": "quantization",
    "mmproj_sha256": "projector",
    "mmproj_file": "projector file",
    "chat_template_sha256": "chat template",
    "context_tokens": "context",
}
"""What a server says of itself -> in words."""


class Replica:
    """One of them, and what it is doing."""

    def __init__(self, name: str, adapter: Adapter) -> None:
        self.name, self.adapter = name, adapter
        self.in_flight = 0

    @property
    def load(self) -> float:
        return self.in_flight / self.adapter.concurrency


class Replicas:
    """Open servers of the same model. Threads share it."""

    def __init__(
        self, members: Sequence[Replica], target: Target, *, planned: int, one_server: bool
    ) -> None:
        """`planned`: how many there were to be; the run is one of so many calls at once.
        `one_server`: asked from several nodes, so that a picture may come from any of them."""
        self.shards_by_picture = not one_server
        first = members[0].adapter
        self.backend, self.server = first.backend, first.server
        self.base_url = without_credentials(target.base_url) if target.base_url else None
        self.endpoint = getattr(first, "endpoint", None)
        self.concurrency = planned * first.concurrency
        self.workers = planned * getattr(first, "workers", first.concurrency)
        self._target, self._alive = target, list(members)
        self._placed: dict[str, Replica] = {}
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Reply:
        """Raises: as any adapter; TargetError when no replica is left."""
        lost_s, attempts = 0.0, 0
        while True:
            member, started = self._enter(request), time.monotonic()
            try:
                reply = member.adapter.ask(request)
            except (Unreachable, TargetError, Stopped) as error:
                if self._target.stopping.is_set():
                    raise
                self._leave_out(member, error)
                lost_s, attempts = lost_s + time.monotonic() - started, attempts + 1
            else:
                effort = reply.effort
                more = replace(
                    effort, attempts=effort.attempts + attempts, failed_s=effort.failed_s + lost_s
                )
                return replace(reply, effort=more) if attempts else reply
            finally:
                with self._lock:
                    member.in_flight -= 1

    def _enter(self, request: Request) -> Replica:
        """Where the picture was asked about before, else the replica with the most room."""
        picture = request.images[0].sha256 if request.images else request.id
        with self._lock:
            member = self._placed.get(picture) if self.shards_by_picture else None
            if member not in self._alive:
                member = self._placed[picture] = min(self._alive, key=lambda it: it.load)
            assert member is not None
            member.in_flight += 1
            return member

    def _leave_out(self, member: Replica, error: Exception) -> None:
        """Raises: `error` when it was the last one."""
        with self._lock:
            if member not in self._alive:
                return
            if len(self._alive) == 1:
                raise error
            self._alive.remove(member)
        why = error.problem if isinstance(error, EvalrunError) else "it was stopped"
        self._target.notify(f"WARNING: {member.name} is left out: {why}")


@contextmanager
def open_replicas(opener: Opener, targets: Sequence[Target]) -> Iterator[Replicas]:
    """Open every target; one that does not answer is left out.

    Raises: TargetError when none answers, or they are not the same.
    """
    with ExitStack() as stack:
        members, reached, missing = list[Replica](), list[Target](), list[TargetError]()
        for number, target in enumerate(targets, 1):
            name = without_credentials(target.base_url) if target.base_url else f"replica {number}"
            limits = replace(
                target.limits, give_up_s=GIVE_UP_S, tries=min(target.limits.tries, _TRIES)
            )
            own = replace(target, limits=limits, stopping=_Own(target.stopping))
            try:
                members.append(Replica(name, stack.enter_context(opener(own))))
            except TargetError as error:
                if not isinstance(error.__cause__, Unreachable | CallTimeout):
                    raise
                missing.append(error)
                target.notify(f"WARNING: {name} is left out: {error.problem}")
            else:
                reached.append(own)
        if not members:
            raise missing[0]
        _insist_on_same(members, reached)
        urls = {it.base_url for it in targets} - {None}
        yield Replicas(
            members, targets[0], planned=len(targets), one_server=len(urls) == 1 < len(targets)
        )


def _insist_on_same(members: Sequence[Replica], targets: Sequence[Target]) -> None:
    first, *others = members
    said = [_facts(member, target) for member, target in zip(members, targets, strict=True)]
    for other, facts in zip(others, said[1:], strict=True):
        found = [
            f"{name} {said[0][name]} against {value}"
            for name, value in facts.items()
            if said[0].get(name, value) != value
        ]
        if first.adapter.backend != other.adapter.backend:
            found = [f"{first.adapter.backend} against {other.adapter.backend}"]
        if found:
            raise TargetError(
                f"{first.name} and {other.name} are not replicas: {'; '.join(found)}",
                fix="start both with the same build, weights and options",
            )


def _facts(member: Replica, target: Target) -> dict[str, Any]:
    """What a server says of itself: of its own kind's facts, else of its list of models."""
    server = member.adapter.server
    if server is not None:
        known = ((name, getattr(server, it)) for it, name in _MUST_AGREE.items())
        return {name: value for name, value in known if value is not None}
    if target.base_url is None:
        return {}
    with suppress(EvalrunError), open_transport(target, patient=False) as transport:
        listed, wanted = models_of(transport, _LISTING_S), target.model_id or target.model
        for it in listed:
            if same_model(wanted, str(it.get("id"))):
                facts = {name: value for name, value in it.items() if name not in _VOLATILE}
                return facts | {"models": wanted}
        if listed:  # under other names; folders may differ
            names = {PurePath(str(it.get("id"))).name for it in listed}
            return {"models": ", ".join(one_line(it, 60) for it in sorted(names))}
    return {}


class _Own(Event):
    """Set when the run ends, or for one replica alone, whose server may die for good."""

    def __init__(self, of_the_run: Event) -> None:
        super().__init__()
        self._of_the_run = of_the_run

    def is_set(self) -> bool:
        return super().is_set() or self._of_the_run.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (until is None or time.monotonic() < until):
            left_s = _LOOK_EVERY_S if until is None else until - time.monotonic()
            super().wait(max(0.0, min(_LOOK_EVERY_S, left_s)))
        return self.is_set()
