"""Two sides in, what can be said of their difference out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import lcm

import msgspec

from harness import stats
from harness.compare.comparison import ByPicture, Contrast, Difference, Outcome, Side
from harness.compare.reading import Measured
from harness.compare.sides import Found
from harness.records import Score
from harness.stats import Pairs

ALPHA = 0.05


class Pair(msgspec.Struct, frozen=True, gc=False):
    """One prompt that both were asked: pass rates 0 to 1, and what it is about."""

    category: str
    picture: str
    first: float
    second: float


def hold_against(
    first: Side, found: Found, second: Side, found_second: Found, shared: Iterable[str]
) -> Contrast:
    """Paired for two runs, unpaired for two published columns, no verdict for one of each."""
    if isinstance(found, Measured) and isinstance(found_second, Measured):
        return _paired(first, found, second, found_second, shared)
    if isinstance(found, Measured) or isinstance(found_second, Measured):
        return Contrast(
            first=first.label, second=second.label, kind="shown", outcome=None, sentence=""
        )
    return _unpaired(first, second)


def corrected(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Holm over all models held against the first, and over all categories of all of them."""
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


def _paired(
    first: Side, run_1: Measured, second: Side, run_2: Measured, shared: Iterable[str]
) -> Contrast:
    unit = lcm(run_1.repeats, run_2.repeats)
    """What makes every pass rate whole: 1 without repeats."""
    prompts = _pairs(run_1, run_2, shared)
    overall = _difference("overall", prompts, unit)
    by_category: dict[str, list[Pair]] = {score.category: [] for score in first.categories}
    for pair in prompts:
        by_category[pair.category].append(pair)
    first_share, second_share = _one_sided_shares(prompts)
    return Contrast(
        first=first.label,
        second=second.label,
        kind="paired",
        outcome=None,
        sentence="",
        overall=overall,
        p=overall.p,
        mid_p=_mid_p(overall),
        by_picture=_by_picture(prompts, unit),
        prompts_needed=stats.prompts_needed(first_share, second_share),
        detectable=stats.detectable_difference(len(prompts), first_share + second_share),
        categories=tuple(
            _difference(name, part, unit) for name, part in by_category.items() if part
        ),
    )


def _mid_p(overall: Difference) -> float | None:
    if overall.first_only is None or overall.second_only is None:
        return None
    return stats.mcnemar_mid_p(overall.first_only, overall.second_only)


def _pairs(first: Measured, second: Measured, shared: Iterable[str]) -> list[Pair]:
    pairs = []
    for id_ in shared:
        one, two = first.prompts[id_], second.prompts[id_]
        rates = one.passed / one.heard, two.passed / two.heard
        pairs.append(Pair(one.case.category, one.case.image, *rates))
    return pairs


def _difference(category: str, prompts: Sequence[Pair], unit: int) -> Difference:
    first = [pair.first for pair in prompts]
    second = [pair.second for pair in prompts]
    interval = stats.newcombe_paired(second, first)
    share_1, share_2 = sum(first) / len(first), sum(second) / len(second)
    told = Difference(
        category=category,
        prompts=len(prompts),
        first=share_1,
        second=share_2,
        difference=share_2 - share_1,
        low=interval.low,
        high=interval.high,
    )
    if unit > 1:
        steps = [round((two - one) * unit) for one, two in zip(first, second, strict=True)]
        return msgspec.structs.replace(told, p=stats.randomisation(steps))
    counts = Pairs.of((one == 1, two == 1) for one, two in zip(first, second, strict=True))
    return msgspec.structs.replace(
        told,
        first_only=counts.first_only,
        second_only=counts.second_only,
        p=stats.mcnemar(counts.first_only, counts.second_only),
    )


def _one_sided_shares(prompts: Sequence[Pair]) -> tuple[float, float]:
    """Shares of prompts that only one passes; with repeats, those of the same mean and spread."""
    steps = [pair.second - pair.first for pair in prompts]
    mean, square = sum(steps) / len(steps), sum(step * step for step in steps) / len(steps)
    return (square - mean) / 2, (square + mean) / 2


def _by_picture(prompts: Sequence[Pair], unit: int) -> ByPicture | None:
    """None when every prompt has a picture of its own: then there is nothing to add."""
    sums: dict[str, float] = {}
    sizes: dict[str, int] = {}
    for pair in prompts:
        sums[pair.picture] = sums.get(pair.picture, 0.0) + pair.second - pair.first
        sizes[pair.picture] = sizes.get(pair.picture, 0) + 1
    if len(sums) == len(prompts):
        return None
    interval = stats.cluster_bootstrap((sums[picture], sizes[picture]) for picture in sums)
    low, high = interval or (None, None)
    p = stats.randomisation([round(total * unit) for total in sums.values()])
    return ByPicture(pictures=len(sums), low=low, high=high, p=p)


def _unpaired(first: Side, second: Side) -> Contrast:
    """Published figures on both sides: nobody says which prompts each of them passed."""
    theirs = {score.category: score for score in second.categories}
    return Contrast(
        first=first.label,
        second=second.label,
        kind="unpaired",
        outcome=None,
        sentence="",
        overall=_apart(first.overall, second.overall),
        categories=tuple(
            _apart(score, theirs[score.category])
            for score in first.categories
            if score.category in theirs
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
