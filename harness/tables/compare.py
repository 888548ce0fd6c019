"""A comparison as tables and sentences, one list of blocks for every format; a model's facts."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from harness.comparison import Comparison, Contrast, Disagreement, p_value, points
from harness.comparison.sides import Side, published
from harness.records import Fact, ModelCard, RunHeader, Score, ServerFacts
from harness.tables import (
    KEY,
    Block,
    Cell,
    Column,
    Line,
    Row,
    Table,
    dollars,
    interval,
    key,
    percent,
    rows_of,
    seconds,
    share_and_counts,
)
from harness.tables.runs import score_data
from harness.text import one_line

SHOWN = 100
"""Prompts listed before the rest is left to `--json`."""
_LONGEST = 200
_DIFFERENCE = ("difference_points", "low_points", "high_points", "p", "p_holm")
_PRICE = "price in / out per 1M tokens"
_FIELDS = {"release date": "released", "context window": "context_tokens"}
"""Row of the facts table -> the card's field, where that has another name."""
_STATED = ("organization", "category", "modality", *_FIELDS, "parameters", "license", _PRICE)
_STATED += ("vision tasks", "features")
_ALWAYS = ("score key", "overall", "avg response time", "cost per task")


def blocks(comparison: Comparison) -> Iterator[Block]:
    """Warnings, verdicts, facts, differences, the prompts where they differ, overviews."""
    yield from (Line(one_line(it), "undecided") for it in comparison.warnings)
    for contrast in comparison.contrasts:
        yield Line(contrast.sentence, f"bold {contrast.outcome or ''}".strip())
        yield from (Line(remark, indent=2) for remark in contrast.remarks)
    yield facts(comparison.sides)
    for contrast in comparison.contrasts:
        if contrast.overall is not None:
            yield differences(contrast, several=len(comparison.contrasts) > 1)
    if comparison.disagreements:
        yield disagreements(comparison)
    yield from (Line(f"About {name}: {about}") for name, about in overviews(comparison.sides))
    yield Line(tasks(comparison))


def facts(sides: Sequence[Side]) -> Table:
    """The side-by-side table: a row a fact or score, known or not, and a column a model."""
    known = [dict(_facts(side)) for side in sides]
    stated = _STATED if any(side.card for side in sides) else ()
    categories = (score.category for side in sides for score in side.categories)
    ours = ("repeats", "quantization", "server")
    rows = dict.fromkeys(["figures", *stated, *_ALWAYS, *categories])
    rows |= {name: None for name in ours if any(name in it for it in known)}
    return Table(
        columns=[Column("row", ""), *(Column(it.label, it.label) for it in sides)],
        rows=[[name, *(it.get(name, Cell()) for it in known)] for name in rows],
        notes=[f"{KEY}; with each score its 95 % interval"],
        below=True,
    )


def _facts(side: Side) -> Iterator[tuple[str, Cell]]:
    """What is known of one side, by the name of its row."""
    overall, published = side.overall, side.published
    if side.card is not None:
        yield from _of_card(side.card)
    for part in side.categories:
        if part.asked:
            yield part.category, _score(part, digits=1)
    total = _score(overall, digits=2)
    if published is not None:
        source = f"{published.source}, {_day(published.as_of)}"
        yield "figures", Cell("published, not measured here", detail=source)
        if published.rank and published.ranked:
            ranked = f"{total.detail}; rank {published.rank} of {published.ranked}"
            total = replace(total, detail=ranked)
    yield "overall", total
    yield "score key", Cell(key(overall), key=key(overall))
    if overall.latency_mean_s is not None:
        yield "avg response time", Cell(seconds(overall.latency_mean_s))
    if overall.cost_per_task_usd is not None:
        yield "cost per task", Cell(dollars(overall.cost_per_task_usd))
    if side.header is not None:
        yield from _of_run(side.header, overall)
    if (steady := side.steadiness) is not None:
        share = f"{100 * steady.pass_hat_k:.1f} % pass all {steady.repeats} times"
        yield "repeats", Cell(share, detail=f"{len(steady.flaky)} prompts pass sometimes")


