"""The difference of two sides, how sure it is, and the sentences that say so.

Differences are second minus first, shares 0 to 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import lcm
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from harness import stats
from harness.comparison.sides import Side
from harness.records import Score
from harness.stats import ALPHA

Outcome = Literal["better", "worse", "undecided"]
"""What the later model is, compared with the first."""
Rates = Counter[tuple[float, float]]
"""How many prompts came to each (first pass rate, second pass rate)."""


class Difference(Struct, frozen=True, kw_only=True):
    """Second minus first on one category, or overall."""

    category: str
    prompts: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    """95 % interval of the difference."""
    first_only: int | None = None
    second_only: int | None = None
    """Prompts that only one of them passed; None for published figures and for repeats."""
    p: float | None = None
    p_holm: float | None = None
    """Of a category: corrected for all categories compared at once."""


class ByPicture(Struct, frozen=True, kw_only=True):
    """The same test over whole pictures: questions on one picture succeed and fail together."""

    pictures: int
    low: float | None
    high: float | None
    """None for fewer than five pictures."""
    p: float


class Flips(Struct, frozen=True, kw_only=True):
    """Prompts on which one repeat of each side, taken at random, is expected to disagree."""

    seen: float
    by_noise: float
    """As many would, were there no difference but that between repeats of one run."""


class Contrast(Struct, frozen=True, kw_only=True):
    """One later side compared with the first."""

    first: str
    second: str
    kind: Literal["paired", "unpaired", "shown"]
    """The same prompts; published figures on both sides; or side by side without a verdict."""
    outcome: Outcome | None = None
    sentence: str = ""
    """The verdict in plain words."""
    remarks: tuple[str, ...] = ()
    """What else the reader must know to believe it, a sentence each."""
    overall: Difference | None = None
    p: float | None = None
    """What the verdict rests on: corrected (Holm) when several models stand against the first."""
    mid_p: float | None = None
    by_picture: ByPicture | None = None
    prompts_needed: int | None = None
    """To show a difference as large as this one with 80 % power."""
    detectable: float | None = None
    """The smallest difference this many prompts show with 80 % power."""
    categories: tuple[Difference, ...] = ()
    flips: Flips | None = None
    """None when neither side has repeats."""
    sighted: Literal["first", "second"] | None = None
    """Of one model with and without the pictures: the side that saw them."""


def contrasts(sides: Sequence[Side]) -> tuple[Contrast, ...]:
    """Each later side with the first, in words. Runs must have the same prompts, in one order.

    Corrected (Holm) over all models compared with the first, and over all categories of them.
    """
    found = [compare_pair(sides[0], side) for side in sides[1:]]
    overall = iter(stats.holm([it.p for it in found if it.p is not None]))
    parts = [part.p for it in found for part in it.categories if part.p is not None]
    corrected, tested = iter(stats.holm(parts)), sum(it.p is not None for it in found)
    settled = []
    for it in found:
        p = None if it.p is None else next(overall)
        categories = tuple(
            part if part.p is None else replace(part, p_holm=next(corrected))
            for part in it.categories
        )
        outcome = _outcome(it.overall, p) if it.overall else None
        worded = replace(it, p=p, categories=categories, outcome=outcome)
        sentence, remarks = _sentence(worded, tested), tuple(_remarks(worded))
        settled.append(replace(worded, sentence=sentence, remarks=remarks))
    return tuple(settled)


def compare_pair(first: Side, second: Side) -> Contrast:
    """Paired for two runs, unpaired for two published columns, no verdict for one of each."""
    if first.score is not None and second.score is not None:
        return _paired(first, second)
    if first.measured or second.measured:
        return Contrast(first=first.label, second=second.label, kind="shown")
    theirs = {score.category: score for score in second.categories if score.asked}
    return Contrast(
        first=first.label,
        second=second.label,
        kind="unpaired",
        overall=_apart(first.overall, second.overall),
        categories=tuple(
            _apart(score, theirs[score.category])
            for score in first.categories
            if score.asked and score.category in theirs
        ),
    )


def difference(category: str, rates: Rates, unit: int) -> Difference:
    """Second minus first, with interval and exact p; times `unit` every rate is a whole number."""
    prompts, only = rates.total(), (rates[1, 0], rates[0, 1])
    interval = stats.newcombe_paired({(two, one): n for (one, two), n in rates.items()})
    first = sum(one * n for (one, _), n in rates.items()) / prompts
    second = sum(two * n for (_, two), n in rates.items()) / prompts
    found = _difference(category, prompts, first, second, interval)
    if unit == 1:
        return replace(found, first_only=only[0], second_only=only[1], p=stats.mcnemar(*only))
    steps = Counter({(one, two): n for (one, two), n in rates.items() if one != two})
    whole = [round((two - one) * unit) for one, two in steps.elements()]
    return replace(found, p=stats.randomisation(whole))


def _apart(first: Score, second: Score) -> Difference:
    """Published figures on both sides: nobody says which prompts each of them passed."""
    interval = stats.newcombe_unpaired(second.passed, second.asked, first.passed, first.asked)
    shares = first.passed / first.asked, second.passed / second.asked
    return _difference(first.category, first.asked, *shares, interval)


def _difference(
    category: str, prompts: int, first: float, second: float, interval: stats.Interval
) -> Difference:
    return Difference(
        category=category,
        prompts=prompts,
        first=first,
        second=second,
        difference=second - first,
        low=interval.low,
        high=interval.high,
    )


def _outcome(overall: Difference, p: float | None) -> Outcome:
    """By the exact test where there is one, else by whether the interval leaves zero out."""
    if not is_sure(overall, p):
        return "undecided"
    return "better" if overall.difference > 0 else "worse"


def is_sure(part: Difference, p: float | None) -> bool:
    return p < ALPHA if p is not None else not part.low <= 0 <= part.high


def _paired(first: Side, second: Side) -> Contrast:
    assert first.header is not None
    assert second.header is not None
    blind = {first.header.blind, second.header.blind}
    unit = lcm(first.repeats, second.repeats)
    """What makes every pass rate whole: 1 without repeats."""
    categories, pictures = _tabulate(first, second)
    everything: Rates = sum(categories.values(), start=Counter())
    overall = difference("overall", everything, unit)
    # With repeats, the shares of one-sided prompts that have the same mean and spread.
    square = sum((two - one) ** 2 * n for (one, two), n in everything.items()) / overall.prompts
    first_share = (square - overall.difference) / 2
    is_looking = first.header.model == second.header.model and len(blind) == 2
    return Contrast(
        first=first.label,
        second=second.label,
        kind="paired",
        overall=overall,
        p=overall.p,
        mid_p=stats.mcnemar_mid_p(everything[1, 0], everything[0, 1]) if unit == 1 else None,
        by_picture=_by_picture(pictures, overall.prompts, unit),
        prompts_needed=stats.prompts_needed(first_share, square - first_share),
        detectable=stats.detectable_difference(overall.prompts, square),
        categories=tuple(
            difference(it.category, categories[it.category], unit)
            for it in first.categories
            if it.category in categories
        ),
        flips=_flips(everything, first, second),
        sighted=("second" if first.header.blind else "first") if is_looking else None,
    )


def _tabulate(first: Side, second: Side) -> tuple[dict[str, Rates], dict[str, tuple[float, int]]]:
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


def _flips(rates: Rates, *sides: Side) -> Flips | None:
    """What the noise between repeats explains of the verdicts that differ.

    Formula: of a prompt with pass rates p and q, seen is p (1 - q) + q (1 - p), which is the noise
             p (1 - p) + q (1 - q) and (p - q)²; a side without repeats is taken to be as noisy
             as the other
    """
    counts = [[(it.passed, it.answered) for it in side.prompts.values()] for side in sides]
    repeated = [prompts for prompts in counts if min(asked for _, asked in prompts) > 1]
    if not repeated:
        return None
    return Flips(
        seen=sum((one * (1 - two) + two * (1 - one)) * n for (one, two), n in rates.items()),
        by_noise=sum(map(stats.flips_between_repeats, repeated)) / len(repeated),
    )


def _by_picture(
    pictures: dict[str, tuple[float, int]], prompts: int, unit: int
) -> ByPicture | None:
    """None when every prompt has a picture of its own: then there is nothing to add."""
    if len(pictures) == prompts:
        return None
    low, high = stats.cluster_bootstrap(pictures.values()) or (None, None)
    p = stats.randomisation([round(total * unit) for total, _ in pictures.values()])
    return ByPicture(pictures=len(pictures), low=low, high=high, p=p)


def _sentence(contrast: Contrast, tested: int) -> str:
    first, second, overall = contrast.first, contrast.second, contrast.overall
    if overall is None:
        return (
            f"{second} and {first}: one was measured here and the other published elsewhere, on "
            "other prompts; they are shown side by side without a verdict."
        )
    sure = _certainty(contrast, overall, tested)
    shares = f"{100 * overall.first:.1f} %", f"{100 * overall.second:.1f} %"
    if contrast.sighted is not None:
        return _looking(contrast, overall, shares, sure)
    more = "more" if overall.difference > 0 else "less"
    size = f"{_size(overall.difference, 'percentage points')} {more}"
    by = "the same score" if overall.difference == 0 else size
    figures = f"{shares[1]} against {shares[0]}, {by} ({sure})."
    as_published = " as published" if contrast.p is None else ""
    if contrast.outcome != "undecided":
        return f"{second} is {contrast.outcome} than {first}{as_published}: {figures}"
    asked = f"({overall.prompts:,} prompts)"
    return (
        f"{second} and {first}{as_published} cannot be told apart at this size {asked}: {figures}"
    )


def _looking(contrast: Contrast, overall: Difference, shares: tuple[str, str], sure: str) -> str:
    """What the pictures are worth to a model that was asked with and without them."""
    seeing, blind = shares if contrast.sighted == "first" else shares[::-1]
    figures = f"{seeing} with the pictures, {blind} without them ({sure})."
    if contrast.outcome == "undecided":
        return f"Looking is worth nothing that {overall.prompts:,} prompts can show: {figures}"
    verb = "is worth" if _seeing_is_better(contrast) else "costs"
    return f"Looking {verb} {_size(overall.difference, 'percentage points')}: {figures}"


def _seeing_is_better(contrast: Contrast) -> bool:
    return contrast.outcome == {"first": "worse", "second": "better"}[contrast.sighted or "first"]


def _certainty(contrast: Contrast, overall: Difference, tested: int) -> str:
    interval = f"95 % interval {points(overall.low)} to {points(overall.high)}"
    if contrast.p is None:
        return f"{interval}, pairing unknown"
    test = "exact McNemar" if overall.first_only is not None else "randomisation over prompts"
    holm = f", corrected for {tested} comparisons" if tested > 1 else ""
    return f"{interval}, {p_value(contrast.p)}, {test}{holm}"


def _remarks(contrast: Contrast) -> Iterator[str]:
    overall, flips = contrast.overall, contrast.flips
    if overall is None:
        return
    if contrast.p is None:
        yield (
            "Both columns are published figures: which prompts each model passed is not known, so "
            "the interval treats them as separate samples (Newcombe); that of pairs is usually "
            "narrower."
        )
        return
    if contrast.sighted and not _seeing_is_better(contrast):
        yield (
            "Blind, the model scores as well as with the pictures: either the questions give their "
            "answers away, or the model does not use what it is sent."
        )
    prompts = f"{overall.prompts:,} prompts"
    if overall.first_only is None or overall.second_only is None:
        yield f"Pass rates over repeats, a prompt counting once; {prompts}."
    else:
        yield (
            f"They differ on {overall.first_only + overall.second_only:,} of {prompts}: "
            f"{overall.second_only:,} passed only by {contrast.second}, {overall.first_only:,} "
            f"only by {contrast.first}."
        )
    if flips is not None:
        yield (
            f"One repeat of each at random disagrees on {flips.seen:.1f} of {overall.prompts:,} "
            f"verdicts; the noise between repeats alone would explain {flips.by_noise:.1f}."
        )
    yield from _power(contrast, overall)
    yield from _cautions(contrast, overall, contrast.p)


def _power(contrast: Contrast, overall: Difference) -> Iterator[str]:
    prompts = f"{overall.prompts:,} prompts"
    if contrast.outcome == "undecided" and contrast.prompts_needed is not None:
        more = max(0, contrast.prompts_needed - overall.prompts)
        yield (
            f"If the true difference is {_size(overall.difference)}, about "
            f"{_round(contrast.prompts_needed)} such prompts would show it four times out of "
            f"five: {_round(more)} more than these."
        )
    if contrast.detectable is not None:
        yield (
            f"The smallest difference that {prompts} show four times out of five "
            f"is {_size(contrast.detectable)}, at the rate these two disagree."
        )
    elif contrast.outcome == "undecided":
        yield f"{prompts} on which two models disagree this seldom can hardly show any difference."


def _cautions(contrast: Contrast, overall: Difference, p: float) -> Iterator[str]:
    pictures, sure = contrast.by_picture, p < ALPHA
    if pictures is not None:
        interval = ""
        if pictures.low is not None and pictures.high is not None:
            interval = f"95 % interval {points(pictures.low)} to {points(pictures.high)}, "
        doubts = sure and pictures.p >= ALPHA
        yield (
            f"{overall.prompts:,} prompts share {pictures.pictures:,} pictures. Counting whole "
            f"pictures: {interval}{p_value(pictures.p)}"
            f"{', so the verdict is less sure than it looks' if doubts else ''}."
        )
    if not sure and not overall.low <= 0 <= overall.high:
        yield "The interval leaves zero out, but the exact test decides, and it is more cautious."
    if not sure and contrast.mid_p is not None and contrast.mid_p < ALPHA:
        yield f"The less cautious mid-p value is {contrast.mid_p:.3f}: worth more prompts."


def points(share: float) -> str:
    """A signed difference in percentage points.

    >>> points(-0.2388), points(0.0)
    ('-23.9', '0.0')
    """
    return f"{100 * share:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")


def p_value(p: float) -> str:
    """Never rounded across 0.05.

    >>> p_value(0.0004), p_value(0.04996), p_value(0.25), p_value(1.0)
    ('p < 0.001', 'p = 0.04996', 'p = 0.250', 'p = 1')
    """
    if p < 0.001:
        return "p < 0.001"
    text = f"{p:.3f}"
    return f"p = {p:.5f}" if text == "0.050" else f"p = {1 if p == 1 else text}"


def _round(count: int) -> str:
    """
    >>> _round(279), _round(5_227_166), _round(43)
    ('280', '5,200,000', '43')
    """
    return f"{int(float(f'{count:.2g}')):,}"


def _size(difference: float, unit: str = "points") -> str:
    return f"{100 * abs(difference):.1f} {unit}"
