"""A comparison as tables and sentences: one list of blocks for every format, in one order."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import msgspec

from harness.comparison import Answer, Comparison, Contrast, Difference, Disagreement, Side
from harness.comparison.sentences import p_value, points
from harness.records import Fact, ModelCard, Score
from harness.tables import words
from harness.tables.csv import Value
from harness.tables.scores import percent, score_cells
from harness.tables.table import Block, Cell, Column, Line, Table
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
    yield facts(comparison)
    several = len(comparison.contrasts) > 1
    for contrast in comparison.contrasts:
        if contrast.overall is not None:
            yield differences(contrast, several=several)
    if comparison.disagreements:
        yield disagreements(comparison)
    for name, about in overviews(comparison):
        yield Line(f"About {name}: {about}")
    yield Line(tasks(comparison))


def for_paper(comparison: Comparison) -> list[Block]:
    """What fits into a paper: verdicts as the caption, facts, differences."""
    lines = [Line(contrast.sentence) for contrast in comparison.contrasts]
    lines += [Line(warning) for warning in comparison.warnings]
    return [*lines, *(it for it in blocks(comparison) if isinstance(it, Table) and not it.folded)]


def facts(comparison: Comparison) -> Table:
    """The side-by-side table: a row a fact or score, known or not, and a column a model."""
    sides = comparison.sides
    categories = dict.fromkeys(it.category for side in sides for it in side.categories)
    about = _ABOUT if any(side.card for side in sides) else {"figures": _origin}
    rows = [_row(label, sides, cell) for label, cell in (*about.items(), *_FIGURES.items())]
    rows += [_row(name, sides, partial(_of_category, name)) for name in categories]
    ours = [_row(label, sides, cell) for label, cell in _OURS.items()]
    rows += [row for row in ours if any(cell != _UNKNOWN for cell in row[1:])]
    return Table(
        columns=[Column("row", ""), *(Column(it.label, it.label) for it in sides)],
        rows=rows,
        notes=[f"{words.KEY}; with each score its 95 % interval"],
        below=True,
    )


def _row(label: str, sides: Sequence[Side], cell: Callable[[Side], Cell]) -> list[Cell | Value]:
    return [label, *(cell(side) for side in sides)]


def _of_category(name: str, side: Side) -> Cell:
    found = {score.category: score for score in side.categories}.get(name)
    return _score(found, digits=1)


def _score(score: Score | None, *, digits: int) -> Cell:
    """`73.3 % (11/15)`, its interval below, its key behind it."""
    if score is None or not score.asked:
        return _UNKNOWN
    if score.share is None:
        return Cell(words.share_and_counts(score), key=words.key(score))
    share = f"{100 * score.share:.{digits}f}".rstrip("0").rstrip(".")
    return Cell(
        f"{share} % ({score.passed}/{score.asked})",
        detail=words.interval(score),
        key=words.key(score),
    )


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
    mean, middle, high = map(
        words.seconds, (overall.latency_mean_s, overall.latency_p50_s, overall.latency_p95_s)
    )
    if side.header is None:
        return Cell(mean)
    at = f"median {middle}, p95 {high}, concurrency {side.header.concurrency}"
    return Cell(mean, detail=at)


def _price(side: Side) -> Cell:
    """What the run was priced at, else the catalogue's list price."""
    price, card = side.header.price if side.header else None, side.card
    if price is not None:
        into, out, day = price.in_usd_per_mtok, price.out_usd_per_mtok, price.as_of
    elif card and card.price_in_usd_per_mtok and card.price_out_usd_per_mtok:
        into, out = card.price_in_usd_per_mtok.value, card.price_out_usd_per_mtok.value
        day = card.price_out_usd_per_mtok.as_of
    else:
        return _UNKNOWN
    return Cell(f"${into:g} / ${out:g}", detail=_day(day))