def _of_run(header: RunHeader, overall: Score) -> Iterator[tuple[str, Cell]]:
    server, price = header.server or ServerFacts(), header.price
    day = _day(header.started_at.date().isoformat())
    yield "figures", Cell(f"measured {day}", detail=header.run)
    yield "server", Cell(header.backend, detail=server.build or "")
    if server.quantization:
        yield "quantization", Cell(server.quantization)
    if price is not None:
        paid = f"${price.in_usd_per_mtok:g} / ${price.out_usd_per_mtok:g}"
        yield _PRICE, Cell(paid, detail=_day(price.as_of))
    if overall.latency_mean_s is not None:
        middle, high = seconds(overall.latency_p50_s), seconds(overall.latency_p95_s)
        times = f"median {middle}, p95 {high}, concurrency {header.concurrency}"
        yield "avg response time", Cell(seconds(overall.latency_mean_s), detail=times)


def _of_card(card: ModelCard) -> Iterator[tuple[str, Cell]]:
    """What the catalogue says of a model."""
    for name in _STATED:
        fact = getattr(card, _FIELDS.get(name, name.replace(" ", "_")), None)
        if fact is not None:
            yield name, Cell(_tokens(fact.value) if name == "context window" else _value(fact))
    if card.price_in_usd_per_mtok and (out := card.price_out_usd_per_mtok):
        price = f"${card.price_in_usd_per_mtok.value:g} / ${out.value:g}"
        yield _PRICE, Cell(price, detail=_day(out.as_of))


def _value(fact: Fact[Any]) -> str:
    return ", ".join(fact.value) if isinstance(fact.value, tuple) else f"{fact.value}"


def _score(score: Score, *, digits: int) -> Cell:
    """`73.3 % (11/15)`, its interval below, its key behind it."""
    if score.share is None:
        return Cell(share_and_counts(score), key=key(score))
    share = f"{100 * score.share:.{digits}f}".rstrip("0").rstrip(".")
    counts = f"{share} % ({score.passed}/{score.asked})"
    return Cell(counts, detail=interval(score), key=key(score))


def _tokens(count: int) -> str:
    """
    >>> _tokens(128_000), _tokens(131_072), _tokens(1_048_576), _tokens(32_001)
    ('128K', '128K', '1M', '32,001')
    """
    for unit, suffix in ((1_000_000, "M"), (1 << 20, "M"), (1_000, "K"), (1 << 10, "K")):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{suffix}"
    return f"{count:,}"


def _day(iso: str) -> str:
    """
    >>> _day("2026-06-26"), _day("June 2026")
    ('26 June 2026', 'June 2026')
    """
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"


def title(contrast: Contrast) -> str:
    return f"{contrast.second} minus {contrast.first}"


_DIFFERENCES = (
    Column(heading="category", of="category"),
    Column(heading="points", of=lambda it: points(it.difference), figure=True),
    Column(
        heading="95 % interval",
        of=lambda it: f"{points(it.low)} to {points(it.high)}",
        figure=True,
        drop=1,
    ),
    Column(heading="p", of=lambda it: _p(it.p_holm), figure=True, drop=2),
    Column(heading="verdict", of=lambda it: Cell(word := it.outcome(it.p_holm), key=word)),
)


def _p(p: float | None) -> str | None:
    return None if p is None else p_value(p).removeprefix("p ").removeprefix("= ")


def differences(contrast: Contrast, *, several: bool) -> Table:
    """A row a category, then overall. Published figures have no p: nobody says who passed what."""
    parts = [it for it in (*contrast.categories, contrast.overall) if it is not None]
    family = "categories of all models" if several else "categories"
    how = f"p of categories corrected (Holm) for all {family}"
    if contrast.kind != "paired":
        how = "each interval for itself; pairing unknown"
    return Table(
        title=title(contrast),
        columns=_DIFFERENCES,
        rows=rows_of(parts, _DIFFERENCES),
        notes=[f"difference in percentage points; {how}"],
    )


