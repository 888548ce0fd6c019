"""How many calls may be in flight, and when. All workers of a run pass the same gate.

Three things close it, and each is found out once for everybody:

* a rate limit: nobody sends before the server's Retry-After has passed;
* a limit on calls at once: a call refused at a level of concurrency where none was ever answered
  lowers the limit; every answer proves its level, and now and then one more is tried. A busy
  client sees refusals late and may think more proven than is: refusals that go on take it back;
* the breaker: when connections are refused, one call probes while the others wait.
"""

from __future__ import annotations

import threading
import time

from msgspec import Struct

_LOOK_AGAIN_S = 0.5
_MOST_PATIENCE = 32
_DOUBTS_ALLOWED = 0.05
"""Of the answers: rounds of refusals at a level that was thought proven (a limit by the minute)."""


class Stopped(Exception):
    """The run is ending: a wait was called off. Never leaves the runner."""


class Place(Struct, frozen=True):
    """Where a call stands among those in flight."""

    level: int
    """How many were in flight when it was sent, itself included."""
    number: int
    """In the order of sending."""


class Gate:
    """Bounds calls in flight. Thread-safe; one per server."""

    def __init__(self, most: int, stopping: threading.Event) -> None:
        """`stopping`: once set, every wait is called off."""
        self._most = most
        self._limit = most
        self._in_flight = 0
        self._proven = 0
        self._answers_at_limit = 0
        self._patience = 2
        self._sent = 0
        self._last_of_round = self._proven_at = 0
        self._answers = self._doubts = 0
        self._open_at = 0.0
        self._gone_since: float | None = None
        self._prober: int | None = None
        self._changed = threading.Condition()
        self._stopping = stopping

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def enter(self) -> Place:
        """Wait for a place.

        Raises: Stopped.
        """
        with self._changed:
            while True:
                if self._stopping.is_set():
                    raise Stopped
                wait_s = self._wait_s()
                if wait_s is None:
                    self._in_flight += 1
                    self._sent += 1
                    return Place(self._in_flight, self._sent)
                self._changed.wait(min(wait_s, _LOOK_AGAIN_S))

    def leave(self) -> None:
        """Give the place back, whatever became of the call."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the run ends. Raises: Stopped."""
        if self._stopping.wait(seconds):
            raise Stopped

    def answered(self, place: Place) -> None:
        """The server answered the call that was sent from `place`."""
        with self._changed:
            self._close_breaker()
            if (level := min(place.level, self._in_flight)) > self._proven:
                self._proven, self._proven_at = level, self._sent
            self._limit = max(self._limit, self._proven)
            self._answers += 1
            self._answers_at_limit += 1
            if self._limit < self._most and self._answers_at_limit >= self._patience * self._limit:
                self._limit += 1
                self._answers_at_limit = 0
            self._changed.notify_all()

    def refused(self, place: Place, wait_s: float) -> None:
        """The server said 429 to the call sent from `place`: nobody sends for `wait_s`."""
        with self._changed:
            self._close_breaker()
            self._open_at = max(self._open_at, time.monotonic() + wait_s)
            first_of_round = place.number > self._last_of_round
            if first_of_round:
                self._last_of_round = self._sent
            if place.number <= self._proven_at:
                self._proven = max(0, self._proven - 1)  # it was counted among those taken
            elif place.level <= self._proven and first_of_round:
                self._doubt()
            if place.level > self._proven:
                self._limit = max(1, self._proven, min(self._limit, self._in_flight - 1))
                self._answers_at_limit = 0
                if first_of_round:
                    self._patience = min(_MOST_PATIENCE, 2 * self._patience)
            self._changed.notify_all()

    def _doubt(self) -> None:
        """A level that was thought proven is refused: too often, and nothing is proven any more."""
        self._doubts += 1
        if self._doubts > 1 + _DOUBTS_ALLOWED * self._answers:
            self._proven = self._doubts = self._answers = 0

    def reached(self) -> None:
        """A connection was made, though no answer came over it."""
        with self._changed:
            self._close_breaker()
            self._changed.notify_all()

    def gone(self) -> float:
        """No connection: this call becomes the probe. Returns for how many seconds now."""
        with self._changed:
            now = time.monotonic()
            if self._gone_since is None:
                self._gone_since = now
            if self._prober is None:
                self._prober = threading.get_ident()
            return now - self._gone_since

    def _close_breaker(self) -> None:
        self._gone_since = self._prober = None

    def _wait_s(self) -> float | None:
        """Seconds to wait before looking again; None when a call may go."""
        if self._prober not in (None, threading.get_ident()):
            return _LOOK_AGAIN_S
        pause_s = self._open_at - time.monotonic()
        if pause_s > 0:
            return pause_s
        return _LOOK_AGAIN_S if self._in_flight >= self._limit else None
