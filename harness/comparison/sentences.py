"""The verdict in plain words, and what a reader must know to believe it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.comparison.contrast import ALPHA
from harness.comparison.nouns import Contrast, Difference

_SEEING_BETTER = {"first": "worse", "second": "better"}
"""The outcome for the second side when the side that sees is surely better."""


def worded(contrast: Contrast, *, tested: int) -> Contrast:
    """The contrast with its sentence and its remarks."""
    return msgspec.structs.replace(
        contrast,
        sentence=_sentence(contrast, tested=tested),
        remarks=tuple(_remarks(contrast)),
    )


def _sentence(contrast: Contrast, *, tested: int) -> str:
    first, second, overall = contrast.first, contrast.second, contrast.overall
    if overall is None:
        return (
            f"{second} and {first}: one was measured here and the other published elsewhere, on "
            "other prompts; they are shown side by side without a verdict."
        )
    sure = _certainty(contrast, tested=tested)
    if contrast.sighted is not None:
        return _looking(contrast, overall, sure)
    figures = f"{_percent(overall.second)} against {_percent(overall.first)}"
    as_published = " as published" if contrast.p is None else ""
    if contrast.outcome == "undecided":
        return (
            f"{second} and {first}{as_published} cannot be told apart at this size "
            f"({overall.prompts:,} prompts): {figures}, {_by(overall)} ({sure})."
        )
    return (
        f"{second} is {contrast.outcome} than {first}{as_published}: {figures}, "
        f"{_by(overall)} ({sure})."
    )


def _looking(contrast: Contrast, overall: Difference, sure: str) -> str:
    """What the pictures are worth to a model that was asked with and without them."""
    shares = (overall.first, overall.second)
    seeing, blind = shares if contrast.sighted == "first" else shares[::-1]
    figures = f"{_percent(seeing)} with the pictures, {_percent(blind)} without them ({sure})"
    if contrast.outcome == "undecided":
        return f"Looking is worth nothing that {overall.prompts:,} prompts can show: {figures}."
    worth = f"{100 * abs(seeing - blind):.1f} percentage points"
    verb = "is worth" if seeing > blind else "costs"
    return f"Looking {verb} {worth}: {figures}."


def _by(overall: Difference) -> str:
    if overall.difference == 0:
        return "the same score"
    more = "more" if overall.difference > 0 else "less"
    return f"{100 * abs(overall.difference):.1f} percentage points {more}"


def _certainty(contrast: Contrast, *, tested: int) -> str:
    overall = contrast.overall
    if overall is None:
        return ""
    interval = f"95 % interval {points(overall.low)} to {points(overall.high)}"
    if contrast.p is None:
        return f"{interval}, pairing unknown"
    test = "exact McNemar" if overall.first_only is not None else "randomisation over prompts"
    holm = f", corrected for {tested} comparisons" if tested > 1 else ""
    return f"{interval}, {p_value(contrast.p)}, {test}{holm}"


def _remarks(contrast: Contrast) -> Iterator[str]:
    overall = contrast.overall
    if overall is None:
        return
    if contrast.p is None:
        yield (
            "Both columns are published figures: which prompts each model passed is not known, so "
            "the interval treats them as separate samples (Newcombe); that of pairs is usually "
            "narrower."
        )
        return
    if contrast.sighted is not None and contrast.outcome != _SEEING_BETTER[contrast.sighted]:
        yield (
            "Blind, the model scores as well as with the pictures: either the questions give their "
            "answers away, or the model does not use what it is sent."
        )
    yield _differing(contrast, overall)
    if (flips := contrast.flips) is not None:
        yield (
            f"One repeat of each at random disagrees on {flips.seen:.1f} of {overall.prompts:,} "
            f"verdicts; the noise between repeats alone would explain {flips.by_noise:.1f}."
        )
    yield from _size(contrast, overall)
    yield from _cautions(contrast, overall, contrast.p)


def _differing(contrast: Contrast, overall: Difference) -> str:
    if overall.first_only is None or overall.second_only is None:
        return f"Pass rates over repeats, a prompt counting once; {overall.prompts:,} prompts."
    count = overall.first_only + overall.second_only
    return (
        f"They differ on {count:,} of {overall.prompts:,} prompts: {overall.second_only:,} passed "
        f"only by {contrast.second}, {overall.first_only:,} only by {contrast.first}."
    )


def _size(contrast: Contrast, overall: Difference) -> Iterator[str]:
    if contrast.outcome == "undecided" and contrast.prompts_needed is not None:
        more = max(0, contrast.prompts_needed - overall.prompts)
        yield (
            f"If the true difference is {_size_of(overall.difference)}, about "
            f"{_round(contrast.prompts_needed)} such prompts would show it four times out of "
            f"five: {_round(more)} more than these."
        )
    if contrast.detectable is not None:
        yield (
            f"The smallest difference that {overall.prompts:,} prompts show four times out of five "
            f"is {_size_of(contrast.detectable)}, at the rate these two disagree."
        )
    elif contrast.outcome == "undecided":
        yield (
            f"{overall.prompts:,} prompts on which two models disagree this seldom can hardly show "
            "any difference."
        )


def _cautions(contrast: Contrast, overall: Difference, p: float) -> Iterator[str]:
    pictures, sure = contrast.by_picture, p < ALPHA
    if pictures is not None:
        interval = ""
        if pictures.low is not None and pictures.high is not None:
            interval = f"95 % interval {points(pictures.low)} to {points(pictures.high)}, "
        doubt = (
            ", so the verdict is less sure than it looks" if sure and pictures.p >= ALPHA else ""
        )
        yield (
            f"{overall.prompts:,} prompts share {pictures.pictures:,} pictures. Counting whole "
            f"pictures: {interval}{p_value(pictures.p)}{doubt}."
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


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _round(count: int) -> str:
    """
    >>> _round(279), _round(5_227_166), _round(43)
    ('280', '5,200,000', '43')
    """
    return f"{int(float(f'{count:.2g}')):,}"


def _size_of(difference: float) -> str:
    return f"{100 * abs(difference):.1f} points"
