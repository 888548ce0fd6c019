"""Two replicas behind one run against one: wall time at 500 ms a call.

    python -m bench.replicas [--prompts 200]

Wanted: at most 0.55 of one replica's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.chaos import trials
from bench.server import running

LATENCY_S, CONCURRENCY = 0.5, "4"


def took_s(folder: Path, model: str, suite: Path, *urls: str) -> float:
    """The whole command, its start included."""
    at = [word for url in urls for word in ("--base-url", url)]
    started = time.monotonic()
    process = trials.start(
        folder, "--suite", suite, "--model", model, *at, "--concurrency", CONCURRENCY, "--json"
    )
    assert process.wait() == 0, trials.said(folder)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=200)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as temporary,
        running(LATENCY_S) as first,
        running(LATENCY_S) as second,
    ):
        folder = Path(temporary)
        suite = trials.make_suite(folder / "suite", options.prompts, pictures=67)
        one_s = took_s(folder, "one", suite, first)
        two_s = took_s(folder, "two", suite, first, second)
    print(f"one: {one_s:.1f} s, two: {two_s:.1f} s, {two_s / one_s:.2f} of it")
    sys.exit(two_s / one_s > 0.55)


if __name__ == "__main__":
    main()
