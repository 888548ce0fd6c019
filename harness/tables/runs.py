"""Runs as tables: their scores by category, a line each, ranked, and prompt by prompt."""

from __future__ import annotations

import contextlib
import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from harness import store
from harness.comparison.ranking import Group, Leaderboard, Standing, leaderboard, unusual_settings
from harness.errors import ResultsError
from harness.records import ModelScore, Record, Reply, RunHeader, Score
from harness.records.settings import cell_in_words, memory
from harness.summary import summarise
from harness.tables import (
    KEY,
    Block,
    Cell,
    Column,
    Line,
    Table,
    Value,
    as_cell,
    csv_text,
    dollars,
    interval,
    key,
    names,
    percent,
    rows_of,
    seconds,
    share_and_counts,
    to_csv,
    to_data,
)
from harness.text import as_text, one_line

MARK = "◆"
CATEGORIES = "categories.csv"
_SIGNS = f"""{KEY}; below each score its 95 % interval
= tied: models that the exact test cannot tell apart; better than: share of the others surely worse
{MARK} on the frontier: no model as good is faster (or cheaper)""".splitlines()

# --- scores ----------------------------------------------------------------------------------

_SCORE = (
    Column("category", "category"),
    *map(Column, ("passed", "asked", "errors", "cut")),
    Column(
        "score_pct", "score", lambda it: Cell(percent(it.share), share_and_counts(it)), figure=True
    ),
    Column(heading="key", of=lambda it: Cell(key=key(it))),
    Column(heading="95 % interval", of=interval, figure=True, drop=1),
    Column("low_pct", of=lambda it: percent(it.low)),
    Column("high_pct", of=lambda it: percent(it.high)),
    Column("latency_mean_s", "mean", unit="s", drop=2),
    Column("latency_p50_s", "median", unit="s", drop=3),
    Column("latency_p95_s", "p95", unit="s", drop=4),
    Column("cost_per_task_usd"),
)
"""Of a `Score`."""


def score_data(part: Score) -> dict[str, Value]:
    """The figures of one category by their names; an incomplete one has a range and no score."""
    return {it.name: as_cell(it.take(part)).value for it in _SCORE if it.name}


def _figures_at(path: str, *figures: str) -> list[Column]:
    """Columns for programs, of what has a `Score` at this path."""

    def figure(name: str, item: Any) -> Value:
        return score_data(attrgetter(path)(item))[name]

    return [Column(name, of=partial(figure, name)) for name in figures]


def by_category(*scores: ModelScore) -> Table:
    """A row a category, then the overall one: categories.csv, and a run's own table."""
    alone = len(scores) == 1
    return Table(
        title=title(scores[0].header) if alone else "",
        columns=[Column("model"), Column("run"), *_SCORE, Column("concurrency")],
        rows=[
            [it.model, it.header.run, *row, it.header.concurrency]
            for it in scores
            for row in rows_of((*it.categories, it.overall), _SCORE)
        ],
        notes=notes(scores[0]) if alone else [],
        total=alone,
    )


def details(score: ModelScore) -> dict[str, object]:
    """What a run's own JSON says beside its scores by category."""
    figures = ("thought", "tokens_reasoning_p50", "image_tokens_mean", "fields_right", "fields")
    return {
        **{name: getattr(score.overall, name) for name in (*figures, "measures")},
        "repeatability": msgspec.to_builtins(score.repeatability),
        "by_difficulty": [score_data(part) for part in score.difficulties],
    }


def title(header: RunHeader) -> str:
    """Model, weights and where it ran: what must stand over every table."""
    quantization = header.server.quantization if header.server else None
    blind = "BLIND (no pictures sent)" if header.blind else None
    return " · ".join(filter(None, [header.model, quantization, header.backend, blind]))


def notes(score: ModelScore) -> list[str]:
    """What a reader must know beside the table, a line each."""
    return [*_of_answers(score), *_of_verdicts(score)]


