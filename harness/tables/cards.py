"""A model of the catalogue as tables: what is stated of it, with source and date."""

from __future__ import annotations

from collections.abc import Iterator

from harness.records import Fact, ModelCard, PublishedScore
from harness.tables import Block, Column, Line, Table

_UNITS = {
    "context_tokens": ("context", "{:,} tokens"),
    "price_in_usd_per_mtok": ("price in", "${} per million tokens"),
    "price_out_usd_per_mtok": ("price out", "${} per million tokens"),
}


def of_card(card: ModelCard) -> Iterator[Block]:
    """Facts, what it is for, published figures."""
    yield Line(" ".join([card.name, *(f"({it})" for it in card.aliases)]), "bold")
    headings = "fact", "", "stated by"
    yield Table(columns=[Column(heading=it) for it in headings], rows=_stated(card))
    if card.about is not None:
        yield Line("")
        yield Line(card.about.value)
        yield Line(f"{card.about.source}, {card.about.as_of}", "dim")
    if card.published is not None:
        yield from map(Line, _published(card.published))


def _stated(card: ModelCard) -> list[list[str]]:
    """The facts that some source states."""
    rows = []
    for name in card.__struct_fields__:
        fact = getattr(card, name)
        if isinstance(fact, Fact) and name != "about":
            label, form = _UNITS.get(name, (name.replace("_", " "), "{}"))
            listed = isinstance(fact.value, tuple)
            value = form.format(", ".join(fact.value) if listed else fact.value)
            rows.append([label, value, f"{fact.source}, {fact.as_of}"])
    return rows


def _published(scores: PublishedScore) -> Iterator[str]:
    yield ""
    yield f"Published, not measured here ({scores.source}, {scores.as_of})"
    rank = f", rank {scores.rank} of {scores.ranked}" if scores.rank else ""
    overall = {"overall": (scores.passed, scores.asked)}
    for name, (passed, asked) in (overall | scores.categories).items():
        share = f"{100 * passed / asked:.1f} % ({passed}/{asked})"
        yield f"  {name} {share}{rank if name == 'overall' else ''}"
    if scores.latency_mean_s is not None:
        yield f"  average response time {scores.latency_mean_s} s"
    if scores.cost_per_task_usd is not None:
        yield f"  cost per task ${scores.cost_per_task_usd}"
