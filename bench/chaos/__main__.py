"""`python -m bench.chaos --minutes 5`: trial after trial, each from another seed, until time is up.

Ends with 1 when anything was lost, asked twice, miscounted or left running.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.chaos import trials
from harness.adapters.llamacpp import DEMO, server

Trial = Callable[[Path], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--only", help="only the trials whose name holds this")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    done, broken = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        for name, trial in planned(Path(temporary), options.seed):
            if time.monotonic() > until:
                break
            if options.only and options.only not in name:
                continue
            wrong = carried_out(Path(temporary), trial)
            done[name] += 1
            broken[name] += bool(wrong)
            for line in wrong:
                print(f"{name}: {line}", file=sys.stderr, flush=True)
    print("| trial | runs | promises broken |\n|---|---|---|")
    for name, count in done.items():
        print(f"| {name} | {count} | {broken[name]} |")
    sys.exit(1 if broken.total() else 0)


def carried_out(temporary: Path, trial: Trial) -> list[str]:
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        return trial(Path(folder))


def planned(temporary: Path, seed: int) -> Iterator[tuple[str, Trial]]:
    """Kills are short and many; the long trials come now and then."""
    suite = trials.make_suite(temporary / "suite")
    weights = demo_weights(temporary)
    for at in itertools.count(seed):
        for kill in range(6):
            yield "kill -9, then again", lambda it, n=10 * at + kill: trials.kill(it, suite, n)
        if weights is not None:
            for whom in ("server", "evalrun", "both"):
                yield (
                    f"kill -9 of {whom}, local",
                    lambda it, w=whom: trials.kill_local(it, suite, weights, w),
                )
        yield "all faults mixed", lambda it, n=at: trials.faults(it, suite, n)
        yield "4 at once while 16 ask", lambda it: trials.crowd(it, suite)
        yield "gone for 20 s", lambda it: trials.outage(it, suite, gone_s=20.0)
        yield "a web page for 5 s", lambda it: trials.maintenance(it, suite, html_s=5.0)


def demo_weights(folder: Path) -> tuple[Path, Path] | None:
    """The demonstration model under a path of its own: processes are told apart by it."""
    if not server.available():
        return None
    weights = folder / "text.gguf", folder / "vision.gguf"
    for source, copy in zip((DEMO.gguf, DEMO.mmproj), weights, strict=True):
        shutil.copyfile(source, copy)
    return weights


if __name__ == "__main__":
    main()