def _of_answers(score: ModelScore) -> Iterator[str]:
    """Time, tokens, cost."""
    overall, header = score.overall, score.header
    if overall.latency_mean_s is None and not overall.image_cached:
        yield "response times were not measured"
    else:
        cached = f", without {overall.image_cached} with a cached picture"
        cached = cached if overall.image_cached else ""
        yield f"response times at concurrency {header.concurrency}{cached}"
    if overall.ttft_mean_s is not None:
        yield f"first token after {seconds(overall.ttft_mean_s)} on average"
    if overall.tokens_per_s is not None:
        yield f"{overall.tokens_per_s:.1f} tokens/s generated, by the server's own clock"
    if overall.thought:
        known = overall.tokens_reasoning_p50
        median = f", {known:,.0f} reasoning tokens in the median" if known is not None else ""
        yield f"{overall.thought} of {overall.asked} replies thought{median}"
    if overall.image_tokens_mean is not None:
        yield f"pictures took {overall.image_tokens_mean:,.0f} tokens a prompt in the mean"
    if sizes := memory(header.server):
        yield f"memory: {sizes}"
    if overall.cost_usd is not None:
        cost = f"{dollars(overall.cost_usd)} in all, {dollars(overall.cost_per_task_usd)} a prompt"
        yield f"{cost}, at the list price of {header.price.as_of if header.price else ''}"
    if overall.failed_s or overall.backoff_s >= 0.05:
        lost = f"{seconds(overall.failed_s)} in failed attempts"
        yield f"{lost} and {seconds(overall.backoff_s)} of back-off are not in these times"


def _of_verdicts(score: ModelScore) -> Iterator[str]:
    """Difficulty, repeats, and how replies ended otherwise than with an answer."""
    overall, header, sampling = score.overall, score.header, score.header.sampling
    if score.difficulties:
        parts = [f"{it.category} {share_and_counts(it)}" for it in score.difficulties]
        yield f"by difficulty: {', '.join(parts)}"
    if (again := score.repeatability) is not None:
        yield (
            f"between repeats the verdict changed on {again.verdicts_changed} of {again.prompts} "
            f"prompts, the text of the reply on {again.texts_changed}"
        )
    if overall.fields:
        yield f"fields right: {overall.fields_right} of {overall.fields} in answers in JSON"
    if overall.measures:
        means = [f"{it.replace('_', ' ')} {mean:.3g}" for it, mean in overall.measures.items()]
        yield f"in the mean: {', '.join(means)}"
    more = f", and with room for {sampling.max_tokens_retry} again" * bool(
        sampling.max_tokens_retry
    )
    stands = "where the rule's verdict stands"
    counted = {
        f"replies cut at {sampling.max_tokens} tokens{more}": overall.truncated,
        "replies stopped by the endpoint's content filter": overall.filtered,
        "refusals": overall.refused,
        "verdicts corrected by a person (marked in `evalrun show`)": score.corrected,
        f"verdicts of the judge {header.judge or ''}": score.judged,
        f"no answer from the judge, {stands}": score.judge_errors - score.judge_unusable,
        f"neither PASS nor FAIL from the judge, {stands}": score.judge_unusable,
    }
    yield from (f"{what}: {count}" for what, count in counted.items() if count)
    if header.subset:
        yield f"a subset: {header.prompts} of the suite's {header.suite_prompts} prompts"


def _remarks(score: ModelScore) -> str:
    header = score.header
    subset = f"subset of {header.suite_prompts}" if header.subset else ""
    regraded = f"regraded from {header.regraded_from}" if header.regraded_from else ""
    sweep = f"{header.sweep}: {cell_in_words(header.cell)}" if header.sweep else ""
    blind = "blind" if header.blind else ""
    return ", ".join(filter(None, [header.backend, blind, subset, regraded, sweep]))


_LISTED = (
    Column("run", "run", "header.run", whole=True),
    Column("model"),
    Column("backend", of="header.backend"),
    Column("suite", "suite", "header.suite", drop=3),
    Column("complete"),
    *_figures_at("overall", *(it.name for it in _SCORE[1:] if it.name)),
    Column(
        heading="score", of=lambda it: Cell(text=share_and_counts(it.overall), key=key(it.overall))
    ),
    Column(heading="mean", of="overall.latency_mean_s", unit="s", drop=2),
    Column(heading="remarks", of=_remarks, drop=1),
    Column("blind", of="header.blind"),
    Column("subset", of="header.subset"),
    Column("started_at", of=lambda it: it.header.started_at.isoformat()),
    Column("sweep", of="header.sweep"),
    Column("cell", of=lambda it: cell_in_words(it.header.cell) or None),
)
"""Of a `ModelScore`."""


def listing(scores: Iterable[ModelScore]) -> Table:
    """Runs, a line each; those of a sweep stand together, where its first one stands."""
    groups: dict[str, list[ModelScore]] = {}
    for it in scores:
        groups.setdefault(it.header.sweep or it.header.run, []).append(it)
    together = [it for group in groups.values() for it in group]
    return Table(columns=_LISTED, rows=rows_of(together, _LISTED))


# --- ranked ----------------------------------------------------------------------------------


def _quantization(standing: Standing) -> str | None:
    server = standing.score.header.server
    return server.quantization if server else None


def _score(standing: Standing) -> Cell:
    overall = standing.score.overall
    return Cell(text=share_and_counts(overall), key=key(overall), detail=interval(overall))


