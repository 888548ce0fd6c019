"""`evalrun view` as a process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from harness import store
from tests.conftest import Evalrun, clean_environment
from tests.report.conftest import WriteRun
from tests.view.test_review import fields

pytest.importorskip("starlette", reason="the pages come with the extra `view`")


def test_it_prints_its_address_answers_there_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "view", "--no-open", "--port", "0"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    seen_after_s = time.monotonic() - started

    page = httpx.get(address, follow_redirects=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)

    assert address.startswith("http://127.0.0.1:")
    assert page.status_code == 200
    assert "There are no runs in" in page.text
    assert "Ctrl-C ends it" in said
    assert "Traceback" not in said
    assert process.returncode in (0, 130)
    assert seen_after_s < 15  # 1.5 s on a quiet machine


def test_a_killed_server_loses_no_verdict(write_run: WriteRun, tmp_path: Path) -> None:
    path = write_run("a", {"r-01": False})
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "view", "--no-open", "--port", "0"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    review = f"/review/{path.parent.name}/{path.stem}"
    with httpx.Client(base_url=address.partition("/?")[0], follow_redirects=True) as client:
        page = client.get("/", params={"token": address.partition("token=")[2]}).text
        token = re.search(r'data-token="(\w+)"', page)
        assert token is not None
        html = client.get(review, params={"prompt": "r-01"}).text
        posting = {"x-evalrun-token": token[1]}
        client.post(review, data=fields(html) | {"verdict": "pass"}, headers=posting)
        process.kill()
    process.communicate(timeout=20)

    corrected = [it for it in store.read(path).records() if it.correction]

    assert [(it.case.id, it.state) for it in corrected] == [("r-01", "pass")]


def test_other_machines_are_let_in_only_when_that_was_said(evalrun: Evalrun) -> None:
    refused = evalrun("view", "--host", "0.0.0.0")

    assert refused.returncode == 2
    assert "not encrypted" in refused.stderr
    assert "--allow-remote" in refused.stderr


def test_without_the_extra_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    without = "import sys; sys.modules['starlette'] = None; from harness.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", without, "view"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "view needs starlette" in done.stderr
    assert "[view]" in done.stderr
