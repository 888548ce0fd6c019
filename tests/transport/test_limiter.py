"""The limiter under a client that is too busy to see at once what it was answered."""

from __future__ import annotations

import random
import threading
import time

import pytest

from harness.transport import Limiter


@pytest.mark.parametrize("lag_s", [0.0, 0.003, 0.02])
@pytest.mark.parametrize(("allowed", "asking"), [(4, 16), (1, 8), (16, 16), (6, 64)])
def test_few_calls_are_refused_however_late_the_client_sees_it(
    allowed: int, asking: int, lag_s: float
) -> None:
    calls, burst = 300, asking - allowed

    assert _sent(allowed, asking, calls, lag_s) <= 1.1 * calls + burst


def _sent(allowed: int, asking: int, calls: int, lag_s: float) -> int:
    """How often `asking` threads had to send until `calls` were taken, `allowed` at once."""
    limiter, places = Limiter(asking, threading.Event()), threading.Semaphore(allowed)
    lags, left, sent = random.Random(1), list(range(calls)), []

    def work() -> None:
        while left:
            try:
                left.pop()
            except IndexError:
                return
            while not _taken(limiter, places, lags.random() * lag_s, sent):
                pass

    threads = [threading.Thread(target=work) for _ in range(asking)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(sent)


def _taken(limiter: Limiter, places: threading.Semaphore, lag_s: float, sent: list[int]) -> bool:
    number = limiter.enter()
    sent.append(number)
    taken = places.acquire(blocking=False)
    if taken:
        time.sleep(0.005)
        places.release()
    time.sleep(lag_s)
    if not taken:
        limiter.refused(number, 0.0)
    limiter.leave(answered=taken)
    return taken
