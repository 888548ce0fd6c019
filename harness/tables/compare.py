"""A comparison as tables and sentences: one list of blocks for every format, in one order."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import msgspec

from harness.comparison import Comparison, Disagreement
from harness.comparison.contrast import Contrast, Difference, is_sure, p_value, points
from harness.comparison.sides import Side
from harness.records import Score
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
from harness.tables.scores import score_data
from harness.text import one_line

SHOWN = 100
"""Prompts listed before the rest is left to `--json`."""
_LONGEST = 200
_DIFFERENCE = ("difference_points", "low_points", "high_points", "p", "p_holm")
_UNKNOWN = Cell()


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


def for_paper(comparison: Comparison) -> list[Block]:
    """What fits into a paper: verdicts as the caption, facts, differences."""
    lines = [Line(contrast.sentence) for contrast in comparison.contrasts]
    lines += [Line(warning) for warning in comparison.warnings]
    return [*lines, *(it for it in blocks(comparison) if isinstance(it, Table))]


def facts(sides: Sequence[Side]) -> Table:
    """The side-by-side table: a row a fact or score, known or not, and a column a model."""
    categories = dict.fromkeys(it.category for side in sides for it in side.categories)
    about = _ABOUT if any(side.card for side in sides) else {"figures": _origin}
    always: dict[str, Callable[[Side], Cell]] = (
        about | _FIGURES | {name: partial(_of_category, name) for name in categories}
    )
    rows = [_row(label, cell, sides) for label, cell in always.items()]
    ours = [_row(label, cell, sides) for label, cell in _OURS.items()]
    rows += [row for row in ours if any(cell != _UNKNOWN for cell in row[1:])]
    return Table(
        columns=[Column("row", ""), *(Column(it.label, it.label) for it in sides)],
        rows=rows,
        notes=[f"{KEY}; with each score its 95 % interval"],
        below=True,
    )


def _row(label: str, cell: Callable[[Side], Cell], sides: Sequence[Side]) -> Row:
    return [label, *(cell(side) for side in sides)]


def _of_category(name: str, side: Side) -> Cell:
    found = {score.category: score for score in side.categories}.get(name)
    return _score(found, digits=1)


def _score(score: Score | None, *, digits: int) -> Cell:
    """`73.3 % (11/15)`, its interval below, its key behind it."""
    if score is None or not score.asked:
        return _UNKNOWN
    if score.share is None:
        return Cell(share_and_counts(score), key=key(score))
    share = f"{100 * score.share:.{digits}f}".rstrip("0").rstrip(".")
    counts = f"{share} % ({score.passed}/{score.asked})"
    return Cell(counts, detail=interval(score), key=key(score))


def _overall(side: Side) -> Cell:
    cell, published = _score(side.overall, digits=2), side.published
    if published is None or not (published.rank and published.ranked):
        return cell
    ranked = f"{cell.detail}; rank {published.rank} of {published.ranked}"
    return msgspec.structs.replace(cell, detail=ranked)


def _origin(side: Side) -> Cell:
    if side.published is not None:
        source = f"{side.published.source}, {_day(side.published.as_of)}"
        return Cell("published, not measured here", detail=source)
    if side.header is None:
        return _UNKNOWN
    day = _day(side.header.started_at.date().isoformat())
    return Cell(f"measured {day}", detail=side.header.run)


def _response_time(side: Side) -> Cell:
    overall = side.overall
    if overall.latency_mean_s is None:
        return _UNKNOWN
    detail = ""
    if side.header is not None:
        middle, high = seconds(overall.latency_p50_s), seconds(overall.latency_p95_s)
        detail = f"median {middle}, p95 {high}, concurrency {side.header.concurrency}"
    return Cell(seconds(overall.latency_mean_s), detail=detail)


def _cost(side: Side) -> Cell:
    cost = side.overall.cost_per_task_usd
    return Cell(dollars(cost)) if cost is not None else _UNKNOWN


def _price(side: Side) -> Cell:
    """What the run was priced at, else the catalogue's list price."""
    price, card = side.header.price if side.header else None, side.card
    if price is not None:
        return _dollars(price.in_usd_per_mtok, price.out_usd_per_mtok, price.as_of)
    if card and card.price_in_usd_per_mtok and (out := card.price_out_usd_per_mtok):
        return _dollars(card.price_in_usd_per_mtok.value, out.value, out.as_of)
    return _UNKNOWN


def _dollars(into: float, out: float, as_of: str) -> Cell:
    return Cell(f"${into:g} / ${out:g}", detail=_day(as_of))


def _fact(name: str, side: Side) -> Cell:
    """A field of the catalogue's card."""
    fact = getattr(side.card, name, None)
    if fact is None:
        return _UNKNOWN
    return Cell(", ".join(fact.value) if isinstance(fact.value, tuple) else fact.value)


