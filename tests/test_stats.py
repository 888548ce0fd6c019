"""Every statistic against scipy, statsmodels, or the worked example of its paper."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from bench import coverage
from harness import stats
from harness.stats import Interval, binomial_cdf, binomial_pmf, student_t

NEWCOMBE_1998_PAIRED = [
    # both, first only, second only, neither -> bounds of method 10 as the paper prints them
    ((36, 12, 2, 0), (0.0569, 0.3404)),
    ((18, 12, 2, 18), (0.0562, 0.3290)),
    ((53, 0, 0, 1), (-0.0729, 0.0729)),
    ((0, 30, 0, 0), (0.8395, 1.0)),
]

tables = st.tuples(*[st.integers(0, 30)] * 4).filter(lambda cells: sum(cells) > 0)
probabilities = st.floats(1e-12, 1.0)


def counted(cells: tuple[int, int, int, int]) -> dict[tuple[float, float], int]:
    both, first_only, second_only, neither = cells
    return {(1, 1): both, (1, 0): first_only, (0, 1): second_only, (0, 0): neither}


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_agrees_with_statsmodels(asked: int, share: float) -> None:
    passed = round(share * asked)

    theirs = proportion_confint(passed, asked, alpha=0.05, method="wilson")

    assert stats.wilson_interval(passed, asked) == pytest.approx(theirs, abs=1e-12)


@given(st.integers(1, 200), st.floats(0, 1))
def test_wilson_holds_the_share_it_is_about(asked: int, share: float) -> None:
    passed = round(share * asked)

    assert stats.wilson_interval(passed, asked).contains(passed / asked)


@pytest.mark.parametrize("asked", coverage.SIZES)
def test_wilson_holds_the_truth_in_95_percent_of_runs(asked: int) -> None:
    held = coverage.wilson(asked)

    assert held.mean() >= coverage.NEEDED_MEAN
    assert held.min() >= 0.89


def test_nothing_asked_says_nothing() -> None:
    assert stats.wilson_interval(0, 0) == (0, 1)
    assert stats.newcombe(0, 0, 3, 4) == (-1, 1)
    assert stats.newcombe_paired({}) == (-1, 1)


@given(st.integers(1, 200), st.integers(1, 200), st.floats(0, 1), st.floats(0, 1))
def test_the_unpaired_interval_agrees_with_statsmodels(
    asked_1: int, asked_2: int, share_1: float, share_2: float
) -> None:
    passed_1, passed_2 = round(share_1 * asked_1), round(share_2 * asked_2)

    theirs = confint_proportions_2indep(
        passed_1, asked_1, passed_2, asked_2, method="newcomb", compare="diff"
    )

    ours = stats.newcombe(passed_1, asked_1, passed_2, asked_2)
    assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("cells", "printed"), NEWCOMBE_1998_PAIRED)
def test_the_paired_interval_prints_what_newcombe_printed(
    cells: tuple[int, int, int, int], printed: tuple[float, float]
) -> None:
    assert stats.newcombe_paired(counted(cells)) == pytest.approx(printed, abs=5e-5)


def test_the_paired_interval_reproduces_fagerlands_example() -> None:
    # Fagerland, Lydersen and Laake 2014, airway hyper-responsiveness in 21 children
    assert stats.newcombe_paired(counted((1, 1, 7, 12))) == pytest.approx(
        (-0.507, -0.026), abs=5e-4
    )


@given(tables)
def test_the_paired_interval_holds_the_difference_and_turns_round_with_it(
    cells: tuple[int, int, int, int],
) -> None:
    both, first_only, second_only, neither = cells

    interval = stats.newcombe_paired(counted(cells))
    turned = stats.newcombe_paired(counted((both, second_only, first_only, neither)))

    assert interval.contains((first_only - second_only) / sum(cells))
    assert turned == pytest.approx((-interval.high, -interval.low))


def test_repeats_that_half_pass_lie_between_passing_and_failing() -> None:
    failing = stats.newcombe_paired({(1, 1): 30, (1, 0): 12, (0, 0): 25})
    halfway = stats.newcombe_paired({(1, 1): 30, (1, 0.5): 12, (0, 0): 25})
    passing = stats.newcombe_paired({(1, 1): 42, (0, 0): 25})

    assert failing.low > halfway.low > passing.low
    assert failing.high > halfway.high > passing.high


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_agrees_with_statsmodels(first_only: int, second_only: int) -> None:
    theirs = statsmodels_mcnemar([[0, first_only], [second_only, 0]], exact=True).pvalue

    ours = stats.mcnemar(first_only, second_only)
    assert ours == pytest.approx(1.0 if np.isnan(theirs) else min(theirs, 1.0), rel=1e-9)


@given(st.integers(0, 100), st.integers(0, 100))
def test_mid_p_is_the_exact_p_less_half_of_what_was_seen(first: int, second: int) -> None:
    seen = scipy_stats.binom.pmf(first, first + second, 0.5)
    tail = scipy_stats.binom.cdf(min(first, second), first + second, 0.5)

    expected = 1 - seen / 2 if first == second else 2 * (tail - seen / 2)

    assert stats.mcnemar(first, second, mid=True) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.0, 1.0]) | st.floats(1e-9, 1))
def test_the_binomial_agrees_with_scipy(k: int, n: int, p: float) -> None:
    assert binomial_cdf(k, n, p) == pytest.approx(scipy_stats.binom.cdf(k, n, p), abs=1e-9)
    assert binomial_pmf(k, n, p) == pytest.approx(scipy_stats.binom.pmf(k, n, p), abs=1e-9)


@given(st.lists(probabilities, min_size=1, max_size=12))
@settings(max_examples=40)
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    theirs = multipletests(p_values, method="holm")[1]

    assert stats.holm(p_values) == pytest.approx(theirs)


def test_holm_of_nothing_is_nothing() -> None:
    assert stats.holm([]) == []
    assert stats.holm([None, 0.1]) == [None, 0.1]


def test_students_quantile_agrees_with_scipy() -> None:
    for freedom in range(4, 200):
        assert student_t(freedom) == pytest.approx(scipy_stats.t.ppf(0.975, freedom), abs=1e-3)


def test_the_bootstrap_agrees_with_scipy_when_every_picture_has_one_question() -> None:
    differences = np.array([1] * 22 + [0] * 70 + [-1] * 8)
    theirs = scipy_stats.bootstrap(
        (differences,), np.mean, method="percentile", n_resamples=20_000, rng=1
    ).confidence_interval

    ours = stats.cluster_bootstrap([(difference, 1) for difference in differences.tolist()])

    assert ours is not None
    # Ours is wider by t / z and √(G / (G - 1)), about 2 % at 100 pictures.
    assert ours == pytest.approx(tuple(theirs), abs=0.011)


def test_the_bootstrap_is_the_same_every_time_and_seeded() -> None:
    clusters = [(1, 2), (0, 3), (2, 2), (-1, 1), (0, 1), (1, 4)]

    assert stats.cluster_bootstrap(clusters) == stats.cluster_bootstrap(clusters)
    assert stats.cluster_bootstrap(clusters, seed=1) != stats.cluster_bootstrap(clusters, seed=2)


def test_questions_on_one_picture_widen_the_interval() -> None:
    singles = [(difference, 1) for difference in [1] * 24 + [0] * 30 + [-1] * 6]
    in_threes = [(3 * difference, 3) for difference in [1] * 8 + [0] * 10 + [-1] * 2]

    apart, together = stats.cluster_bootstrap(singles), stats.cluster_bootstrap(in_threes)

    assert apart is not None
    assert together is not None
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_four_pictures_are_too_few_to_redraw() -> None:
    assert stats.cluster_bootstrap([(1, 5), (0, 5), (1, 5), (2, 5)]) is None


def test_thousands_of_different_clusters_are_drawn_in_bounded_memory() -> None:
    clusters = [(float(sum_), 60 + sum_ % 41) for sum_ in range(-1500, 1500)]

    interval = stats.cluster_bootstrap(clusters)

    assert interval is not None
    assert interval.contains(sum(sum_ for sum_, _ in clusters) / sum(size for _, size in clusters))


@given(st.integers(0, 40), st.integers(0, 40))
def test_relabelling_single_prompts_is_mcnemar(first_only: int, second_only: int) -> None:
    differences = [1] * first_only + [-1] * second_only + [0] * 10

    assert stats.randomisation(differences) == pytest.approx(
        stats.mcnemar(first_only, second_only), rel=1e-9
    )


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=10))
def test_relabelling_clusters_agrees_with_trying_every_relabelling(differences: list[int]) -> None:
    steps = np.array(differences)
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(steps))).reshape(len(steps), -1)

    extreme = np.abs(steps @ signs) >= abs(steps.sum())

    assert stats.randomisation(differences) == pytest.approx(extreme.mean())


def test_relabelling_very_many_prompts_agrees_with_mcnemar() -> None:
    assert stats.randomisation([1] * 12_000 + [-1] * 11_800) == pytest.approx(
        stats.mcnemar(12_000, 11_800), rel=1e-4
    )


@pytest.mark.parametrize(
    ("asked", "first", "second"), [(67, 0.3, 0.1), (67, 0.1, 0.1), (9, 0.9, 0.05), (155, 0.3, 0.15)]
)
def test_power_is_the_chance_of_a_small_p_over_all_tables(
    asked: int, first: float, second: float
) -> None:
    tables = [(b, c) for b in range(asked + 1) for c in range(asked + 1 - b)]
    rejected = np.array([(b, c, asked - b - c) for b, c in tables if stats.mcnemar(b, c) < 0.05])

    chances = scipy_stats.multinomial.pmf(rejected, asked, [first, second, 1 - first - second])

    assert stats.mcnemar_power(asked, first, second) == pytest.approx(chances.sum(), abs=1e-9)


def test_the_number_of_prompts_is_connors_and_a_few_for_exactness() -> None:
    # Connor's formula gives 155 and 23; the exact test reaches 80 % power a little later.
    assert stats.prompts_needed(0.30, 0.15) == 166
    assert stats.prompts_needed(0.05, 0.45) == 25


@given(st.floats(0.2, 0.5), st.floats(0.02, 0.1))
@settings(max_examples=20, deadline=None)
def test_the_number_of_prompts_does_not_care_which_model_is_better(a: float, b: float) -> None:
    assert stats.prompts_needed(a, b) == stats.prompts_needed(b, a)


def test_models_that_do_not_differ_never_can_be_told_apart() -> None:
    assert stats.prompts_needed(0.1, 0.1) is None
    assert stats.prompts_needed(0.0, 0.0) is None


def test_the_detectable_difference_is_the_one_with_80_percent_power() -> None:
    smallest = stats.detectable_difference(67, 0.3)

    assert smallest is not None
    power = stats.mcnemar_power(67, 0.15 + smallest / 2, 0.15 - smallest / 2)
    assert power == pytest.approx(0.8, abs=0.002)


def test_nine_prompts_that_hardly_differ_can_show_nothing() -> None:
    assert stats.detectable_difference(9, 0.3) is None
    assert stats.detectable_difference(67, 0.0) is None


def test_pass_hat_k_is_the_chance_that_a_random_choice_of_k_repeats_all_passed() -> None:
    counts = [(5, 5), (3, 5), (1, 5), (0, 5)]

    every_choice = [
        np.mean([all(i < passed for i in chosen) for chosen in _choices(5, 2)])
        for passed, _ in counts
    ]

    assert stats.pass_hat_k(counts, 2) == pytest.approx(np.mean(every_choice))
    assert stats.pass_hat_k(counts, 1) == pytest.approx(9 / 20)
    assert stats.pass_hat_k(counts, 6) is None
    assert stats.pass_hat_k([], 1) is None


def _choices(n: int, k: int) -> list[tuple[int, ...]]:
    return list(itertools.combinations(range(n), k))


def test_the_statistics_import_neither_scipy_nor_numpy() -> None:
    script = "import sys, harness.stats; print([m for m in ('scipy', 'numpy') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert loaded.stdout.strip() == "[]"


def test_an_interval_holds_its_bounds() -> None:
    assert Interval(0.1, 0.2).contains(0.1)
    assert not Interval(0.1, 0.2).contains(0.21)
