"""Which of several models is better, by how much, and how sure that is.

`compare` takes names, `compare_sides` what `sides.Names` made of them; `regression` is the verdict
for a pipeline. `ranking` has the paired test of two runs, and the leaderboard.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import lcm
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from harness import stats
from harness.catalogue import Catalogue
from harness.comparison.ranking import (
    Difference,
    Rates,
    check_comparable,
    difference,
    unpaired,
)
from harness.comparison.sides import Names, Prompt, Side, labelled
from harness.errors import ResultsError, UsageError
from harness.stats import ALPHA
from harness.text import as_text


class ByPicture(Struct, frozen=True):
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
    outcome: Literal["better", "worse", "undecided"] | None = None
    """What the later model is, compared with the first."""
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


class Answer(Struct, frozen=True):
    """What one model answered to a prompt."""

    label: str
    passed: int
    asked: int
    answer: str | None
    text: str


class Disagreement(Struct, frozen=True):
    """A prompt that one model passed more often than another."""

    prompt: str
    category: str
    question: str
    image: str
    expected: str
    answers: tuple[Answer, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """Everything `evalrun compare` shows, in whatever format."""

    sides: tuple[Side, ...]
    contrasts: tuple[Contrast, ...]
    disagreements: tuple[Disagreement, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def forced(self) -> bool:
        """Compared although the runs differ in ways that `warnings` lists."""
        return any(it.startswith("forced") for it in self.warnings)

    @property
    def shared_tasks(self) -> tuple[str, ...] | None:
        """Vision tasks that all of them state; None when one states none."""
        facts = [side.card.vision_tasks if side.card else None for side in self.sides]
        stated = [fact.value for fact in facts if fact is not None]
        if len(stated) < len(facts):
            return None
        return tuple(task for task in stated[0] if all(task in tasks for tasks in stated))


def compare(
    names: Sequence[str],
    *,
    results: Path,
    catalogue: Catalogue,
    force: bool = False,
    include_cached: bool = False,
) -> Comparison:
    """Compare every later model or run with the first.

    Raises: UsageError for fewer than two names or one run twice; IncompleteRun; ResultsError for
        names that mean nothing, damaged files, and runs that are not comparable.
    """
    if len(names) < 2:
        raise UsageError(
            "compare needs at least two models or runs",
            fix="name another: `evalrun compare A B`; a single run is shown by `evalrun show A`",
        )
    meant = Names(results=results, catalogue=catalogue, force=force, include_cached=include_cached)
    return compare_sides([meant.resolve(name) for name in names], names, meant)


def compare_sides(sides: Sequence[Side], names: Sequence[str], meant: Names) -> Comparison:
    """What `names` mean, compared on the prompts that all have."""
    keys = [tuple(run.path.resolve() for run in side.runs) or side.label for side in sides]
    for at, key in enumerate(keys):
        if (before := keys.index(key)) < at:
            raise UsageError(
                f"{sides[at].name} is named twice (as {names[before]!r} and {names[at]!r})",
                fix="name two different models or runs; `evalrun runs` lists them",
            )
    measured = [side for side in sides if side.measured]
    warnings = list(_warnings(measured, force=meant.force))
    shared = _shared(measured)
    if any(len(side.prompts) > len(shared) for side in measured):
        listed = ", ".join(f"{side.name} was asked {len(side.prompts)}" for side in measured)
        about = f"compared on the {len(shared)} prompts that all were asked and answered"
        warnings.append(f"{about}: {listed}")
        sides = [meant.read(*it.runs, only=shared) if it.measured else it for it in sides]
    sides = labelled(sides)
    return Comparison(
        sides=tuple(sides),
        contrasts=contrasts(sides),
        disagreements=tuple(_disagreements([side for side in sides if side.measured])),
        warnings=tuple(warnings),
    )


def regression(comparison: Comparison) -> str | None:
    """In words, when the last side is significantly worse than the first; else None.

    Goes by the exact test of these two alone, uncorrected for others compared beside them.

    Raises: ResultsError when no test was made, as for published figures.
    """
    last = comparison.contrasts[-1]
    overall = last.overall
    if overall is None or overall.p is None:
        raise ResultsError(
            f"{last.first} and {last.second} give no verdict to fail on: published figures do not "
            "say which prompts were passed",
            fix="measure both on the same suite, and compare the runs",
        )
    if overall.outcome(overall.p) != "worse":
        return None
    loss = _size(overall.difference, "percentage points")
    return f"{last.second} is {loss} worse than {last.first} ({p_value(overall.p)})"


def _warnings(sides: Sequence[Side], *, force: bool) -> Iterator[str]:
    headers = [side.header for side in sides if side.header is not None]
    yield from check_comparable(headers, force=force, but=["pictures shrunk to"])
    for it in headers:
        if it.pictures_shrunk_to_px:
            arrived = f"pictures arrived shrunk to about {it.pictures_shrunk_to_px} px"
            yield f"note: {it.run}: {arrived}, as the sight test {it.eye_card} found"
    yield from (f"passed over: {problem}" for side in sides for problem in side.passed_over)


def _shared(sides: Sequence[Side]) -> dict[str, Prompt]:
    """Prompts that all were asked in the same words and that all answered. Raises: ResultsError."""
    if not sides:
        return {}
    shared, asked = sides[0].prompts, sides[0].repeats
    for other in sides[1:]:
        theirs, repeats = other.prompts, other.repeats
        shared = {
            id_: ours
            for id_, ours in shared.items()
            if ours.answered >= asked
            and (it := theirs.get(id_))
            and it.answered >= repeats
            and it.asks_as(ours)
        }
    if not shared:
        listed = ", ".join(f"{side.name} ({len(side.prompts)})" for side in sides)
        raise ResultsError(
            f"these runs have no prompt in common: {listed}",
            fix="compare runs of the same suite, category and prompts",
        )
    return shared


def _disagreements(sides: Sequence[Side]) -> Iterator[Disagreement]:
    """Of two runs or more on the same prompts."""
    ids = sides[0].prompts if len(sides) > 1 else ()
    for prompts in zip(*([side.prompts[it] for it in ids] for side in sides), strict=True):
        if len({it.passed / it.answered for it in prompts}) > 1:
            answers = tuple(
                Answer(side.label, it.passed, it.answered, it.answer, it.text)
                for side, it in zip(sides, prompts, strict=True)
            )
            it = prompts[0]
            about = it.id, it.category, it.question, it.image, as_text(it.right)
            yield Disagreement(*about, answers)


def contrasts(sides: Sequence[Side]) -> tuple[Contrast, ...]:
    """Each later side with the first, in words. Runs must have the same prompts.

    Corrected (Holm) over all models compared with the first, and over all categories of them.
    """
    found = [_contrast(sides[0], side) for side in sides[1:]]
    corrected = stats.holm([it.p for it in found])
    parts = iter(stats.holm([part.p for it in found for part in it.categories]))
    settled = []
    for it, p in zip(found, corrected, strict=True):
        overall = replace(it.overall, p_holm=p) if it.overall else None
        categories = tuple(replace(part, p_holm=next(parts)) for part in it.categories)
        outcome = overall.outcome(p) if overall else None
        it = replace(it, overall=overall, p=p, categories=categories, outcome=outcome)
        sentence = _sentence(it, sum(p is not None for p in corrected))
        settled.append(replace(it, sentence=sentence, remarks=tuple(_remarks(it))))
    return tuple(settled)


def _contrast(first: Side, second: Side) -> Contrast:
    """Paired for two runs, unpaired for two published columns, no verdict for one of each."""
    if first.header is not None and second.header is not None:
        return _paired(first, second)
    if first.measured or second.measured:
        return Contrast(first=first.label, second=second.label, kind="shown")
    theirs = {score.category: score for score in second.categories}
    return Contrast(
        first=first.label,
        second=second.label,
        kind="unpaired",
        overall=unpaired(first.overall, second.overall),
        categories=tuple(
            unpaired(score, theirs[score.category])
            for score in first.categories
            if score.category in theirs and score.asked and theirs[score.category].asked
        ),
    )


def _paired(first: Side, second: Side) -> Contrast:
    unit = lcm(first.repeats, second.repeats)
    """What makes every pass rate whole: 1 without repeats."""
    theirs = [second.prompts[id_] for id_ in first.prompts]
    kinds = Counter(
        (one.category, one.image, one.passed / one.answered, two.passed / two.answered)
        for one, two in zip(first.prompts.values(), theirs, strict=True)
    )
    everything, by_category = Rates(), defaultdict[str, Rates](Rates)
    pictures = defaultdict[str, list[float]](lambda: [0.0, 0])
    """Of each the sum of the differences, and the number of prompts."""
    for (category, image, one, two), count in kinds.items():
        everything[one, two] += count
        by_category[category][one, two] += count
        pictures[image][0] += (two - one) * count
        pictures[image][1] += count
    overall = difference("overall", everything, unit)
    # With repeats, the shares of one-sided prompts that have the same mean and spread.
    square = sum((two - one) ** 2 * n for (one, two), n in everything.items()) / overall.prompts
    first_share = (square - overall.difference) / 2
    return Contrast(
        first=first.label,
        second=second.label,
        kind="paired",
        overall=overall,
        p=overall.p,
        mid_p=stats.mcnemar(everything[1, 0], everything[0, 1], mid=True) if unit == 1 else None,
        by_picture=_by_picture(list(pictures.values()), overall.prompts, unit),
        prompts_needed=stats.prompts_needed(first_share, square - first_share),
        detectable=stats.detectable_difference(overall.prompts, square),
        categories=tuple(
            difference(it.category, by_category[it.category], unit)
            for it in first.categories
            if it.category in by_category
        ),
        flips=_flips(everything, first, second),
        sighted=_sighted(first, second),
    )


def _sighted(first: Side, second: Side) -> Literal["first", "second"] | None:
    one, two = first.header, second.header
    if one is None or two is None or one.model != two.model or one.blind == two.blind:
        return None
    return "second" if one.blind else "first"


def _flips(rates: Rates, *sides: Side) -> Flips | None:
    """What the noise between repeats explains of the verdicts that differ.

    Formula: of pass rates p and q, seen is p (1 - q) + q (1 - p); noise is the share of pairs of
             repeats that disagree, 2 c (n - c) / (n (n - 1)), the mean of the sides with repeats
    """
    counts = [[(it.passed, it.answered) for it in side.prompts.values()] for side in sides]
    noise = [
        sum(2 * passed * (n - passed) / (n * (n - 1)) for passed, n in prompts)
        for prompts in counts
        if min(n for _, n in prompts) > 1
    ]
    if not noise:
        return None
    seen = sum((one * (1 - two) + two * (1 - one)) * n for (one, two), n in rates.items())
    return Flips(seen=seen, by_noise=sum(noise) / len(noise))


def _by_picture(pictures: Sequence[Sequence[float]], prompts: int, unit: int) -> ByPicture | None:
    """None when every prompt has a picture of its own: then there is nothing to add."""
    if len(pictures) == prompts:
        return None
    low, high = stats.cluster_bootstrap((sum_, int(n)) for sum_, n in pictures) or (None, None)
    p = stats.randomisation([round(sum_ * unit) for sum_, _ in pictures])
    return ByPicture(len(pictures), low, high, p)


def _sentence(contrast: Contrast, tested: int) -> str:
    """The verdict, `tested` models standing against the first."""
    first, second, overall, p = contrast.first, contrast.second, contrast.overall, contrast.p
    if overall is None:
        return (
            f"{second} and {first}: one was measured here and the other published elsewhere, on "
            "other prompts; they are shown side by side without a verdict."
        )
    sure = f"95 % interval {points(overall.low)} to {points(overall.high)}, "
    if p is None:
        sure += "pairing unknown"
    else:
        test = "exact McNemar" if overall.first_only is not None else "randomisation over prompts"
        sure += f"{p_value(p)}, {test}"
        sure += f", corrected for {tested} comparisons" if tested > 1 else ""
    one, two = f"{100 * overall.first:.1f} %", f"{100 * overall.second:.1f} %"
    size = _size(overall.difference, "percentage points")
    if contrast.sighted is not None:
        seeing, blind = (one, two) if contrast.sighted == "first" else (two, one)
        worth = {True: f"is worth {size}", False: f"costs {size}"}[_seeing_is_better(contrast)]
        if contrast.outcome == "undecided":
            worth = f"is worth nothing that {overall.prompts:,} prompts can show"
        return f"Looking {worth}: {seeing} with the pictures, {blind} without them ({sure})."
    by = f"{size} {'more' if overall.difference > 0 else 'less'}"
    by = by if overall.difference else "the same score"
    published = " as published" if p is None else ""
    verdict = f"{second} is {contrast.outcome} than {first}{published}"
    if contrast.outcome == "undecided":
        asked = f"({overall.prompts:,} prompts)"
        verdict = f"{second} and {first}{published} cannot be told apart at this size {asked}"
    return f"{verdict}: {two} against {one}, {by} ({sure})."


def _seeing_is_better(contrast: Contrast) -> bool:
    return contrast.outcome == ("worse" if contrast.sighted == "first" else "better")


def _remarks(contrast: Contrast) -> Iterator[str]:
    overall, flips, p = contrast.overall, contrast.flips, contrast.p
    if overall is None:
        return
    if p is None:
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
    prompts, only = f"{overall.prompts:,} prompts", (overall.first_only, overall.second_only)
    if only[0] is None or only[1] is None:
        yield f"Pass rates over repeats, a prompt counting once; {prompts}."
    else:
        yield (
            f"They differ on {only[0] + only[1]:,} of {prompts}: {only[1]:,} passed only by "
            f"{contrast.second}, {only[0]:,} only by {contrast.first}."
        )
    if flips is not None:
        yield (
            f"One repeat of each at random disagrees on {flips.seen:.1f} of {overall.prompts:,} "
            f"verdicts; the noise between repeats alone would explain {flips.by_noise:.1f}."
        )
    yield from _power(contrast, overall)
    yield from _cautions(contrast, overall, p)


def _power(contrast: Contrast, overall: Difference) -> Iterator[str]:
    prompts, undecided = f"{overall.prompts:,} prompts", contrast.outcome == "undecided"
    if undecided and contrast.prompts_needed is not None:
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
    elif undecided:
        yield f"{prompts} on which two models disagree this seldom can hardly show any difference."


def _cautions(contrast: Contrast, overall: Difference, p: float) -> Iterator[str]:
    pictures, sure = contrast.by_picture, p < ALPHA
    if pictures is not None:
        interval = ""
        if pictures.low is not None and pictures.high is not None:
            interval = f"95 % interval {points(pictures.low)} to {points(pictures.high)}, "
        doubts = (
            ", so the verdict is less sure than it looks" if sure and pictures.p >= ALPHA else ""
        )
        yield (
            f"{overall.prompts:,} prompts share {pictures.pictures:,} pictures. Counting whole "
            f"pictures: {interval}{p_value(pictures.p)}{doubts}."
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
