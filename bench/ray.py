"""One run over three Ray nodes against the plain run loop at the same total concurrency.

    python -m bench.ray [--prompts 10000] [--concurrency 24]

A server of 200 ms a call, pictures of the load bench. Wanted: the driver under 200 MB, and at least
85 % of the calls a second that the run loop of one machine reaches.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.chaos import trials
from bench.memory import resident_kb
from bench.server import running
from harness import store

LATENCY_S, NODES = 0.2, 3


def asked(folder: Path, model: str, suite: Path, url: str, *more: str) -> tuple[float, float]:
    """Calls a second from the first to the last reply, and the most MB that the driver took."""
    command = ["--suite", suite, "--model", model, "--base-url", url, "--json", *more]
    process, most_kb = trials.start(folder, *command), 0
    while process.poll() is None:
        most_kb = max(most_kb, resident_kb(process.pid) or 0)
        time.sleep(0.25)
    assert process.returncode == 0, trials.said(folder)
    (path,) = (folder / "results" / model).glob("*.jsonl")
    records = list(store.read(path).records())
    starts = [it.started_at.timestamp() for it in records]
    took_s = max(starts) - min(starts) + LATENCY_S
    return len(records) / took_s, most_kb / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=24, help="of all nodes together")
    options = parser.parse_args()
    each = str(options.concurrency // NODES)
    with tempfile.TemporaryDirectory() as temporary, running(LATENCY_S) as url:
        folder = Path(temporary)
        suite = trials.make_suite(folder / "suite", options.prompts, pictures=67)
        alone, alone_mb = asked(
            folder, "one", suite, url, "--concurrency", str(options.concurrency)
        )
        print(f"one machine: {alone:.1f} calls/s, {alone_mb:.0f} MB", flush=True)
        nodes = subprocess.Popen(
            [sys.executable, "-m", "tests.sweep.three_nodes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert nodes.stdout is not None
        address = nodes.stdout.readline().strip()
        over = ("--ray", address, "--replicas", str(NODES), "--concurrency", each)
        cluster, driver_mb = asked(folder, "three", suite, url, *over)
        nodes.communicate()
        print(f"three nodes: {cluster:.1f} calls/s, driver {driver_mb:.0f} MB")
    share = cluster / alone
    print(f"{share:.0%} of one machine's run loop")
    sys.exit(share < 0.85 or driver_mb > 200)


if __name__ == "__main__":
    main()