def _priced(figure: str, frontier: str, spell: Callable[[Any], str], standing: Standing) -> Cell:
    value = getattr(standing.score.overall, figure)
    return Cell(value, spell(value) + f" {MARK}" * (frontier in standing.frontiers))


_time = partial(_priced, "latency_mean_s", "time", seconds)
_cost = partial(_priced, "cost_per_task_usd", "cost", dollars)
_RANKED = (
    Column("rank", "rank", lambda it: Cell(it.rank, f"{it.rank}{'=' * it.tied}"), figure=True),
    Column("model", "model", lambda it: Cell(it.score.model, detail=_quantization(it) or "")),
    Column("run", of="score.header.run"),
    *_figures_at("score.overall", "score_pct", "low_pct", "high_pct", "passed", "asked"),
    Column(heading="score", of=_score, figure=True),
)
_MEASURED = (
    Column(heading="better than", of=lambda it: percent(it.better_than), unit="pct", drop=1),
    Column("latency_mean_s", "avg response", _time, "s", drop=2),
    *_figures_at("score.overall", "latency_p95_s"),
    Column("cost_per_task_usd", "cost per task", _cost, "usd", drop=3),
    Column("quantization", of=_quantization),
    Column("backend", of="score.header.backend"),
    Column("measured_at", of=lambda it: it.score.header.started_at.isoformat()),
    Column("suite", of=lambda it: f"{it.score.header.suite} {it.score.header.suite_version}"),
    Column("settings", of=lambda it: unusual_settings(it.score.header)),
)
_OF_THE_COMMAND = (
    Column("tied"),
    Column("better_than_pct", of=lambda it: percent(it.better_than)),
    Column("frontier", of=lambda it: " ".join(it.frontiers) or None),
)
"""Not in leaderboard.csv."""


def ranked(groups: Sequence[Group], *, title: str = "", notes: Sequence[str] = ()) -> Table:
    """The standings of some groups; the columns for programs cover the categories of all."""
    found = [standing for group in groups for standing in group.standings]
    shares = [{it.category: percent(it.share) for it in one.score.categories} for one in found]
    categories = dict.fromkeys(name for it in shares for name in it)
    ahead, behind = rows_of(found, _RANKED), rows_of(found, (*_MEASURED, *_OF_THE_COMMAND))
    return Table(
        title=title,
        columns=[
            *_RANKED,
            *(Column(f"{name}_pct") for name in categories),
            *_MEASURED,
            *_OF_THE_COMMAND,
        ],
        rows=[
            [*first, *map(own.get, categories), *last]
            for first, own, last in zip(ahead, shares, behind, strict=True)
        ],
        notes=notes,
    )


def board(found: Leaderboard) -> Iterator[Block]:
    """A table a group, then the runs that are not ranked."""
    for number, group in enumerate(found.groups, start=1):
        scores = [it.score for it in group.standings]
        remarks = [f"{scores[0].header.suite_prompts} prompts"]
        timed = {it.header.concurrency for it in scores if it.overall.latency_mean_s is not None}
        if len(timed) > 1:
            listed = " and ".join(map(str, sorted(timed)))
            remarks.append(f"response times were measured at different concurrency: {listed}")
        settings = f": {group.settings}" if group.settings else ""
        signs = _SIGNS if number == len(found.groups) else []
        yield ranked([group], title=f"{group.suite}{settings}", notes=[*remarks, *signs])
    if found.unranked:
        yield unranked(found)


def unranked(found: Leaderboard) -> Table:
    """Runs that are not on it, why, and what to do about it."""
    columns = [Column(it, it) for it in ("run", "reason", "command")]
    rows = rows_of(found.unranked, columns)
    return Table(title="Not ranked", columns=columns, rows=rows, records=True)


def publish(results: Path) -> list[Path]:
    """Rebuild both files; return their paths. A damaged run file is left out, not fatal."""
    board = leaderboard(results)
    known = {it.score.header.run: it.score for it in board.standings}
    found = []
    for path in store.runs(results):
        with contextlib.suppress(ResultsError):
            run = store.read(path)
            found.append(known.get(run.header.run) or summarise(run))
    table = ranked(board.groups)
    columns = names(table)[: -len(_OF_THE_COMMAND)]
    paths = [results / CATEGORIES, results / "leaderboard.csv"]
    store.replace_text(paths[1], csv_text(columns, to_data(table)))
    # Last: that a run stands in it means that its end was reached.
    store.replace_text(paths[0], to_csv(by_category(*found)))
    return paths


