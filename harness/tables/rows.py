"""The columns of every CSV, and how a record or a score fills them. The words of design.md, 6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.records import ModelScore, Record, Reply, RunHeader, Score, ServerTimings
from harness.tables.csv import Cell


def _columns(names: str) -> tuple[str, ...]:
    return tuple(names.split())


RUN_COLUMNS = _columns(
    """run model backend suite suite_sha256 prompt category repeat verdict answer expected response
    reason latency_s ttft_s prompt_ms predicted_ms tokens_in tokens_out tokens_reasoning
    tokens_cached cost_usd attempts failed_s backoff_s queued_s image_cached truncated verdict_by
    finish_reason error image_sha256 started_at"""
)
CATEGORY_COLUMNS = _columns(
    """model run category passed asked errors score_pct low_pct high_pct latency_mean_s
    latency_p50_s latency_p95_s cost_per_task_usd concurrency"""
)

Row = dict[str, Cell]


def run_row(header: RunHeader, record: Record) -> Row:
    """One prompt and repeat of a run."""
    outcome, verdict = record.outcome, record.final
    effort = outcome.effort
    row: Row = {
        "run": header.run,
        "model": header.model,
        "backend": header.backend,
        "suite": header.suite,
        "suite_sha256": header.suite_sha256,
        "prompt": record.case.id,
        "category": record.case.category,
        "repeat": record.repeat,
        "verdict": "error" if verdict is None else "pass" if verdict.passed else "fail",
        "answer": verdict.answer if verdict else None,
        "expected": as_text(record.case.expected),
        "reason": verdict.reason if verdict else None,
        "cost_usd": record.cost_usd,
        "attempts": effort.attempts,
        "failed_s": effort.failed_s,
        "backoff_s": effort.backoff_s,
        "queued_s": effort.queued_s,
        "verdict_by": record.verdict_by,
        "image_sha256": record.image_sha256,
        "started_at": record.started_at.isoformat(),
    }
    if isinstance(outcome, Reply):
        return row | _reply_cells(outcome)
    return row | {"error": f"{outcome.kind}: {outcome.message}"}


def _reply_cells(reply: Reply) -> Row:
    timings = reply.timings or ServerTimings()
    return {
        "response": reply.text,
        "latency_s": reply.latency_s,
        "ttft_s": reply.ttft_s,
        "prompt_ms": timings.prompt_ms,
        "predicted_ms": timings.predicted_ms,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "tokens_reasoning": reply.tokens_reasoning,
        "tokens_cached": reply.tokens_cached,
        "image_cached": reply.image_cached,
        "truncated": reply.truncated,
        "finish_reason": reply.finish_reason,
    }


def category_rows(score: ModelScore) -> Iterator[Row]:
    """A row per category, then the overall one."""
    for part in (*score.categories, score.overall):
        yield {
            "model": score.model,
            "run": score.header.run,
            **score_cells(part),
            "concurrency": score.header.concurrency,
        }


def run_summary_row(score: ModelScore) -> Row:
    """A whole run in one row."""
    header = score.header
    return {
        "run": header.run,
        "model": header.model,
        "backend": header.backend,
        "suite": header.suite,
        "complete": score.complete,
        **score_cells(score.overall),
        "blind": header.blind,
        "subset": header.subset,
        "started_at": header.started_at.isoformat(),
    }


def score_cells(part: Score) -> Row:
    """The figures of one category; an incomplete one has a range and no score."""
    return {
        "category": part.category,
        "passed": part.passed,
        "asked": part.asked,
        "error": part.errors,
        "score_pct": percent(part.share),
        "low_pct": percent(part.low),
        "high_pct": percent(part.high),
        "latency_mean_s": part.latency_mean_s,
        "latency_p50_s": part.latency_p50_s,
        "latency_p95_s": part.latency_p95_s,
        "cost_per_task_usd": part.cost_per_task_usd,
    }


def leaderboard_columns(scores: Iterable[ModelScore]) -> list[str]:
    """The fixed columns with one `<category>_pct` for each category seen, in the suite's order."""
    seen = dict.fromkeys(part.category for score in scores for part in score.categories)
    return [
        *("rank", "model", "run", "score_pct", "low_pct", "high_pct", "passed", "asked"),
        *(f"{category}_pct" for category in seen),
        *("latency_mean_s", "latency_p95_s", "cost_per_task_usd"),
        *("quantization", "backend", "measured_at"),
    ]


def leaderboard_row(rank: int, score: ModelScore) -> Row:
    header, overall = score.header, score.overall
    return {
        "rank": rank,
        "model": score.model,
        "run": header.run,
        **score_cells(overall),
        **{f"{part.category}_pct": percent(part.share) for part in score.categories},
        "quantization": header.server.quantization if header.server else None,
        "backend": header.backend,
        "measured_at": header.started_at.isoformat(),
    }


def as_text(expected: str | tuple[str, ...]) -> str:
    return expected if isinstance(expected, str) else "; ".join(expected)


def percent(share: float | None) -> float | None:
    """A share as per cent, to two digits: 42/67 is 62.69."""
    return None if share is None else round(100 * share, 2)
