"""`evalrun sweep`: a grid of settings, each cell a run; resumed, scored, and one of them chosen."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness import store
from tests.conftest import Evalrun, VisionServer, clean_environment, fail, hang, say, write_suite


def by_temperature(handler: Any, request: dict[str, Any]) -> None:
    """Right at 0, wrong on every prompt with another temperature."""
    say("yes" if request["temperature"] == 0 else "no")(handler, request)


@pytest.fixture
def shared(tmp_path: Path, vision_server: VisionServer) -> tuple[str | Path, ...]:
    vision_server.default = by_temperature
    return "--suite", write_suite(tmp_path / "suite", 8), "--base-url", vision_server.url


def cells(done: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["cells"]
    return found


def test_each_cell_is_a_run_and_the_table_says_which_to_take(
    evalrun: Evalrun, shared: tuple[str | Path, ...], tmp_path: Path
) -> None:
    done = evalrun(
        "sweep", "m", "--temperature", "0,0.7", "--image-max-side", "16,0", *shared, "--json"
    )

    assert done.returncode == 0, done.stderr
    assert [it["settings"] for it in cells(done)] == [
        {"image-max-side": side, "temperature": warmth}
        for side in ("16", "0")
        for warmth in ("0", "0.7")
    ]
    assert [it["score"] for it in cells(done)] == [1.0, 0.0, 1.0, 0.0]
    assert {"run", "interval", "p", "gb", "latency_s", "tokens", "cost_usd"} <= cells(done)[
        0
    ].keys()
    choice = json.loads(done.stdout)["choice"]
    assert choice["settings"]["temperature"] == "0"
    assert choice["command"].startswith("evalrun --model m --suite=")
    headers = [store.read(it).header for it in store.runs(tmp_path / "results")]
    assert {it.sampling.temperature for it in headers} == {0.0, 0.7}
    assert len({it.sweep for it in headers}) == 1
    assert "sweep: 32/32 asked" in done.stderr


def test_the_table_has_flips_frontier_and_one_sentence(
    evalrun: Evalrun, shared: tuple[str | Path, ...], tmp_path: Path
) -> None:
    command = ("sweep", "m", "--temperature", "0,0.7", *shared)

    shown = evalrun(*command, env={"COLUMNS": "140"})
    marked = evalrun(*command, "--md", "--csv", "sweep.csv")

    assert "-8 +0" in shown.stdout
    assert "best, chosen" in shown.stdout
    assert re.search(r"Take temperature 0: the best, 100.0 % \(8/8\)", shown.stdout)
    assert marked.stdout.startswith("| setting |")
    assert (tmp_path / "sweep.csv").read_text().startswith("cell,mark,run,score_pct,")


def test_cells_that_are_there_already_are_not_asked_again(
    evalrun: Evalrun, shared: tuple[str | Path, ...], vision_server: VisionServer
) -> None:
    command = ("sweep", "m", *shared, "--json")

    first = evalrun(*command, "--temperature", "0,0.7")
    again = evalrun(*command, "--temperature", "0,0.7")
    assert len(vision_server.seen) == 16
    wider = evalrun(*command, "--temperature", "0,0.7,1")
    assert len(vision_server.seen) == 24
    anew = evalrun(*command, "--temperature", "0,0.7", "--fresh")

    assert len(vision_server.seen) == 40
    assert cells(again) == cells(first)
    assert [it["run"] for it in cells(wider)][:2] == [it["run"] for it in cells(first)]
    assert cells(anew)[0]["run"] != cells(first)[0]["run"]


def test_a_sweep_that_was_stopped_goes_on_with_the_same_command(
    evalrun: Evalrun,
    shared: tuple[str | Path, ...],
    vision_server: VisionServer,
    tmp_path: Path,
) -> None:
    arguments = [*map(str, ("sweep", "m", "--temperature", "0,0.7", *shared)), "--json"]
    vision_server.then(*[by_temperature] * 12, hang(30))
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while len(vision_server.seen) < 13 and time.monotonic() < until:
        time.sleep(0.02)

    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1]
    assert running.returncode == 130
    assert "stopped; this goes on: evalrun sweep m --temperature 0,0.7" in said
    done = evalrun(*arguments)

    assert len(vision_server.seen) == 17, "only what was in flight is asked again"
    assert "sweep: 4/4 asked, 0 s left" in done.stderr
    assert [it["score"] for it in cells(done)] == [1.0, 0.0]


def test_a_cell_that_cannot_be_asked_is_reported_and_the_rest_goes_on(
    evalrun: Evalrun, shared: tuple[str | Path, ...], vision_server: VisionServer
) -> None:
    def refusing(handler: Any, request: dict[str, Any]) -> None:
        (say("yes") if request["temperature"] == 0 else fail(404))(handler, request)

    vision_server.default = refusing

    done = evalrun("sweep", "m", "--temperature", "0.7,0", *shared, "--json")

    assert done.returncode == 4
    assert cells(done)[0]["score"] is None
    assert "no such model" in cells(done)[0]["problem"]
    assert cells(done)[1]["score"] == 1.0


def test_a_sweep_can_stand_in_a_file_beside_a_project(
    evalrun: Evalrun, shared: tuple[str | Path, ...], tmp_path: Path
) -> None:
    (tmp_path / "sweep.toml").write_text(
        f'[sweep]\nmodel = ["a", "b"]\nseed = [1, 2]\nbase-url = "{shared[3]}"\n'
        f'suite = "{shared[1]}"\nblind = true\ntemperature = 0\nskip-broken = false\n'
    )

    done = evalrun("sweep", "--sweep-file", "sweep.toml", "--limit", "1", "--json")

    assert done.returncode == 0, done.stderr
    assert [it["settings"] for it in cells(done)] == [
        {"model": model, "seed": seed} for model in ("a", "b") for seed in ("1", "2")
    ]
    headers = [store.read(it).header for it in store.runs(tmp_path / "results")]
    assert all(it.blind and it.prompts == 1 for it in headers)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the grid is empty: no model"),
        (("m",), "the grid is empty: nothing is varied"),
        (("m", "--thinking", "off,off"), "two cells are the same: thinking off"),
        (("m", "--temperature", "0,0.0"), "two cells are the same: temperature 0.0"),
        (("m", "--thinking", "off,"), "--thinking has an empty value fix: write e.g. --thinking="),
        (("m", "--vary", "limit=2,4"), "every cell is asked the same prompts"),
        (("m", "--vary", "category=Reading,Counting"), "every cell is asked the same prompts"),
        (("m", "--vary", "sead=1,2"), "'sead' is no setting of a run"),
        (("m", "--vary", "seed"), "is not NAME=A,B"),
        (("m", "--temperature", "0,1", "--vary", "temperature=0,1"), "varied twice"),
        (("m", "--temperature", "0,hot"), "'hot' is not a valid float"),
        (("m", "--quant", "Q4_K_M,Q8_0"), "--base-url names a server that has its own"),
    ],
)
def test_a_mistake_is_said_before_anything_is_asked(
    evalrun: Evalrun,
    shared: tuple[str | Path, ...],
    vision_server: VisionServer,
    words: tuple[str, ...],
    said: str,
) -> None:
    done = evalrun("sweep", *words, *shared)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert vision_server.seen == []


def test_a_sweep_file_that_names_another_is_refused(evalrun: Evalrun, tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text('[sweep]\nmodel = "m"\nsweep-file = "sweep.toml"\n')

    done = evalrun("sweep", "--sweep-file", "sweep.toml")

    assert done.returncode == 2
    assert "sweep.toml: a [sweep] table cannot name another file" in done.stderr


def test_what_comes_next_names_the_folder_of_the_runs_where_there_are_any(
    evalrun: Evalrun, shared: tuple[str | Path, ...], free_port: int
) -> None:
    arguments = "sweep", "m", "--temperature", "0,0.7", *shared, "--results", "my runs"
    nowhere = "--base-url", f"http://127.0.0.1:{free_port}/v1", "--tries", "1"

    assert re.search(r"evalrun report sweep-\w+ --results 'my runs'", evalrun(*arguments).stderr)
    assert "next:" not in evalrun(*arguments[:-4], *nowhere, "--results", "none").stderr


def test_each_cell_has_the_defaults_of_evalrun_toml_as_its_command_has(
    evalrun: Evalrun, shared: tuple[str | Path, ...], tmp_path: Path
) -> None:
    (tmp_path / "evalrun.toml").write_text(
        '[run]\nlimit = 3\nfail-under = 5\nresults = "kept"\n[profile.short]\nlimit = 2\n'
    )
    arguments = "sweep", "m", "--temperature", "0,0.7", *shared, "--json"

    assert [it["asked"] for it in cells(evalrun(*arguments))] == [3, 3]
    assert [it["asked"] for it in cells(evalrun(*arguments, "--profile", "short"))] == [2, 2]
    assert len(store.runs(tmp_path / "kept")) == 4
    unknown = evalrun(*arguments, "--profile", "none")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is no profile 'none' (there are: short)" in unknown.stderr


def test_a_password_in_an_address_is_not_written(
    evalrun: Evalrun, shared: tuple[str | Path, ...], tmp_path: Path
) -> None:
    url = str(shared[-1]).replace("http://", "http://me:hunter2@")

    done = evalrun("sweep", "m", "--temperature", "0,0.7", *shared[:-1], url)

    assert done.returncode == 0, done.stderr
    assert (
        "there already" in evalrun("sweep", "m", "--temperature", "0,0.7", *shared[:-1], url).stderr
    )
    written = [it.read_text() for it in tmp_path.rglob("results/**/*") if it.is_file()]
    assert not any("hunter2" in it for it in [*written, done.stdout, done.stderr])


def test_a_cell_that_the_budget_ends_says_so(
    evalrun: Evalrun, shared: tuple[str | Path, ...]
) -> None:
    done = evalrun("sweep", "m", "--temperature", "0,0.7", *shared, "--max-cost", "0")

    assert done.returncode == 5
    assert done.stderr.count("stopped: --max-cost is reached") == 2


def test_a_quantization_that_is_not_there_is_answered_with_those_that_are(
    evalrun: Evalrun, tmp_path: Path
) -> None:
    for name in ("tiny-F32.gguf", "tiny-Q8_0.gguf", "mmproj-tiny-F16.gguf", "other-Q4_0.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")

    done = evalrun("sweep", "tiny", "--gguf", "tiny-F32.gguf", "--quant", "Q8_0,Q4_K_M")

    assert done.returncode == 4
    assert "no Q4_K_M beside tiny-F32.gguf; there are Q8_0, F32" in " ".join(
        done.stderr.split()
    ) or "there are F32, Q8_0" in " ".join(done.stderr.split())
    assert not (tmp_path / "results").exists()


def test_the_demonstration_model_has_one_projector(evalrun: Evalrun, tmp_path: Path) -> None:
    done = evalrun("sweep", "demo", "--mmproj", "a.gguf,b.gguf")

    assert done.returncode == 4
    assert "the demonstration model has a projector of its own" in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_demonstration_model_has_one_quantization(evalrun: Evalrun, tmp_path: Path) -> None:
    done = evalrun("sweep", "demo", "--quant", "F32,Q8_0")

    assert done.returncode == 4
    assert "--quant F32: nothing is known of other weights of demo" in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_dry_run_says_cells_calls_and_time(
    evalrun: Evalrun, shared: tuple[str | Path, ...], vision_server: VisionServer
) -> None:
    command = ("sweep", "m", "--temperature", "0,0.7", *shared)

    before = evalrun(*command, "--dry-run")
    assert vision_server.seen == []
    evalrun(*command)
    after = evalrun(*command, "--temperature", "0,0.5", "--dry-run")

    assert before.returncode == 0
    assert "temperature 0.7: 8 calls, time unknown" in before.stdout
    assert "2 cells, 16 calls, time unknown" in before.stdout
    assert "2 cells, 16 calls, about" in after.stdout


def test_a_cell_that_is_clearly_worse_is_ended_early_and_stays_so(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = by_temperature
    suite = write_suite(tmp_path / "suite", 40)
    at = ("--suite", suite, "--base-url", vision_server.url, "--concurrency", "1")
    command = ("sweep", "m", "--temperature", "0,0.7", *at, "--json")

    done = evalrun(*command, "--stop-early")
    asked = len(vision_server.seen)
    again = evalrun(*command, "--stop-early")

    assert done.returncode == 0
    best, worse = cells(done)
    assert best["score"] == 1.0
    assert worse["score"] is None
    assert 6 <= worse["stopped_after"] <= 20
    assert asked <= 40 + 20
    assert len(vision_server.seen) == asked
    assert cells(again)[1]["stopped_after"] == asked - 40
    assert json.loads(done.stdout)["choice"]["settings"] == {"temperature": "0"}

    whole = evalrun(*command)

    assert len(vision_server.seen) == 80, "without the option the rest is asked"
    assert cells(whole)[1]["score"] == 0.0


@pytest.mark.skipif(find_spec("ray") is not None, reason="the extra `ray` is installed")
def test_without_ray_the_extra_that_brings_it_is_named(
    evalrun: Evalrun, shared: tuple[str | Path, ...], vision_server: VisionServer
) -> None:
    done = evalrun("sweep", "m", "--temperature", "0,1", *shared, "--ray", "auto")

    assert done.returncode == 2
    assert "ray needs ray, which the extra `ray` brings" in done.stderr
    assert "[ray]" in done.stderr
    assert vision_server.seen == []


def test_runs_groups_a_sweep_and_compare_and_report_take_it_by_its_name(
    evalrun: Evalrun, shared: tuple[str | Path, ...], tmp_path: Path
) -> None:
    done = evalrun("sweep", "m", "--temperature", "0,0.7", *shared)
    evalrun("-m", "other", *shared)
    evalrun("sweep", "m", "--temperature", "0,0.7", *shared, "--fresh")
    (sweep,) = set(re.findall(r"sweep-[0-9a-f]{8}", done.stderr))

    runs = json.loads(evalrun("runs", "--json").stdout)
    compared = evalrun("compare", sweep)
    reported = evalrun("report", sweep, "--out", "page.html")

    assert [it["sweep"] for it in runs] == [sweep] * 4 + [None]
    assert [it["cell"] for it in runs[:2]] == ["temperature 0", "temperature 0.7"]
    assert compared.returncode == 0, "no force is needed"
    assert "varied: temperature: 0.0 against 0.7" in compared.stdout
    assert "m, temperature 0.7 is worse than m, temperature 0" in " ".join(compared.stdout.split())
    assert reported.returncode == 0, reported.stderr
    assert "Score against mean response time" in (tmp_path / "page.html").read_text()


def test_the_page_of_a_sweep_plots_score_against_gb_and_seconds(
    evalrun: Evalrun, tmp_path: Path
) -> None:
    done = evalrun("sweep", "demo", "--image-max-side", "64,128", "--limit", "3")
    (sweep,) = set(re.findall(r"sweep-[0-9a-f]{8}", done.stderr))

    reported = evalrun("report", sweep, "--out", "page.html")

    assert done.returncode == reported.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Score against weights and projector" in page
    assert "Score against mean response time" in page


def test_options_in_other_orders_show_whether_a_model_likes_a_place(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path / "suite", 8)
    lines = ["file_name,question,options,answer"]
    lines += [f"p{it}.png,Which is nr. {it}?,nuts;bolts;screws;rivets,nuts" for it in range(8)]
    (suite / "images" / "questions.csv").write_text("\n".join(lines))
    vision_server.default = say("A")
    at = ("--suite", suite / "images", "--base-url", vision_server.url)

    done = evalrun("sweep", "m", "--shuffle-options", "3", *at, "--json")
    plain = evalrun("-m", "m", "--suite", suite, *at[2:], "--shuffle-options", "5")

    assert done.returncode == 0, done.stderr
    first, *others = cells(done)
    assert first["score"] == 1.0, "as written, A is right"
    assert all(it["score"] < 0.75 for it in others)
    assert [it["settings"] for it in cells(done)] == [{"shuffle-options": it} for it in "012"]
    asked = {it["messages"][-1]["content"][-1]["text"] for it in vision_server.seen}
    assert any("A. bolts" in it for it in asked)
    assert plain.returncode == 2
    assert "no question lists options" in plain.stderr
