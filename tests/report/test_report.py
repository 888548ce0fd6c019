"""The page: what stands on it, what is marked, and that nothing on it can act."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from harness import store, suites
from harness.errors import ResultsError, UsageError
from harness.images import encode
from harness.images.drawn import lighter
from harness.records import Correction, Judgement, ModelCard, PublishedScore, Record, Verdict
from harness.report.page import gather, page
from tests.report.conftest import HOSTILE, QUESTIONS, Elements, Make, WriteRun, write_suite

ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def test_the_verdict_the_scores_and_every_reply_stand_on_the_page(
    write_run: WriteRun, make: Make
) -> None:
    write_run("old", {"r-01": False}, texts={"r-01": "AX-0471"})
    write_run("new", {"c-01": False, "c-02": False})

    shown = Elements(make("old", "new")).text

    assert "new and old cannot be told apart at this size (5 prompts)" in shown
    assert "80.0 % (4/5)" in shown
    assert "60.0 % (3/5)" in shown
    for _, _, question, expected, _ in QUESTIONS.values():
        assert question in shown
        assert f"Expected {expected}" in shown
    assert "AX-0471" in shown
    assert "Models differ 3" in shown


def test_a_picture_is_embedded_once_however_many_prompts_and_models_share_it(
    write_run: WriteRun, make: Make, own: suites.Suite
) -> None:
    write_run("a")
    write_run("b", {"c-03": False})

    html = make("a", "b")

    for name in ("plate", "bolts", "tray"):
        data = base64.b64encode((own.root / "images" / f"{name}.png").read_bytes()).decode()
        assert html.count(data) == 1
    page_ = Elements(html)
    assert len(page_.all("image")) == 2
    assert len(page_.all("use")) == 4
    assert [it["alt"] for it in page_.all("img")] == ["Picture images/tray.png"]


def test_a_picture_that_is_not_the_one_that_was_sent_is_not_shown(
    write_run: WriteRun, make: Make, own: suites.Suite
) -> None:
    write_run("a")
    Image.new("RGB", (64, 48), "white").save(own.root / "images" / "tray.png")

    html = make("a")

    assert "images/tray.png is not the picture that was sent" in html
    assert len(Elements(html).all("image")) == 2


def test_without_the_suite_the_page_says_so_and_holds_everything_else(
    write_run: WriteRun, make: Make, tmp_path: Path
) -> None:
    write_run("a")
    other = write_suite(tmp_path / "other", shade=9)

    missing, wrong = make("a", suite=None), make("a", suite=other.root)

    assert missing.count("No picture here") == len(QUESTIONS)
    assert "--suite" in missing
    assert wrong.count("not the picture that was sent") == len(QUESTIONS)
    assert "What is the serial number?" in missing


def test_only_files_that_the_suite_names_are_ever_opened(
    write_run: WriteRun, make: Make, own: suites.Suite, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8), "red").save(secret)
    sha = encode(secret, longest_side_px=1024).sha256

    def astray(it: Record) -> Record:
        case = msgspec.structs.replace(it.case, image="../secret.png")
        return msgspec.structs.replace(it, case=case, image_sha256=sha)

    write_run("a", change=astray)

    html = make("a")

    assert "the suite has no ../secret.png" in html
    assert base64.b64encode(secret.read_bytes()).decode() not in html


def test_nothing_on_the_page_runs_or_loads_whatever_the_model_said(
    write_run: WriteRun, make: Make
) -> None:
    def hostile(it: Record) -> Record:
        case = msgspec.structs.replace(it.case, question=HOSTILE, category=HOSTILE, id=HOSTILE)
        verdict = Verdict(passed=True, answer=HOSTILE, reason=HOSTILE)
        return msgspec.structs.replace(it, case=case, verdict=verdict)

    everywhere = dict.fromkeys(QUESTIONS, HOSTILE)
    more = {"categories": {HOSTILE: 1}, "suite_prompts": 1, "system": HOSTILE}
    first = write_run("a")
    case = next(iter(store.read(first).records())).case
    one = write_run(HOSTILE, texts=everywhere, asked=(case,), change=hostile, **more)

    html = make(one)
    elements = Elements(html)

    assert not ACTIVE.search(html)
    assert not {"script", "iframe", "object", "form", "base"} & {tag for tag, _ in elements.tags}
    assert not [name for _, it in elements.tags for name in it if name.startswith("on")]
    assert not elements.having("style")
    assert all(it.startswith(("#", "data:")) for it in elements.having("href"))
    assert all(it.startswith("data:image/") for it in elements.having("src"))
    assert len(elements.all("style")) == 1
    assert "{{ 7 * 7 }}" in elements.text
    assert "\\x1b[31mred" in elements.text
    assert "\\u202egnp.exe" in elements.text


def test_the_policy_forbids_everything_but_this_very_style_sheet_and_embedded_pictures(
    write_run: WriteRun, make: Make
) -> None:
    write_run("a")

    elements = Elements(make("a"))

    policy = next(
        str(it["content"]) for it in elements.all("meta") if it.get("http-equiv") is not None
    )
    digest = base64.b64encode(hashlib.sha256(elements.style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy


def test_a_reply_of_a_megabyte_is_cut_and_the_page_says_by_how_much(
    write_run: WriteRun, make: Make
) -> None:
    write_run("a", {"r-01": False}, texts={"r-01": "x<" * 500_000})

    html = make("a")

    assert len(html) < 200_000
    assert "whole reply, 1,000,000 characters" in html
    assert "992,000 characters of it are only in the run file" in html


def test_what_keeps_a_run_from_being_plain_is_marked_in_words(
    write_run: WriteRun, make: Make, own: suites.Suite
) -> None:
    cut = write_run("cut", {"r-01": None}, reply={"finish_reason": "length"})
    blind = write_run("blind", blind=True)
    part = write_run("part", asked=own.cases[:2], regraded_from="part/earlier", repeats=1)
    fixed = write_run("fixed", {"c-01": False})
    store.append_correction(
        fixed,
        Correction(prompt="c-01", repeat=0, passed=True, why="five", at=datetime.now(UTC)),
    )

    shown = {path: Elements(make(path)).text for path in (cut, blind, part, fixed)}

    assert "incomplete: 1 of 5 failed or were not asked, so the score is a range" in shown[cut]
    assert "80.0 to 100.0 % (1 error)" in shown[cut]
    assert "This finishes it: evalrun --model cut" in shown[cut]
    assert "timeout: silent" in shown[cut]
    assert "cut at the token limit" in shown[cut]
    assert "blind: no picture was sent" in shown[blind]
    assert "a subset: 2 of 5 prompts" in shown[part]
    assert "regraded from part/earlier" in shown[part]
    assert "verdicts corrected by a person (marked in `evalrun show`): 1" in shown[fixed]
    assert "corrected by a person: five" in shown[fixed]


def test_a_judges_verdict_is_marked(write_run: WriteRun, make: Make) -> None:
    def judged(it: Record) -> Record:
        said = Verdict(passed=False, answer=None, reason="the judge: other number")
        return msgspec.structs.replace(
            it, judgement=Judgement(judge="j", prompt_sha256="d" * 64, verdict=said)
        )

    write_run("a", change=judged, judge="gpt-judge")

    shown = Elements(make("a")).text

    assert "gpt-judge judged replies that the rules could not read" in shown
    assert shown.count("verdict by the model judge") == len(QUESTIONS)


def test_repeats_are_listed_one_by_one(write_run: WriteRun, make: Make, own: suites.Suite) -> None:
    path = write_run("a", repeats=2)
    again = [msgspec.structs.replace(it, repeat=1) for it in store.read(path).records()]
    wrong = Verdict(passed=False, answer="4", reason="off by -1")
    again[0] = msgspec.structs.replace(again[0], verdict=wrong)
    with store.reopen(path) as writer:
        writer.append(*again)

    shown = Elements(make("a")).text

    assert "every prompt was asked 2 times" in shown
    assert "pass 1 of 2" in shown
    assert "off by -1" in shown


def test_published_figures_stand_beside_a_run_without_a_verdict(
    write_run: WriteRun, make: Make
) -> None:
    published = PublishedScore(
        passed=42,
        asked=67,
        categories={"Reading": (20, 30)},
        latency_mean_s=6.9,
        source="Somebody's page",
        as_of="2026-06-26",
    )
    write_run("mine")

    html = make("mine", "theirs", cards={"theirs": ModelCard(name="theirs", published=published)})

    shown = Elements(html).text
    assert "shown side by side without a verdict" in shown
    assert "published by Somebody's page, not measured here" in shown
    assert "theirs (published)" in shown


def test_without_names_every_models_newest_complete_run_is_reported(
    write_run: WriteRun, make: Make
) -> None:
    write_run("a", {"c-01": False})
    write_run("a")
    write_run("b", {"c-01": False, "c-02": False})
    write_run("unfinished", {"r-01": None})

    shown = Elements(make()).text

    assert "100.0 % (5/5)" in shown
    assert "80.0 % (4/5)" not in shown
    assert "1 of 5 have no answer (1 error) (`evalrun --model unfinished`)" in shown


def test_without_a_complete_run_there_is_nothing_to_report(write_run: WriteRun, make: Make) -> None:
    write_run("unfinished", {"r-01": None})

    with pytest.raises(ResultsError, match=r"no complete run.*unfinished/.*1 of 5 have no answer"):
        make()


def test_a_model_with_nothing_but_an_unfinished_run_is_reported_as_such(
    write_run: WriteRun, make: Make
) -> None:
    write_run("unfinished", {"r-01": None})

    assert "incomplete: 1 of 5" in make("unfinished")


def test_unlike_runs_are_refused_unless_forced(write_run: WriteRun, make: Make) -> None:
    write_run("a")
    write_run("b", image_max_side_px=512)

    with pytest.raises(ResultsError, match="image limit: 1024 px against 512 px"):
        make("a", "b")
    assert "Forced: image limit" in make("a", "b", force=True)


def test_one_run_named_twice_is_refused(write_run: WriteRun, make: Make) -> None:
    path = write_run("a")

    with pytest.raises(UsageError, match="named twice"):
        make("a", path)


def test_the_same_runs_make_the_same_page_to_the_byte(write_run: WriteRun, make: Make) -> None:
    write_run("a", {"r-01": False})
    write_run("b")

    assert make("a", "b") == make("a", "b")


def test_every_chart_has_a_text_alternative_and_no_id_is_used_twice(
    write_run: WriteRun, make: Make
) -> None:
    write_run("a $x_1$ <b>&", {"r-01": False}, reply={"cost_usd": 0.001})
    write_run("b 模型", reply={"cost_usd": 0.1})

    elements = Elements(make("a $x_1$ <b>&", "b 模型"))

    drawings = [it for it in elements.all("svg") if it.get("role") == "img"]
    ids = elements.having("id")
    assert [it["class"] for it in drawings].count("plot") == 2
    assert [it["class"] for it in drawings].count("bar") == 2 + 2 * 3
    assert len(set(ids)) == len(ids)
    assert all(it.get("aria-label") for it in drawings)
    assert "a $x_1$ <b>&: 80.0 % (4/5), 95 % interval 37.6 to 96.4" in elements.having("aria-label")
    assert "b 模型: 100.0 % at $0.1000" in elements.text


def test_a_plot_of_fewer_than_two_models_is_not_drawn(write_run: WriteRun, make: Make) -> None:
    write_run("a")
    write_run("b", reply={"cost_usd": 0.1})

    shown = Elements(make("a", "b")).text

    assert "Score against mean response time" in shown
    assert "Score against cost" not in shown


def test_who_is_missing_from_a_plot_is_named(write_run: WriteRun, make: Make) -> None:
    for model, cost in (("a", 0.1), ("b", 0.2), ("c", None)):
        write_run(model, reply={"cost_usd": cost} if cost else None)

    assert "the figure is not known: c." in Elements(make("a", "b", "c")).text


def test_each_verdict_is_said_once_and_facts_that_nobody_states_have_no_row(
    write_run: WriteRun, make: Make
) -> None:
    write_run("a")
    write_run("b")

    shown = Elements(make("a", "b")).text

    assert shown.count("cannot be told apart") == 1
    assert "avg response time" in shown
    assert "organization" not in shown


def test_a_cut_reply_is_neither_pass_nor_fail(write_run: WriteRun, make: Make) -> None:
    def cut(it: Record) -> Record:
        verdict = Verdict(passed=False, answer=None, reason="cut before an answer", cut=True)
        return msgspec.structs.replace(it, verdict=verdict) if it.case.id == "r-01" else it

    write_run("a", change=cut)

    shown = Elements(make("a")).text

    assert "1 of 5 replies were cut before they stated an answer, so the score is a range" in shown
    assert "Cut 1" in shown


def test_every_filter_hides_exactly_the_prompts_without_its_class(
    write_run: WriteRun, make: Make
) -> None:
    write_run("a", {"r-01": False, "c-03": None})
    write_run("b", {"c-01": False, "r-01": False})

    elements = Elements(make("a", "b", force=True))

    prompts = [str(it["class"]).split() for it in elements.all("article") if "id" in it]
    rules = re.findall(r"body:has\(#([\w-]+):checked\) \.prompt:not\(\.\1\)", elements.style)
    radios = [str(it["id"]) for it in elements.all("input")]
    assert len(prompts) == len(QUESTIONS)
    assert sorted([*rules, "c-all", "v-all"]) == sorted(radios)
    assert all(0 < sum(rule in it for it in prompts) < len(prompts) for rule in rules)
    assert sum("differ" in it for it in prompts) == 1
    assert sum("error" in it for it in prompts) == 1
    assert sum("none-pass" in it for it in prompts) == 1


def test_pictures_that_would_not_fit_become_lighter_copies(tmp_path: Path) -> None:
    noise = Image.effect_noise((900, 700), 90).convert("RGB")
    noise.save(tmp_path / "noise.png")
    sent = encode(tmp_path / "noise.png", longest_side_px=1024)

    light = lighter(sent, most_bytes=60_000)

    assert len(light.data) <= 60_000 < len(sent.data)
    assert light.media_type == "image/jpeg"
    assert light.width_px * 700 == pytest.approx(light.height_px * 900, rel=0.01)
    assert lighter(sent, most_bytes=len(sent.data)) is sent


def test_a_damaged_run_names_its_line(write_run: WriteRun, make: Make) -> None:
    path = write_run("a")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{broken}\n", *lines[3:]]))

    with pytest.raises(ResultsError, match="line 3 is damaged"):
        make(path)


def test_pages_count_what_is_in_them(
    write_run: WriteRun, results: Path, own: suites.Suite, make: Make
) -> None:
    from harness import catalogue

    write_run("a")

    made = page(gather(["a"], results=results, catalogue=catalogue.load([])), suite=own.root)

    assert (made.prompts, made.pictures, made.missing) == (5, 3, ())
