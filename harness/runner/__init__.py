"""Cases in, records out: what is still to be asked, the workers that ask it, and one question from
picture to record. Prints nothing, writes nothing."""

from __future__ import annotations

import hashlib
import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Adapter, Request
from harness.errors import CallError, EvalrunError, RequestRefused, TargetError
from harness.graders import GRADERS, grade_reply
from harness.graders.inference import constraint
from harness.images import encode
from harness.records import Case, Effort, EncodedImage, GradeContext, Price, Record, Reply
from harness.text import one_line
from harness.transport import Stopped

GRACE_S = 5.0
"""How long calls in flight may take to finish once the run is asked to stop."""
_MOST_AHEAD = 8
"""Batches prepared and not yet begun; what prepares them must keep as many."""
_KEPT_PICTURES = 16
_ALIKE, _ANY = 3, 6
"""So many failures of one kind, or of any, before any answer end the run."""
_OF_THE_PICTURE = re.compile(r"HTTP 413|context|image|picture|too large|too long", re.IGNORECASE)

J = TypeVar("J")
R = TypeVar("R")


class Job(Struct, frozen=True):
    """One question, once."""

    case: Case
    repeat: int
    place: int
    """Of the case, in the suite's order."""


def plan(
    cases: Iterable[Case],
    *,
    repeats: int = 1,
    done: Container[tuple[str, int]] = (),
    by_picture: bool = False,
    at_random: bool = False,
) -> list[list[Job]]:
    """The work in batches, each for one worker.

    Questions on one picture stand together, in the suite's order of pictures. `by_picture` makes
    them one batch, so that a server with several slots reads each picture in one of them only.
    `done` holds the (id, repeat) that a resumed run already has. `at_random`: in the order of
    `at_random_place`, so that any beginning of the run stands for the whole.
    """
    pictures: dict[tuple[str, ...], list[Job]] = {}
    for repeat in range(repeats):
        for place, case in enumerate(cases):
            if (case.id, repeat) not in done:
                pictures.setdefault(case.pictures, []).append(Job(case, repeat, place))
    batches = list(pictures.values())
    if at_random:
        batches.sort(key=lambda it: at_random_place(it[0].case))
    return batches if by_picture else [[job] for jobs in batches for job in jobs]


def at_random_place(case: Case) -> str:
    """Sorts pictures into an order that has nothing to do with them, the same in every run."""
    return hashlib.sha256("\n".join(case.pictures).encode()).hexdigest()


