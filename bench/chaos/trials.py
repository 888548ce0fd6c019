"""The trials. Each gives what went wrong, in words: an empty list is what we promise."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from bench.chaos.server import RATES, ChaosServer, serving

PROMPTS = 67


def make_suite(root: Path, prompts: int = PROMPTS, *, pictures: int | None = None) -> Path:
    """Small pictures, yes/no questions, the right answer always yes."""
    pictures = pictures or prompts
    (root / "prompts").mkdir(parents=True)
    (root / "images").mkdir()
    lines = ['category = "Trust"', 'suite = "trust"', 'version = "1"', 'license = "CC0-1.0"']
    for number in range(pictures):
        picture = Image.new("RGB", (24, 16), (number % 256, number // 256, 90))
        picture.save(root / "images" / f"p{number}.png")
    for number in range(prompts):
        lines += [
            "[[case]]",
            f'id = "p-{number:05d}"',
            f'question = "Is number {number} there? Answer yes or no."',
            f'image = "images/p{number % pictures}.png"',
            'expected = "yes"',
            'grader = "yes_no"',
        ]
    (root / "prompts" / "trust.toml").write_text("\n".join(lines) + "\n")
    return root


def environment(**more: str) -> dict[str, str]:
    """Without the keys and the settings of whoever runs this."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_TOKEN"))}
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "EVALRUN_LLAMA_SERVER"):
        kept.pop(name, None)
    return kept | {"COLUMNS": "100"} | more


def start(folder: Path, *arguments: str | Path, **env: str) -> subprocess.Popen[str]:
    """The command in `folder`; what it says goes to files, so that no pipe holds it up."""
    with (folder / "stdout").open("a") as out, (folder / "stderr").open("a") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=folder,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            text=True,
            start_new_session=True,
        )


def run(folder: Path, *arguments: str | Path, timeout_s: float = 240.0, **env: str) -> int:
    return start(folder, *arguments, **env).wait(timeout_s)


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.005)
    return False


def kill(folder: Path, suite: Path, seed: int) -> list[str]:
    """kill -9 after a random number of answers, then the same command again."""
    moments = random.Random(seed)
    with serving(seed=seed) as server:
        command = ["--suite", suite, "--model", "m", "--base-url", server.url, "--concurrency", "4"]
        process = start(folder, *command)
        after = moments.randrange(PROMPTS)
        eventually(lambda: server.books.answered >= after or process.poll() is not None)
        time.sleep(moments.random() * 0.03)
        process.kill()
        process.wait()
        if (folder / "results" / "categories.csv").exists():
            # The tables come last: it was through before, and there is nothing to go on with.
            return complete(folder) + left_running(folder)
        recorded = answered_lines(folder)
        asked_before = {question: len(met) for question, met in server.books.asked.items()}
        code = run(folder, *command)
        again = [
            f"{question!r} was recorded and asked again"
            for question in recorded
            if len(server.books.asked[question]) != asked_before[question]
        ]
    wrong = again + complete(folder)
    if code:
        wrong.append(f"the second command ended with {code}: {said(folder)}")
    return wrong + left_running(folder)


