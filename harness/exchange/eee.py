"""Every Eval Ever, schema 0.3.0: a JSON of scores, and JSON lines of single answers beside it.

Both lie where that collection wants them: data/<benchmark>/<developer>/<model>/<uuid>.json.

Source: eval.schema.json and instance_level_eval.schema.json of the package every-eval-ever 0.3.0
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness import catalogue
from harness.exchange import complete_score
from harness.records import Record, Reply, RunHeader, Score
from harness.store import Run
from harness.tables.prompts import in_suite_order

SCHEMA = "0.3.0"
_NOT_IN_A_PATH = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def aggregate(run: Run, *, samples: bytes | None = None) -> dict[str, Any]:
    """The scores, and where the file with the single answers lies.

    Raises: ResultsError for an incomplete run.
    """
    score, header = complete_score(run), run.header
    beside = samples and {
        "format": "jsonl",
        "file_path": f"{place(header)}_samples.jsonl",
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(samples).hexdigest(),
        "total_rows": samples.count(b"\n"),
    }
    return _known(
        schema_version=SCHEMA,
        evaluation_id=evaluation_id(header),
        evaluation_timestamp=header.started_at.isoformat(),
        retrieved_timestamp=str(int(datetime.now(UTC).timestamp())),
        source_metadata={
            "source_name": "evalrun",
            "source_type": "evaluation_run",
            "source_organization_name": "not stated",
            "evaluator_relationship": "third_party",
        },
        eval_library={"name": "evalrun", "version": header.evalrun_version},
        model_info=_model(header),
        evaluation_results=[_result(header, it) for it in (*score.categories, score.overall)],
        detailed_evaluation_results=beside,
    )


def instances(run: Run) -> bytes:
    """A line for every prompt and repeat."""
    records = in_suite_order(run.header, run.records())
    return msgspec.json.Encoder().encode_lines([_instance(run.header, it) for it in records])


def place(header: RunHeader) -> str:
    """Path of the scores without `.json`; the same run always has the same one."""
    model = header.model.partition("/")[2] or header.model
    digest = hashlib.sha256(f"{header.run} {header.started_at}".encode()).digest()
    folders = (header.suite, _developer(header) or "unknown", model)
    path = "/".join(_NOT_IN_A_PATH.sub("_", it).strip(". ") or "_" for it in folders)
    return f"data/{path}/{uuid.UUID(bytes=digest[:16], version=4)}"


def evaluation_id(header: RunHeader) -> str:
    return f"{header.suite}/{header.model}/{int(header.started_at.timestamp())}"


def _developer(header: RunHeader) -> str | None:
    """As the model's name says, else the catalogue."""
    named, slash, _ = header.model.partition("/")
    card = catalogue.load().get(header.model)
    return named if slash else card.organization.value if card and card.organization else None


def _model(header: RunHeader) -> dict[str, Any]:
    server, is_ours = header.server, header.backend == "llamacpp"
    return _known(
        name=header.model,
        id=header.model,
        developer=_developer(header),
        inference_engine=_known(name=header.backend, version=server.build if server else None),
        additional_details=_known(
            deployment_type="self_deployed" if is_ours else "unknown",
            model_availability="open_weights" if is_ours else "unknown",
            quantization=server.quantization if server else None,
            projector=server.mmproj_file if server else None,
            served_at=header.base_url,
        ),
    )


def _result(header: RunHeader, part: Score) -> dict[str, Any]:
    sampling = header.sampling
    return {
        "evaluation_name": f"{header.suite}: {part.category}",
        "source_data": {
            "dataset_name": f"{header.suite} {header.suite_version}",
            "source_type": "other",
            "additional_details": {"sha256": header.suite_sha256},
        },
        "metric_config": {
            "evaluation_description": "share of questions about pictures answered right",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 1,
        },
        "score_details": {
            "score": part.share,
            "details": {"passed": str(part.passed), "asked": str(part.asked)},
            "uncertainty": {
                "confidence_interval": {
                    "lower": part.low,
                    "upper": part.high,
                    "confidence_level": 0.95,
                    "method": "Wilson",
                },
                "num_samples": part.asked,
            },
        },
        "generation_config": {
            "generation_args": {
                "temperature": sampling.temperature,
                "max_tokens": sampling.max_tokens,
            },
            "additional_details": {
                "seed": str(sampling.seed),
                "image_max_side_px": str(header.image_max_side_px),
                "grader_version": header.grader_version,
                "blind": str(header.blind).lower(),
            },
        },
    }


def _instance(header: RunHeader, record: Record) -> dict[str, Any]:
    case, outcome, verdict = record.case, record.outcome, record.final
    reply = outcome if isinstance(outcome, Reply) else None
    expected = [case.expected] if isinstance(case.expected, str) else list(case.expected)
    answer = verdict.answer if verdict else None
    method = {"judge": "llm_judge", "person": "human"}.get(record.verdict_by or "", "custom")
    passed = record.state == "pass"
    read = {
        "turn_idx": 0,
        "source": "output.raw",
        "extracted_value": answer,
        "extraction_method": method,
        "is_terminal": True,
    }
    return {
        "schema_version": SCHEMA,
        "evaluation_id": evaluation_id(header),
        "model_id": header.model,
        "evaluation_name": f"{header.suite}: {case.category}",
        "sample_id": case.id,
        "sample_hash": hashlib.sha256("".join([case.question, *expected]).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": case.question, "reference": expected},
        "output": {"raw": [reply.text] if reply else []},
        "messages": None,
        "answer_attribution": [read] if answer is not None else [],
        "evaluation": {"score": float(passed), "is_correct": passed},
        "error": None if isinstance(outcome, Reply) else f"{outcome.kind}: {outcome.message}",
        "metadata": _known(
            difficulty=case.difficulty,
            state=record.state,
            repeat=str(record.repeat),
            images=" ".join(case.pictures),
        ),
        **(_figures(reply) if reply else {}),
    }


def _figures(reply: Reply) -> dict[str, Any]:
    """Tokens and times, as far as they are known."""
    found: dict[str, Any] = {}
    if reply.tokens_in is not None and reply.tokens_out is not None:
        found["token_usage"] = _known(
            input_tokens=reply.tokens_in,
            output_tokens=reply.tokens_out,
            total_tokens=reply.tokens_in + reply.tokens_out,
            input_tokens_cache_read=reply.tokens_cached,
            reasoning_tokens=reply.tokens_reasoning,
        )
    if reply.latency_s is not None:
        first = None if reply.ttft_s is None else 1000 * reply.ttft_s
        times = _known(latency_ms=1000 * reply.latency_s, time_to_first_token_ms=first)
        found["performance"] = times
    return found


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
