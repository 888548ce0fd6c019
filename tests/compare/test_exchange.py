"""A run in other tools' formats, through the command."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.records import Verdict
from tests.compare.conftest import CATEGORIES, WriteRun, cases
from tests.conftest import Evalrun

IDS = [case.id for case in cases()]
HOSTILE = "\x1b[31m<b>&\x00\ufffe ]]> é"


@pytest.fixture
def run(write_run: WriteRun) -> str:
    tokens = {"tokens_in": 300, "tokens_out": 5, "reasoning": "Hm."}
    write_run("a", lambda case: case.id in IDS[:40], texts={IDS[50]: HOSTILE}, reply=tokens)
    return "a"


@pytest.fixture
def incomplete(write_run: WriteRun) -> str:
    cut = Verdict(passed=False, answer=None, reason="cut at the token limit", cut=True)
    write_run("torn", lambda case: None if case.id == IDS[0] else True, verdicts={IDS[1]: cut})
    return "torn"


def test_every_eval_ever_gets_scores_and_the_single_answers_beside_them(
    evalrun: Evalrun, run: str, tmp_path: Path
) -> None:
    done = evalrun("export", run, "--format", "eee", "--out", "out")

    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "out" / "data" / "builtin" / "unknown" / "a").glob("*.json")
    scores = json.loads(file.read_text())
    lines = file.with_name(f"{file.stem}_samples.jsonl").read_bytes()
    answers = [json.loads(line) for line in lines.splitlines()]
    assert [it["evaluation_name"] for it in scores["evaluation_results"]] == [
        f"builtin: {name}" for name in (*CATEGORIES, "overall")
    ]
    overall = scores["evaluation_results"][-1]["score_details"]
    assert overall["score"] == pytest.approx(40 / 67)
    assert overall["uncertainty"]["confidence_interval"]["method"] == "Wilson"
    beside = scores["detailed_evaluation_results"]
    assert beside["file_path"] == f"data/builtin/unknown/a/{file.stem}_samples.jsonl"
    assert beside["checksum"] == hashlib.sha256(lines).hexdigest()
    assert beside["total_rows"] == len(answers) == 67
    assert {it["evaluation_id"] for it in answers} == {scores["evaluation_id"]}
    assert sum(it["evaluation"]["is_correct"] for it in answers) == 40
    assert answers[50]["output"]["raw"] == [HOSTILE]
    assert answers[0]["token_usage"]["total_tokens"] == 305


def test_a_model_is_filed_under_its_developer(
    evalrun: Evalrun, write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("org/model:free", lambda case: True)
    write_run("gemma-4-12b", lambda case: True)

    for model in ("org/model:free", "gemma-4-12b"):
        assert evalrun("export", model, "--format", "eee", "--out", "out").returncode == 0

    found = {}
    for path in (tmp_path / "out" / "data" / "builtin").glob("*/*/*.json"):
        found[path.parent.relative_to(tmp_path / "out" / "data" / "builtin").as_posix()] = (
            json.loads(path.read_text())["model_info"]["developer"]
        )
    assert found == {"org/model_free": "org", "Google/gemma-4-12b": "Google"}


def test_a_log_for_inspect_has_every_sample_and_failed_calls_as_errors(
    evalrun: Evalrun, run: str, incomplete: str
) -> None:
    log = json.loads(evalrun("export", run, "--format", "inspect").stdout)
    torn = json.loads(evalrun("export", incomplete, "--format", "inspect").stdout)

    assert (log["version"], log["status"]) == (2, "success")
    assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == pytest.approx(40 / 67)
    assert [it["scores"]["evalrun"]["value"] for it in log["samples"]] == ["C"] * 40 + ["I"] * 27
    assert log["samples"][50]["output"]["completion"] == HOSTILE
    assert "error" not in log, "inspect's reader takes no null there"
    assert torn["status"] == "error"
    assert torn["samples"][2]["output"]["usage"] is None, "tokens that nobody told are not 0"
    assert [it["id"] for it in torn["samples"][:2]] == IDS[:2], "in the suite's order"
    values = {
        it["id"]: it.get("scores", {}).get("evalrun", {}).get("value") for it in torn["samples"]
    }
    assert (values[IDS[0]], values[IDS[1]], values[IDS[2]]) == (None, "N", "C")


def test_junit_counts_failures_and_errors_and_takes_any_reply(
    evalrun: Evalrun, run: str, incomplete: str
) -> None:
    root = ET.fromstring(evalrun("export", run, "--format", "junit").stdout)
    torn = ET.fromstring(evalrun("export", incomplete, "--format", "junit").stdout)

    suites = {it.get("name"): it for it in root.iter("testsuite")}
    assert list(suites) == list(CATEGORIES)
    assert sum(int(it.get("failures", "")) for it in suites.values()) == 27
    assert len(list(root.iter("testcase"))) == 67
    assert any("<b>&" in (it.text or "") for it in root.iter("failure"))
    assert [it.get("type") for it in torn.iter("error")] == ["error", "cut"]


def test_the_hubs_eval_results_hold_the_score_overall_and_by_category(
    evalrun: Evalrun, run: str
) -> None:
    text = evalrun("export", run, "--format", "hf").stdout

    first, *others = text.split("- dataset:\n")[1:]
    assert '    id: "builtin"\n    task_id: "overall"\n  value: 59.7\n' in first
    assert "40 of 67 prompts" in first
    assert len(others) == 5


def test_a_range_is_no_score_and_several_runs_are_no_file(
    evalrun: Evalrun, run: str, incomplete: str
) -> None:
    for form in ("eee", "hf"):
        refused = evalrun("export", incomplete, "--format", form)
        assert refused.returncode == 5
        assert "1 error, 1 cut" in refused.stderr
    assert evalrun("export", run, incomplete, "--format", "junit").returncode == 2