def disagreements(comparison: Comparison) -> Table:
    """Prompts that one of them passed more often than another, with what each answered."""
    found = comparison.disagreements
    columns = [
        Column(heading="prompt", of=lambda it: Cell(it.prompt, detail=it.category)),
        Column(heading="asked", of="question"),
        Column(heading="expected", of="expected"),
        *(
            Column(heading=it.label, of=partial(_answer, at))
            for at, it in enumerate(found[0].answers)
        ),
    ]
    more = len(found) - SHOWN
    return Table(
        title=f"Prompts where they differ ({len(found):,})",
        columns=columns,
        rows=rows_of(found[:SHOWN], columns),
        notes=[f"… and {more:,} more; `--json` has them all"] if more > 0 else [],
        records=True,
        folded=True,
    )


def _answer(at: int, of: Disagreement) -> Cell:
    it = of.answers[at]
    text = one_line(it.text, _LONGEST) or "(nothing)"
    verdict = "pass" if it.passed else "fail"
    if it.asked == 1:
        return Cell(verdict, detail=text, key=verdict)
    return Cell(f"pass {it.passed} of {it.asked}", detail=text)


def tasks(comparison: Comparison) -> str:
    """What all of them can be asked to do, or that it is too little to show them side by side."""
    shared, sides = comparison.shared_tasks, comparison.sides
    if shared:
        return f"Vision tasks they share: {', '.join(shared)}."
    without = [it.label for it in sides if not (it.card and it.card.vision_tasks)]
    unknown = f"no source states the vision tasks of {' and '.join(without)}"
    why = unknown if shared is None else "none is common to all"
    return f"They share too few vision tasks to be shown side by side: {why}."


def overviews(sides: Sequence[Side]) -> Iterator[tuple[str, str]]:
    """Each model's name and what the catalogue says it is for, once."""
    cards = {side.card.name: side.card for side in sides if side.card}
    yield from ((name, card.about.value) for name, card in cards.items() if card.about is not None)


def for_programs(comparison: Comparison) -> Table:
    """The facts, with the differences as columns behind them: the CSV."""
    table = facts(comparison.sides)
    columns, rows = list(table.columns), [list(row) for row in table.rows]
    for contrast in comparison.contrasts:
        suffix = f" {contrast.second}" if len(comparison.contrasts) > 1 else ""
        columns += [Column(f"{name}{suffix}") for name in _DIFFERENCE]
        parts = {it.category: it for it in (*contrast.categories, contrast.overall) if it}
        for row in rows:
            part = parts.get(str(row[0]))
            figures = [percent(getattr(part, it, None)) for it in ("difference", "low", "high")]
            row += [*figures, getattr(part, "p", None), getattr(part, "p_holm", None)]
    return Table(columns=columns, rows=rows)


def json_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain dicts and lists; scores go by the names they have in the CSVs."""
    names = ("label", "measured", "card", "header", "published", "steadiness")
    return {
        "forced": comparison.forced,
        "warnings": comparison.warnings,
        "sides": [
            {name: getattr(side, name) for name in names}
            | {"run": side.header.run if side.header else None}
            | {"scores": [score_data(score) for score in (side.overall, *side.categories)]}
            for side in comparison.sides
        ],
        "contrasts": [
            {"verdict": it.sentence, **msgspec.to_builtins(it)} for it in comparison.contrasts
        ],
        "shared_tasks": comparison.shared_tasks,
        "disagreements": comparison.disagreements,
    }


def of_card(card: ModelCard) -> Iterator[Block]:
    """A model of the catalogue: facts, each with source and date, and its published figures."""
    yield Line(" ".join([card.name, *(f"({it})" for it in card.aliases)]), "bold")
    rows: list[Row] = []
    for name in card.__struct_fields__:
        fact = getattr(card, name)
        if isinstance(fact, Fact) and name != "about":
            label = name.replace("_", " ").replace("usd per mtok", "$ per million tokens")
            rows.append([label, _value(fact), f"{fact.source}, {fact.as_of}"])
    yield Table(columns=[Column(heading=it) for it in ("fact", "", "stated by")], rows=rows)
    if card.about is not None:
        yield Line(f"\n{card.about.value}")
        yield Line(f"{card.about.source}, {card.about.as_of}", "dim")
    if (side := published(card)) is not None:
        yield facts([replace(side, card=None)])
