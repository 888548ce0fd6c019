"""`evalrun report` as a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.suites import Suite
from tests.conftest import Evalrun, clean_environment
from tests.report.conftest import WriteRun


def test_the_page_is_written_and_what_is_in_it_is_told(
    evalrun: Evalrun, write_run: WriteRun, own: Suite, tmp_path: Path
) -> None:
    write_run("a")
    write_run("b", {"r-01": False})

    done = evalrun("report", "a", "b", "--suite", own.root)

    page = (tmp_path / "report.html").read_text("utf-8")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "wrote report.html" in done.stderr
    assert "5 prompts, 3 pictures" in done.stderr
    assert page.startswith("<!doctype html>")
    assert "b and a cannot be told apart" in page


def test_a_dash_writes_the_page_to_stdout(
    evalrun: Evalrun, write_run: WriteRun, own: Suite
) -> None:
    write_run("a")

    done = evalrun("report", "--out", "-", "--suite", own.root, env={"PYTHONIOENCODING": "ascii"})

    assert done.returncode == 0
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.rstrip().endswith("</html>")


def test_missing_pictures_are_told_on_stderr(evalrun: Evalrun, write_run: WriteRun) -> None:
    write_run("a")

    done = evalrun("report", "a")

    assert done.returncode == 0
    assert "no picture for some prompts" in done.stderr
    assert "--suite" in done.stderr


def test_errors_say_what_to_do(
    evalrun: Evalrun, write_run: WriteRun, own: Suite, tmp_path: Path
) -> None:
    write_run("a")
    (tmp_path / "taken").mkdir()

    unknown = evalrun("report", "aa")
    unwritable = evalrun("report", "a", "--suite", own.root, "--out", tmp_path / "taken")
    nothing = evalrun("report", "--results", tmp_path / "none")
    no_suite = evalrun("report", "a", "--suite", tmp_path / "nowhere")

    assert (unknown.returncode, unwritable.returncode, nothing.returncode) == (7, 7, 7)
    assert no_suite.returncode == 3
    assert "nearest: a" in unknown.stderr
    assert "fix: name a file you may write to" in unwritable.stderr
    assert "evalrun --model NAME" in nothing.stderr
    for done in (unknown, unwritable, nothing, no_suite):
        assert "fix:" in done.stderr
        assert "Traceback" not in done.stderr


def test_without_the_extra_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    without = "import sys; sys.modules['jinja2'] = None; from harness.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", without, "report"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "report needs jinja2" in done.stderr
    assert "[report]'" in done.stderr
