"""The rows of the side-by-side table, in the order of design.md section 7, and their words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from msgspec import Struct

from harness.compare import Comparison, Side
from harness.records import Fact, ModelCard, Score
from harness.tables import words
from harness.tables.words import DASH
from harness.text import one_line

KEY = (
    "score key: good >= 75 %, fair 40 to under 75 %, poor < 40 %; with each score its 95 % interval"
)


class Cell(Struct, frozen=True):
    """What one column says: a headline, perhaps a line of detail, perhaps a score key."""

    text: str
    detail: str = ""
    key: str | None = None


class Row(Struct, frozen=True):
    """One line of the table, a cell a side."""

    label: str
    cells: tuple[Cell, ...]


def rows(comparison: Comparison) -> list[Row]:
    """Every row, known or not: what no source states is a dash."""
    sides = comparison.sides
    found = [_row(label, sides, cell) for label, cell in (*_ABOUT.items(), *_FIGURES.items())]
    found += [_category_row(name, sides) for name in _categories(sides)]
    more = [_row(label, sides, cell) for label, cell in _OURS.items()]
    return found + [row for row in more if any(cell.text != DASH for cell in row.cells)]


def _row(label: str, sides: Sequence[Side], cell: Callable[[Side], Cell]) -> Row:
    return Row(label, tuple(cell(side) for side in sides))


def _categories(sides: Sequence[Side]) -> Iterator[str]:
    yield from dict.fromkeys(score.category for side in sides for score in side.categories)


def _category_row(name: str, sides: Sequence[Side]) -> Row:
    scores = [{score.category: score for score in side.categories}.get(name) for side in sides]
    return Row(one_line(name, 80), tuple(_score(score, digits=1) for score in scores))


def _score(score: Score | None, *, digits: int) -> Cell:
    """`73.3 % (11/15)`, its interval below, its key beside."""
    if score is None or not score.asked:
        return Cell(DASH)
    if score.share is None:
        return Cell(words.share_and_counts(score), key=words.key(score))
    share = f"{100 * score.share:.{digits}f}".rstrip("0").rstrip(".")
    low, high = f"{100 * score.low:.1f}", f"{100 * score.high:.1f}"
    return Cell(f"{share} % ({score.passed}/{score.asked})", f"{low} to {high}", words.key(score))


def _overall(side: Side) -> Cell:
    cell = _score(side.overall, digits=2)
    published = side.published
    if published is not None and published.rank and published.ranked:
        ranked = f"rank {published.rank} of {published.ranked}"
        return Cell(cell.text, f"{cell.detail}; {ranked}", cell.key)
    return cell


def _where_from(side: Side) -> Cell:
    if side.published is not None:
        source = f"{one_line(side.published.source, 80)}, {_day(side.published.as_of)}"
        return Cell("published, not measured here", source)
    if side.header is None:
        return Cell(DASH)
    return Cell(f"measured {_day(side.header.started_at.date().isoformat())}", side.header.run)


def _response_time(side: Side) -> Cell:
    overall = side.overall
    if side.header is None or overall.latency_mean_s is None:
        return Cell(words.seconds(overall.latency_mean_s))
    spread = f"median {words.seconds(overall.latency_p50_s)}, p95 "
    spread += words.seconds(overall.latency_p95_s)
    return Cell(
        words.seconds(overall.latency_mean_s),
        f"{spread}, concurrency {side.header.concurrency}",
    )


def _price(side: Side) -> Cell:
    """What the run was priced at, else the catalogue's list price."""
    price = side.header.price if side.header else None
    if price is not None:
        told = f"${price.in_usd_per_mtok:g} / ${price.out_usd_per_mtok:g}"
        return Cell(told, _day(price.as_of))
    card = side.card
    if card is None or not (card.price_in_usd_per_mtok and card.price_out_usd_per_mtok):
        return Cell(DASH)
    into, out = card.price_in_usd_per_mtok, card.price_out_usd_per_mtok
    return Cell(f"${into.value:g} / ${out.value:g}", _day(out.as_of))


def _fact(field: Callable[[ModelCard], Fact[str] | None]) -> Callable[[Side], Cell]:
    def cell(side: Side) -> Cell:
        fact = field(side.card) if side.card else None
        return Cell(one_line(fact.value, 200) if fact else DASH)

    return cell


def _listing(field: Callable[[ModelCard], Fact[tuple[str, ...]] | None]) -> Callable[[Side], Cell]:
    def cell(side: Side) -> Cell:
        fact = field(side.card) if side.card else None
        return Cell(one_line(", ".join(fact.value), 400) if fact else DASH)

    return cell


def _context(side: Side) -> Cell:
    fact = side.card.context_tokens if side.card else None
    return Cell(_tokens(fact.value) if fact else DASH)


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
        return one_line(iso, 40)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _server(side: Side) -> Cell:
    header = side.header
    if header is None:
        return Cell(DASH)
    build = header.server.build if header.server else None
    return Cell(one_line(header.backend, 80), one_line(build, 80) if build else "")


def _quantization(side: Side) -> Cell:
    server = side.header.server if side.header else None
    return Cell(one_line(server.quantization, 80) if server and server.quantization else DASH)


def _steadiness(side: Side) -> Cell:
    steady = side.steadiness
    if steady is None:
        return Cell(DASH)
    return Cell(
        f"{100 * steady.pass_hat_k:.1f} % pass all {steady.repeats} times",
        f"{len(steady.flaky)} prompts pass sometimes",
    )


_ABOUT: dict[str, Callable[[Side], Cell]] = {
    "figures": _where_from,
    "organization": _fact(lambda card: card.organization),
    "category": _fact(lambda card: card.category),
    "modality": _fact(lambda card: card.modality),
    "release date": _fact(lambda card: card.released),
    "context window": _context,
    "parameters": _fact(lambda card: card.parameters),
    "license": _fact(lambda card: card.license),
    "price in / out per 1M tokens": _price,
    "vision tasks": _listing(lambda card: card.vision_tasks),
    "features": _listing(lambda card: card.features),
}
_FIGURES: dict[str, Callable[[Side], Cell]] = {
    "score key": lambda side: Cell(words.key(side.overall), key=words.key(side.overall)),
    "overall": _overall,
    "avg response time": _response_time,
    "cost per task": lambda side: Cell(words.dollars(side.overall.cost_per_task_usd)),
}
_OURS: dict[str, Callable[[Side], Cell]] = {
    "repeats": _steadiness,
    "quantization": _quantization,
    "server": _server,
}
