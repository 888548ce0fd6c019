"""`evalrun` as a process, against a server on a real socket: the whole way of a prompt."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import store
from tests.conftest import (
    Evalrun,
    VisionServer,
    body,
    clean_environment,
    fail,
    hang,
    reset,
    say,
    write_suite,
)


def ask(evalrun: Evalrun, suite: Path, server: VisionServer, *more: str, **env: str):  # type: ignore[no-untyped-def]
    return evalrun(
        "--suite", suite, "--model", "tiny", "--base-url", server.url, *more, env=env or None
    )


def the_run(tmp_path: Path) -> store.Run:
    (path,) = store.runs(tmp_path / "results")
    return store.read(path)


def test_every_prompt_is_asked_graded_saved_and_shown(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(say("Yes."), say("No, it is not."))

    done = ask(evalrun, suite, vision_server, "--concurrency", "1")

    assert done.returncode == 0, done.stderr
    assert "75.0 % (3/4)" in done.stdout
    assert "good" in done.stdout
    assert "evalrun show tiny/" in done.stderr
    assert [it.final.passed for it in the_run(tmp_path).records() if it.final] == [
        True,
        False,
        True,
        True,
    ]
    with (tmp_path / "results" / "categories.csv").open(newline="") as file:
        overall = list(csv.DictReader(file))[-1]
    assert (overall["category"], overall["passed"], overall["asked"]) == ("overall", "3", "4")
    assert overall["score_pct"] == "75"
    with (tmp_path / "results" / "leaderboard.csv").open(newline="") as file:
        (leader,) = csv.DictReader(file)
    assert (leader["rank"], leader["model"], leader["Reading_pct"]) == ("1", "tiny", "100")


def test_the_command_named_next_finds_the_run_in_a_folder_of_another_name(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.default = say("yes")

    done = ask(evalrun, suite, vision_server, "--results", "kept here")
    shown = next(it for it in done.stderr.splitlines() if it.startswith("next: evalrun "))
    words = shlex.split(shown.removeprefix("next: evalrun ").split("   or   ")[0])

    assert evalrun(*words).returncode == 0


@pytest.mark.parametrize("ending", ["/chat/completions", "/chat/completions/", "/models"])
def test_the_address_of_one_call_stands_for_all(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, ending: str
) -> None:
    options = ("--suite", suite, "--model", "tiny", "--limit", "1")

    done = evalrun(*options, "--base-url", vision_server.url + ending)

    assert done.returncode == 0, done.stderr
    assert the_run(tmp_path).header.base_url == vision_server.url


def test_the_scores_come_as_json_on_stdout_and_nothing_else_does(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    done = ask(evalrun, suite, vision_server, "--json")

    scores = json.loads(done.stdout)
    assert scores["complete"] is True
    assert [row["category"] for row in scores["scores"]] == ["Counting", "Reading", "overall"]


def test_a_call_that_was_not_heard_makes_the_run_incomplete_and_resuming_asks_only_that(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(say("yes"), fail(400, "odd picture"), say("yes"), say("no"))

    first = ask(evalrun, suite, vision_server, "--concurrency", "1")

    assert first.returncode == 5
    assert "50.0 to 75.0 % (1 error)" in first.stdout
    assert "this finishes the run:\n  evalrun --suite" in first.stderr
    assert len((tmp_path / "results" / "leaderboard.csv").read_text().splitlines()) == 1

    second = ask(evalrun, suite, vision_server, "--concurrency", "1")

    assert second.returncode == 0
    assert len(vision_server.seen) == 5
    assert "3 of 4 are there already" in second.stderr
    assert "75.0 % (3/4)" in second.stdout
    assert the_run(tmp_path).answered_keys() == {(f"p-{i:02d}", 0) for i in range(4)}


def test_a_complete_run_is_not_resumed_but_made_anew(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    ask(evalrun, suite, vision_server)
    ask(evalrun, suite, vision_server)

    assert len(store.runs(tmp_path / "results")) == 2
    assert len(vision_server.seen) == 8


def test_fresh_leaves_an_incomplete_run_alone(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(fail(400))
    ask(evalrun, suite, vision_server)
    done = ask(evalrun, suite, vision_server, "--fresh")

    assert done.returncode == 0
    assert len(store.runs(tmp_path / "results")) == 2


def test_resume_refuses_to_mix_settings_and_names_them(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.then(fail(400))
    ask(evalrun, suite, vision_server)

    done = ask(evalrun, suite, vision_server, "--resume", "--system", "Be brief.")

    assert done.returncode == 7
    assert "system would differ" in done.stderr
    assert len(vision_server.seen) == 4


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (401, "key was not accepted", 4),
        (403, "may not use this model", 4),
        (404, "no such model or path", 4),
        (400, "all failed alike", 4),
        (413, "lower --image-max-side", 5),
        (422, "all failed alike", 4),
    ],
)
def test_each_refusal_has_its_message_and_exit_code_and_leaves_a_run_only_if_more_can_be_asked(
    evalrun: Evalrun,
    suite: Path,
    vision_server: VisionServer,
    tmp_path: Path,
    status: int,
    words: str,
    code: int,
) -> None:
    vision_server.default = fail(status)

    done = ask(evalrun, suite, vision_server, "--concurrency", "1")

    assert done.returncode == code
    assert words in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert len(vision_server.seen) == {"all failed alike": 3, "lower --image-max-side": 4}.get(
        words, 1
    )
    assert any(tmp_path.glob("results/*/*")) == (code == 5)


@pytest.mark.parametrize(
    "fault",
    [
        fail(500),
        fail(429, retry_after="0"),
        body(200, b""),
        body(200, b"<html>", content_type="text/html"),
        body(200, b'{"choices": [{"message"'),
        reset,
        hang(1.2),
    ],
    ids=["500", "429", "empty", "html", "malformed", "reset", "silent"],
)
def test_a_fault_that_passes_costs_nothing_but_time(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, fault: object
) -> None:
    vision_server.then(say("yes"), fault)  # type: ignore[arg-type]

    done = ask(evalrun, suite, vision_server, "--timeout", "0.5")

    assert done.returncode == 0
    assert "100.0 % (4/4)" in done.stdout
    attempts = [it.outcome.effort.attempts for it in the_run(tmp_path).records()]
    assert sorted(attempts) == [1, 1, 1, 2]


def test_no_server_at_all_is_one_message_and_leaves_no_run(
    evalrun: Evalrun, suite: Path, free_port: int
) -> None:
    url = f"http://127.0.0.1:{free_port}/v1"

    done = evalrun("--suite", suite, "--model", "m", "--base-url", url, timeout=40)

    assert done.returncode == 4
    assert "no connection" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_answer_is_graded_and_an_empty_body_is_not(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("")

    done = ask(evalrun, suite, vision_server)

    assert done.returncode == 0
    assert "0.0 % (0/4)" in done.stdout
    assert "poor" in done.stdout


def test_a_hostile_reply_is_shown_inert_and_stored_as_it_came(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    evil = "\x1b]0;owned\x07\x1b[31mred\u202e [bold]x[/bold] =cmd()"
    vision_server.default = say(evil)

    done = ask(evalrun, suite, vision_server)
    shown = evalrun("show", "tiny")
    exported = evalrun("export", "tiny")

    for text in (done.stdout, done.stderr, shown.stdout):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[bold]x[/bold]" in shown.stdout
    assert all(it.outcome.text == evil for it in the_run(tmp_path).records())  # type: ignore[union-attr]
    assert evil in exported.stdout


def test_the_csv_keeps_leading_zeros_and_defuses_formulas(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.then(say("007"), say("=HYPERLINK(1)"), say("-5"), say('a,b\n"c"'))
    ask(evalrun, suite, vision_server, "--concurrency", "1")

    done = evalrun("export", "tiny", "--csv", "-")

    responses = [row["response"] for row in csv.DictReader(io.StringIO(done.stdout, newline=""))]
    assert responses == ["007", "'=HYPERLINK(1)", "-5", 'a,b\n"c"']


def test_blind_sends_no_picture_and_stays_off_the_leaderboard(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    done = ask(evalrun, suite, vision_server, "--blind")

    assert "BLIND" in done.stdout
    assert all(isinstance(sent["messages"][-1]["content"], str) for sent in vision_server.seen)
    assert len((tmp_path / "results" / "leaderboard.csv").read_text().splitlines()) == 1


def test_repeats_go_on_with_the_next_seed_and_are_all_counted(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    done = ask(evalrun, suite, vision_server, "--repeats", "3")

    assert "100.0 % (12/12)" in done.stdout
    assert sorted({sent["seed"] for sent in vision_server.seen}) == [1, 2, 3]


def test_repeats_at_temperature_0_measure_how_many_answers_change(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.then(*map(say, ("yes", "yes", "yes", "yes", "yes", "Yes.", "no", "yes")))

    done = ask(evalrun, suite, vision_server, "--repeats", "2", "--concurrency", "1", "--json")
    shown = evalrun("show", "tiny")

    assert {sent["temperature"] for sent in vision_server.seen} == {0}
    counts = {"prompts": 4, "verdicts_changed": 1, "texts_changed": 2}
    assert json.loads(done.stdout)["repeatability"] == counts
    note = "between repeats the verdict changed on 1 of 4 prompts, the text of the reply on 2"
    assert note in " ".join(shown.stdout.split())


def test_a_chosen_category_prompt_and_limit_make_a_subset_that_is_named_so(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    done = ask(evalrun, suite, vision_server, "--category", "reading", "--limit", "1")

    assert len(vision_server.seen) == 1
    assert "a subset: 1 of the suite's 4 prompts" in done.stdout


def test_a_dry_run_asks_nothing(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    done = ask(evalrun, suite, vision_server, "--dry-run")

    assert done.returncode == 0
    assert "would ask    4: Counting 2, Reading 2" in done.stdout
    assert "24x16" in done.stdout
    assert not vision_server.seen
    assert not (tmp_path / "results").exists()


def test_fail_under_exits_6_and_an_incomplete_run_wins_over_it(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.then(*[say("no")] * 4, fail(400), *[say("no")] * 3)

    low = ask(evalrun, suite, vision_server, "--fail-under", "50")
    incomplete = ask(evalrun, suite, vision_server, "--fail-under", "50")

    assert (low.returncode, incomplete.returncode) == (6, 5)


def test_a_model_judged_missing_by_its_key_says_which_variable(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    done = ask(evalrun, suite, vision_server, "--api-key-env", "NO_SUCH_KEY")

    assert done.returncode == 4
    assert "NO_SUCH_KEY is not set" in done.stderr
    assert not vision_server.seen


def test_an_unwritable_results_folder_is_exit_7_before_anything_is_asked(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    (tmp_path / "results").write_text("a file")

    done = ask(evalrun, suite, vision_server)

    assert done.returncode == 7
    assert "cannot be written" in done.stderr
    assert not vision_server.seen


def test_a_missing_suite_is_exit_3(evalrun: Evalrun, tmp_path: Path) -> None:
    done = evalrun("--suite", tmp_path / "nope", "--model", "m", "--base-url", "http://127.0.0.1:1")

    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("width", ["40", "60", "100", "200"])
def test_the_table_fits_the_terminal(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, width: str
) -> None:
    done = ask(evalrun, suite, vision_server, COLUMNS=width)

    assert done.returncode == 0
    table = done.stdout.splitlines()
    assert max(map(len, table[:10])) <= int(width)
    assert any("100.0 %" in line for line in table)


def started(tmp_path: Path, suite: Path, url: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "--suite", str(suite), "--model", "tiny"]
    return subprocess.Popen(
        [*command, "--base-url", url, "--concurrency", "2", *more],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: object, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_lets_calls_in_flight_land_and_says_how_to_go_on(
    tmp_path: Path, vision_server: VisionServer, evalrun: Evalrun, number: int, code: int
) -> None:
    suite = write_suite(tmp_path / "suite", 12)

    def slow(handler: object, request: dict[str, object]) -> None:
        time.sleep(0.5)
        say("yes")(handler, request)  # type: ignore[arg-type]

    vision_server.default = slow
    process = started(tmp_path, suite, vision_server.url)
    wait_for(lambda: len(vision_server.seen) >= 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)

    assert process.returncode == code
    assert "this finishes the run" in errors
    asked = len(vision_server.seen)
    assert asked < 12
    assert len(the_run(tmp_path).answered_keys()) == asked, "what was in flight has landed"

    vision_server.default = say("yes")
    done = ask(evalrun, suite, vision_server, "--concurrency", "2")
    assert done.returncode == 0
    assert len(vision_server.seen) == 12, "nothing was asked twice"


def test_a_second_ctrl_c_stops_now(
    tmp_path: Path, vision_server: VisionServer, suite: Path
) -> None:
    vision_server.default = hang(30)
    process = started(tmp_path, suite, vision_server.url)
    wait_for(lambda: len(vision_server.seen) >= 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert time.monotonic() - before < 3
    assert process.returncode == 130


def test_one_ctrl_c_waits_for_a_hanging_call_no_longer_than_the_grace(
    tmp_path: Path, vision_server: VisionServer, suite: Path
) -> None:
    vision_server.default = hang(60)
    process = started(tmp_path, suite, vision_server.url)
    wait_for(lambda: len(vision_server.seen) >= 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Traceback" not in errors


def test_after_kill_9_nothing_recorded_is_asked_again(
    tmp_path: Path, vision_server: VisionServer, evalrun: Evalrun
) -> None:
    suite = write_suite(tmp_path / "suite", 12)
    vision_server.then(*[say("yes")] * 5)
    vision_server.default = hang(30)
    process = started(tmp_path, suite, vision_server.url)
    wait_for(lambda: len(vision_server.seen) >= 7)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    vision_server.default = say("yes")
    recorded = the_run(tmp_path).answered_keys()
    asked = len(vision_server.seen)

    done = ask(evalrun, suite, vision_server, "--concurrency", "2")

    assert done.returncode == 0
    assert len(vision_server.seen) - asked == 12 - len(recorded)
    assert len(the_run(tmp_path).answered_keys()) == 12


def test_two_evalruns_at_once_on_one_folder_make_two_whole_runs(
    tmp_path: Path, vision_server: VisionServer, suite: Path
) -> None:
    processes = [started(tmp_path, suite, vision_server.url) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=30)

    assert [process.returncode for process in processes] == [0, 0]
    for path in store.runs(tmp_path / "results"):
        assert len(store.read(path).answered_keys()) == 4


def test_a_replayed_run_gives_the_same_scores(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(say("no"))
    first = ask(evalrun, suite, vision_server, "--json")
    (path,) = store.runs(tmp_path / "results")

    again = evalrun("--suite", suite, "--replay", path, "--model", "again", "--json")

    def counts(text: str) -> list[tuple[str, int]]:
        return [(row["category"], row["passed"]) for row in json.loads(text)["scores"]]

    assert again.returncode == 0, again.stderr
    assert counts(again.stdout) == counts(first.stdout)
    assert len(vision_server.seen) == 4


def test_answers_of_another_tool_can_be_replayed(
    evalrun: Evalrun, suite: Path, tmp_path: Path
) -> None:
    lines = [json.dumps({"prompt": f"p-{i:02d}", "response": "Yes"}) for i in range(3)]
    (tmp_path / "theirs.jsonl").write_text("\n".join(lines))

    done = evalrun("--suite", suite, "--replay", "theirs.jsonl", "--json")
    shown = evalrun("show", "theirs")

    assert done.returncode == 5, "the fourth was never recorded"
    overall = json.loads(done.stdout)["scores"][-1]
    assert overall["passed"] == 3
    assert overall["latency_mean_s"] is None, "nobody measured it"
    assert "response times were not measured" in shown.stdout
    assert " 0 ms" not in shown.stdout


def test_two_runs_are_exported_side_by_side_a_row_a_prompt(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    ask(evalrun, suite, vision_server)
    vision_server.default = say("no")
    evalrun("--suite", suite, "--model", "b", "--base-url", vision_server.url, "--limit", "3")

    done = evalrun("export", "tiny", "b", "--side-by-side")

    header, *rows = csv.reader(io.StringIO(done.stdout, newline=""))
    assert header[:4] == ["prompt", "category", "repeat", "expected"]
    assert [len(header), len(rows)] == [8, 4]
    assert sorted((row[4], row[6]) for row in rows) == [
        ("pass", ""),
        ("pass", "fail"),
        ("pass", "fail"),
        ("pass", "fail"),
    ]


def test_constrained_answers_are_asked_for_recorded_and_not_mixed_with_free_ones(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.then(fail(400, "a slip"))
    vision_server.default = say('{"answer": "yes"}')
    constrained = ("--answer-format", "constrained")

    ask(evalrun, suite, vision_server, *constrained)
    again = ask(evalrun, suite, vision_server, *constrained)

    assert again.returncode == 0, again.stderr
    assert len(vision_server.seen) == 5
    run = the_run(tmp_path)
    assert run.header.answer_format == "constrained"
    assert all(it.final and it.final.passed for it in run.records())
    schema = vision_server.seen[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["yes", "no"]
    ask(evalrun, suite, vision_server, "--limit", "1")
    assert "response_format" not in vision_server.seen[-1]
    assert len(store.runs(tmp_path / "results")) == 2


@pytest.mark.parametrize(
    "options", [("--replay", "example"), ("--body", 'response_format={"type": "json_object"}')]
)
def test_what_cannot_be_constrained_is_a_usage_error(
    evalrun: Evalrun, options: tuple[str, str]
) -> None:
    done = evalrun("--answer-format", "constrained", *options)

    assert done.returncode == 2
    assert "--answer-format" in done.stderr


def test_an_endpoint_that_takes_no_schema_is_exit_4(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.default = fail(400, "Unsupported parameter: response_format")

    done = ask(evalrun, suite, vision_server, "--answer-format", "constrained")

    assert done.returncode == 4
    assert "leave --answer-format out" in done.stderr
