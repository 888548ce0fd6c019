"""Ctrl-C once ends a run in good order; twice ends it now. SIGTERM and SIGHUP count as once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import ExitCode

_SIGNALS = [getattr(signal, it) for it in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, it)]


class Interrupts:
    """Which signal asked the run to stop, if any did."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def exit_code(self) -> int | None:
        """128 plus the signal, as a shell reports it."""
        return None if self.signal is None else 128 + self.signal


@contextmanager
def ending_well(stopping: threading.Event, say: Callable[[str], None]) -> Iterator[Interrupts]:
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


def leave_now(code: int) -> None:
    """End the process without waiting for threads that still hang in a call."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # its reader has left
    except OSError as error:
        sys.stderr.write(f"evalrun: stdout cannot be written: {error.strerror}\n")
        code = code or int(ExitCode.BAD_RESULTS)
    os._exit(code)
