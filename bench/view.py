"""How soon `evalrun view` starts and paints, and its memory: `python -m bench.view [PROMPTS]`.

Writes a run of 67 and a run of PROMPTS prompts into a temporary folder, starts the command as a
user would, and opens pages in Debian's chromium, after one page that lets it warm up.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from bench.compare import write_run

PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def main(prompts: int = 100_000) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        results = Path(temporary) / "results"
        short, long = (
            write_run(results, "short", 67, seed=1),
            write_run(results, "a", prompts, seed=2),
        )
        command = [sys.executable, "-m", "harness", "view", "--no-open", "--port", "0"]
        subprocess.run([*command[:4], "--help"], capture_output=True, check=True)
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--results", str(results)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        print(f"address printed after {time.perf_counter() - started:.2f} s")
        try:
            _walk(address, short, long)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = next(it for it in status.splitlines() if it.startswith("VmHWM")).split()[1]
            print(f"memory {int(peak) / 1024:.0f} MiB at most")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)
    return 0


def _walk(address: str, short: Path, long: Path) -> None:
    base = address.split("/?")[0]
    of_short, of_long = (f"/run/{it.parent.name}/{it.stem}" for it in (short, long))
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(address.replace("/?", "/review?"))
        _open(page, base + of_short, "run of 67")
        _open(page, base + of_short, "run of 67, again")
        _open(page, base + of_long, "long run, first time")
        page.locator(".chooser").wait_for(timeout=60_000)
        _open(page, base + of_long, "long run, again")
        _open(page, base + f"{of_long}?verdict=fail", "long run, only what failed")
        _open(page, base + f"{of_long}?start=90000", "long run, near its end")
        _open(page, f"{base}/review/{long.parent.name}/{long.stem}?queue=fail", "review of it")
        browser.close()


def _open(page: Any, address: str, what: str) -> None:
    page.goto(address)
    page.wait_for_timeout(200)
    print(f"{what}: first paint after {page.evaluate(PAINT):.0f} ms")


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
