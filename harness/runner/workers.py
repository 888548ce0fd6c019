"""Bounded workers. Whoever iterates gets the records in the order they land, a batch at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

from harness.records import Record
from harness.runner.plan import Job
from harness.transport import Stopped

GRACE_S = 5.0
"""How long calls in flight may take to finish once the run is asked to stop."""

_MOST_AHEAD = 8
"""Portions prepared and not yet begun; what prepares them must keep as many."""

_Landed = Record | BaseException | None
"""None: a worker is done."""


class Runner:
    """Asks the tasks with some workers, each with a thread (and so a connection) of its own."""

    def __init__(
        self,
        portions: list[list[Job]],
        ask: Callable[[Job], Record],
        *,
        workers: int,
        stopping: threading.Event,
        prepare: Callable[[Job], None] | None = None,
    ) -> None:
        """`stopping` ends the run early, whoever sets it. `prepare` is told what is asked soon."""
        self._portions = portions
        self._begun = 0
        self._moved = threading.Condition()
        self._ask, self._prepare = ask, prepare
        self._workers = max(1, min(workers, len(portions)))
        self._stopping = stopping
        self._landed: queue.Queue[_Landed] = queue.Queue(maxsize=4 * self._workers)
        """Bounded: when the disk is slow the workers wait, and memory stays flat."""
        self.in_flight = 0
        self._count = threading.Lock()

    def start(self) -> None:
        """Begin to ask. Then iterate."""
        for _ in range(self._workers):
            # Daemons: a call that hangs must not keep a finished process alive.
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
        try:
            while portion := self._take():
                for job in portion:
                    self._do(job)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - crosses the thread, raised by the iterator
            self._stopping.set()
            self._landed.put(error)
        self._landed.put(None)

    def _take(self) -> list[Job] | None:
        with self._moved:
            self._moved.notify()
            if self._stopping.is_set() or self._begun == len(self._portions):
                return None
            self._begun += 1
            return self._portions[self._begun - 1]

    def _look_ahead(self, prepare: Callable[[Job], None]) -> None:
        """Prepare the next portions while answers are waited for."""
        at = 0
        while not self._stopping.is_set():
            with self._moved:
                while at >= self._begun + min(self._workers, _MOST_AHEAD):
                    self._moved.wait()
                at = max(at, self._begun)
            if at == len(self._portions):
                return
            prepare(self._portions[at][0])
            at += 1

    def _do(self, job: Job) -> None:
        if self._stopping.is_set():
            raise Stopped
        with self._count:
            self.in_flight += 1
        try:
            record = self._ask(job)
        finally:
            with self._count:
                self.in_flight -= 1
        self._landed.put(record)
