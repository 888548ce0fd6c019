"""What stands on the pages about models, runs and prompts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from harness import store, suites
from harness.records import Record, Verdict
from tests.report.conftest import HOSTILE, QUESTIONS, Elements, WriteRun
from tests.view.conftest import Pages, Serve


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def shown(pages: Pages, path: str, **params: str) -> str:
    answer = pages.get(path, **params)
    assert answer.status_code == 200, answer.text
    return Elements(answer.text).text


def test_without_runs_the_page_says_how_to_make_one(pages: Pages) -> None:
    assert "evalrun --model NAME" in shown(pages, "/")


def test_models_are_ranked_with_their_figures_and_every_run_is_listed(
    pages: Pages, write_run: WriteRun
) -> None:
    write_run("good", reply={"cost_usd": 0.02})
    write_run("poor", dict.fromkeys(QUESTIONS, False), reply={"cost_usd": 0.001})
    write_run("unfinished", {"r-01": None})

    text = shown(pages, "/")

    assert "100.0 % (5/5)" in text
    assert "0.0 % (0/5)" in text
    assert "Score against cost per task" in text
    assert "80.0 to 100.0 % (1 error)" in text
    assert "Not ranked: 1 run" in text


def test_the_leaderboard_is_sorted_by_the_column_that_is_asked_for(
    pages: Pages, write_run: WriteRun
) -> None:
    write_run("b", reply={"cost_usd": 0.02})
    write_run("a", reply={"cost_usd": 0.03})
    by_cost, by_model = shown(pages, "/", sort="cost"), shown(pages, "/", sort="model")

    assert by_cost.index("$0.0200") < by_cost.index("$0.0300")
    assert by_model.index("$0.0300") < by_model.index("$0.0200")


def test_a_damaged_run_is_named_where_it_stands_and_hides_no_other(
    pages: Pages, write_run: WriteRun
) -> None:
    write_run("sound")
    path = write_run("damaged")
    path.write_bytes(path.read_bytes().replace(b'"case":{', b'"case":?', 1))

    text = shown(pages, "/")
    itself = pages.get(f"/run/{name_of(path)}")

    assert "cannot be read" in text
    assert "100.0 % (5/5)" in text
    assert itself.status_code == 409
    assert "is damaged" in itself.text


def test_a_run_shows_every_record_with_what_the_grader_read(
    pages: Pages, write_run: WriteRun
) -> None:
    path = write_run("a", {"r-01": False, "c-03": None}, texts={"r-01": "AX-0471"})

    text = shown(pages, f"/run/{name_of(path)}")

    for _, _, question, _, _ in QUESTIONS.values():
        assert question in text
    assert "AX-0471" in text
    assert "timeout: silent" in text
    assert "5 of 5 records" in text


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"verdict": "fail"}, 1),
        ({"verdict": "error"}, 1),
        ({"category": "Counting"}, 3),
        ({"category": "Counting", "verdict": "pass"}, 2),
        ({"flag": "cached"}, 0),
        ({"reason": "error: timeout"}, 1),
    ],
)
def test_filters_pick_records(
    pages: Pages, write_run: WriteRun, filters: dict[str, str], count: int
) -> None:
    path = write_run("a", {"r-01": False, "c-03": None})

    assert f"{count} of 5 records" in shown(pages, f"/run/{name_of(path)}", **filters)


def test_a_run_can_be_narrowed_to_what_another_run_answered_differently(
    pages: Pages, write_run: WriteRun
) -> None:
    one, other = write_run("a"), write_run("b", {"c-01": False, "c-02": False})

    text = shown(pages, f"/run/{name_of(one)}", differs=name_of(other))

    assert "2 of 5 records" in text


def test_long_runs_come_a_page_at_a_time(
    pages: Pages, write_run: WriteRun, own: suites.Suite
) -> None:
    asked = tuple(
        msgspec.structs.replace(own.cases[0], id=f"n-{number:03}") for number in range(70)
    )
    path = write_run("a", asked=asked)

    first = pages.get(f"/run/{name_of(path)}").text
    part = pages.client.get(
        f"/run/{name_of(path)}", params={"start": "60"}, headers={"hx-request": "true"}
    ).text

    assert "n-029" in first
    assert "n-030" not in first
    assert "start=30" in first
    assert "n-069" in part
    assert "<html" not in part


def test_the_prompt_page_has_every_models_answer(pages: Pages, write_run: WriteRun) -> None:
    write_run("a", texts={"r-01": "said by a"})
    write_run("b", {"r-01": False}, texts={"r-01": "said by b"})

    text = shown(pages, "/prompt", id="r-01")

    assert "said by a" in text
    assert "said by b" in text
    assert pages.get("/prompt", id="nobody").status_code == 404


def test_models_are_compared_at_an_address_that_can_be_passed_on(
    pages: Pages, write_run: WriteRun
) -> None:
    write_run("a")
    write_run("b", {"c-01": False})

    text = Elements(pages.client.get("/compare?m=a&m=b").text).text

    assert "b and a cannot be told apart at this size (5 prompts)" in text
    assert text.index("c-01") < text.index("r-01")
    assert "They differ on 1 prompts" in text


def test_what_cannot_be_compared_says_why_and_how_to_do_it_all_the_same(
    pages: Pages, write_run: WriteRun
) -> None:
    write_run("a")
    write_run("b", image_max_side_px=512)

    text = pages.client.get("/compare?m=a&m=b").text

    unknown = pages.client.get("/compare?m=a&m=nobody").text

    assert "1024 px against 512 px" in text
    assert "force=1" in text
    assert "no model is called" in unknown
    assert "force=1" not in unknown


def test_pictures_are_served_only_when_they_are_the_ones_that_were_sent(
    pages: Pages, write_run: WriteRun
) -> None:
    record = next(iter(store.read(write_run("a")).records()))
    assert record.image_sha256 is not None
    wanted = {"sha256": record.image_sha256, "path": record.case.image, "px": "1024"}

    found = pages.get("/picture", **wanted)
    thumb = pages.get("/picture", **wanted, thumb="")
    other = pages.get("/picture", **{**wanted, "sha256": "0" * 64})
    outside = pages.get("/picture", **{**wanted, "path": "../../../etc/passwd"})

    unmeant = pages.get("/picture", sha256="\0", path="\0", px="x")

    assert found.headers["content-type"] == "image/png"
    assert thumb.status_code == 200
    assert [it.status_code for it in (other, outside, unmeant)] == [404, 404, 404]
    assert "is not the picture that was sent" in other.text


@pytest.mark.parametrize(
    "path", ["/run/..%2f..%2fetc/passwd", "/run/a/..%2f..%2fx", "/run/a/b", "/run/%00/b"]
)
def test_only_run_files_inside_the_results_folder_are_opened(pages: Pages, path: str) -> None:
    assert pages.get(path).status_code == 404


def test_a_link_that_leads_out_of_the_results_folder_is_not_followed(
    pages: Pages, write_run: WriteRun, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.jsonl"
    path = write_run("a")
    outside.write_bytes(path.read_bytes())
    (path.parent / "link.jsonl").symlink_to(outside)

    assert pages.get("/run/a/link").status_code == 404


def test_hostile_words_stand_on_the_pages_as_text(pages: Pages, write_run: WriteRun) -> None:
    def hostile(it: Record) -> Record:
        verdict = Verdict(passed=True, answer=HOSTILE, reason=HOSTILE)
        return msgspec.structs.replace(it, verdict=verdict)

    path = write_run(HOSTILE, texts=dict.fromkeys(QUESTIONS, HOSTILE), change=hostile)

    for address in ("/", f"/run/{name_of(path)}", "/prompt?id=r-01"):
        elements = Elements(pages.get(address).text)
        assert {str(it.get("src")) for it in elements.all("script")} == {
            "/static/htmx.min.js",
            "/static/view.js",
        }
        assert not {"iframe", "object", "base"} & {tag for tag, _ in elements.tags}
        assert not [name for _, it in elements.tags for name in it if name.startswith("on")]
        assert not elements.having("style")


def test_a_growing_run_is_told_to_the_page(pages: Pages, write_run: WriteRun) -> None:
    path = write_run("a", {"c-03": None})
    record = next(it for it in store.read(path).records() if it.case.id == "r-01")

    with pages.client.stream("GET", "/events") as events:
        lines = events.iter_lines()
        assert next(lines) == "retry: 2000"
        with store.reopen(path) as writer:
            writer.append(record)
        assert "event: grown" in (next(lines), next(lines), next(lines))


def test_runs_of_0_1_and_pictures_that_are_gone_are_shown_all_the_same(
    serve: Serve, write_run: WriteRun
) -> None:
    path = write_run("a")

    text = shown(serve(), f"/run/{name_of(path)}")

    assert "What is the serial number?" in text


def test_an_odd_folder_name_leads_to_its_run(pages: Pages, write_run: WriteRun) -> None:
    path = write_run("a")
    path.parent.rename(path.parent.with_name('odd #1 ? 50% "<b>'))

    links = [str(it.get("href")) for it in Elements(pages.get("/").text).all("a")]
    (link,) = {it for it in links if it.startswith("/run/odd")}

    assert "5 of 5 records" in shown(pages, link)


def test_the_leaderboard_is_sorted_by_score_and_by_a_category(
    pages: Pages, write_run: WriteRun
) -> None:
    counts, reads = dict.fromkeys(("c-01", "c-02"), False), {"r-01": False}
    write_run("reads", counts)
    write_run("counts", reads)

    by_score, by_reading = shown(pages, "/", sort="score"), shown(pages, "/", sort="Reading")

    assert by_score.index("80.0 % (4/5)") < by_score.index("60.0 % (3/5)")
    assert by_reading.index("60.0 % (3/5)") < by_reading.index("80.0 % (4/5)")
    assert "100.0 % (2/2)" in by_reading


def test_a_comparison_of_many_prompts_comes_a_page_at_a_time(
    pages: Pages, write_run: WriteRun, own: suites.Suite
) -> None:
    cases = tuple(replace(own.cases[0], id=f"p-{at:02d}") for at in range(50))
    write_run("a", asked=cases)
    write_run("b", {"p-49": False}, asked=cases)

    first = pages.client.get("/compare?m=a&m=b").text
    second = pages.client.get("/compare?m=a&m=b&start=40").text

    assert first.index("p-49") < first.index("p-00") < first.index("p-38")
    assert "p-39" not in first
    assert "start=40" in first
    assert "p-48" in second
    assert "start=0" in second


def test_a_run_is_going_on_as_long_as_something_writes_it(
    pages: Pages, write_run: WriteRun
) -> None:
    path = write_run("a", repeats=2)
    stopped = shown(pages, "/runs")

    with store.reopen(path):
        assert "going on" in shown(pages, "/runs")
    assert "going on" not in stopped
