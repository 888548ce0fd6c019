"""What is still to be asked, and the workers that ask it."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator

from msgspec import Struct

from harness.records import Case, Record
from harness.transport import Stopped

GRACE_S = 5.0
"""How long calls in flight may take to finish once the run is asked to stop."""
_MOST_AHEAD = 8
"""Batches prepared and not yet begun; what prepares them must keep as many."""
_Landed = Record | BaseException | None
"""None: a worker is done."""


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


class Runner:
    """Asks the jobs with some workers, each with a thread (and so a connection) of its own.

    Whoever iterates gets the records in the order they land, a batch at a time.
    """

    def __init__(
        self,
        batches: list[list[Job]],
        ask: Callable[[Job], Record],
        *,
        workers: int,
        stopping: threading.Event,
        prepare: Callable[[Job], None] | None = None,
    ) -> None:
        """`stopping` ends the run early, whoever sets it. `prepare` is given what is asked soon."""
        self._batches, self._begun = batches, 0
        self._moved = threading.Condition()
        self._ask, self._prepare = ask, prepare
        self._workers = max(1, min(workers, len(batches)))
        self._stopping = stopping
        self._landed: queue.Queue[_Landed] = queue.Queue(maxsize=4 * self._workers)
        """Bounded: when the disk is slow the workers wait, and memory stays flat."""
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

    def __iter__(self) -> Iterator[list[Record]]:
        """Batches of records. The first error of a worker stops the run and is raised at the end.

        What is in flight when the run stops may still land, for at most `GRACE_S`.
        """
        error: BaseException | None = None
        running, until = self._workers, None
        try:
            while running and (until is None or time.monotonic() < until):
                batch = self._batch()
                running -= batch.count(None)
                error = error or next((it for it in batch if isinstance(it, BaseException)), None)
                if records := [it for it in batch if isinstance(it, Record)]:
                    yield records
                if until is None and self._stopping.is_set():
                    until = time.monotonic() + GRACE_S
        finally:
            self._stopping.set()
        if error is not None:
            raise error

    def _batch(self) -> list[_Landed]:
        """All that has landed by now: at least one thing, unless a moment passes without any."""
        batch: list[_Landed] = []
        try:
            batch.append(self._landed.get(timeout=0.1))
            while True:
                batch.append(self._landed.get_nowait())
        except queue.Empty:
            return batch

    def _work(self) -> None:
        me = threading.get_ident()
        try:
            while (batch := self._take()) and not self._stopping.is_set():
                for job in batch:
                    if not self._stopping.is_set():
                        self._asking.add(me)
                        record = self._ask(job)
                        self._asking.discard(me)
                        self._landed.put(record)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - crosses the thread, raised by the iterator
            self._stopping.set()
            self._landed.put(error)
        self._asking.discard(me)
        self._landed.put(None)

    def _take(self) -> list[Job] | None:
        with self._moved:
            self._moved.notify()
            if self._begun == len(self._batches):
                return None
            self._begun += 1
            return self._batches[self._begun - 1]

    def _look_ahead(self, prepare: Callable[[Job], None]) -> None:
        """Prepare the next batches while answers are waited for."""
        at = 0
        while not self._stopping.is_set():
            with self._moved:
                while at >= self._begun + min(self._workers, _MOST_AHEAD):
                    self._moved.wait()
                at = max(at, self._begun)
            if at == len(self._batches):
                return
            prepare(self._batches[at][0])
            at += 1
