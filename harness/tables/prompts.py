"""What each prompt of a run came to: a row for programs, a block of lines for people."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from harness.records import Record, Reply, RunHeader
from harness.tables import Cell, Column, Line, Table, Value
from harness.text import as_text, one_line

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


_NUMBERED = re.compile(r"(\D*)(\d*)")


def row(header: RunHeader, record: Record) -> Row:
    """One prompt and repeat of a run."""
    case, outcome, verdict = record.case, record.outcome, record.final
    reply = outcome if isinstance(outcome, Reply) else None
    fields = verdict.fields if verdict else {}
    found = {
        **_taken(header, "run", "model", "backend", "suite", "suite_sha256"),
        **_taken(outcome.effort, "attempts", "failed_s", "backoff_s", "queued_s"),
        **_taken(reply, "latency_s", "ttft_s", "tokens_in", "tokens_out", "tokens_reasoning"),
        **_taken(reply, "tokens_cached", "image_cached", "image_tokens", "truncated"),
        **_taken(reply, "finish_reason", "provider", "served_model"),
        **_taken(reply and reply.timings, "prompt_ms", "predicted_ms"),
        **_taken(record, "repeat", "cost_usd", "verdict_by", "image_sha256"),
        **_taken(case, "category", "question", "difficulty"),
        **_taken(verdict, "answer", "reason"),
        "prompt": case.id,
        "verdict": record.state,
        "expected": as_text(case.expected),
        "response": reply.text if reply else None,
        "error": None if isinstance(outcome, Reply) else f"{outcome.kind}: {outcome.message}",
        "started_at": record.started_at.isoformat(),
        "images": " ".join(case.pictures),
        "thinking": header.sampling.thinking,
        "measure": next(iter(verdict.measures.values()), None) if verdict else None,
        "fields_right": sum(fields.values()) if fields else None,
        "fields": len(fields) or None,
    }
    return {name: found[name] for name in COLUMNS}


def _taken(of: object, *names: str) -> Row:
    return {name: getattr(of, name, None) for name in names}


def in_suite_order(header: RunHeader, records: Iterable[Record]) -> list[Record]:
    """As the suite asks them; a file of 0.1 does not know, so there by category and id."""
    categories = list(header.categories)

    def order(record: Record) -> tuple[float, int, list[tuple[str, int]], int]:
        place = math.inf if record.place is None else record.place
        parts = [(text, int(it or 0)) for text, it in _NUMBERED.findall(record.case.id)]
        return place, categories.index(record.case.category), parts, record.repeat

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


def in_short(records: Iterable[Record], counts: Mapping[str, int]) -> list[Line]:
    """The first ones that did not pass, a line each, under how many there are in each category."""
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return [Line(f"did not pass: {listed}"), *map(_line, records)]


def _line(record: Record) -> Line:
    outcome = record.outcome
    if isinstance(outcome, Reply):
        said = f"expected {one_line(as_text(record.case.expected), 40)}"
        said += f", answered {one_line(outcome.text, 60) or '(nothing)'}"
        said += " (cut at the token limit)" if record.state == "cut" else ""
    else:
        said = f"error: {one_line(outcome.message, 100)}"
    return Line(f"{record.case.id}  {said}", indent=2)
