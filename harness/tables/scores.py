"""Scores as tables: a run by category, with what must be known beside it; runs, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import msgspec

from harness.records import ModelScore, RunHeader, Score
from harness.records.settings import cell_in_words, memory
from harness.tables import (
    Cell,
    Column,
    Table,
    Value,
    dollars,
    interval,
    key,
    percent,
    rows_of,
    seconds,
    share_and_counts,
)

_SCORE = (
    Column("category", "category", of=lambda it: it.category),
    Column("passed", of=lambda it: it.passed),
    Column("asked", of=lambda it: it.asked),
    Column("errors", of=lambda it: it.errors),
    Column("cut", of=lambda it: it.cut),
    Column(
        "score_pct",
        "score",
        figure=True,
        of=lambda it: Cell(percent(it.share), share_and_counts(it)),
    ),
    Column(heading="key", of=lambda it: Cell(key=key(it))),
    Column(heading="95 % interval", figure=True, drop=1, of=interval),
    Column("low_pct", of=lambda it: percent(it.low)),
    Column("high_pct", of=lambda it: percent(it.high)),
    Column("latency_mean_s", "mean", "s", drop=2, of=lambda it: it.latency_mean_s),
    Column("latency_p50_s", "median", "s", drop=3, of=lambda it: it.latency_p50_s),
    Column("latency_p95_s", "p95", "s", drop=4, of=lambda it: it.latency_p95_s),
    Column("cost_per_task_usd", of=lambda it: it.cost_per_task_usd),
)
"""Of a `Score`."""


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


def score_data(part: Score) -> dict[str, Value]:
    """The figures of one category by their names; an incomplete one has a range and no score."""
    (row,) = rows_of([part], _SCORE)
    cells = [it.value if isinstance(it, Cell) else it for it in row]
    return {it.name: value for it, value in zip(_SCORE, cells, strict=True) if it.name}


def details(score: ModelScore) -> dict[str, object]:
    """What a run's own JSON says beside its scores by category."""
    figures = ("thought", "tokens_reasoning_p50", "image_tokens_mean", "fields_right", "fields")
    return {
        **{name: getattr(score.overall, name) for name in (*figures, "measures")},
        "repeatability": msgspec.to_builtins(score.repeatability),
        "by_difficulty": [score_data(part) for part in score.difficulties],
    }


def _overall(name: str, score: ModelScore) -> Value:
    return score_data(score.overall)[name]


_LISTED = (
    Column("run", "run", whole=True, of=lambda it: it.header.run),
    Column("model", of=lambda it: it.model),
    Column("backend", of=lambda it: it.header.backend),
    Column("suite", "suite", drop=3, of=lambda it: it.header.suite),
    Column("complete", of=lambda it: it.complete),
    *(
        Column(column.name, of=partial(_overall, column.name))
        for column in _SCORE
        if column.name not in ("", "category")
    ),
    Column(
        heading="score", of=lambda it: Cell(None, share_and_counts(it.overall), "", key(it.overall))
    ),
    Column(heading="mean", unit="s", drop=2, of=lambda it: it.overall.latency_mean_s),
    Column(heading="remarks", drop=1, of=lambda it: ", ".join(_remarks(it.header))),
    Column("blind", of=lambda it: it.header.blind),
    Column("subset", of=lambda it: it.header.subset),
    Column("started_at", of=lambda it: it.header.started_at.isoformat()),
    Column("sweep", of=lambda it: it.header.sweep),
    Column("cell", of=lambda it: cell_in_words(it.header.cell) or None),
)


def listing(scores: Iterable[ModelScore]) -> Table:
    """Runs, a line each; those of a sweep stand together, where its first one stands."""
    groups: dict[str, list[ModelScore]] = {}
    for it in scores:
        groups.setdefault(it.header.sweep or it.header.run, []).append(it)
    together = [it for group in groups.values() for it in group]
    return Table(columns=_LISTED, rows=rows_of(together, _LISTED))


def _remarks(header: RunHeader) -> Iterator[str]:
    yield header.backend
    if header.blind:
        yield "blind"
    if header.subset:
        yield f"subset of {header.suite_prompts}"
    if header.regraded_from:
        yield f"regraded from {header.regraded_from}"
    if header.sweep:
        yield f"{header.sweep}: {cell_in_words(header.cell)}"


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
    cached = f", without {overall.image_cached} with a cached picture"
    if overall.latency_mean_s is None and not overall.image_cached:
        yield "response times were not measured"
    else:
        without = cached if overall.image_cached else ""
        yield f"response times at concurrency {header.concurrency}{without}"
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
    header = score.header
    if score.difficulties:
        parts = [f"{it.category} {share_and_counts(it)}" for it in score.difficulties]
        yield f"by difficulty: {', '.join(parts)}"
    if (again := score.repeatability) is not None:
        yield (
            f"between repeats the verdict changed on {again.verdicts_changed} of {again.prompts} "
            f"prompts, the text of the reply on {again.texts_changed}"
        )
    yield from _endings(score)
    if score.corrected:
        yield f"verdicts corrected by a person: {score.corrected} (marked in `evalrun show`)"
    if score.judged:
        yield f"verdicts of the judge {header.judge or ''}: {score.judged}"
    if silent := score.judge_errors - score.judge_unusable:
        yield f"no answer from the judge: {silent}, where the rule's verdict stands"
    if unusable := score.judge_unusable:
        yield f"neither PASS nor FAIL from the judge: {unusable}, where the rule's verdict stands"
    if header.subset:
        yield f"a subset: {header.prompts} of the suite's {header.suite_prompts} prompts"


def _endings(score: ModelScore) -> Iterator[str]:
    """How replies ended otherwise than with an answer, and what was measured in them."""
    overall, sampling = score.overall, score.header.sampling
    if overall.fields:
        yield f"fields right: {overall.fields_right} of {overall.fields} in answers in JSON"
    if overall.measures:
        means = ", ".join(
            f"{name.replace('_', ' ')} {value:.3g}" for name, value in overall.measures.items()
        )
        yield f"in the mean: {means}"
    if overall.truncated:
        more = sampling.max_tokens_retry
        again = f", and with room for {more} again" if more else ""
        yield f"replies cut at {sampling.max_tokens} tokens{again}: {overall.truncated}"
    if overall.filtered:
        yield f"replies stopped by the endpoint's content filter: {overall.filtered}"
    if overall.refused:
        yield f"refusals: {overall.refused}"