class Runner(Generic[J, R]):
    """Works through batches with some workers, each with a thread (and so a connection) of its own.

    Whoever iterates gets the results in the order they land, a few at a time.
    """

    def __init__(
        self,
        batches: Sequence[Sequence[J]],
        ask: Callable[[J], R],
        *,
        workers: int,
        stopping: threading.Event,
        prepare: Callable[[J], None] | None = None,
    ) -> None:
        """`stopping` ends the run early, whoever sets it. `prepare` is given what is asked soon."""
        self._batches, self._begun = batches, 0
        self._ask, self._prepare = ask, prepare
        self._workers = max(1, min(workers, len(batches)))
        self._stopping, self._lock = stopping, threading.Lock()
        self._ahead = threading.Semaphore(min(self._workers, _MOST_AHEAD))
        self._landed: queue.Queue[R | BaseException | None] = queue.Queue(4 * self._workers)
        """None: a worker is done. Bounded: when the disk is slow the workers wait."""
        self._asking: set[int] = set()

    @property
    def in_flight(self) -> int:
        return len(self._asking)

    def start(self) -> None:
        """Begin to ask. Then iterate."""
        # Daemons: a call that hangs must not keep a finished process alive.
        for _ in range(self._workers):
            threading.Thread(target=self._work, daemon=True).start()
        if self._prepare is not None:
            threading.Thread(target=self._look_ahead, args=(self._prepare,), daemon=True).start()

    def __iter__(self) -> Iterator[list[R]]:
        """Batches of results. The first error of a worker stops the run and is raised at the end.

        What is in flight when the run stops may still land, for at most `GRACE_S`.
        """
        error: BaseException | None = None
        running, until = self._workers, float("inf")
        try:
            while running and time.monotonic() < until:
                batch: list[R] = []
                with suppress(queue.Empty):
                    it = self._landed.get(timeout=0.1)
                    while True:
                        if it is None:
                            running -= 1
                        elif isinstance(it, BaseException):
                            error = error or it
                        else:
                            batch.append(it)
                        it = self._landed.get_nowait()
                if batch:
                    yield batch
                if self._stopping.is_set():
                    until = min(until, time.monotonic() + GRACE_S)
        finally:
            self._stopping.set()
        if error is not None:
            raise error

    def _work(self) -> None:
        me = threading.get_ident()
        try:
            for batch in iter(self._take, ()):
                for job in batch:
                    if not self._stopping.is_set():
                        self._asking.add(me)
                        result = self._ask(job)
                        self._asking.discard(me)
                        self._landed.put(result)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - crosses the thread, raised by the iterator
            self._stopping.set()
            self._landed.put(error)
        self._asking.discard(me)
        self._landed.put(None)

    def _take(self) -> Sequence[J]:
        self._ahead.release()
        with self._lock:
            at, self._begun = self._begun, self._begun + 1
        return self._batches[at] if at < len(self._batches) else ()

    def _look_ahead(self, prepare: Callable[[J], None]) -> None:
        """Prepare the next batches while answers are waited for."""
        for at, batch in enumerate(self._batches):
            self._ahead.acquire()
            if self._stopping.is_set():
                return
            if at >= self._begun:
                prepare(batch[0])


