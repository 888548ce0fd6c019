"""The Python face: `import harness`, against a real server, without a word on stdout or stderr."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest

import harness
from harness.api import Measured, RunArguments
from harness.errors import ResultsError, TargetError, UsageError
from harness.options import RunOptions
from tests.compare.conftest import WriteRun, cases
from tests.conftest import VisionServer, fail

IDS = [case.id for case in cases()]


def test_a_run_gives_its_records_and_scores_and_says_nothing(
    suite: Path, vision_server: VisionServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, int]] = []
    handler = signal.getsignal(signal.SIGINT)

    measured = harness.run(
        "m",
        suite=suite,
        base_url=vision_server.url,
        results=tmp_path / "results",
        progress=lambda done, asked: seen.append((done, asked)),
        temperature=0.5,
    )

    assert measured.complete
    assert seen[-1] == (4, 4)
    records, scores = measured.records(), measured.scores()
    assert list(records["verdict"]) == ["pass"] * 4
    assert records["latency_s"].dtype == "float64"
    assert scores[scores["category"] == "overall"]["passed"].item() == 4
    assert measured.score.header.sampling.temperature == 0.5
    assert measured.score.header.arguments == ()
    assert capfd.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGINT) is handler
    assert "m" in harness.load(tmp_path / "results").leaderboard()["model"].to_list()


def test_a_run_whose_calls_failed_is_incomplete_and_the_same_call_resumes_it(
    suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    def again() -> Measured:
        return harness.run(
            "m", suite=suite, base_url=vision_server.url, results=tmp_path / "r", tries=1
        )

    vision_server.then(*[vision_server.default] * 2, fail(500))
    first = again()
    second = again()

    assert not first.complete
    assert second.complete
    assert first.path == second.path


def test_a_model_that_cannot_be_reached_is_an_error_and_no_exit(
    suite: Path, tmp_path: Path
) -> None:
    with pytest.raises(TargetError):
        harness.run("m", suite=suite, base_url="http://127.0.0.1:9/v1", results=tmp_path, tries=1)


def test_an_unknown_option_names_its_neighbour() -> None:
    with pytest.raises(UsageError, match="nearest: temperature"):
        harness.run("m", temprature=0.5)


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(UsageError, match=r"at `\$.temperature`"):
        harness.run("m", temperature="hot")  # type: ignore[arg-type]


def test_the_types_of_run_are_those_of_the_options() -> None:
    own = {"model", "models_file", "suite", "base_url", "results"}
    groups = get_type_hints(RunOptions).values()
    options = {name: kind for group in groups for name, kind in get_type_hints(group).items()}
    texts = {Path: str | Path, Path | None: str | Path | None, list[str]: str | list[str]}

    typed = get_type_hints(RunArguments)

    assert typed == {it: texts.get(kind, kind) for it, kind in options.items() if it not in own}


def test_runs_are_loaded_and_compared(results: Path, write_run: WriteRun) -> None:
    write_run("old", lambda case: case.id in IDS[:50])
    write_run("new", lambda case: case.id in IDS[:30])

    loaded = harness.load(results)
    compared = harness.compare("old", "new", results=results)

    assert len(loaded) == 2
    assert len(loaded.records()) == 134
    assert list(loaded.leaderboard()["rank"]) == [1, 2]
    assert len(harness.load(results, "old").records()) == 67
    assert compared.verdicts[0].startswith("new is worse than old")
    assert len(compared.disagreements()) == 20
    assert isinstance(compared.table(), pd.DataFrame)
    assert compared._repr_markdown_().startswith("**new is worse than old")
    assert "<td>old/" in loaded._repr_html_()
    with pytest.raises(ResultsError, match="nearest: old"):
        harness.load(results, "odl")


def test_a_reply_is_graded() -> None:
    assert harness.grade("How many bolts are there?", 4, "There are four.").passed
    assert not harness.grade("How many bolts are there?", "4", "14").passed
    with pytest.raises(UsageError):
        harness.grade("How many?", "4", "4", grader="guess")


def test_importing_harness_loads_neither_pandas_nor_the_commands() -> None:
    code = "import sys, harness; assert not {'pandas', 'typer', 'harness.api'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
