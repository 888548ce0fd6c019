"""What a run costs, and where it stops."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.conftest import Evalrun, VisionServer


@pytest.fixture
def priced(tmp_path: Path, vision_server: VisionServer) -> None:
    """A catalogue of one's own: every reply of the server's 300 + 5 tokens costs $0.0035."""
    (tmp_path / "evalrun.toml").write_text(
        f"""
        [presets.gateway]
        base_url = "{vision_server.url}"

        [models.ours]
        hosted = [{{ preset = "gateway", model_id = "ours-1" }}]
        price_in_usd_per_mtok = 10
        price_out_usd_per_mtok = 100
        """
    )


@pytest.mark.usefixtures("priced")
def test_measured_tokens_times_the_list_price_stand_in_table_and_csv(
    evalrun: Evalrun, suite: Path, tmp_path: Path, vision_server: VisionServer
) -> None:
    done = evalrun("--suite", suite, "--model", "ours", "--backend", "gateway")

    assert done.returncode == 0, done.stderr
    assert vision_server.seen[0]["model"] == "ours-1"
    assert "$0.0140 in all, $0.0035 a prompt" in done.stdout
    with (tmp_path / "results" / "leaderboard.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["cost_per_task_usd"] == "0.0035"


@pytest.mark.usefixtures("priced")
def test_a_budget_that_is_reached_stops_the_run_and_more_money_finishes_it(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    command = ("--suite", suite, "--model", "ours", "--backend", "gateway", "--concurrency", "1")

    first = evalrun(*command, "--max-cost", "0.006")

    assert first.returncode == 5
    assert "--max-cost is reached" in first.stderr
    assert len(vision_server.seen) == 2

    again = evalrun(*command, "--max-cost", "0.006")
    assert again.returncode == 5
    assert len(vision_server.seen) == 2, "a budget that is spent already buys no further call"

    second = evalrun(*command, "--max-cost", "1")
    assert second.returncode == 0
    assert len(vision_server.seen) == 4


def test_a_budget_without_a_price_is_refused_before_anything_is_asked(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "m", "--base-url", vision_server.url, "--max-cost", "1")
    )

    assert done.returncode == 2
    assert "--max-cost needs a price" in done.stderr
    assert not vision_server.seen
