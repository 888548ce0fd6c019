"""Names in, a verdict out: what `compare` says of real run files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import catalogue, stats, store
from harness.comparison import Comparison, compare, regression
from harness.comparison.sides import IncompleteRun
from harness.errors import ExitCode, ResultsError, UsageError
from harness.records import Correction, Sampling, ServerFacts, Verdict
from tests.compare.conftest import CATEGORIES, NOW, WriteRun, cases

CATALOGUE = catalogue.load([])
IDS = [case.id for case in cases()]


@pytest.fixture
def compared(results: Path):  # type: ignore[no-untyped-def]
    def compare_them(
        *names: str | Path, force: bool = False, include_cached: bool = False
    ) -> Comparison:
        return compare(
            [str(name) for name in names],
            results=results,
            catalogue=CATALOGUE,
            force=force,
            include_cached=include_cached,
        )

    return compare_them


def first(count: int) -> set[str]:
    """The ids of the first prompts of the suite."""
    return {case.id for case in cases()[:count]}


def one_in(ids: Sequence[str] | set[str]):  # type: ignore[no-untyped-def]
    return lambda case: case.id in ids


def test_a_clear_loss_is_called_worse_with_size_interval_and_p(
    compared, write_run: WriteRun
) -> None:
    write_run("old", one_in(first(50)))
    write_run("new", one_in(first(30)))

    [contrast] = compared("old", "new").contrasts

    assert contrast.outcome == "worse"
    assert contrast.overall.difference == pytest.approx(-20 / 67)
    assert (contrast.overall.first_only, contrast.overall.second_only) == (20, 0)
    assert contrast.p == pytest.approx(stats.mcnemar(20, 0))
    low, high = stats.newcombe_paired({(1, 1): 30, (0, 1): 20, (0, 0): 17})
    assert (contrast.overall.low, contrast.overall.high) == pytest.approx((low, high))
    assert contrast.sentence == (
        "new is worse than old: 44.8 % against 74.6 %, 29.9 percentage points less (95 % interval "
        f"{100 * low:+.1f} to {100 * high:+.1f}, p < 0.001, exact McNemar)."
    )


def test_a_clear_gain_is_called_better(compared, write_run: WriteRun) -> None:
    write_run("old", one_in(first(30)))
    write_run("new", one_in(first(50)))

    assert compared("old", "new").contrasts[0].outcome == "better"


def test_a_small_difference_cannot_be_told_apart_and_says_how_many_prompts_would(
    compared, write_run: WriteRun
) -> None:
    ids = [case.id for case in cases()]
    write_run("old", one_in(ids[:40]))
    write_run("new", one_in([*ids[:34], *ids[50:60]]))

    [contrast] = compared("old", "new").contrasts

    assert contrast.outcome == "undecided"
    assert "cannot be told apart at this size (67 prompts)" in contrast.sentence
    assert contrast.prompts_needed == stats.prompts_needed(6 / 67, 10 / 67)
    assert contrast.detectable == pytest.approx(stats.detectable_difference(67, 16 / 67))
    assert contrast.remarks[1] == (
        "If the true difference is 6.0 points, about 550 such prompts would show it four times out "
        "of five: 490 more than these."
    )


def test_equal_scores_are_said_to_be_equal(compared, write_run: WriteRun) -> None:
    write_run("old", one_in(first(40)))
    write_run("new", one_in(first(40)))

    comparison = compared("old", "new")

    assert "the same score" in comparison.contrasts[0].sentence
    assert comparison.contrasts[0].prompts_needed is None
    assert comparison.disagreements == ()


def test_the_later_model_is_compared_with_the_first_and_turned_round_says_the_opposite(
    compared, write_run: WriteRun
) -> None:
    write_run("a", one_in(first(50)))
    write_run("b", one_in(first(30)))

    forth, back = compared("a", "b").contrasts[0], compared("b", "a").contrasts[0]

    assert (forth.outcome, back.outcome) == ("worse", "better")
    assert forth.overall.low == pytest.approx(-back.overall.high)
    assert forth.p == back.p


def test_every_category_has_its_difference_corrected_for_all_of_them(
    compared, write_run: WriteRun
) -> None:
    write_run("old", one_in(first(40)))
    write_run("new", one_in(first(20)))

    [contrast] = compared("old", "new").contrasts

    assert [part.category for part in contrast.categories] == list(CATEGORIES)
    assert [part.prompts for part in contrast.categories] == list(CATEGORIES.values())
    raw = [part.p for part in contrast.categories]
    assert [part.p_holm for part in contrast.categories] == pytest.approx(stats.holm(raw))


def test_prompts_where_they_differ_show_question_expected_and_what_each_said(
    compared, write_run: WriteRun
) -> None:
    write_run("old", one_in({"dd-03"}), texts={"dd-03": "Three."})
    write_run("new", lambda case: False, texts={"dd-03": "I think four."})

    [disagreement] = compared("old", "new").disagreements

    assert (disagreement.prompt, disagreement.question) == ("dd-03", "What is number 3?")
    assert disagreement.expected == "3"
    assert [(it.label, it.passed, it.text) for it in disagreement.answers] == [
        ("old", 1, "Three."),
        ("new", 0, "I think four."),
    ]


def test_a_person_s_correction_counts(compared, write_run: WriteRun) -> None:
    write_run("old", one_in({"dd-00"}))
    path = write_run("new", lambda case: False)
    why = Correction(prompt="dd-00", repeat=0, passed=True, why="it does say so", at=NOW)
    store.append_correction(path, why)

    assert compared("old", "new").disagreements == ()


def test_three_models_are_all_compared_with_the_first_and_pay_for_being_several(
    compared, write_run: WriteRun
) -> None:
    write_run("a", one_in(first(40)))
    write_run("b", one_in(first(33)))
    write_run("c", one_in(first(20)))

    contrasts = compared("a", "b", "c").contrasts

    assert [(it.first, it.second) for it in contrasts] == [("a", "b"), ("a", "c")]
    raw = [it.overall.p for it in contrasts]
    assert [it.p for it in contrasts] == pytest.approx(stats.holm(raw))
    assert "corrected for 2 comparisons" in contrasts[0].sentence


def test_the_newest_complete_run_stands_for_a_model(compared, write_run: WriteRun) -> None:
    write_run("a", one_in(first(10)))
    newest = write_run("a", one_in(first(20)))
    write_run("a", lambda case: None if case.id == "su-18" else True)
    write_run("a", one_in(first(5)), asked=cases()[:5], suite_prompts=67)
    write_run("a", one_in(first(60)), blind=True)
    write_run("b", one_in(first(20)))

    side = compared("a", "b").sides[0]

    assert side.header.run == f"a/{newest.stem}"


def test_a_run_is_named_by_its_file_its_id_or_its_time(compared, write_run: WriteRun) -> None:
    older = write_run("a", one_in(first(10)))
    write_run("a", one_in(first(20)))
    write_run("b", one_in(first(20)))

    for name in (older, f"a/{older.stem}", older.stem):
        assert compared(name, "b").sides[0].overall.passed == 10


def test_two_runs_of_one_model_go_by_their_ids(compared, write_run: WriteRun) -> None:
    one, two = write_run("a", one_in(first(10))), write_run("a", one_in(first(20)))

    labels = [side.label for side in compared(one, two).sides]

    assert labels == [f"a/{one.stem}", f"a/{two.stem}"]


def test_published_figures_stand_in_for_a_model_without_a_run_and_give_no_verdict_beside_one(
    compared, write_run: WriteRun
) -> None:
    write_run("mine", one_in(first(60)))

    comparison = compared("mine", "gemma-4-12b")

    assert [side.measured for side in comparison.sides] == [True, False]
    [contrast] = comparison.contrasts
    assert (contrast.kind, contrast.outcome, contrast.overall) == ("shown", None, None)
    assert "without a verdict" in contrast.sentence
    with pytest.raises(ResultsError, match="no verdict to fail on"):
        regression(comparison)


def test_two_published_columns_are_compared_unpaired(compared) -> None:
    [contrast] = compared("gemma-4-12b", "mistral-small-3.1").contrasts

    low, high = stats.newcombe(26, 67, 42, 67)
    assert (contrast.overall.low, contrast.overall.high) == (low, high)
    assert (contrast.kind, contrast.outcome, contrast.p) == ("unpaired", "worse", None)
    assert "pairing unknown" in contrast.sentence


def test_a_model_with_only_an_incomplete_run_falls_back_on_its_published_figures(
    compared, write_run: WriteRun
) -> None:
    write_run("gemma-4-12b", lambda case: None)
    write_run("mine", one_in(first(60)))

    assert not compared("mine", "gemma-4-12b").sides[1].measured


def test_a_model_goes_by_its_alias(compared, write_run: WriteRun) -> None:
    write_run("gemma-4-12b", one_in(first(60)))
    write_run("mine", one_in(first(60)))

    assert compared("mine", "gemma-4-12b-it").sides[1].measured


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"suite_sha256": "f" * 64}, "suite: builtin 1 (aaaaaaaaaaaa) against builtin 1 (ffff"),
        ({"grader_version": "2"}, "grader version: 1 against 2"),
        ({"judge": "gpt"}, "judge: none against gpt"),
        ({"image_max_side_px": 512}, "image limit: 1024 px against 512 px"),
        ({"sampling": Sampling(temperature=0.7)}, "temperature: 0.0 against 0.7"),
        ({"sampling": Sampling(max_tokens=64)}, "max tokens: 512 then 4096 against 64"),
        ({"sampling": Sampling(seed=2)}, "seed: 1 against 2"),
        ({"system": "Be brief."}, "system prompt: none against Be brief."),
        (
            {"server_args": ("--threads=2", "--cache-type-k=q8_0")},
            "server flags: none against --cache-type-k=q8_0",
        ),
    ],
)
def test_runs_that_are_not_comparable_are_refused_with_the_setting_named(
    compared, write_run: WriteRun, setting: dict[str, object], named: str
) -> None:
    write_run("a", one_in(first(10)))
    write_run("b", one_in(first(10)), **setting)

    with pytest.raises(ResultsError) as refused:
        compared("a", "b")

    assert named in refused.value.problem
    assert "--force" in refused.value.fix


def test_a_server_flag_that_only_makes_it_faster_is_shown(compared, write_run: WriteRun) -> None:
    write_run("a", one_in(first(10)))
    write_run("b", one_in(first(12)), server_args=("--threads=2", "--n-gpu-layers=99"))

    noted = compared("a", "b").warnings
    assert noted == ("note: server flags for speed: none against --threads=2 --n-gpu-layers=99",)


def test_blind_against_sighted_is_worded_as_what_looking_is_worth(
    compared, write_run: WriteRun
) -> None:
    blind = write_run("a", one_in(first(10)), blind=True)
    write_run("a", one_in(first(50)))

    for names in ((blind, "a"), ("a", blind)):
        [contrast] = compared(*names).contrasts
        assert contrast.sentence.startswith(
            "Looking is worth 59.7 percentage points: 74.6 % with the pictures, 14.9 % without them"
        )
    assert {side.label for side in compared(blind, "a").sides} == {"a (blind)", "a"}


def test_a_model_that_scores_as_well_blind_is_warned_of(compared, write_run: WriteRun) -> None:
    blind = write_run("a", one_in(first(39)), blind=True)
    write_run("a", one_in(first(40)))

    [contrast] = compared(blind, "a").contrasts

    assert contrast.sentence.startswith("Looking is worth nothing that 67 prompts can show")
    assert contrast.remarks[0].startswith("Blind, the model scores as well as with the pictures")


def test_a_blind_run_of_another_model_is_no_comparison(compared, write_run: WriteRun) -> None:
    blind = write_run("a", one_in(first(10)), blind=True)
    write_run("b", one_in(first(10)))

    with pytest.raises(ResultsError, match="blind: yes against no"):
        compared(blind, "b")


def test_runs_over_two_forms_of_the_suite_are_joined(compared, write_run: WriteRun) -> None:
    for model, count in (("a", 40), ("b", 55)):
        write_run(model, one_in(first(count)))
        form = {"suite": "builtin", "suite_version": "2", "suite_sha256": "f" * 64}
        write_run(model, one_in(first(count)), asked=cases(question="Another?"), **form)

    comparison = compared("a@1+a@2", "b@1+b@2")

    [contrast] = comparison.contrasts
    assert contrast.overall.prompts == 134
    assert [side.overall.passed for side in comparison.sides] == [80, 110]
    assert contrast.outcome == "better"


def test_a_cut_reply_is_missing_like_a_failed_call(compared, write_run: WriteRun) -> None:
    cut = Verdict(passed=False, answer=None, reason="cut at the token limit", cut=True)
    path = write_run("a", one_in(first(40)), verdicts={IDS[0]: cut})
    write_run("b", one_in(first(40)))

    with pytest.raises(IncompleteRun, match=r"1 of 67 have no answer \(1 cut\)"):
        compared(path, "b")
    assert compared(path, "b", force=True).contrasts[0].overall.prompts == 66


def test_every_difference_is_named_at_once(compared, write_run: WriteRun) -> None:
    write_run("a", one_in(first(10)))
    write_run("b", one_in(first(10)), grader_version="2", image_max_side_px=512)
    blind = write_run("b", one_in(first(10)), grader_version="2", blind=True)

    with pytest.raises(ResultsError) as refused:
        compared("a", "b", blind)

    for name in ("grader version: 1 against 2 against 2", "image limit", "blind: no"):
        assert name in refused.value.problem


def test_quantization_build_and_projector_are_shown_and_allowed(
    compared, write_run: WriteRun
) -> None:
    facts = {"build": "b1", "quantization": "Q4_K_M", "mmproj_file": "mmproj-F16.gguf"}
    write_run("a", one_in(first(10)), server=ServerFacts(**facts))
    write_run("b", one_in(first(10)), server=ServerFacts(**(facts | {"quantization": "Q8_0"})))

    assert compared("a", "b").warnings == ("note: quantization: Q4_K_M against Q8_0",)


def test_force_compares_the_prompts_they_share_and_says_so(compared, write_run: WriteRun) -> None:
    asked = cases()
    changed = cases(question="Something else?")[:7]
    write_run("a", one_in(first(30)))
    write_run("b", one_in(first(50)), asked=[*changed, *asked[7:]], suite_sha256="f" * 64)

    comparison = compared("a", "b", force=True)

    assert comparison.forced
    assert comparison.warnings[0].startswith("forced: suite")
    assert "compared on the 60 prompts" in comparison.warnings[1]
    [contrast] = comparison.contrasts
    assert contrast.overall.prompts == 60
    assert [side.overall.asked for side in comparison.sides] == [60, 60]
    assert [side.overall.passed for side in comparison.sides] == [23, 43]


def test_a_subset_is_compared_with_a_whole_run_on_what_both_were_asked(
    compared, write_run: WriteRun
) -> None:
    part = write_run("a", one_in(first(10)), asked=cases()[:15], suite_prompts=67)
    write_run("b", one_in(first(40)))

    comparison = compared(part, "b")

    assert comparison.contrasts[0].overall.prompts == 15
    assert comparison.sides[1].overall.asked == 15
    assert not comparison.forced


def test_runs_without_a_prompt_in_common_are_refused_even_by_force(
    compared, write_run: WriteRun
) -> None:
    part = write_run("a", one_in(first(10)), asked=cases()[:15], suite_prompts=67)
    rest = write_run("b", one_in(first(10)), asked=cases()[15:], suite_prompts=67)

    with pytest.raises(ResultsError, match="no prompt in common"):
        compared(part, rest, force=True)


def test_an_incomplete_run_is_refused_with_its_range_and_the_command_that_finishes_it(
    compared, write_run: WriteRun
) -> None:
    write_run("a", lambda case: None if case.id in first(7) else case.id in first(40))
    write_run("b", one_in(first(40)))

    with pytest.raises(IncompleteRun) as refused:
        compared("a", "b")

    assert refused.value.exit_code == ExitCode.INCOMPLETE
    assert "7 of 67 have no answer (7 errors)" in refused.value.problem
    assert "between 49.3 % and 59.7 %" in refused.value.problem
    assert "`evalrun --model a`" in refused.value.fix


def test_force_compares_what_an_incomplete_run_did_answer(compared, write_run: WriteRun) -> None:
    torn = write_run("a", lambda case: None if case.id in first(7) else case.id in first(40))
    write_run("b", one_in(first(40)))

    for name in (torn, "a"):
        comparison = compared(name, "b", force=True)

        assert comparison.contrasts[0].overall.prompts == 60
        assert any("60 prompts that all were asked" in it for it in comparison.warnings)


def test_a_damaged_run_that_is_named_says_which_line_and_what_is_readable(
    compared, write_run: WriteRun
) -> None:
    path = write_run("a", one_in(first(10)))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:20], b'{"type":"record","case":7}\n', *lines[21:]]))
    write_run("b", one_in(first(10)))

    for name in (path, "a"):
        with pytest.raises(ResultsError, match=r"line 21 is damaged.*19 records before"):
            compared(name, "b")


def test_an_older_whole_run_stands_in_for_a_damaged_newer_one(
    compared, write_run: WriteRun
) -> None:
    older = write_run("a", one_in(first(10)))
    newer = write_run("a", one_in(first(10)))
    newer.write_bytes(newer.read_bytes().replace(b'"latency_s":1.0', b'"latency_s":x', 1))
    write_run("b", one_in(first(10)))

    comparison = compared("a", "b")

    assert comparison.sides[0].header.run == f"a/{older.stem}"
    [warning] = comparison.warnings
    assert warning.startswith(f"passed over: {newer}, line 2 is damaged")


def test_an_unknown_name_is_answered_with_the_nearest_ones(compared, write_run: WriteRun) -> None:
    write_run("my-finetune", one_in(first(10)))

    with pytest.raises(ResultsError) as unknown:
        compared("my-finetume", "my-finetune")
    with pytest.raises(ResultsError) as misspelt:
        compared("gemma-4-12", "my-finetune")

    assert "nearest: my-finetune" in unknown.value.fix
    assert "gemma-4-12b" in misspelt.value.fix


def test_a_known_model_that_was_never_measured_says_how_to_measure_it(
    compared, write_run: WriteRun
) -> None:
    write_run("a", one_in(first(10)))

    with pytest.raises(ResultsError, match=r"no run in .* and no published figures") as refused:
        compared("a", "gpt-4o")

    assert "evalrun --model gpt-4o" in refused.value.fix


def test_a_model_with_only_a_subset_says_which_run_to_name(compared, write_run: WriteRun) -> None:
    part = write_run("a", one_in(first(10)), asked=cases()[:15], suite_prompts=67)
    write_run("b", one_in(first(10)))

    with pytest.raises(ResultsError, match="only a run of 15 prompts") as refused:
        compared("a", "b")

    assert f"a/{part.stem}" in refused.value.fix


def test_a_missing_file_is_said_to_be_missing(compared, write_run: WriteRun) -> None:
    write_run("a", one_in(first(10)))

    with pytest.raises(ResultsError, match=r"no file nowhere\.jsonl"):
        compared("a", "nowhere.jsonl")


def test_one_name_and_one_run_twice_are_usage_errors(compared, write_run: WriteRun) -> None:
    path = write_run("a", one_in(first(10)))

    with pytest.raises(UsageError, match="at least two"):
        compared("a")
    with pytest.raises(UsageError, match="named twice"):
        compared("a", "a")
    with pytest.raises(UsageError, match="named twice"):
        compared("a", path)
    with pytest.raises(UsageError, match="named twice"):
        compared("gemma-4-12b", "gemma-4-12b-it")


def test_questions_on_one_picture_are_weighed_as_pictures_too(
    compared, write_run: WriteRun
) -> None:
    asked = cases(questions_per_picture=3)
    ids = [case.id for case in asked]
    write_run("a", one_in(ids[:40]), asked=asked)
    write_run("b", one_in(ids[:33]), asked=asked)

    [contrast] = compared("a", "b").contrasts

    sums: dict[str, int] = {}
    for case in asked[33:40]:
        sums[case.image] = sums.get(case.image, 0) - 1
    assert contrast.by_picture.pictures == len({case.image for case in asked})
    assert contrast.by_picture.p == pytest.approx(stats.randomisation(list(sums.values())))
    assert contrast.by_picture.low < 0
    assert any("share 24 pictures" in it and "less sure" in it for it in contrast.remarks)


def test_a_picture_for_every_prompt_needs_no_second_opinion(compared, write_run: WriteRun) -> None:
    write_run("a", one_in(first(10)))
    write_run("b", one_in(first(20)))

    assert compared("a", "b").contrasts[0].by_picture is None


def test_repeats_count_each_prompt_once_and_show_how_steady_it_is(
    compared, write_run: WriteRun
) -> None:
    ids = [case.id for case in cases()]
    steady = dict.fromkeys(ids[:40], (True, True, True))
    wobbly = dict.fromkeys(ids[:10], (True, False, True))
    never = dict.fromkeys(ids, (False,) * 3)
    write_run("a", never | steady, repeats=3)
    write_run("b", never | steady | wobbly, repeats=3)

    comparison = compared("a", "b")

    [contrast] = comparison.contrasts
    assert contrast.overall.prompts == 67
    assert contrast.overall.difference == pytest.approx(-10 / 3 / 67)
    assert contrast.p == pytest.approx(stats.randomisation([-1] * 10))
    assert contrast.overall.first_only is None
    a, b = comparison.sides
    assert (a.overall.low, a.overall.high) == stats.wilson_interval(40, 67)
    assert a.steadiness.flaky == ()
    assert b.steadiness.flaky == tuple(ids[:10])
    assert b.steadiness.pass_hat_k == pytest.approx(30 / 67)
    assert len(comparison.disagreements) == 10
    assert comparison.disagreements[0].answers[1].text == "no idea"


def test_one_repeat_and_three_are_compared_by_pass_rate(compared, write_run: WriteRun) -> None:
    ids = [case.id for case in cases()]
    write_run("a", one_in(ids[:40]))
    write_run("b", {id_: (id_ in ids[:30],) * 3 for id_ in ids}, repeats=3)

    comparison = compared("a", "b")

    assert comparison.contrasts[0].p == pytest.approx(stats.mcnemar(10, 0))
    assert "note: repeats: 1 against 3" in comparison.warnings


def test_cached_replies_stay_out_of_response_times_unless_asked_for(
    compared, write_run: WriteRun
) -> None:
    write_run("a", one_in(first(10)), reply={"latency_s": 0.1, "image_cached": True})
    write_run("b", one_in(first(10)))

    assert compared("a", "b").sides[0].overall.latency_mean_s is None
    assert compared("a", "b", include_cached=True).sides[0].overall.latency_mean_s == pytest.approx(
        0.1
    )


def test_shared_tasks_are_those_that_all_state(compared) -> None:
    assert compared("gemma-4-12b", "mistral-small-3.1").shared_tasks is None


def test_a_regression_is_the_last_being_significantly_worse_than_the_first(
    compared, write_run: WriteRun
) -> None:
    write_run("a", one_in(first(40)))
    write_run("b", one_in(first(20)))
    write_run("c", one_in(first(36)))

    assert (
        regression(compared("a", "c", "b"))
        == "b is 29.9 percentage points worse than a (p < 0.001)"
    )
    assert regression(compared("a", "b", "c")) is None
    assert regression(compared("b", "a")) is None