def _context(side: Side) -> Cell:
    fact = side.card.context_tokens if side.card else None
    return Cell(_tokens(fact.value)) if fact else _UNKNOWN


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


def _server(side: Side) -> Cell:
    header = side.header
    if header is None:
        return _UNKNOWN
    return Cell(header.backend, detail=(header.server.build if header.server else None) or "")


def _quantization(side: Side) -> Cell:
    return Cell(side.header.server.quantization if side.header and side.header.server else None)


def _steadiness(side: Side) -> Cell:
    steady = side.steadiness
    if steady is None:
        return _UNKNOWN
    share = f"{100 * steady.pass_hat_k:.1f} % pass all {steady.repeats} times"
    return Cell(share, detail=f"{len(steady.flaky)} prompts pass sometimes")


_ABOUT: dict[str, Callable[[Side], Cell]] = {
    "figures": _origin,
    "organization": partial(_fact, "organization"),
    "category": partial(_fact, "category"),
    "modality": partial(_fact, "modality"),
    "release date": partial(_fact, "released"),
    "context window": _context,
    "parameters": partial(_fact, "parameters"),
    "license": partial(_fact, "license"),
    "price in / out per 1M tokens": _price,
    "vision tasks": partial(_fact, "vision_tasks"),
    "features": partial(_fact, "features"),
}
_FIGURES: dict[str, Callable[[Side], Cell]] = {
    "score key": lambda side: Cell(key(side.overall), key=key(side.overall)),
    "overall": _overall,
    "avg response time": _response_time,
    "cost per task": _cost,
}
_OURS: dict[str, Callable[[Side], Cell]] = {
    "repeats": _steadiness,
    "quantization": _quantization,
    "server": _server,
}


def title(contrast: Contrast) -> str:
    return f"{contrast.second} minus {contrast.first}"


def differences(contrast: Contrast, *, several: bool) -> Table:
    """A row a category, then overall. Published figures have no p: nobody says who passed what."""
    paired = contrast.kind == "paired"
    columns = [
        Column(heading="category"),
        Column(heading="points", figure=True),
        Column(heading="95 % interval", figure=True, drop=1),
        *([Column(heading="p", figure=True, drop=2)] if paired else []),
        Column(heading="verdict"),
    ]
    family = "categories of all models" if several else "categories"
    how = f"p of categories corrected (Holm) for all {family}"
    alone = "each interval for itself; pairing unknown"
    return Table(
        title=title(contrast),
        columns=columns,
        rows=[_difference(it, contrast) for it in (*contrast.categories, contrast.overall) if it],
        notes=[f"difference in percentage points; {how if paired else alone}"],
    )


def _difference(part: Difference, contrast: Contrast) -> Row:
    p = contrast.p if part is contrast.overall else part.p_holm
    key = ("better" if part.difference > 0 else "worse") if is_sure(part, p) else ""
    return [
        Cell(part.category),
        Cell(points(part.difference)),
        Cell(f"{points(part.low)} to {points(part.high)}"),
        *([Cell(p_value(p).removeprefix("p ").removeprefix("= "))] if p is not None else []),
        Cell(key or "undecided", key=key),
    ]


def disagreements(comparison: Comparison) -> Table:
    """Prompts that one of them passed more often than another, with what each answered."""
    found = comparison.disagreements
    columns = [
        Column(heading="prompt", of=lambda it: Cell(it.prompt, detail=it.category)),
        Column(heading="asked", of=lambda it: it.question),
        Column(heading="expected", of=lambda it: it.expected),
        *(
            Column(heading=answer.label, of=partial(_answer, at))
            for at, answer in enumerate(found[0].answers)
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
    state = "pass" if it.passed == it.asked else "fail"
    verdict = state if it.asked == 1 else f"pass {it.passed} of {it.asked}"
    text = one_line(it.text, _LONGEST) or "(nothing)"
    return Cell(verdict, key=state if it.asked == 1 else "", detail=text)


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
            row += _values(parts.get(str(row[0])))
    return Table(columns=columns, rows=rows)


def _values(part: Difference | None) -> Sequence[float | None]:
    if part is None:
        return [None] * len(_DIFFERENCE)
    return *map(percent, (part.difference, part.low, part.high)), part.p, part.p_holm


def json_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain dicts and lists; scores go by the names they have in the CSVs."""
    return {
        "forced": comparison.forced,
        "warnings": comparison.warnings,
        "sides": [_side(side) for side in comparison.sides],
        "contrasts": [
            {"verdict": it.sentence, **msgspec.to_builtins(it)} for it in comparison.contrasts
        ],
        "shared_tasks": comparison.shared_tasks,
        "disagreements": comparison.disagreements,
    }


def _side(side: Side) -> dict[str, Any]:
    names = ("label", "measured", "card", "header", "published", "steadiness")
    return {
        **{name: getattr(side, name) for name in names},
        "run": side.header.run if side.header else None,
        "scores": [score_data(score) for score in (side.overall, *side.categories)],
    }
