"""Ctrl-C once ends a run in good order; twice ends it now. SIGTERM and SIGHUP count as once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Windows has no SIGHUP."""


class Interrupts:
    """Which signal asked the run to stop, if any did."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def exit_code(self) -> int | None:
        """128 plus the signal, as a shell reports it."""
        return None if self.signal is None else 128 + self.signal


@contextmanager
def stopped_by_signals(
    stopping: threading.Event, say: Callable[[str], None]
) -> Iterator[Interrupts]:
    """Set `stopping` at the first signal; the second one raises KeyboardInterrupt."""
    interrupts = Interrupts()

    def handle(number: int, _: FrameType | None) -> None:
        if interrupts.signal is not None:
            raise KeyboardInterrupt
        interrupts.signal = number
        stopping.set()
        # In a thread: the signal may have come in the middle of a write to the same stream.
        words = "stopping: waiting up to 5 s for the calls in flight (again: stop now)"
        threading.Thread(target=say, args=(words,), daemon=True).start()

    before = {it: signal.signal(it, handle) for it in _SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