def is_published(results: Path, run: str) -> bool:
    """Whether the files were rebuilt since this run got its last record."""
    try:
        with (results / CATEGORIES).open(encoding="utf-8", newline="") as file:
            return any(row.get("run") == run for row in csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return False


# --- prompt by prompt ------------------------------------------------------------------------

_OF_HEADER = ("run", "model", "backend", "suite", "suite_sha256")
_PER_PROMPT = """
prompt category repeat verdict answer expected response reason latency_s ttft_s prompt_ms
predicted_ms tokens_in tokens_out tokens_reasoning tokens_cached cost_usd attempts failed_s
backoff_s queued_s image_cached image_tokens truncated verdict_by finish_reason error image_sha256
started_at question images difficulty measure fields_right fields thinking provider served_model
"""
_COUNTS = "repeat attempts tokens_in tokens_out tokens_reasoning tokens_cached image_tokens"
_FIGURES = "latency_s ttft_s prompt_ms predicted_ms cost_usd failed_s backoff_s queued_s measure"
COLUMNS: Mapping[str, type] = {
    **dict.fromkeys((*_OF_HEADER, *_PER_PROMPT.split()), str),
    **dict.fromkeys(("image_cached", "truncated"), bool),
    **dict.fromkeys((*_COUNTS.split(), "fields_right", "fields"), int),
    **dict.fromkeys(_FIGURES.split(), float),
}
"""The columns of a run's CSV in their order, with what stands in them."""


def prompt_row(header: RunHeader, record: Record) -> dict[str, Value]:
    """One prompt and repeat of a run."""
    case, outcome, verdict = record.case, record.outcome, record.final
    reply = outcome if isinstance(outcome, Reply) else None
    fields = verdict.fields if verdict else {}
    found = {
        "prompt": case.id,
        "verdict": record.state,
        "answer": verdict.answer if verdict else None,
        "expected": as_text(case.expected),
        "response": reply.text if reply else None,
        "reason": verdict.reason if verdict else None,
        "error": None if isinstance(outcome, Reply) else f"{outcome.kind}: {outcome.message}",
        "started_at": record.started_at.isoformat(),
        "images": " ".join(case.pictures),
        "thinking": header.sampling.thinking,
        "measure": next(iter(verdict.measures.values()), None) if verdict else None,
        "fields_right": sum(fields.values()) if fields else None,
        "fields": len(fields) or None,
    }
    found |= {name: getattr(header, name) for name in _OF_HEADER}
    sources = record, case, outcome.effort, reply, reply and reply.timings
    for name in COLUMNS.keys() - found.keys():
        found[name] = next((getattr(it, name) for it in sources if hasattr(it, name)), None)
    return {name: found[name] for name in COLUMNS}


def in_suite_order(header: RunHeader, records: Iterable[Record]) -> list[Record]:
    """As the suite asks them; a file of 0.1 does not know, so there by category and id."""
    categories = list(header.categories)

    def order(it: Record) -> tuple[float, int, str, int]:
        place = math.inf if it.place is None else it.place
        return place, categories.index(it.case.category), it.case.id, it.repeat

    return sorted(records, key=order)


def in_full(records: Iterable[Record]) -> Table:
    """Each with its question, what was expected, what was answered, and why that passed or not."""
    headings = ("prompt", "question", "expected", "response", "verdict")
    columns = [Column(heading=it) for it in headings]
    return Table(columns=columns, rows=[_block(it) for it in records], records=True)


def _block(record: Record) -> list[Cell]:
    case, outcome, verdict = record.case, record.outcome, record.final
    marks = [f"repeat {record.repeat}"] if record.repeat else []
    marks += ["corrected"] if record.correction else []
    reason = verdict.reason if verdict else "" if isinstance(outcome, Reply) else outcome.message
    return [
        Cell(f"{case.id} ({', '.join(marks)})" if marks else case.id),
        Cell(case.question),
        Cell(as_text(case.expected)),
        Cell((outcome.text or "(nothing)") if isinstance(outcome, Reply) else None),
        Cell(record.state, key=record.state, detail=reason),
    ]


def in_short(records: Iterable[Record], counts: Mapping[str, int]) -> Iterator[Line]:
    """The first ones that did not pass, a line each, under how many there are in each category."""
    yield Line("did not pass: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    for it in records:
        outcome = it.outcome
        if isinstance(outcome, Reply):
            said = f"expected {one_line(as_text(it.case.expected), 40)}"
            said += f", answered {one_line(outcome.text, 60) or '(nothing)'}"
            said += " (cut at the token limit)" * (it.state == "cut")
        else:
            said = f"error: {one_line(outcome.message, 100)}"
        yield Line(f"{it.case.id}  {said}", indent=2)