def _fact(field: Callable[[ModelCard], Fact[Any] | None]) -> Callable[[Side], Cell]:
    def cell(side: Side) -> Cell:
        fact = field(side.card) if side.card else None
        if fact is None:
            return _UNKNOWN
        return Cell(", ".join(fact.value) if isinstance(fact.value, tuple) else fact.value)

    return cell


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
    "organization": _fact(lambda card: card.organization),
    "category": _fact(lambda card: card.category),
    "modality": _fact(lambda card: card.modality),
    "release date": _fact(lambda card: card.released),
    "context window": _context,
    "parameters": _fact(lambda card: card.parameters),
    "license": _fact(lambda card: card.license),
    "price in / out per 1M tokens": _price,
    "vision tasks": _fact(lambda card: card.vision_tasks),
    "features": _fact(lambda card: card.features),
}
_FIGURES: dict[str, Callable[[Side], Cell]] = {
    "score key": lambda side: Cell(words.key(side.overall), key=words.key(side.overall)),
    "overall": _overall,
    "avg response time": _response_time,
    "cost per task": lambda side: Cell(
        None
        if side.overall.cost_per_task_usd is None
        else words.dollars(side.overall.cost_per_task_usd)
    ),
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
    parts = [it for it in (*contrast.categories, contrast.overall) if it is not None]
    columns = [Column(heading="category"), Column(heading="points", figure=True)]
    columns.append(Column(heading="95 % interval", figure=True))
    columns += [Column(heading="p", figure=True)] if paired else []
    family = "categories of all models" if several else "categories"
    note = "difference in percentage points; "
    note += f"p of categories corrected (Holm) for all {family}" if paired else ""
    note += "" if paired else "each interval for itself; pairing unknown"
    return Table(
        title=title(contrast),
        columns=[*columns, Column(heading="verdict")],
        rows=[_difference(part, contrast) for part in parts],
        notes=[note],
    )


def _difference(part: Difference, contrast: Contrast) -> list[Cell]:
    p = contrast.p if part is contrast.overall else part.p_holm
    sure = p < 0.05 if p is not None else not part.low <= 0 <= part.high
    key = ("better" if part.difference > 0 else "worse") if sure else ""
    return [
        Cell(part.category),
        Cell(points(part.difference)),
        Cell(f"{points(part.low)} to {points(part.high)}"),
        *([Cell(p_value(p).removeprefix("p ").removeprefix("= "))] if p is not None else []),
        Cell(key or "undecided", key=key),
    ]


def disagreements(comparison: Comparison) -> Table:
    """Prompts that one of them passed more often than another, with what each answered."""
    listed = comparison.disagreements[:SHOWN]
    labels = [it.label for it in listed[0].answers]
    more = len(comparison.disagreements) - SHOWN
    return Table(
        title=f"Prompts where they differ ({len(comparison.disagreements):,})",
        columns=[Column(heading=it) for it in ("prompt", "asked", "expected", *labels)],
        rows=[_disagreement(it) for it in listed],
        notes=[f"… and {more:,} more; `--json` has them all"] if more > 0 else [],
        records=True,
        folded=True,
    )


def _disagreement(it: Disagreement) -> list[Cell]:
    prompt = Cell(it.prompt, detail=it.category)
    return [prompt, Cell(it.question), Cell(it.expected), *map(_answer, it.answers)]


def _answer(it: Answer) -> Cell:
    state = "pass" if it.passed == it.asked else "fail"
    verdict = state if it.asked == 1 else f"pass {it.passed} of {it.asked}"
    text = one_line(it.text, _LONGEST) or "(nothing)"
    return Cell(verdict, key=state if it.asked == 1 else "", detail=text)


def tasks(comparison: Comparison) -> str:
    """What all of them can be asked to do, or that it is too little to show them side by side."""
    shared = comparison.shared_tasks
    too_few = "They share too few vision tasks to be shown side by side"
    if shared is None:
        cards = [(side.label, side.card) for side in comparison.sides]
        without = [label for label, card in cards if not (card and card.vision_tasks)]
        return f"{too_few}: no source states the vision tasks of {' and '.join(without)}."
    if not shared:
        return f"{too_few}: none is common to all."
    return f"Vision tasks they share: {', '.join(shared)}."


def overviews(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Each model's name and what the catalogue says it is for, once."""
    cards = {side.card.name: side.card for side in comparison.sides if side.card}
    yield from ((name, card.about.value) for name, card in cards.items() if card.about is not None)


def for_programs(comparison: Comparison) -> Table:
    """The facts, with the differences as columns behind them: the CSV."""
    table = facts(comparison)
    columns, parts = list(table.columns), list[dict[str, Difference]]()
    for contrast in comparison.contrasts:
        suffix = f" {contrast.second}" if len(comparison.contrasts) > 1 else ""
        columns += [Column(f"{name}{suffix}") for name in _DIFFERENCE]
        known = (*contrast.categories, contrast.overall)
        parts.append({part.category: part for part in known if part is not None})
    return Table(
        columns=columns,
        rows=[
            [*row, *(value for known in parts for value in _values(known.get(str(row[0]))))]
            for row in table.rows
        ],
    )


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
        "disagreements": msgspec.to_builtins(comparison.disagreements),
    }


def _side(side: Side) -> dict[str, Any]:
    plain = msgspec.to_builtins
    return {
        "label": side.label,
        "measured": side.measured,
        "run": side.header.run if side.header else None,
        **{name: plain(getattr(side, name)) for name in ("card", "header", "published")},
        "scores": [score_cells(score) for score in (side.overall, *side.categories)],
        "steadiness": plain(side.steadiness),
    }
