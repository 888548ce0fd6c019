"""The pictures of `evalrun view` in the docs: `python -m bench.pictures docs/view`.

Grades the recorded answers that come with evalrun, asks the demonstration model, and takes pictures
of pages about them with Debian's chromium.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

SIZE = {"width": 1200, "height": 800}


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "harness"]
        for options in (["--replay", "example"], ["--model", "demo"]):
            subprocess.run([*command, *options], cwd=temporary, capture_output=True, check=False)
        process = subprocess.Popen(
            [*command, "view", "--no-open", "--port", "0"],
            cwd=temporary,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            _take(process.stdout.readline().strip(), folder, Path(temporary) / "results")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)
    return 0


def _take(address: str, folder: Path, results: Path) -> None:
    base = address.split("/?")[0]
    (example,) = (results / "example").glob("*.jsonl")
    run = f"example/{example.stem}"
    pages = {
        "run": ("light", f"/run/{run}"),
        "compare": ("light", f"/compare?m=demo&m={run}&force=1"),
        "review": ("dark", f"/review/{run}"),
    }
    with sync_playwright() as started:
        browser: Any = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox"]
        )
        for name, (scheme, path) in pages.items():
            page = browser.new_context(viewport=SIZE, color_scheme=scheme).new_page()
            page.goto(address)
            page.goto(base + path)
            page.wait_for_timeout(1_000)
            page.screenshot(path=folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
