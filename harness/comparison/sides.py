"""The columns of a comparison: what is known of each model, and its scores."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness import stats
from harness.catalogue import Catalogue
from harness.comparison.naming import Found
from harness.comparison.nouns import Side, Steadiness
from harness.comparison.reading import Measured
from harness.records import ModelCard, PublishedScore, Score
from harness.stats import wilson_interval


def sides_of(found: Sequence[Found], catalogue: Catalogue) -> list[Side]:
    """One column each, in the order named, under labels that differ."""
    sides = [
        _measured(it, catalogue.get(it.score.model)) if isinstance(it, Measured) else _published(it)
        for it in found
    ]
    labels = [side.label for side in sides]
    return [
        msgspec.structs.replace(side, label=_longer(side)) if labels.count(side.label) > 1 else side
        for side in sides
    ]


def _longer(side: Side) -> str:
    return side.header.run if side.header else f"{side.label} (published)"


def _measured(measured: Measured, card: ModelCard | None) -> Side:
    score = measured.score
    return Side(
        label=f"{score.model} (blind)" if score.header.blind else score.model,
        card=card,
        header=score.header,
        published=None,
        overall=score.overall,
        categories=score.categories,
        steadiness=_steadiness(measured) if measured.repeats > 1 else None,
    )


def _steadiness(measured: Measured) -> Steadiness | None:
    counts = {id_: (it.passed, it.answered) for id_, it in measured.prompts.items() if it.answered}
    all_pass = stats.pass_hat_k(list(counts.values()), measured.repeats)
    if all_pass is None:
        return None
    return Steadiness(repeats=measured.repeats, pass_hat_k=all_pass, flaky=stats.flaky(counts))


def _published(card: ModelCard) -> Side:
    published = card.published
    if published is None:
        raise AssertionError(f"{card.name} was taken for its published figures, and has none")
    overall = _score("overall", published.passed, published.asked)
    return Side(
        label=card.name,
        card=card,
        header=None,
        published=published,
        overall=_with_speed(overall, published),
        categories=tuple(_score(name, *counts) for name, counts in published.categories.items()),
    )


def _score(category: str, passed: int, asked: int) -> Score:
    low, high = wilson_interval(passed, asked)
    return Score(category=category, passed=passed, asked=asked, errors=0, low=low, high=high)


def _with_speed(score: Score, published: PublishedScore) -> Score:
    return msgspec.structs.replace(
        score,
        latency_mean_s=published.latency_mean_s,
        cost_per_task_usd=published.cost_per_task_usd,
    )
