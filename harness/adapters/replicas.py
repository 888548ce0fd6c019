"""Several servers of one model as one: a picture stays with one of them, a dead one is left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import PurePath
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Adapter, Opener, Request, Target
from harness.adapters.endpoints import models_of, open_transport, same_model
from harness.errors import CallTimeout, EvalrunError, TargetError, Unreachable
from harness.records import Reply
from harness.text import one_line
from harness.transport import without_credentials

_GIVE_UP_S, _TRIES = 3.0, 3
"""How long a replica may be gone: its questions are better asked elsewhere than waited for."""
_LISTING_S = 3.0
_VOLATILE = {"id", "created", "permission"}
"""What a server says of a model that may be another on each."""
_MUST_AGREE = (
    *("build", "model_sha256", "model_file", "quantization", "mmproj_sha256", "mmproj_file"),
    *("chat_template_sha256", "context_tokens"),
)


class _Replica(Struct, eq=False):
    name: str
    adapter: Adapter
    facts: dict[str, Any]
    in_flight: int = 0

    @property
    def load(self) -> float:
        return self.in_flight / self.adapter.opened.concurrency


class Replicas:
    """Open servers of the same model. Threads share it."""

    def __init__(self, members: Sequence[_Replica], targets: Sequence[Target]) -> None:
        """`targets`: all there were to be; the run is one of so many calls at once."""
        first, self._target = members[0].adapter.opened, targets[0]
        url = self._target.base_url
        self.opened = replace(
            first,
            base_url=without_credentials(url) if url else None,
            concurrency=len(targets) * first.concurrency,
            # One server that is asked from several nodes may get a picture from any of them.
            shards_by_picture=url is None or any(it.base_url != url for it in targets),
        )
        self._alive, self._placed = list(members), dict[str, _Replica]()
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Reply:
        """Raises: as any adapter; TargetError when no replica is left."""
        lost_s, attempts = 0.0, 0
        while True:
            member, started = self._enter(request), time.monotonic()
            try:
                reply = member.adapter.ask(request)
            except (Unreachable, TargetError) as error:
                self._leave_out(member, error)
                lost_s, attempts = lost_s + time.monotonic() - started, attempts + 1
            else:
                effort = reply.effort
                more = replace(
                    effort, attempts=effort.attempts + attempts, failed_s=effort.failed_s + lost_s
                )
                return replace(reply, effort=more)
            finally:
                with self._lock:
                    member.in_flight -= 1

    def _enter(self, request: Request) -> _Replica:
        """Where the picture was asked about before, else the replica with the most room."""
        picture = request.images[0].sha256 if request.images else request.id
        with self._lock:
            member = self._placed.get(picture) if self.opened.shards_by_picture else None
            if member is None or member not in self._alive:
                member = self._placed[picture] = min(self._alive, key=lambda it: it.load)
            member.in_flight += 1
            return member

    def _leave_out(self, member: _Replica, error: EvalrunError) -> None:
        """Raises: `error` when it was the last one, or the run ends."""
        with self._lock:
            if member not in self._alive:
                return
            if len(self._alive) == 1 or self._target.stopping.is_set():
                raise error
            self._alive.remove(member)
        self._target.notify(f"WARNING: {member.name} is left out: {error.problem}")


@contextmanager
def open_replicas(opener: Opener, targets: Sequence[Target]) -> Iterator[Replicas]:
    """Open every target; one that does not answer is left out.

    Raises: TargetError when none answers, or they are not the same.
    """
    members, missing = list[_Replica](), list[TargetError]()
    with ExitStack() as stack:
        for number, target in enumerate(targets, 1):
            name = without_credentials(target.base_url) if target.base_url else f"replica {number}"
            tries = min(target.limits.tries, _TRIES)
            limits = replace(target.limits, give_up_s=_GIVE_UP_S, tries=tries)
            try:
                adapter = stack.enter_context(opener(replace(target, limits=limits)))
            except TargetError as error:
                if not isinstance(error.__cause__, Unreachable | CallTimeout):
                    raise
                missing.append(error)
                target.notify(f"WARNING: {name} is left out: {error.problem}")
            else:
                members.append(_Replica(name, adapter, _facts(adapter, target)))
        if not members:
            raise missing[0]
        _insist_on_same(*members)
        yield Replicas(members, targets)


def _insist_on_same(first: _Replica, *others: _Replica) -> None:
    for other in others:
        if found := [
            f"{name} {first.facts[name]} against {value}"
            for name, value in other.facts.items()
            if first.facts.get(name, value) != value
        ]:
            raise TargetError(
                f"{first.name} and {other.name} are not replicas: {'; '.join(found)}",
                fix="start both with the same build, weights and options",
            )


def _facts(adapter: Adapter, target: Target) -> dict[str, Any]:
    """What a server says of itself: of its own kind's facts, else of its list of models."""
    opened = adapter.opened
    facts = {"backend": opened.backend}
    facts |= {name: getattr(opened.server, name, None) or "" for name in _MUST_AGREE}
    facts = {name: value for name, value in facts.items() if value}
    if opened.server is not None or target.base_url is None:
        return facts
    listed, wanted = list[dict[str, Any]](), target.model_id or target.model
    with suppress(EvalrunError), open_transport(target, patient=False) as transport:
        listed = models_of(transport, _LISTING_S)
    for it in listed:
        if same_model(wanted, str(it.get("id"))):
            return facts | {"models": wanted} | {k: it[k] for k in it.keys() - _VOLATILE}
    # Under other names; folders may differ.
    names = {one_line(PurePath(str(it.get("id"))).name, 60) for it in listed}
    return facts | ({"models": ", ".join(sorted(names))} if names else {})
