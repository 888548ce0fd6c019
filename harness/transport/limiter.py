"""How many calls may be in flight, and when. All workers of a run share one limiter.

Three things hold calls back, and each is found out once for everybody:

* a rate limit: nobody sends before the server's Retry-After has passed;
* a limit on calls at once, by additive increase and multiplicative decrease: an answer adds a
  fraction of a place; refusals take away those that were too many, but at most three quarters for
  the calls that were in flight together (a limit per minute refuses them all);
* the breaker: when connections are refused, one call probes while the others wait.
"""

from __future__ import annotations

import threading
import time

_LOOK_AGAIN_S = 0.5
_INCREASE = 0.05
_DECREASE = 0.25


class Stopped(Exception):
    """The run is ending: a wait was called off. Never leaves the runner."""


class Limiter:
    """Bounds calls in flight. Thread-safe; one per server."""

    def __init__(self, most: int, stopping: threading.Event) -> None:
        """`stopping`: once set, every wait is called off."""
        self._most = self._limit = self._least = float(most)
        self._in_flight = self._sent = 0
        self._last_of_burst = 0
        self._open_at = 0.0
        self._gone_since: float | None = None
        self._probing: int | None = None
        self._changed = threading.Condition()
        self._stopping = stopping

    def enter(self) -> int:
        """Wait for a place. Returns the call's number in the order of sending.

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
                    return self._sent
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

    def answered(self) -> None:
        """The server took a call."""
        with self._changed:
            self._close_breaker()
            self._limit = min(self._most, self._limit + _INCREASE)

    def refused(self, number: int, wait_s: float) -> None:
        """The server said 429 to this call: nobody sends for `wait_s`."""
        self.pause(wait_s)
        with self._changed:
            if number > self._last_of_burst:  # sent after the last decrease had begun
                self._last_of_burst = self._sent
                self._least = max(1.0, self._limit * _DECREASE)
            self._limit = max(self._least, min(self._limit, self._in_flight - 1.0))

    def pause(self, wait_s: float) -> None:
        """Nobody sends for `wait_s`, e.g. while the server loads its model."""
        with self._changed:
            self._close_breaker()
            self._open_at = max(self._open_at, time.monotonic() + wait_s)

    def reached(self) -> None:
        """A connection was made, though no answer came over it."""
        with self._changed:
            self._close_breaker()

    def gone(self) -> float:
        """No connection: this call becomes the probe. Returns for how many seconds now."""
        with self._changed:
            now = time.monotonic()
            if self._gone_since is None:
                self._gone_since = now
            if self._probing is None:
                self._probing = threading.get_ident()
            return now - self._gone_since

    def end_probe(self) -> None:
        """This call gives up: the next one may find out for itself."""
        with self._changed:
            self._probing = None
            self._changed.notify_all()

    def _close_breaker(self) -> None:
        self._gone_since = self._probing = None
        self._changed.notify_all()

    def _wait_s(self) -> float | None:
        """Seconds to wait before looking again; None when a call may go."""
        if self._probing not in (None, threading.get_ident()):
            return _LOOK_AGAIN_S
        pause_s = self._open_at - time.monotonic()
        if pause_s > 0:
            return pause_s
        return _LOOK_AGAIN_S if self._in_flight >= int(self._limit) else None
