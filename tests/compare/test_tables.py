"""One table in every way it is written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from harness import store
from harness.records import Correction, Verdict
from harness.tables import Cell, Column, Line, Table, to_csv, to_data, to_latex, to_markdown
from harness.tables.terminal import terminal
from tests.compare.conftest import NOW, WriteRun, cases
from tests.conftest import Evalrun, VisionServer, say

TABLE = Table(
    title="tiny <b>",
    columns=[
        Column("category", "category"),
        Column("score_pct", "score", figure=True),
        Column("passed"),
        Column(heading="95 % interval", figure=True, drop=1),
        Column("latency_mean_s", "mean", unit="s", drop=2),
    ],
    rows=[
        ["Reading", Cell(50, "50.0 % (1/2)"), 1, "9.5 to 90.5", 0.0123],
        ["overall", Cell(None, "0.0 to 50.0 % (1 error)"), 0, None, None],
    ],
    notes=["a note & more"],
    total=True,
)


def printed(table: Table, width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(terminal([table], width=width))
    return captured.get()


def test_programs_get_values_under_names_and_people_words_under_headings() -> None:
    assert to_data(TABLE)[0] == {
        "category": "Reading",
        "score_pct": 50,
        "passed": 1,
        "latency_mean_s": 0.0123,
    }
    assert to_csv(TABLE).splitlines()[2] == "overall,,0,"
    assert "50.0 % (1/2)" in printed(TABLE, 80)


@pytest.mark.parametrize(
    ("width", "note"),
    [(80, None), (54, "left out at 54 characters a line: mean"), (40, "95 % interval, mean")],
)
def test_a_narrow_terminal_says_which_columns_it_left_out(width: int, note: str | None) -> None:
    text = printed(TABLE, width)

    assert max(map(len, text.splitlines())) <= width
    assert (note or "left out") in " ".join(text.split()) or note is None
    assert ("left out" in text) == (note is not None)


def test_what_people_copy_and_figures_stay_whole_while_texts_are_broken() -> None:
    run = "a-model-with-a-long-name/20261123T100600Z"
    table = Table(
        columns=[
            Column("run", "run", whole=True),
            Column("cost_usd", "cost per task", unit="usd"),
            Column(heading="remark"),
        ],
        rows=[[run, 0.0004, "a remark of some length about it"]],
    )

    for width in (80, 66):
        lines = printed(table, width).splitlines()
        assert max(map(len, lines)) <= width
        assert any(run in line and "$0.0004" in line for line in lines)
    assert max(map(len, printed(table, 30).splitlines())) <= 30


def test_markdown_and_latex_leave_nothing_active() -> None:
    blocks = [Line("b is better", "bold"), Line("two prompts", indent=2), TABLE]

    assert to_markdown(blocks) == (
        "**b is better**\n\n- two prompts\n\n**tiny &lt;b&gt;**\n\n"
        "| category | score | 95 % interval | mean |\n| --- | --: | --: | --: |\n"
        "| Reading | 50.0 % (1/2) | 9.5 to 90.5 | 12 ms |\n"
        "| overall | 0.0 to 50.0 % (1 error) | – | – |\n\n<sub>a note &amp; more</sub>\n"
    )
    assert "\\caption{b is better. a note \\& more.}" in to_latex(blocks)
    assert "Reading & 50.0 \\% (1/2) & 9.5 to 90.5 & 12 ms \\\\" in to_latex(blocks)


def test_long_texts_stand_as_blocks_of_lines() -> None:
    table = Table(
        records=True,
        columns=[Column("prompt", "prompt"), Column("question", "question"), Column("a", "a")],
        rows=[[Cell("dd-01", detail="Defects"), "How\nmany?\x1b[31m", Cell()]],
    )

    assert printed(table, 80) == "dd-01 · Defects\n  question  How many?\\x1b[31m\n"


def test_a_run_tells_difficulty_thinking_and_the_tokens_of_its_pictures(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    levels = ("easy", "medium", "hard")
    asked = [replace(it, difficulty=levels[at % 3]) for at, it in enumerate(cases())]
    thinking = {"reasoning": "Hm.", "tokens_reasoning": 40, "image_tokens": 1021}
    write_run("a", lambda case: case.difficulty != "hard", asked=asked, reply=thinking)

    text = " ".join(evalrun("show", "a").stdout.split())
    rows = list(csv.DictReader(io.StringIO(evalrun("export", "a").stdout)))

    assert "67 of 67 replies thought, 40 reasoning tokens in the median" in text
    assert "pictures took 1,021 tokens a prompt in the mean" in text
    assert "easy 100.0 % (23/23), medium 100.0 % (22/22), hard 0.0 % (0/22)" in text
    assert (rows[2]["difficulty"], rows[2]["image_tokens"]) == ("hard", "1021")


def test_the_csv_of_a_run_has_its_columns_in_their_order(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    write_run("a", {"dd-00": True})

    head = evalrun("export", "a").stdout.splitlines()[0]

    assert head == (
        "run,model,backend,suite,suite_sha256,prompt,category,repeat,verdict,answer,expected,"
        "response,reason,latency_s,ttft_s,prompt_ms,predicted_ms,tokens_in,tokens_out,"
        "tokens_reasoning,tokens_cached,cost_usd,attempts,failed_s,backoff_s,queued_s,image_cached,"
        "image_tokens,truncated,verdict_by,finish_reason,error,image_sha256,started_at,question,"
        "images,difficulty,measure,fields_right,fields,thinking,provider,served_model"
    )


def test_one_prompt_is_shown_alone_and_an_unknown_one_is_a_usage_error(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    write_run("a", {"dd-00": True})

    alone = json.loads(evalrun("show", "a", "--prompt", "dd-00", "--json").stdout)
    unknown = evalrun("show", "a", "--prompt", "dd-0")

    assert [it["prompt"] for it in alone] == ["dd-00"]
    assert unknown.returncode == 2
    assert "nearest: dd-1" in unknown.stderr


def test_a_run_is_deleted_only_when_that_is_said(
    evalrun: Evalrun, write_run: WriteRun, results: Path
) -> None:
    path = write_run("a", {"dd-00": True})

    refused = evalrun("runs", "--delete", "a")
    deleted = evalrun("runs", "--delete", "a", "--yes")

    assert refused.returncode == 2
    assert "without a question" in refused.stderr
    assert deleted.returncode == 0, deleted.stderr
    assert not path.parent.exists()
    assert (results / "categories.csv").read_text().count("\n") == 1


def test_measures_and_fields_stand_beside_the_verdicts(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    near = {"passed": False, "answer": "x", "reason": "off"}
    verdicts = {
        "dd-00": Verdict(**near, measures={"cer": 0.2}),
        "dd-01": Verdict(**near, measures={"cer": 0.1, "wer": 0.5}),
        "dd-02": Verdict(**near, fields={"total": True, "date": False}),
    }
    write_run("a", lambda case: True, verdicts=verdicts)

    text = " ".join(evalrun("show", "a").stdout.split())
    rows = list(csv.DictReader(io.StringIO(evalrun("export", "a").stdout)))

    assert "in the mean: cer 0.15, wer 0.5" in text
    assert "fields right: 1 of 2" in text
    assert [rows[at]["measure"] for at in range(3)] == ["0.2", "0.1", ""]
    assert (rows[2]["fields_right"], rows[2]["fields"]) == ("1", "2")


def test_a_judge_is_audited_where_a_person_corrected_the_verdicts(
    evalrun: Evalrun, write_run: WriteRun, vision_server: VisionServer
) -> None:
    path = write_run("a", {"dd-00": True})
    for prompt, passed in (("dd-00", False), ("dd-01", True)):
        why = Correction(prompt=prompt, repeat=0, passed=passed, why="I looked", at=NOW)
        store.append_correction(path, why)
    vision_server.default = say("PASS. The same.")
    judge = ("--judge", "j", "--judge-base-url", vision_server.url)

    done = evalrun("audit", "a", *judge, "--json")
    nobody = evalrun("audit", str(write_run("b", {})), *judge)
    vision_server.default = say("a lovely picture")
    silent = evalrun("audit", "a", *judge)

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["by_answers"]
    assert (figures["rules"]["wrong_pass"], figures["rules"]["wrong_fail"]) == (1, 1)
    assert (figures["judge"]["wrong_pass"], figures["judge"]["both_pass"]) == (1, 1)
    assert nobody.returncode == silent.returncode == 7
    assert "nothing was audited" in nobody.stderr
    assert "j gave no verdict on any of 2 replies" in silent.stderr


@pytest.mark.parametrize(("text", "why"), [("", ""), ("no answer\n", ": line 1: ")])
def test_an_audit_of_nothing_says_that_nothing_was_audited(
    evalrun: Evalrun, tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "some.jsonl").write_text(text)

    done = evalrun("audit", "some.jsonl")

    assert (done.returncode, done.stdout) == (7, "")
    assert f"nothing was audited: some.jsonl holds no answer{why}" in done.stderr


def test_side_by_side_takes_the_runs_that_compare_takes_in_the_suites_order(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    backwards = list(reversed(cases()))
    whole = write_run("a", {"dd-00": True}, asked=backwards)
    write_run("a", {"dd-00": None}, asked=backwards)
    write_run("b", {})

    done = evalrun("export", "--side-by-side", "a", "b")
    nobody = evalrun("export", "--side-by-side", "a", "gemma-4-12b")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows[0][f"a/{whole.stem} verdict"] == "pass"
    assert [row["prompt"] for row in rows if row["category"] == "Defect Detection"] == [
        case.id for case in cases()[:15]
    ]
    assert nobody.returncode == 7
