"""A real, tiny vision model through every door: sight test, runs sighted and blind, comparison.

    python -m bench.tiny_vision FOLDER [--pictures 150]

FOLDER holds `tiny-F32.gguf`, `mmproj-tiny-F32.gguf`, the same as `Q8_0`, and `world.py`, whose
`sample(rng)` draws a picture with questions and answers. The model sees shapes and colours of such
drawings and little else; it is asked on the server of the `local` extra.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import store
from harness.records import ModelScore
from harness.summary import summarise

QUANTIZATIONS = ("F32", "Q8_0")


def evalrun(folder: Path, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 6):  # 6: a comparison found a regression
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def write_suite(folder: Path, world: Path, pictures: int) -> Path:
    """Drawings of the model's own world that it was not trained on: another seed."""
    spec = importlib.util.spec_from_file_location("world", world)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng = random.Random(20261127)
    (folder / "images").mkdir()
    with (folder / "drawings.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file_name", "prompt", "answer"))
        for number in range(pictures):
            picture, questions, *_ = module.sample(rng)
            picture.save(folder / "images" / f"{number:03}.png")
            question, answer = rng.choice(questions)
            table.writerow((f"{number:03}.png", question, answer))
    return folder / "drawings.csv"


def score_of(folder: Path, model: str) -> ModelScore:
    return summarise(store.read(store.find(folder / "results", model)))


def share(score: ModelScore) -> str:
    it = score.overall
    return f"{100 * it.passed / it.asked:.1f} % ({it.passed}/{it.asked})"


def card_row(name: str, card: dict[str, Any]) -> str:
    tokens = sorted({it["tokens"] for it in card["image_tokens"]})
    right = [f"{card[it]['right']}/{card[it]['asked']}" for it in ("counting", "left_right")]
    cells = (
        name,
        card["verdicts"]["arrives"],
        " to ".join(map(str, tokens)),
        card["verdicts"]["acuity"],
        *right,
        card["verdicts"]["schema"],
        f"{card['calls']} calls, {card['seconds']:.0f} s",
    )
    return f"| {' | '.join(cells)} |"


def run_row(folder: Path, name: str) -> str:
    scores = {it: score_of(folder, f"{name}-{it}") for it in ("drawings", "blind", "suite")}
    server = scores["suite"].header.server
    assert server is not None
    assert server.machine is not None
    latency_s = scores["drawings"].overall.latency_p50_s or 0.0
    peak = server.machine.peak_memory_gb or 0.0
    cells = [share(it) for it in scores.values()]
    return f"| {name} | {' | '.join(cells)} | {1000 * latency_s:.0f} ms | {1000 * peak:.0f} MB |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=150)
    options = parser.parse_args()
    given = options.folder.resolve()
    cards, runs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = write_suite(folder, given / "world.py", options.pictures)
        for it in QUANTIZATIONS:
            files = (
                "--gguf",
                given / f"tiny-{it}.gguf",
                "--mmproj",
                given / f"mmproj-tiny-{it}.gguf",
            )
            card = evalrun(folder, "eyes", "--model", it, *files, "--seed", "8", "--json")
            cards.append(card_row(it, json.loads(card)))
            evalrun(folder, "run", "--model", f"{it}-drawings", *files, "--suite", suite)
            evalrun(folder, "run", "--model", f"{it}-blind", *files, "--suite", suite, "--blind")
            evalrun(folder, "run", "--model", f"{it}-suite", *files)
            runs.append(run_row(folder, it))
        compared = evalrun(folder, "compare", *(f"{it}-drawings" for it in QUANTIZATIONS))
    print("| weights | pictures | tokens | type | counting | left, right | schema | took |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(cards))
    print("\n| weights | drawings | blind | built-in suite | median | peak |")
    print("|---|---|---|---|---|---|")
    print("\n".join(runs))
    print(f"\n{compared}")


if __name__ == "__main__":
    main()
