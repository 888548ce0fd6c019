"""Run files as the store writes them, from nothing but who passed what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.records import (
    CallFailure,
    Case,
    FailureKind,
    Record,
    Reply,
    RunHeader,
    Sampling,
    Verdict,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CATEGORIES = {
    "Defect Detection": 15,
    "Document Understanding": 9,
    "Object Counting": 10,
    "Object Understanding": 14,
    "Spatial Understanding": 19,
}

Passes = Mapping[str, bool | Sequence[bool | None] | None]
"""Request -> passed, failed or (None) error; a sequence for repeats."""


def cases(
    categories: Mapping[str, int] = CATEGORIES, *, questions_per_picture: int = 1, **more: Any
) -> list[Case]:
    found = []
    for category, count in categories.items():
        for number in range(count):
            slug = "".join(word[0] for word in category.lower().split())
            fields: dict[str, Any] = {
                "id": f"{slug}-{number:02d}",
                "category": category,
                "question": f"What is number {number}?",
                "image": f"{slug}/{number // questions_per_picture}.png",
                "expected": str(number),
                "grader": "integer",
            }
            found.append(Case(**(fields | more)))
    return found


def header(model: str, asked: Sequence[Case], **more: Any) -> RunHeader:
    counts: dict[str, int] = {}
    for case in asked:
        counts[case.category] = counts.get(case.category, 0) + 1
    fields: dict[str, Any] = {
        "run": "",
        "model": model,
        "backend": "openai",
        "suite": "builtin",
        "suite_version": "1",
        "suite_sha256": "a" * 64,
        "suite_prompts": len(asked),
        "categories": counts,
        "prompts_sha256": "b" * 64,
        "grader_version": "1",
        "image_max_side_px": 1024,
        "sampling": Sampling(max_tokens_retry=4096),
        "concurrency": 1,
        "evalrun_version": "0",
        "started_at": NOW,
    }
    return RunHeader(**(fields | more))


def record(
    case: Case,
    repeat: int,
    passed: bool | None,
    *,
    text: str | None = None,
    verdict: Verdict | None = None,
    **reply: Any,
) -> Record:
    if passed is None:
        failure = CallFailure(kind=FailureKind.TIMEOUT, message="silent")
        return Record(case=case, repeat=repeat, outcome=failure, started_at=NOW)
    said = text if text is not None else str(case.expected) if passed else "no idea"
    cost = reply.pop("cost_usd", None)
    return Record(
        case=case,
        repeat=repeat,
        image_sha256="c" * 64,
        outcome=Reply(text=said, **({"latency_s": 1.0, "finish_reason": "stop"} | reply)),
        verdict=verdict
        or Verdict(passed=passed, answer=said[:20], reason="same" if passed else "another"),
        cost_usd=cost,
        started_at=NOW,
    )


WriteRun = Callable[..., Path]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def write_run(results: Path) -> WriteRun:
    """Write a run: `write_run("model", {"dd-00": True, ...}, asked=cases(), temperature=...)`."""
    count = 0

    def write(
        model: str,
        passes: Passes | Callable[[Case], bool | None],
        *,
        asked: Sequence[Case] | None = None,
        reply: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        verdicts: Mapping[str, Verdict] | None = None,
        **more: Any,
    ) -> Path:
        nonlocal count
        count += 1
        asked = cases() if asked is None else asked
        started = NOW + timedelta(minutes=count)
        head = header(model, asked, **({"started_at": started} | more))
        records = []
        for case in asked:
            outcome = passes(case) if callable(passes) else passes.get(case.id, False)
            repeats = outcome if isinstance(outcome, Sequence) else [outcome]
            more_reply = {"text": (texts or {}).get(case.id), **(reply or {})}
            more_reply["verdict"] = (verdicts or {}).get(case.id)
            records += [record(case, it, ok, **more_reply) for it, ok in enumerate(repeats)]
        with store.create(results, head) as writer:
            writer.append(*records)
        return writer.path

    return write
