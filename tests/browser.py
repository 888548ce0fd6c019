"""A real browser for tests: Debian's chromium, driven by Playwright, pages checked by axe-core.

Tests that need it are skipped where it is missing; this brings it, without touching the project:

    apt-get install chromium && .venv/bin/pip install playwright
    npm install --prefix .venv/axe axe-core
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
AXE = Path(os.environ.get("EVALRUN_AXE", ".venv/axe/node_modules/axe-core/axe.min.js"))
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="pages were NOT checked in a browser: no chromium"
)
needs_axe = pytest.mark.skipif(not AXE.is_file(), reason=f"accessibility was NOT checked: no {AXE}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pages were NOT checked in a browser: no playwright"
    )
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


def axe_violations(shown: Any) -> list[tuple[str, str, str]]:
    """What axe-core finds on the page: rule, impact, the first element."""
    shown.evaluate(AXE.read_text("utf-8"))
    found = shown.evaluate("axe.run()")
    return [(it["id"], it["impact"], it["nodes"][0]["html"][:200]) for it in found["violations"]]
