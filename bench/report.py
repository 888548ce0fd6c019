"""How long `evalrun report` takes and how large its page is: `python -m bench.report [MODELS]`.

Writes a suite of 67 photograph-sized pictures and a run of it for each model into a temporary
folder (or `--keep FOLDER`), then runs the command as a user would.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from harness import store, suites
from harness.images import encode
from harness.records import (
    Case,
    Price,
    Record,
    Reply,
    RunHeader,
    Sampling,
    ServerFacts,
    ServerTimings,
    Verdict,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
PROMPTS = {
    "Defect Detection": 15,
    "Document Understanding": 9,
    "Object Counting": 10,
    "Object Understanding": 14,
    "Spatial Understanding": 19,
}
MODELS = ("gemma-4-12b", "mistral-small-3.1", "qwen3-vl-8b", "smolvlm2-2.2b", "minicpm-v-4.5")
LIMIT_PX = 1024


def make_suite(root: Path) -> suites.Suite:
    """Pictures of about 170 KB, every twelfth asked about twice, and questions on counts."""
    (root / "prompts").mkdir(parents=True)
    (root / "images").mkdir()
    noise = random.Random(7)
    number = 0
    for category, count in PROMPTS.items():
        slug = category.lower().replace(" ", "-")
        lines = [f'category = "{category}"', 'suite = "bench"', 'version = "1"']
        for at in range(count):
            picture = number - (number % 12 == 11)
            path = root / "images" / f"p{picture:02d}.jpg"
            if not path.exists():
                _photograph(noise).save(path, quality=74)
            lines += [
                "[[case]]",
                f'id = "{slug}-{at:02d}"',
                f'question = "How many parts in picture {number} are worn? Answer with a number."',
                f'image = "images/{path.name}"',
                f'expected = "{number % 9}"',
                'grader = "integer"',
            ]
            number += 1
        (root / "prompts" / f"{slug}.toml").write_text("\n".join(lines) + "\n")
    return suites.load(root)


def _photograph(noise: random.Random) -> Image.Image:
    small = Image.frombytes("RGB", (160, 120), noise.randbytes(160 * 120 * 3))
    return small.resize((1024, 768), Image.Resampling.BICUBIC)


def write_run(results: Path, model: str, suite: suites.Suite, shas: dict[str, str]) -> Path:
    """A run whose pass rate, speed and price depend on the model's name."""
    chance = random.Random(model)
    skill, speed_s = chance.uniform(0.35, 0.8), chance.uniform(0.6, 7)
    price = chance.uniform(0.05, 3) if chance.random() < 0.7 else None
    header = RunHeader(
        run="",
        model=model,
        backend="openai" if price else "llamacpp",
        base_url="https://openrouter.ai/api/v1" if price else "http://127.0.0.1:8080/v1",
        suite=suite.name,
        suite_version=suite.version,
        suite_sha256=suite.sha256,
        suite_prompts=len(suite.cases),
        categories=PROMPTS,
        prompts_sha256="b" * 64,
        grader_version="1",
        image_max_side_px=LIMIT_PX,
        sampling=Sampling(),
        concurrency=1,
        price=Price(in_usd_per_mtok=price, out_usd_per_mtok=2 * price, as_of="2026-11-10")
        if price
        else None,
        server=None if price else ServerFacts(build="b9000", quantization="Q4_K_M"),
        evalrun_version="0",
        started_at=NOW + timedelta(minutes=MODELS.index(model) if model in MODELS else 99),
    )
    with store.create(results, header) as writer:
        writer.append(
            *(_record(it, shas[it.image], chance, skill, speed_s, price) for it in suite.cases)
        )
    return writer.path


def _record(
    case: Case,
    sha256: str,
    chance: random.Random,
    skill: float,
    speed_s: float,
    price: float | None,
) -> Record:
    right = chance.random() < skill
    said = str(case.expected) if right else str(int(str(case.expected)) + chance.randint(1, 3))
    text = f"Looking at the picture from left to right, I count {said} of them.\n" * chance.choice(
        [1, 1, 1, 30]
    )
    tokens = len(text) // 4
    return Record(
        case=case,
        image_sha256=sha256,
        outcome=Reply(
            text=text,
            finish_reason="stop",
            tokens_in=1100,
            tokens_out=tokens,
            latency_s=speed_s * chance.uniform(0.7, 1.6),
            ttft_s=speed_s / 2,
            timings=ServerTimings(predicted_ms=800.0, predicted_n=tokens),
        ),
        verdict=Verdict(
            passed=right,
            answer=said,
            reason=f"says {said}" if right else f"expected {case.expected}",
        ),
        cost_usd=(1100 * price + tokens * 2 * price) / 1e6 if price else None,
        started_at=NOW,
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=int, nargs="?", default=5)
    parser.add_argument("--keep", type=Path, help="Folder to leave suite, runs and page in.")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        suite = make_suite(folder / "suite")
        shas = {
            it.image: encode(suite.pictures(it)[0], longest_side_px=LIMIT_PX).sha256
            for it in suite.cases
        }
        named = [*MODELS, *(f"model-{at}" for at in range(len(MODELS), options.models))]
        for model in named[: options.models]:
            write_run(folder / "results", model, suite, shas)
        out = folder / "report.html"
        command = [sys.executable, "-m", "harness", "report", "--suite", str(suite.root)]
        command += ["--results", str(folder / "results"), "--out", str(out)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run([*command, "--help"], env=environment, capture_output=True, check=True)
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed_s = time.perf_counter() - started
        print(f"{options.models} models x {len(suite.cases)} prompts")
        print(f"{elapsed_s:.2f} s elapsed, {usage.ru_utime + usage.ru_stime:.2f} s of CPU")
        print(f"{usage.ru_maxrss / 1024:.0f} MiB at most, page {out.stat().st_size / 1e6:.1f} MB")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
