"""How long `evalrun compare` takes on two long runs: `python -m bench.compare [PROMPTS]`.

Writes both runs into a temporary folder, then runs the command as a user would.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from harness import store
from harness.records import Case, Record, Reply, RunHeader, Sampling, ServerTimings, Verdict

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PICTURES = 300
BATCH = 5_000


def write_run(results: Path, model: str, prompts: int, *, seed: int) -> Path:
    """A run whose pass rate is that of the prompt's own difficulty, blurred by the seed."""
    chance = random.Random(seed)
    header = RunHeader(
        run="",
        model=model,
        backend="openai",
        suite="bench",
        suite_version="1",
        suite_sha256="a" * 64,
        suite_prompts=prompts,
        categories={"First half": prompts // 2, "Second half": prompts - prompts // 2},
        prompts_sha256="b" * 64,
        grader_version="1",
        image_max_side_px=1024,
        sampling=Sampling(),
        concurrency=256,
        evalrun_version="0",
        started_at=NOW,
    )
    with store.create(results, header) as writer:
        for start in range(0, prompts, BATCH):
            batch = range(start, min(start + BATCH, prompts))
            writer.append(*(_record(number, prompts, chance) for number in batch))
    return writer.path


def _record(number: int, prompts: int, chance: random.Random) -> Record:
    right = chance.random() < (0.9 if number % 5 < 3 else 0.1)
    said = str(number % 9 if right else 10)
    return Record(
        case=Case(
            id=f"prompt-{number:06d}",
            category="First half" if number < prompts // 2 else "Second half",
            question="How many bolts are on the flange? Answer with a number.",
            image=f"images/{number % PICTURES}.png",
            expected=str(number % 9),
            grader="integer",
        ),
        image_sha256="c" * 64,
        outcome=Reply(
            text=f"Answer: {said}",
            finish_reason="stop",
            tokens_in=900,
            tokens_out=5,
            latency_s=0.5 + chance.random(),
            ttft_s=0.2,
            timings=ServerTimings(prompt_ms=100.0, predicted_ms=50.0, prompt_n=900, predicted_n=5),
        ),
        verdict=Verdict(passed=right, answer=said, reason="same number" if right else "another"),
        started_at=NOW,
    )


def main(prompts: int = 100_000) -> int:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        size = sum(
            write_run(results, model, prompts, seed=seed).stat().st_size
            for seed, model in enumerate(("one", "two"))
        )
        command = [sys.executable, "-m", "harness", "compare", "one", "two", "--results", folder]
        started = time.perf_counter()
        shown = subprocess.run(command, capture_output=True, check=True)
        elapsed_s = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(shown.stdout.decode().split("\n\n")[0])
    print(f"\n{prompts:,} prompts x 2 runs, {size / 1e6:.0f} MB of records")
    print(f"{elapsed_s:.2f} s elapsed, {used.ru_utime + used.ru_stime:.2f} s of CPU")
    print(f"{used.ru_maxrss / 1024:.0f} MiB at most")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
