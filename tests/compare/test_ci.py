"""The example workflow, step by step, as a CI would run it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness import store
from tests.conftest import Evalrun, VisionServer, clean_environment, say, write_suite

WORKFLOW = Path("docs/how-to/vision-regression.yml")
STEPS = re.findall(r"^ +(?:- )?run: (evalrun .*)$", WORKFLOW.read_text(), re.MULTILINE)


def steps(folder: Path, server: VisionServer) -> list[subprocess.CompletedProcess[str]]:
    binaries = str(Path(sys.executable).parent)
    environment = clean_environment() | {
        "MODEL_URL": server.url,
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    environment["PATH"] = f"{binaries}:{environment.get('PATH', '')}"
    return [
        subprocess.run(
            ["bash", "-c", step], cwd=folder, env=environment, capture_output=True, text=True
        )
        for step in STEPS
    ]


def test_the_workflow_fails_a_pull_request_on_a_regression_and_passes_it_otherwise(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    photos = write_suite(tmp_path / "photos", 12)
    baseline = ("--suite", photos, "--model", "before", "--base-url", vision_server.url)
    assert evalrun(*baseline, "--results", "old").returncode == 0
    [path] = store.runs(tmp_path / "old")
    path.rename(tmp_path / "baseline.jsonl")

    same = steps(tmp_path, vision_server)
    vision_server.default = say("no")
    worse = steps(tmp_path, vision_server)

    assert len(STEPS) == 2
    assert [it.returncode for it in same] == [0, 0], same
    assert [it.returncode for it in worse] == [0, 6], worse
    summary = (tmp_path / "summary.md").read_text()
    assert "**ours is worse than before: 0.0 % against 100.0 %" in summary
    assert "| category | score |" in summary


def test_a_summary_outside_of_a_job_is_a_usage_error(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    baseline = ("--suite", suite, "--model", "m", "--base-url", vision_server.url)

    done = evalrun(*baseline, "--github-summary")

    assert done.returncode == 2
    assert "GITHUB_STEP_SUMMARY=summary.md" in done.stderr
    assert vision_server.seen == []
