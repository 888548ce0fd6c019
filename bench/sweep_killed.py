"""A sweep killed at random moments ends with the table of one that was not.

    python -m bench.sweep_killed [--kills 10] [-- MODEL --quant A,B ...]

Without a model of your own: six cells of the demonstration model. Both sweeps run on the real
llama.cpp server; of the tables everything is compared but what is measured anew: run names, times
and memory. No server may be left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DEMO = ["demo", "--image-max-side", "128,256,512", "--temperature", "0,0.5", "--limit", "40"]
MEASURED_ANEW = {
    *("run", "best", "latency_s", "tokens_per_s", "answers_per_s", "peak_gb", "command"),
    *("frontier", "sentence"),
}
"""What is faster, or takes less memory, may be another setting the next time."""


def command(words: list[str], results: Path) -> list[str]:
    evalrun = [sys.executable, "-m", "harness", "sweep", *words]
    return [*evalrun, "--prefer", "smallest", "--json", "--results", str(results)]


def table(said: bytes) -> Any:
    found = json.loads(said)
    found["cells"] = [_kept(it) for it in found["cells"]]
    return found["cells"], _kept(found["choice"])


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in MEASURED_ANEW}


def servers() -> set[int]:
    """Processes of llama.cpp that were started for us."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(it.endswith((b"llamacpp/child.py", b"llama-server")) for it in words):
            found.add(int(path.parent.name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    words, chance, before = given.words or DEMO, random.Random(given.seed), servers()
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        started = time.monotonic()
        expected = table(
            subprocess.run(command(words, whole), check=True, capture_output=True).stdout
        )
        took_s = time.monotonic() - started
        print(f"whole: {took_s:.1f} s, {len(expected[0])} cells")
        for number in range(given.kills):
            running = subprocess.Popen(
                command(words, killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            after_s = chance.uniform(0.3, took_s / 3)
            time.sleep(after_s)
            running.send_signal(signal.SIGKILL)
            running.wait()
            records = sum(path.read_bytes().count(b"\n") for path in killed.glob("*/*.jsonl"))
            print(f"kill {number + 1} after {after_s:.1f} s: {records} lines on disk")
        last = subprocess.run(command(words, killed), check=True, capture_output=True)
        print(last.stderr.decode().strip().splitlines()[-1])
        runs = len(list(killed.glob("*/*.jsonl")))
        time.sleep(3)
    same = table(last.stdout) == expected
    left = servers() - before
    print(f"same table: {same}; runs: {runs}; servers left behind: {len(left)}")
    sys.exit(not same or bool(left) or runs != len(expected[0]))


if __name__ == "__main__":
    main()
