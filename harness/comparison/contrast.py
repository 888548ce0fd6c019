"""The difference of two sides, and how sure it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import lcm
from typing import Literal

import msgspec

from harness import stats
from harness.comparison.comparable import is_looking
from harness.comparison.naming import Found
from harness.comparison.nouns import ByPicture, Contrast, Difference, Flips, Outcome, Side
from harness.comparison.reading import Measured
from harness.records import RunHeader, Score

ALPHA = 0.05

Rates = Counter[tuple[float, float]]
"""How many prompts came to each (first pass rate, second pass rate)."""


def compare_pair(first: Side, found: Found, second: Side, found_second: Found) -> Contrast:
    """Paired for two runs, unpaired for two published columns, no verdict for one of each.

    Two runs must have the same prompts, in one order.
    """
    if isinstance(found, Measured) and isinstance(found_second, Measured):
        return _paired(first, found, second, found_second)
    if isinstance(found, Measured) or isinstance(found_second, Measured):
        return Contrast(first=first.label, second=second.label, kind="shown")
    return _unpaired(first, second)


def corrected(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Holm over all models compared with the first, and over all categories of all of them."""
    overall = iter(stats.holm([it.p for it in contrasts if it.p is not None]))
    parts = [part for it in contrasts for part in it.categories]
    in_categories = iter(stats.holm([part.p for part in parts if part.p is not None]))
    settled = []
    for it in contrasts:
        p = None if it.p is None else next(overall)
        categories = tuple(
            part if part.p is None else msgspec.structs.replace(part, p_holm=next(in_categories))
            for part in it.categories
        )
        outcome = None if it.overall is None else _outcome(it.overall, p)
        settled.append(msgspec.structs.replace(it, p=p, categories=categories, outcome=outcome))
    return settled


def _outcome(overall: Difference, p: float | None) -> Outcome:
    """By the exact test where there is one, else by whether the interval leaves zero out."""
    sure = p < ALPHA if p is not None else not overall.low <= 0 <= overall.high
    if not sure:
        return "undecided"
    return "better" if overall.difference > 0 else "worse"


def _paired(first: Side, run_1: Measured, second: Side, run_2: Measured) -> Contrast:
    unit = lcm(run_1.repeats, run_2.repeats)
    """What makes every pass rate whole: 1 without repeats."""
    categories, pictures = _tabulate(run_1, run_2)
    everything = sum(categories.values(), start=Counter[tuple[float, float]]())
    overall = difference("overall", everything, unit)
    first_share, second_share = _one_sided_shares(everything)
    order = [score.category for score in first.categories if score.category in categories]
    return Contrast(
        first=first.label,
        second=second.label,
        kind="paired",
        overall=overall,
        p=overall.p,
        mid_p=_mid_p(overall),
        by_picture=_by_picture(pictures, overall.prompts, unit),
        prompts_needed=stats.prompts_needed(first_share, second_share),
        detectable=stats.detectable_difference(overall.prompts, first_share + second_share),
        categories=tuple(difference(name, categories[name], unit) for name in order),
        flips=_flips(everything, run_1, run_2),
        sighted=_sighted(run_1.score.header, run_2.score.header),
    )


def _sighted(first: RunHeader, second: RunHeader) -> Literal["first", "second"] | None:
    if not is_looking(first, second):
        return None
    return "second" if first.blind else "first"


def _tabulate(
    first: Measured, second: Measured
) -> tuple[dict[str, Rates], dict[str, tuple[float, int]]]:
    """The rates of each category; sum of the differences and number of prompts of each picture."""
    kinds = Counter(
        [
            (one.category, one.image, one.passed / one.answered, two.passed / two.answered)
            for one, two in zip(first.prompts.values(), second.prompts.values(), strict=True)
        ]
    )
    categories: dict[str, Rates] = defaultdict(Counter)
    pictures: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for (category, image, one, two), count in kinds.items():
        categories[category][one, two] += count
        total, prompts = pictures[image]
        pictures[image] = total + (two - one) * count, prompts + count
    return categories, pictures


