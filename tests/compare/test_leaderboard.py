"""`evalrun leaderboard`: ranks, ties, frontiers, and who is left out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from harness import catalogue, stats
from harness.comparison import compare
from harness.comparison.ranking import Leaderboard, leaderboard
from harness.records import Sampling, ServerFacts
from harness.tables.runs import publish
from tests.compare.conftest import WriteRun, cases
from tests.conftest import Evalrun

IDS = [case.id for case in cases()]


def first(count: int):  # type: ignore[no-untyped-def]
    return lambda case: case.id in IDS[:count]


def placed(board: Leaderboard) -> list[tuple[int, bool, str]]:
    return [(it.rank, it.tied, it.score.model) for it in board.standings]


def test_models_that_cannot_be_told_apart_share_a_rank(results: Path, write_run: WriteRun) -> None:
    write_run("middling", first(38))
    write_run("best", first(60))
    write_run("nearly", first(57))
    write_run("worst", first(10))

    board = leaderboard(results)

    assert stats.newcombe_paired({(1, 1): 57, (1, 0): 3, (0, 0): 7}).low < 0
    assert placed(board) == [
        (1, True, "best"),
        (1, True, "nearly"),
        (3, False, "middling"),
        (4, False, "worst"),
    ]
    better_than = [it.better_than for it in board.standings]
    assert better_than == pytest.approx([2 / 3, 2 / 3, 1 / 3, 0])


def test_one_model_is_better_than_nobody(results: Path, write_run: WriteRun) -> None:
    write_run("only", first(38))

    [standing] = leaderboard(results).standings

    assert (standing.rank, standing.tied, standing.better_than) == (1, False, None)


def test_the_newest_complete_run_counts_and_the_others_say_why_not(
    results: Path, write_run: WriteRun
) -> None:
    write_run("a", first(10))
    write_run("a", first(20))
    write_run("a", lambda case: None)
    write_run("blind", first(30), blind=True)
    write_run("part", first(5), asked=cases()[:5], suite_prompts=67)
    write_run("torn", lambda case: None if case.id == IDS[0] else True, system="Be brief.")
    write_run("b", first(30))

    board = leaderboard(results)

    assert {it.score.model: it.score.overall.passed for it in board.standings} == {"a": 20, "b": 30}
    assert {it.model: (it.reason, it.command) for it in board.unranked} == {
        "torn": (
            "1 of 67 have no answer (1 error)",
            "evalrun --model torn --system 'Be brief.'",
        ),
        "part": ("asked 5 of 67 prompts", "evalrun --model part"),
        "blind": ("blind", "evalrun compare blind blind/20261123T100400Z"),
        "a": ("67 of 67 have no answer (67 errors)", "evalrun --model a"),
    }


def test_an_exploratory_run_gets_a_group_of_its_own_and_erases_nobody(
    results: Path, write_run: WriteRun
) -> None:
    write_run("a", first(20))
    write_run("b", first(30))
    write_run("a", first(40), sampling=Sampling(temperature=0.7))
    write_run("a", first(3), asked=cases({"Mine": 3}), suite="mine", suite_sha256="f" * 64)

    board = leaderboard(results)
    hot = leaderboard(results, settings="Temperature 0.7")
    mine = leaderboard(results, suite="mine")

    assert [[it.score.model for it in group.standings] for group in board.groups] == [
        ["b", "a"],
        ["a"],
        ["a"],
    ]
    assert "temperature" not in board.groups[0].settings
    assert [it.score.overall.passed for it in hot.standings] == [40]
    assert [it.score.overall.asked for it in mine.standings] == [3]


def test_suites_of_one_hash_but_different_length_are_ranked_apart(
    results: Path, write_run: WriteRun
) -> None:
    write_run("long", first(60))
    write_run("short", first(67), asked=cases({"Object Counting": 5}))

    board = leaderboard(results)

    assert {it.score.model for it in board.standings} == {"long", "short"}
    assert len(board.groups) == 2


def test_ranks_and_compare_never_contradict_one_another(results: Path, write_run: WriteRun) -> None:
    for number, count in enumerate((60, 57, 52, 49, 44, 38)):
        # Each passes another part of the suite, so that who differs on how much varies.
        write_run(
            f"m{number}", lambda case, n=number, c=count: (IDS.index(case.id) + 5 * n) % 67 < c
        )

    board = leaderboard(results)

    places = [(it.rank, it.score.model) for it in board.standings]
    for at, (rank, model) in enumerate(places):
        worse = 0
        for other_rank, other in places[at + 1 :]:
            [contrast] = compare(
                [other, model], results=results, catalogue=catalogue.load([])
            ).contrasts
            assert contrast.outcome in ("better", "undecided")
            assert rank <= other_rank
            if contrast.outcome == "better":
                worse += 1
                assert rank < other_rank
        assert board.standings[at].better_than == pytest.approx(worse / 5)


def test_the_frontier_holds_whoever_is_not_beaten_on_both_counts(
    results: Path, write_run: WriteRun
) -> None:
    write_run("good", first(60), reply={"latency_s": 5.0, "cost_usd": 0.002})
    write_run("fast", first(40), reply={"latency_s": 1.0, "cost_usd": 0.003})
    write_run("beaten", first(39), reply={"latency_s": 2.0, "cost_usd": 0.004})
    write_run("free", first(20), reply={"latency_s": 2.0})

    found = {it.score.model: it.frontiers for it in leaderboard(results).standings}

    assert found == {"good": ("time", "cost"), "fast": ("time",), "beaten": (), "free": ()}


def test_damaged_files_do_not_stop_the_leaderboard(results: Path, write_run: WriteRun) -> None:
    damaged = write_run("a", first(10))
    damaged.write_text("{")
    write_run("b", first(10))

    board = leaderboard(results)

    assert placed(board) == [(1, False, "b")]
    assert [it.command for it in board.unranked] == [f"evalrun show a/{damaged.stem}"]


def test_the_published_csv_has_the_same_ranks(results: Path, write_run: WriteRun) -> None:
    write_run("best", first(60))
    write_run("nearly", first(57))

    publish(results)

    with (results / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["rank"], row["model"]) for row in rows] == [("1", "best"), ("1", "nearly")]
    assert ",".join(rows[0]) == (
        "rank,model,run,score_pct,low_pct,high_pct,passed,asked,Defect Detection_pct,"
        "Document Understanding_pct,Object Counting_pct,Object Understanding_pct,"
        "Spatial Understanding_pct,latency_mean_s,latency_p95_s,cost_per_task_usd,quantization,"
        "backend,measured_at,suite,settings"
    )
    with (results / "categories.csv").open(newline="") as file:
        assert file.readline().strip() == (
            "model,run,category,passed,asked,errors,cut,score_pct,low_pct,high_pct,latency_mean_s,"
            "latency_p50_s,latency_p95_s,cost_per_task_usd,concurrency"
        )


def test_the_command_prints_ranks_scores_times_and_costs(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    facts = ServerFacts(quantization="Q4_K_M")
    write_run("best", first(60), server=facts, reply={"latency_s": 5.0, "cost_usd": 0.002})
    write_run("worst", first(10), reply={"latency_s": 2.0}, concurrency=8)

    done = evalrun("leaderboard")

    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for words in (
        "1 best 89.6 % (60/67) good 100 % 5.00 s ◆ $0.0020 ◆",
        "Q4_K_M",
        "2 worst 14.9 % (10/67) poor 0 % 2.00 s ◆ –",
        "measured at different concurrency: 1 and 8",
        "tied",
    ):
        assert words in text


@pytest.mark.parametrize("columns", ["60", "90", "160"])
def test_no_line_is_wider_than_the_terminal(
    evalrun: Evalrun, write_run: WriteRun, columns: str
) -> None:
    write_run("a-model-with-quite-a-long-name-Q4_K_M", first(60), reply={"cost_usd": 0.1})
    write_run("\x1b[31mhostile", first(50))

    done = evalrun("leaderboard", env={"COLUMNS": columns})

    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    assert "\x1b" not in done.stdout


def test_csv_and_json_say_the_same(evalrun: Evalrun, write_run: WriteRun) -> None:
    write_run("best", first(60), reply={"cost_usd": 0.002})
    write_run("worst", first(10))

    rows = list(csv.DictReader(io.StringIO(evalrun("leaderboard", "--csv", "-").stdout)))
    data = json.loads(evalrun("leaderboard", "--json").stdout)

    assert [row["model"] for row in rows] == ["best", "worst"]
    assert rows[0]["better_than_pct"] == "100"
    assert rows[0]["frontier"] == "time cost"
    assert rows[0]["Defect Detection_pct"] == "100"
    assert [row["score_pct"] for row in data["standings"]] == [89.55, 14.93]
    assert data["left_out"] == []


def test_an_unknown_suite_or_setting_names_those_there_are(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    write_run("a", first(10))

    done = evalrun("leaderboard", "--settings", "temperature 2")

    assert done.returncode == 7
    assert (
        "builtin 1 (grader version 1, image limit 1024 px, max tokens 512 then 4096)" in done.stderr
    )


def test_an_empty_folder_says_how_to_fill_it(evalrun: Evalrun) -> None:
    done = evalrun("leaderboard", "--results", "nowhere")

    assert done.returncode == 0
    assert "no complete run in nowhere" in done.stderr
    assert done.stdout == ""
