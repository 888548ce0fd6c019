"""How much evalrun adds to the bare calls: `python -m bench.speed`.

Each line runs the installed command and, right after it, a bare httpx loop in a process of its
own, on the same pictures against the same server. Machines are noisy: the ratio is what counts.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from bench.server import running

SCENARIOS = (
    # prompts, concurrency, latency_s, distinct pictures
    (67, 16, 0.0, 67),
    (67, 8, 0.5, 67),
    (1000, 64, 0.05, 67),
    (10_000, 64, 0.0, 67),
)


def make_suite(root: Path, prompts: int, pictures: int) -> Path:
    """Canonical JPEGs of about 300 KB, as a camera makes them, and yes/no questions on them."""
    (root / "prompts").mkdir(parents=True)
    (root / "images").mkdir()
    noise = random.Random(7)
    for number in range(pictures):
        small = Image.frombytes("RGB", (512, 384), noise.randbytes(512 * 384 * 3))
        large = small.resize((1024, 768), Image.Resampling.BICUBIC)
        large.save(root / "images" / f"p{number}.jpg", quality=74)
    lines = ['category = "Speed"', 'suite = "speed"', 'version = "1"', 'license = "CC0-1.0"']
    for number in range(prompts):
        lines += [
            "[[case]]",
            f'id = "s-{number:05d}"',
            f'question = "Is number {number} there? Answer yes or no."',
            f'image = "images/p{number % pictures}.jpg"',
            'expected = "yes"',
            'grader = "yes_no"',
        ]
    (root / "prompts" / "speed.toml").write_text("\n".join(lines))
    return root


def measured(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    wall_s = time.perf_counter() - started
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="repeats; the best of them counts")
    parser.add_argument("--only", type=int, help="only the scenario of this many prompts")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print("prompts conc latency | evalrun s  CPU ms/prompt  peak MB | bare loop s | ratio")
    for prompts, concurrency, latency_s, pictures in SCENARIOS:
        if arguments.only in (None, prompts):
            compare(prompts, concurrency, latency_s, pictures, arguments.times)


def compare(prompts: int, concurrency: int, latency_s: float, pictures: int, times: int) -> None:
    with tempfile.TemporaryDirectory() as temporary, running(latency_s) as url:
        folder = Path(temporary)
        suite = make_suite(folder / "suite", prompts, pictures)
        evalrun = [
            *(sys.executable, "-m", "harness", "--suite", str(suite), "--model", "speed"),
            *("--base-url", url, "--concurrency", str(concurrency), "--fresh", "--json"),
        ]
        bare = [sys.executable, "-m", "bench.bare", url, str(suite), str(concurrency)]
        repository = Path(__file__).parent.parent
        pairs = [(measured(evalrun, folder), measured(bare, repository)) for _ in range(times)]
    ours = min((it for it, _ in pairs), key=lambda it: it[0])
    theirs = min(it[0] for _, it in pairs)
    ratio = min(it[0] / other[0] for it, other in pairs)
    print(
        f"{prompts:7d} {concurrency:4d} {latency_s:7.3f} | {ours[0]:9.2f} "
        f"{1000 * ours[1] / prompts:14.2f} {ours[2]:8.0f} | {theirs:11.2f} | {ratio:5.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