def difference(category: str, rates: Rates, unit: int) -> Difference:
    """Second minus first, with interval and exact p; times `unit` every rate is a whole number."""
    prompts = rates.total()
    interval = stats.newcombe_paired({(two, one): n for (one, two), n in rates.items()})
    share_1 = sum(one * n for (one, _), n in rates.items()) / prompts
    share_2 = sum(two * n for (_, two), n in rates.items()) / prompts
    found = Difference(
        category=category,
        prompts=prompts,
        first=share_1,
        second=share_2,
        difference=share_2 - share_1,
        low=interval.low,
        high=interval.high,
    )
    if unit > 1:
        steps = Counter({(one, two): n for (one, two), n in rates.items() if one != two})
        whole = [round((two - one) * unit) for one, two in steps.elements()]
        return msgspec.structs.replace(found, p=stats.randomisation(whole))
    first_only, second_only = rates[1, 0], rates[0, 1]
    return msgspec.structs.replace(
        found,
        first_only=first_only,
        second_only=second_only,
        p=stats.mcnemar(first_only, second_only),
    )


def _flips(rates: Rates, *runs: Measured) -> Flips | None:
    """What the noise between repeats explains of the verdicts that differ.

    Formula: of a prompt with pass rates p and q, seen is p (1 - q) + q (1 - p), which is the noise
             p (1 - p) + q (1 - q) and (p - q)²; a side without repeats is taken to be as noisy
             as the other
    """
    counts = [[(it.passed, it.answered) for it in run.prompts.values()] for run in runs]
    repeated = [prompts for prompts in counts if min(asked for _, asked in prompts) > 1]
    if not repeated:
        return None
    return Flips(
        seen=sum((one * (1 - two) + two * (1 - one)) * n for (one, two), n in rates.items()),
        by_noise=sum(map(stats.flips_between_repeats, repeated)) / len(repeated),
    )


def _mid_p(overall: Difference) -> float | None:
    if overall.first_only is None or overall.second_only is None:
        return None
    return stats.mcnemar_mid_p(overall.first_only, overall.second_only)


def _one_sided_shares(rates: Rates) -> tuple[float, float]:
    """Shares of prompts that only one passes; with repeats, those of the same mean and spread."""
    prompts = rates.total()
    mean = sum((two - one) * n for (one, two), n in rates.items()) / prompts
    square = sum((two - one) ** 2 * n for (one, two), n in rates.items()) / prompts
    return (square - mean) / 2, (square + mean) / 2


def _by_picture(
    pictures: dict[str, tuple[float, int]], prompts: int, unit: int
) -> ByPicture | None:
    """None when every prompt has a picture of its own: then there is nothing to add."""
    if len(pictures) == prompts:
        return None
    interval = stats.cluster_bootstrap(pictures.values())
    low, high = interval or (None, None)
    p = stats.randomisation([round(total * unit) for total, _ in pictures.values()])
    return ByPicture(pictures=len(pictures), low=low, high=high, p=p)


def _unpaired(first: Side, second: Side) -> Contrast:
    """Published figures on both sides: nobody says which prompts each of them passed."""
    theirs = {score.category: score for score in second.categories}
    return Contrast(
        first=first.label,
        second=second.label,
        kind="unpaired",
        overall=_apart(first.overall, second.overall),
        categories=tuple(
            _apart(score, theirs[score.category])
            for score in first.categories
            if score.asked and score.category in theirs and theirs[score.category].asked
        ),
    )


def _apart(first: Score, second: Score) -> Difference:
    interval = stats.newcombe_unpaired(second.passed, second.asked, first.passed, first.asked)
    share_1, share_2 = first.passed / first.asked, second.passed / second.asked
    return Difference(
        category=first.category,
        prompts=first.asked,
        first=share_1,
        second=share_2,
        difference=share_2 - share_1,
        low=interval.low,
        high=interval.high,
    )
