"""What each prompt of a run came to: a row for programs, a block of lines for people."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from harness.records import Record, Reply, RunHeader, ServerTimings
from harness.tables.csv import Value
from harness.tables.table import Cell, Column, Line, Table
from harness.text import one_line

Row = dict[str, Value]
COLUMNS: Mapping[str, type] = {
    **dict.fromkeys(("run", "model", "backend", "suite", "suite_sha256"), str),
    **dict.fromkeys(("prompt", "category"), str),
    "repeat": int,
    **dict.fromkeys(("verdict", "answer", "expected", "response", "reason"), str),
    **dict.fromkeys(("latency_s", "ttft_s", "prompt_ms", "predicted_ms"), float),
    **dict.fromkeys(("tokens_in", "tokens_out", "tokens_reasoning", "tokens_cached"), int),
    "cost_usd": float,
    "attempts": int,
    **dict.fromkeys(("failed_s", "backoff_s", "queued_s"), float),
    "image_cached": bool,
    "image_tokens": int,
    "truncated": bool,
    **dict.fromkeys(("verdict_by", "finish_reason", "error", "image_sha256", "started_at"), str),
    **dict.fromkeys(("question", "images", "difficulty"), str),
    "measure": float,
    **dict.fromkeys(("fields_right", "fields"), int),
    **dict.fromkeys(("thinking", "provider", "served_model"), str),
}
"""The CSV's columns in their order, with what stands in them."""


def in_suite_order(header: RunHeader, records: Iterable[Record]) -> list[Record]:
    """As the suite asks them; a file of 0.1 does not know, so there by category and id."""
    categories = list(header.categories)

    def key(record: Record) -> tuple[float, int, list[tuple[str, int]], int]:
        place = math.inf if record.place is None else record.place
        parts = [(text, int(it or 0)) for text, it in _NUMBERED.findall(record.case.id)]
        return place, categories.index(record.case.category), parts, record.repeat

    return sorted(records, key=key)


_NUMBERED = re.compile(r"(\D*)(\d*)")


def row(header: RunHeader, record: Record) -> Row:
    """One prompt and repeat of a run."""
    case, outcome, verdict = record.case, record.outcome, record.final
    effort = outcome.effort
    found: Row = {
        "run": header.run,
        "model": header.model,
        "backend": header.backend,
        "suite": header.suite,
        "suite_sha256": header.suite_sha256,
        "prompt": case.id,
        "category": case.category,
        "repeat": record.repeat,
        "verdict": record.state,
        "answer": verdict.answer if verdict else None,
        "expected": as_text(case.expected),
        "reason": verdict.reason if verdict else None,
        "cost_usd": record.cost_usd,
        "attempts": effort.attempts,
        "failed_s": effort.failed_s,
        "backoff_s": effort.backoff_s,
        "queued_s": effort.queued_s,
        "verdict_by": record.verdict_by,
        "image_sha256": record.image_sha256,
        "started_at": record.started_at.isoformat(),
        "question": case.question,
        "images": " ".join(case.pictures),
        "difficulty": case.difficulty,
        "thinking": header.sampling.thinking,
    }
    if verdict is not None:
        found["measure"] = next(iter(verdict.measures.values()), None)
        found["fields_right"] = sum(verdict.fields.values()) if verdict.fields else None
        found["fields"] = len(verdict.fields) or None
    if isinstance(outcome, Reply):
        return found | _of_reply(outcome)
    return found | {"error": f"{outcome.kind}: {outcome.message}"}


def _of_reply(reply: Reply) -> Row:
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
        "image_tokens": reply.image_tokens,
        "provider": reply.provider,
        "served_model": reply.served_model,
        "truncated": reply.truncated,
        "finish_reason": reply.finish_reason,
    }


def as_text(expected: str | tuple[str, ...]) -> str:
    return expected if isinstance(expected, str) else "; ".join(expected)


def in_full(records: Iterable[Record]) -> Table:
    """Each with its question, what was expected, what was answered, and why that passed or not."""
    names = ("prompt", "question", "expected", "response", "verdict")
    return Table(
        columns=[Column(heading=name) for name in names],
        rows=[_block(record) for record in records],
        records=True,
    )


def _block(record: Record) -> list[Cell]:
    case, outcome, verdict = record.case, record.outcome, record.final
    marks = [f"repeat {record.repeat}"] if record.repeat else []
    marks += ["corrected"] if record.correction else []
    head = Cell(f"{case.id} ({', '.join(marks)})" if marks else case.id)
    if isinstance(outcome, Reply):
        response, reason = Cell(outcome.text or "(nothing)"), verdict.reason if verdict else ""
    else:
        response, reason = Cell(), outcome.message
    state = Cell(record.state, key=record.state, detail=reason)
    return [head, Cell(case.question), Cell(as_text(case.expected)), response, state]


def in_short(records: Iterable[Record], counts: Mapping[str, int]) -> list[Line]:
    """The first ones that did not pass, a line each, under how many there are in each category."""
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return [Line(f"did not pass: {listed}"), *map(_line, records)]


def _line(record: Record) -> Line:
    outcome = record.outcome
    if isinstance(outcome, Reply):
        words = f"expected {one_line(as_text(record.case.expected), 40)}"
        words += f", answered {one_line(outcome.text, 60) or '(nothing)'}"
        words += " (cut at the token limit)" if record.state == "cut" else ""
    else:
        words = f"error: {one_line(outcome.message, 100)}"
    return Line(f"{record.case.id}  {words}", indent=2)
