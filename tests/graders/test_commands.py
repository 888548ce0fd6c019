"""`evalrun grade`, `audit` and `regrade` as processes."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from harness import store
from harness.records import Correction, GradeContext, Record, Reply, RunHeader, Sampling, Verdict
from tests.conftest import Evalrun, VisionServer, say
from tests.graders.cases import case_of


def lines(path: Path, *rows: dict[str, Any] | str) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def answer(response: str | None, reference: Any = "4", **more: Any) -> dict[str, Any]:
    return {"question": "How many bolts?", "reference": reference, "response": response, **more}


def test_each_line_gets_a_verdict_and_bad_ones_are_named(evalrun: Evalrun, tmp_path: Path) -> None:
    file = lines(
        tmp_path / "answers.jsonl", answer("Four."), "", "nonsense", answer("5", 4, id="b")
    )

    done = evalrun("grade", file)

    first, bad, last = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {
        "line": 1, "passed": True, "answer": "Four", "grader": "integer", "reason": "says 4",
    }  # fmt: skip
    assert bad["line"] == 3
    assert bad["passed"] is None
    assert (last["id"], last["passed"], last["reason"]) == ("b", False, "off by +1, expected 4")
    assert done.returncode == 7
    assert "line 3" in done.stderr


def test_a_line_may_name_its_grader(evalrun: Evalrun, tmp_path: Path) -> None:
    named = answer("2.55 bar", "2.5", grader="decimal", options={"tolerance": 0.1, "unit": "bar"})
    unknown = answer("4", grader="guess")

    done = evalrun("grade", lines(tmp_path / "a.jsonl", named, unknown))

    assert [json.loads(line)["passed"] for line in done.stdout.splitlines()] == [True, None]
    assert "grader 'guess' is not one of" in done.stderr


def test_csv_cells_cannot_act_as_formulas(evalrun: Evalrun, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", answer("=1+1"), answer("4"))

    done = evalrun("grade", file, "--csv", "-")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 0
    assert [row["response"] for row in rows] == ["'=1+1", "4"]
    assert [row["passed"] for row in rows] == ["false", "true"]


def test_a_missing_file_is_an_error_with_a_way_out(evalrun: Evalrun, tmp_path: Path) -> None:
    done = evalrun("grade", tmp_path / "none.jsonl")
    assert done.returncode == 7
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_audit_counts_agreement_and_compares_careless_graders(
    evalrun: Evalrun, tmp_path: Path
) -> None:
    file = lines(
        tmp_path / "labelled.jsonl",
        answer("14", label="fail", models=3),
        answer("4", label="pass", models=5),
        answer("There are four.", label="pass"),
        answer("5", label="pass"),
        answer("4?", label="ambiguous"),
    )

    found = json.loads(evalrun("audit", file, "--json").stdout)

    ours, contains = found["by_models"]["evalrun"], found["by_models"]["contains"]
    assert (ours["total"], ours["wrong_pass"], ours["wrong_fail"]) == (10, 0, 1)
    assert (contains["wrong_pass"], contains["wrong_fail"]) == (3, 2)
    assert found["by_answers"]["evalrun"]["agreement"] == 0.75
    assert found["by_grader"]["integer"]["total"] == 10
    assert found["left_out"] == 1
    (disagreement,) = found["disagreements"]
    assert disagreement["response"] == "5"
    shown = evalrun("audit", file).stdout
    assert "wrong fail" in shown
    assert "90.00 %" in shown


def a_run(results: Path, *replies: str, correct: bool = False) -> Path:
    """A run whose graders passed everything, as careless ones would."""
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    cases = [case_of("How many bolts?", "4") for _ in replies]
    header = RunHeader(
        run="",
        model="tiny",
        backend="openai",
        suite="bolts",
        suite_version="1",
        suite_sha256="0" * 64,
        suite_prompts=len(cases),
        categories={"test": len(cases)},
        prompts_sha256="1" * 64,
        grader_version="0",
        image_max_side_px=1024,
        sampling=Sampling(),
        concurrency=1,
        evalrun_version="0.1.0",
        started_at=now,
    )
    with store.create(results, header) as writer:
        for at, (case, said) in enumerate(zip(cases, replies, strict=True)):
            verdict = Verdict(passed=True, answer=said, reason="contains 4")
            reply = Reply(text=said, latency_s=1.0)
            record = Record(case=case, repeat=at, outcome=reply, verdict=verdict, started_at=now)
            writer.append(record)
        if correct:
            writer.append(Correction(prompt="case", repeat=0, passed=True, why="it is", at=now))
        return writer.path


def verdicts(path: Path) -> list[tuple[bool, str | None]]:
    return [(it.final.passed, it.verdict_by) for it in store.read(path).records() if it.final]


def test_regrading_writes_a_new_run_and_keeps_the_old_one(evalrun: Evalrun, tmp_path: Path) -> None:
    results = tmp_path / "results"
    old = a_run(results, "4", "14")
    before = old.read_bytes()

    done = evalrun("regrade", "tiny", "--results", results)

    assert done.returncode == 0, done.stderr
    assert "pass -> fail: off by +10, expected 4 (was: contains 4)" in done.stdout
    assert old.read_bytes() == before
    (new,) = set(store.runs(results)) - {old}
    assert verdicts(new) == [(True, "rule"), (False, "rule")]
    assert store.read(new).header.regraded_from == store.read(old).header.run
    assert store.read(new).header.grader_version != "0"
    again = evalrun("regrade", store.read(new).header.run, "--results", results)
    assert "nothing changes" in again.stderr
    assert len(store.runs(results)) == 2


def test_a_correction_survives_regrading(evalrun: Evalrun, tmp_path: Path) -> None:
    results = tmp_path / "results"
    old = a_run(results, "14", correct=True)

    done = evalrun("regrade", "tiny", "--results", results)

    (new,) = set(store.runs(results)) - {old}
    assert verdicts(new) == [(True, "person")]
    assert "0 verdicts change" in done.stderr


def test_a_dry_run_writes_nothing(evalrun: Evalrun, tmp_path: Path) -> None:
    results = tmp_path / "results"
    old = a_run(results, "14")

    done = evalrun("regrade", "tiny", "--results", results, "--dry-run", "--json")

    (change,) = json.loads(done.stdout)
    assert (change["before"]["passed"], change["after"]["passed"]) == (True, False)
    assert store.runs(results) == [old]


def test_a_judge_reads_what_the_rules_cannot(
    evalrun: Evalrun, tmp_path: Path, vision_server: VisionServer
) -> None:
    results = tmp_path / "results"
    old = a_run(results, "4", "as many as a dog has legs", "5")
    vision_server.default = say("PASS. A dog has four legs.")

    done = evalrun(
        "regrade",
        "tiny",
        "--results",
        results,
        "--judge",
        "sage",
        "--judge-base-url",
        vision_server.url,
    )

    assert done.returncode == 0, done.stderr
    (new,) = set(store.runs(results)) - {old}
    assert verdicts(new) == [(True, "rule"), (True, "judge"), (False, "rule")]
    assert store.read(new).header.judge == "sage"
    asked = [str(body) for body in vision_server.seen if "messages" in body]
    assert len(asked) == 1
    assert "as many as a dog has legs" in asked[0]


def test_boxes_are_read_in_the_convention_that_was_asked_for(
    evalrun: Evalrun, tmp_path: Path, vision_server: VisionServer
) -> None:
    Image.new("RGB", (200, 100), "grey").save(tmp_path / "cat.png")
    question = {"question": "Where is the cat?", "answer": "40 20 80 60", "image": "cat.png"}
    suite = lines(tmp_path / "cats.jsonl", question | {"grader": "box", "iou": 0.9})
    vision_server.default = say('{"box_2d": [200, 200, 600, 400]}')
    run = (
        *("--model", "tiny", "--base-url", vision_server.url, "--suite", suite),
        *("--results", tmp_path / "results"),
    )

    done = evalrun("run", *run, "--coordinates", "1000-yxyx")
    unknown = evalrun("run", *run, "--coordinates", "1000-yxxy")

    assert done.returncode == 0, done.stderr
    (path,) = store.runs(tmp_path / "results")
    (record,) = store.read(path).records()
    assert done.returncode == 0, done.stderr
    assert record.verdict is not None
    assert (record.verdict.passed, record.verdict.coordinates) == (True, "1000-yxyx")
    assert record.context == GradeContext(
        file_size_px=(200, 100), sent_size_px=(200, 100), coordinates="1000-yxyx"
    )
    assert store.read(path).header.coordinates == "1000-yxyx"
    assert "nothing changes" in evalrun("regrade", "tiny", "--results", path.parents[1]).stderr
    assert unknown.returncode == 2
    assert "1000-yxyx" in unknown.stderr