@dataclass(kw_only=True)
class Asking:
    """Everything one question needs besides itself. Threads share it."""

    adapter: Adapter
    pictures: Callable[[Case], Sequence[Path]]
    image_max_side_px: int
    blind: bool = False
    price: Price | None = None
    retry_tokens: int | None = None
    """The limit with which a reply that was cut is asked for once more."""
    review: Callable[[Record, Sequence[EncodedImage]], Record] | None = None
    """A second opinion on a record, e.g. a model judge's."""
    coordinates: str | None = None
    constrained: bool = False
    """Whether a reply is held to what its grader reads."""
    most_usd: float | None = None
    spent_usd: float = 0.0
    """Once it comes to `most_usd`, no further call is begun."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._picture = lru_cache(_KEPT_PICTURES)(partial(_Picture, side_px=self.image_max_side_px))
        self._answered, self._lock = False, threading.Lock()
        self._failures: Counter[str] = Counter()
        self._spend(0.0)

    @property
    def over_budget(self) -> bool:
        return self.most_usd is not None and self.spent_usd >= self.most_usd

    def ask(self, job: Job) -> Record:
        """Ask and grade. Raises: SuiteError for a broken picture, TargetError for a lost cause."""
        case, started_at = job.case, datetime.now(UTC)
        images = self._images(case)
        record = partial(Record, case=case, repeat=job.repeat, place=job.place)
        record = partial(record, started_at=started_at, **_sent(images))
        request = Request(
            id=case.id,
            question=case.question,
            images=images,
            repeat=job.repeat,
            answer_schema=constraint(case) if self.constrained else case.options.get("schema"),
            schema_in_words=not self.constrained,
        )
        try:
            reply = self.adapter.ask(request)
        except CallError as error:  # the one place where a failed call becomes data
            self._check_hope(error)
            return record(outcome=error.as_failure())
        self._answered = True
        context = self._context(case, images)
        verdict = grade_reply(case, reply, context=context)
        if verdict.cut and self.retry_tokens:
            reply = with_more_room(self.adapter, request, reply, self.retry_tokens)
            verdict = grade_reply(case, reply, context=context)
        price = self.price
        cost_usd = price.cost_usd(reply.tokens_in, reply.tokens_out) if price else None
        graded = record(outcome=reply, verdict=verdict, context=context, cost_usd=cost_usd)
        if self.review:
            graded = self.review(graded, images)
        self._spend(cost_usd or 0.0)
        return graded

    def prepare(self, job: Job) -> None:
        """Have the picture ready before it is asked about. What is wrong with it, `ask` says."""
        with suppress(EvalrunError):
            for image in self._images(job.case):
                image.base64  # noqa: B018 - and kept

    def _spend(self, usd: float) -> None:
        with self._lock:
            self.spent_usd += usd
        if self.over_budget:
            self.stopping.set()

    def _images(self, case: Case) -> tuple[EncodedImage, ...]:
        if self.blind:
            return ()
        return tuple(self._picture(it).encoded() for it in self.pictures(case))

    def _context(self, case: Case, images: Sequence[EncodedImage]) -> GradeContext | None:
        """What grading a point or a box takes besides the reply."""
        if not images or not GRADERS[case.grader].located:
            return None
        sent = (images[0].width_px, images[0].height_px)
        file = images[0].file_size_px or sent
        return GradeContext(file_size_px=file, sent_size_px=sent, coordinates=self.coordinates)

    def _check_hope(self, error: CallError) -> None:
        """Raises: TargetError when nothing was answered yet, and the first calls fail alike."""
        of_the_picture = isinstance(error, RequestRefused) and _OF_THE_PICTURE.search(error.problem)
        if self._answered or of_the_picture:
            return
        with self._lock:
            self._failures[error.kind] += 1
            count, alike = self._failures.total(), self._failures[error.kind]
        if alike >= _ALIKE or count >= _ANY:
            how = "alike" if alike == count else "in vain"
            raise TargetError(
                f"the first {count} prompts all failed {how}: {error.problem}", fix=error.fix
            ) from error


def with_more_room(adapter: Adapter, request: Request, cut: Reply, tokens: int) -> Reply:
    """Ask once more; both asks count in tokens and effort, the response time is the last's."""
    try:
        reply = adapter.ask(replace(request, max_tokens=tokens))
    except CallError as error:
        failed = f"max_tokens: {tokens} failed: {one_line(error.problem, 200)}"
        effort = _both(cut.effort, error.effort)
        return replace(cut, effort=effort, adapted=(*cut.adapted, failed))
    effort = _both(cut.effort, reply.effort)
    return replace(
        reply,
        tokens_in=_sum(cut.tokens_in, reply.tokens_in),
        tokens_out=_sum(cut.tokens_out, reply.tokens_out),
        tokens_reasoning=_sum(cut.tokens_reasoning, reply.tokens_reasoning),
        effort=replace(effort, failed_s=effort.failed_s + (cut.latency_s or 0.0)),
        adapted=(*reply.adapted, f"max_tokens: {tokens}, as the first reply was cut"),
    )


def _sent(images: Sequence[EncodedImage]) -> dict[str, Any]:
    """What a record says of the pictures."""
    sha256s = tuple(image.sha256 for image in images)
    return {
        "image_sha256": sha256s[0] if sha256s else None,
        "images_sha256": sha256s if len(sha256s) > 1 else (),
        "media_types": tuple(image.media_type for image in images),
    }


def _both(first: Effort, second: Effort) -> Effort:
    names = Effort.__struct_fields__
    return Effort(**{name: getattr(first, name) + getattr(second, name) for name in names})


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


class _Picture:
    """Read, checked and encoded once, by whoever needs it first."""

    def __init__(self, path: Path, side_px: int) -> None:
        self._encode = cache(partial(encode, path, longest_side_px=side_px))
        self._busy = threading.Lock()

    def encoded(self) -> EncodedImage:
        with self._busy:
            return self._encode()
