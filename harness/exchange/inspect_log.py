"""A log that `inspect view` opens (inspect_ai, log version 2, JSON).

Pictures are not in it: a run file holds none, only their names and hashes.

Source: inspect_ai 0.3.285, `inspect_ai/log/_log.py`; its own reader takes what is written here
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.records import CallFailure, ModelScore, Record, Reply, RunHeader
from harness.store import Run
from harness.summary import summarise
from harness.tables.prompts import in_suite_order

_SCORER = "evalrun"
_VALUES = {"pass": "C", "fail": "I", "cut": "N"}
"""inspect's correct, incorrect, no answer."""


def log(run: Run) -> dict[str, Any]:
    """Failed calls are samples with an error, and no score."""
    header, records = run.header, in_suite_order(run.header, run.records())
    score = summarise(run)
    ended = max((it.started_at for it in records), default=header.started_at)
    usage = _usage(it.outcome for it in records)
    why = {} if score.complete else {"error": _error(f"incomplete: {score.overall.missing}")}
    return {
        "version": 2,
        "status": "success" if score.complete else "error",
        "eval": _spec(header, records),
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": _results(score),
        "stats": {
            "started_at": header.started_at.isoformat(),
            "completed_at": ended.isoformat(),
            "model_usage": {header.model: usage} if usage else {},
        },
        **why,
        "samples": [_sample(header, record) for record in records],
    }


def _spec(header: RunHeader, records: list[Record]) -> dict[str, Any]:
    sampling = header.sampling
    return {
        "run_id": header.run,
        "created": header.started_at.isoformat(),
        "task": header.suite,
        "task_id": f"{header.suite}@{header.suite_sha256[:12]}",
        "task_version": header.suite_version,
        "dataset": {
            "name": header.suite,
            "samples": header.prompts,
            "sample_ids": list(dict.fromkeys(record.case.id for record in records)),
            "shuffled": False,
        },
        "model": header.model,
        "model_base_url": header.base_url,
        "model_generate_config": {
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
            "system_message": header.system,
        },
        "config": {"epochs": header.repeats},
        "packages": {"evalrun": header.evalrun_version},
        "scorers": [{"name": _SCORER}],
        "metadata": {"suite_sha256": header.suite_sha256, "blind": header.blind},
    }


def _results(score: ModelScore) -> dict[str, Any]:
    parts = {"accuracy": score.overall, **{part.category: part for part in score.categories}}
    metrics = {
        name: {"name": name, "value": part.share, "params": {}}
        for name, part in parts.items()
        if part.share is not None
    }
    return {
        "total_samples": score.overall.asked,
        "completed_samples": score.overall.asked - score.overall.errors,
        "scores": [{"name": _SCORER, "scorer": _SCORER, "params": {}, "metrics": metrics}],
    }


def _sample(header: RunHeader, record: Record) -> dict[str, Any]:
    case, outcome, verdict = record.case, record.outcome, record.final
    messages = [{"role": "user", "content": case.question, "source": "input"}]
    found: dict[str, Any] = {
        "id": case.id,
        "epoch": record.repeat + 1,
        "input": case.question,
        "target": case.expected if isinstance(case.expected, str) else list(case.expected),
        "messages": messages,
        "output": {"model": header.model, "choices": []},
        "metadata": {
            "category": case.category,
            "difficulty": case.difficulty,
            "images": list(case.pictures),
            "image_sha256": record.image_sha256,
        },
        "started_at": record.started_at.isoformat(),
    }
    if not isinstance(outcome, Reply) or verdict is None:
        return found | {"error": _error(getattr(outcome, "message", ""))}
    messages.append({"role": "assistant", "content": outcome.text, "source": "generate"})
    stop = "max_tokens" if outcome.truncated else "stop"
    found["output"] = {
        "model": header.model,
        "choices": [{"message": messages[-1], "stop_reason": stop}],
        "completion": outcome.text,
        "usage": _usage([outcome]),
        "time": outcome.latency_s,
    }
    value = {"value": _VALUES[record.state], "answer": verdict.answer}
    return found | {"scores": {_SCORER: value | {"explanation": verdict.reason}}}


def _usage(outcomes: Iterable[Reply | CallFailure]) -> dict[str, int] | None:
    """None where no reply came with its tokens: they are not known then, and not 0."""
    replies = [it for it in outcomes if isinstance(it, Reply) and it.tokens_in is not None]
    into = sum(it.tokens_in or 0 for it in replies)
    out = sum(it.tokens_out or 0 for it in replies)
    tokens = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
    return tokens if replies else None


def _error(message: str) -> dict[str, str]:
    return {"message": message, "traceback": "", "traceback_ansi": ""}