def kill_local(folder: Path, suite: Path, weights: tuple[Path, Path], whom: str) -> list[str]:
    """kill -9 the server of our own, evalrun, or both, in the midst of a run."""
    moments = random.Random(f"{folder}{whom}")
    gguf, mmproj = weights
    command = ["--suite", suite, "--model", "m", "--gguf", gguf, "--mmproj", mmproj]
    process = start(folder, *command, "--max-tokens", "4")
    after = moments.randrange(1, PROMPTS // 2)
    eventually(lambda: len(answered_lines(folder)) >= after or process.poll() is not None)
    children = [pid for pid, line in processes(str(gguf)) if "guard.py" not in line]
    children = [pid for pid in children if pid != process.pid]
    if whom in ("server", "both"):
        for pid in children:
            os.kill(pid, signal.SIGKILL)
    if whom in ("evalrun", "both"):
        process.kill()
    code = process.wait(240)
    recorded = Counter(answered_lines(folder))
    if code:
        code = run(folder, *command, "--max-tokens", "4")
    wrong = complete(folder)
    if code not in (0, None):
        wrong.append(f"{whom}: ended with {code}: {said(folder)}")
    if lost := recorded - Counter(answered_lines(folder)):
        wrong.append(f"{whom}: lost {len(lost)} recorded replies")
    gone = eventually(lambda: not processes(str(gguf)), within_s=15)
    return wrong if gone else [*wrong, f"{whom}: still running: {processes(str(gguf))}"]


def faults(
    folder: Path, suite: Path, seed: int, *, concurrency: int = 8, timeout_s: float = 4.0
) -> list[str]:
    """All the faults of `RATES` mixed: 67 of 67 answered, not a call too many."""
    with serving(RATES, seed=seed) as server:
        command = ["--suite", suite, "--model", "m", "--base-url", server.url]
        code = run(folder, *command, "--concurrency", str(concurrency), "--timeout", str(timeout_s))
        met = Counter(what for calls in server.books.asked.values() for what in calls)
        wrong = complete(folder)
        if code:
            wrong.append(f"ended with {code}: {said(folder)}")
        wrong += [f"{it!r} came back too early" for it in server.books.too_early]
        wrong += unrecorded(folder, server)
    needed = PROMPTS + sum(count for what, count in met.items() if what != "answered")
    if sum(met.values()) > 1.1 * needed:
        wrong.append(f"{sum(met.values())} requests where {needed} were needed")
    return wrong


def crowd(
    folder: Path, suite: Path, *, allowed: int = 4, asking: int = 16, bursts: int = 1
) -> list[str]:
    """A server that takes 4 at once while 16 ask; `bursts`: how many it may take to learn that."""
    with serving() as server:
        server.books.places = threading.Semaphore(allowed)
        command = ["--suite", suite, "--model", "m", "--base-url", server.url]
        code = run(folder, *command, "--concurrency", str(asking))
        requests = server.books.requests
    wrong = complete(folder) + ([f"ended with {code}: {said(folder)}"] if code else [])
    if requests > 1.1 * PROMPTS + bursts * (asking - allowed):
        wrong.append(f"{requests} requests for {PROMPTS} prompts")
    return wrong


def outage(folder: Path, suite: Path, *, gone_s: float) -> list[str]:
    """A server that dies in the midst of it and comes back."""
    with serving() as server:
        command = ["--suite", suite, "--model", "m", "--base-url", server.url]
        process = start(folder, *command, "--concurrency", "8")
        eventually(lambda: server.books.answered >= 20)
        server.stop()
        time.sleep(gone_s)
        before = server.books.requests
        server.start()
        code = process.wait(240)
        requests = server.books.requests
    wrong = complete(folder) + ([f"ended with {code}: {said(folder)}"] if code else [])
    if requests > 1.1 * PROMPTS + 8:
        wrong.append(f"{requests} requests, {before} of them before the outage ended")
    return wrong


def maintenance(folder: Path, suite: Path, *, html_s: float) -> list[str]:
    """A proxy that answers 200 with a web page for a while."""
    with serving() as server:
        server.books.html_until = time.time() + html_s
        command = ["--suite", suite, "--model", "m", "--base-url", server.url]
        code = run(folder, *command, "--concurrency", "8")
    return complete(folder) + ([f"ended with {code}: {said(folder)}"] if code else [])


def runs(folder: Path) -> list[Path]:
    return sorted((folder / "results").glob("*/*.jsonl"))


def answered_lines(folder: Path) -> list[str]:
    """The question of every reply in the run files, whole lines only."""
    lines = [line for path in runs(folder) for line in path.read_bytes().split(b"\n")[:-1]]
    records = [json.loads(line) for line in lines if line.startswith(b'{"type":"record"')]
    return [it["case"]["question"] for it in records if it["outcome"]["type"] == "reply"]


def complete(folder: Path) -> list[str]:
    """What keeps the results from being one whole run with every prompt once."""
    wrong = [] if len(runs(folder)) == 1 else [f"{len(runs(folder))} run files"]
    counts = Counter(answered_lines(folder))
    wrong += [
        f"{question!r} is there {count} times" for question, count in counts.items() if count > 1
    ]
    if len(counts) != PROMPTS:
        wrong.append(f"{len(counts)} of {PROMPTS} prompts are there")
    for name in ("leaderboard.csv", "categories.csv"):
        try:
            with (folder / "results" / name).open(newline="") as file:
                rows = list(csv.DictReader(file))
        except OSError as error:
            rows = []
            wrong.append(str(error))
        if rows and rows[-1]["asked"] != str(PROMPTS):
            wrong.append(f"{name} says {rows[-1]['asked']} of {PROMPTS}")
    return wrong


def unrecorded(folder: Path, server: ChaosServer) -> list[str]:
    """Where a record's attempts or waits are not what the server saw."""
    wrong = []
    for line in runs(folder)[0].read_text().splitlines()[1:]:
        record = json.loads(line)
        question, effort = record["case"]["question"], record["outcome"].get("effort", {})
        seen = len(server.books.asked[question])
        if effort.get("attempts", 1) != seen:
            wrong.append(f"{question!r}: {effort} recorded, {seen} attempts seen")
        if (
            seen > 1
            and not effort["backoff_s"]
            and "rate_limited" not in server.books.asked[question]
        ):
            wrong.append(f"{question!r}: no wait recorded in {effort}")
    return wrong


def processes(mark: str) -> list[tuple[int, str]]:
    """Processes with `mark` in their command line, this one left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in line and state != "Z" and int(entry.name) != os.getpid():
            found.append((int(entry.name), line))
    return found


def left_running(folder: Path) -> list[str]:
    return [f"still running: {line}" for _, line in processes(str(folder))]


def said(folder: Path) -> str:
    return (folder / "stderr").read_text()[-600:]
