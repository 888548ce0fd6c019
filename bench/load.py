"""Many prompts at once, or a long soak: `python -m bench.load [--minutes 30]`.

The first asks 100,000 prompts at concurrency 256 of the fastest server there could be, twice, and
compares the two runs. The second keeps asking a server with 1 % faults. Both watch memory, open
files and threads, and say when they grow.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.chaos import trials
from bench.chaos.server import serving
from bench.memory import open_files, resident_kb, threads
from bench.server import running
from bench.speed import measured
from harness import store

PICTURES = 67
SOAK_CONCURRENCY = 16
SOAK_CALLS_A_SECOND = 40
"""What a good hosted model does; the machine stays free for other work."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--minutes", type=float, help="soak for so long instead")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.minutes:
            soak(folder, options.minutes)
            return
        suite = trials.make_suite(folder / "suite", options.prompts, pictures=PICTURES)
        with running(0.0) as url:
            for model in ("one", "two"):
                crowd(folder, suite, url, model, options.prompts, options.concurrency)
        compare(folder)


def crowd(folder: Path, suite: Path, url: str, model: str, prompts: int, concurrency: int) -> None:
    command = ["--suite", suite, "--model", model, "--base-url", url, "--json"]
    started = time.monotonic()
    process = trials.start(folder, *command, "--concurrency", str(concurrency))
    samples = watched(process, folder / "results" / model, prompts)
    code = process.wait()
    assert code == 0, trials.said(folder)
    print(f"{model}: {prompts} prompts in {time.monotonic() - started:.0f} s")
    for share, (kb, files, count) in samples.items():
        print(f"  at {share:3d} %: {kb / 1024:.0f} MB, {files} files, {count} threads")
    (path,) = (folder / "results" / model).glob("*.jsonl")
    answered = len(store.read(path).answered_keys())
    print(f"  {answered} of {prompts} recorded, {path.stat().st_size / 1e6:.0f} MB", flush=True)
    assert answered == prompts


def watched(
    process: subprocess.Popen[str], runs: Path, prompts: int
) -> dict[int, tuple[int, int, int]]:
    """Memory, files and threads at each tenth of the way, judged by the length of the run file."""
    samples: dict[int, tuple[int, int, int]] = {}
    bytes_a_record = 0.0
    while process.poll() is None:
        time.sleep(0.2)
        data = next(iter(runs.glob("*.jsonl")), None)
        if data is None:
            continue
        if not bytes_a_record and data.stat().st_size > 1 << 20:
            lines = data.read_bytes().splitlines()
            bytes_a_record = sum(map(len, lines)) / len(lines) + 1
        done = data.stat().st_size / bytes_a_record / prompts if bytes_a_record else 0.0
        pid = process.pid
        samples.setdefault(int(10 * done) * 10, (resident_kb(pid), open_files(pid), threads(pid)))
    return samples


def compare(folder: Path) -> None:
    command = [sys.executable, "-m", "harness", "compare", "one", "two"]
    wall_s, cpu_s, peak_mb = measured(command, folder)
    print(f"compare: {wall_s:.1f} s, {cpu_s:.1f} s of CPU, {peak_mb:.0f} MB at most")


def soak(folder: Path, minutes: float) -> None:
    """Runs of 20,000 prompts one after the other would hide a leak: one long run shows it."""
    rates = {"fault_500": 0.004, "reset": 0.002, "cut_short": 0.002, "malformed": 0.002}
    prompts = int(minutes * 60 * SOAK_CALLS_A_SECOND * 1.2)
    suite = trials.make_suite(folder / "suite", prompts, pictures=PICTURES)
    with serving(rates) as server:
        server.books.latency_s = SOAK_CONCURRENCY / SOAK_CALLS_A_SECOND
        command = ["--suite", suite, "--model", "soak", "--base-url", server.url]
        at_once = ("--concurrency", str(SOAK_CONCURRENCY))
        process = trials.start(folder, *command, *at_once, "--json")
        until = time.monotonic() + 60 * minutes
        while process.poll() is None and time.monotonic() < until:
            time.sleep(60 * minutes / 10)
            pid = process.pid
            print(
                f"{server.books.answered:7d} answered: {resident_kb(pid) / 1024:.0f} MB, "
                f"{open_files(pid)} files, {threads(pid)} threads",
                flush=True,
            )
        process.terminate()
        process.wait()
    print(f"{len(trials.answered_lines(folder))} recorded of {server.books.answered} answered")


if __name__ == "__main__":
    main()
