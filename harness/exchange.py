"""A run in other tools' formats: what they need of it, and nothing invented.

JUnit XML for a CI's test page; the `.eval_results` of a model on the Hugging Face hub; Every Eval
Ever; a log that `inspect view` opens. Pictures are in none: a run file holds only their hashes.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from harness import catalogue
from harness.comparison.sides import IncompleteRun
from harness.records import CallFailure, ModelScore, Record, Reply, RunHeader, Score
from harness.store import Run
from harness.summary import summarise
from harness.tables import percent
from harness.tables.runs import in_suite_order
from harness.text import as_text, inert

EEE_SCHEMA = "0.3.0"
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
_NOT_IN_A_PATH = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def _complete_score(run: Run) -> ModelScore:
    """Raises: IncompleteRun, for a range cannot be written where a format wants a score."""
    score = summarise(run)
    if not score.complete:
        raise IncompleteRun(
            f"{run.header.run} has a range, not a score: {score.overall.missing}",
            fix="finish the run, or export it as csv, inspect or junit, which hold single answers",
        )
    return score


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _taken(source: object, *names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def junit(run: Run) -> str:
    """A test case a prompt and repeat, a suite a category; errors and cuts are errors there."""
    categories: dict[str, list[Record]] = defaultdict(list)
    for record in in_suite_order(run.header, run.records()):
        categories[record.case.category].append(record)
    root = ET.Element("testsuites", name=_plain(f"{run.header.model} on {run.header.suite}"))
    for category, records in categories.items():
        states = Counter(record.state for record in records)
        counts = {
            "tests": str(len(records)),
            "failures": str(states["fail"]),
            "errors": str(states["error"] + states["cut"]),
        }
        suite = ET.SubElement(root, "testsuite", {"name": _plain(category), **counts})
        for record in records:
            _test_case(suite, record)
    ET.indent(root)
    return f"{ET.tostring(root, encoding='utf-8', xml_declaration=True).decode()}\n"


def _test_case(suite: ET.Element, record: Record) -> None:
    case, outcome = record.case, record.outcome
    name = f"{case.id} #{record.repeat + 1}" if record.repeat else case.id
    test = ET.SubElement(suite, "testcase", classname=_plain(case.category), name=_plain(name))
    if isinstance(outcome, Reply) and outcome.latency_s is not None:
        test.set("time", f"{outcome.latency_s:.3f}")
    if record.state == "pass":
        return
    said = outcome.text if isinstance(outcome, Reply) else outcome.message
    reason = record.final.reason if record.final else said
    kind = "failure" if record.state == "fail" else "error"
    problem = ET.SubElement(test, kind, type=record.state, message=_plain(reason))
    problem.text = _plain(f"{case.question}\nexpected: {as_text(case.expected)}\nreply: {said}")


def _plain(text: str) -> str:
    """XML takes no control characters and no halves of characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", inert(text))


def eval_results(run: Run) -> str:
    """YAML for `.eval_results/` in the model's repository: the score overall, then by category.

    The hub shows results of datasets that it knows as benchmarks; for others it keeps the file.
    Source: https://huggingface.co/docs/hub/eval-results

    Raises: IncompleteRun.
    """
    score, header = _complete_score(run), run.header
    suite = header.suite_path if (header.suite_path or "").startswith("hf://") else header.suite
    dataset = str(suite).removeprefix("hf://").partition("@")[0]
    what = "prompts" if header.repeats == 1 else f"answers ({header.repeats} to each prompt)"
    lines = []
    for part in (score.overall, *score.categories):
        notes = (
            f"{part.passed} of {part.asked} {what} of version {header.suite_version} passed, 95 % "
            f"interval {100 * part.low:.1f} to {100 * part.high:.1f}; measured with evalrun"
        )
        lines += [
            "- dataset:",
            f"    id: {json.dumps(dataset)}",
            f"    task_id: {json.dumps(part.category)}",
            f"  value: {percent(part.share)}",
            f"  date: {json.dumps(header.started_at.date().isoformat())}",
            f"  notes: {json.dumps(notes)}",
        ]
    return "\n".join([*lines, ""])


# Every Eval Ever: a JSON of scores, and JSON lines of single answers beside it, both where that
# collection wants them. Source: eval.schema.json and instance_level_eval.schema.json of the
# package every-eval-ever 0.3.0


def eee_scores(run: Run, *, samples: bytes | None = None) -> dict[str, Any]:
    """The scores, and where the file with the single answers lies. Raises: IncompleteRun."""
    score, header = _complete_score(run), run.header
    server, is_ours = header.server, header.backend == "llamacpp"
    beside = samples and {
        "format": "jsonl",
        "file_path": f"{eee_path(header)}_samples.jsonl",
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(samples).hexdigest(),
        "total_rows": samples.count(b"\n"),
    }
    return _known(
        schema_version=EEE_SCHEMA,
        evaluation_id=_evaluation_id(header),
        retrieved_timestamp=str(int(datetime.now(UTC).timestamp())),
        source_metadata={
            "source_type": "evaluation_run",
            "source_organization_name": "not stated",
            "evaluator_relationship": "third_party",
        },
        eval_library={"name": "evalrun", "version": header.evalrun_version},
        model_info=_known(
            name=header.model,
            id=header.model,
            developer=_developer(header),
            inference_engine=_known(name=header.backend, version=server and server.build),
            additional_details=_known(
                deployment_type="self_deployed" if is_ours else "unknown",
                model_availability="open_weights" if is_ours else "unknown",
                quantization=server and server.quantization,
                served_at=header.base_url,
            ),
        ),
        evaluation_results=[_eee_result(header, it) for it in (*score.categories, score.overall)],
        detailed_evaluation_results=beside,
    )


def eee_samples(run: Run) -> bytes:
    """A line for every prompt and repeat."""
    records = in_suite_order(run.header, run.records())
    return msgspec.json.Encoder().encode_lines([_eee_sample(run.header, it) for it in records])


def eee_path(header: RunHeader) -> str:
    """data/<benchmark>/<developer>/<model>/<uuid>, always the same for the same run."""
    model = header.model.partition("/")[2] or header.model
    digest = hashlib.sha256(f"{header.run} {header.started_at}".encode()).digest()
    folders = (header.suite, _developer(header) or "unknown", model)
    path = "/".join(_NOT_IN_A_PATH.sub("_", it).strip(". ") or "_" for it in folders)
    return f"data/{path}/{uuid.UUID(bytes=digest[:16], version=4)}"


def _evaluation_id(header: RunHeader) -> str:
    return f"{header.suite}/{header.model}/{int(header.started_at.timestamp())}"


def _developer(header: RunHeader) -> str | None:
    """As the model's name says, else the catalogue."""
    named, slash, _ = header.model.partition("/")
    card = catalogue.load().get(header.model)
    return named if slash else card.organization.value if card and card.organization else None


def _eee_result(header: RunHeader, part: Score) -> dict[str, Any]:
    interval = {"lower": part.low, "upper": part.high, "confidence_level": 0.95, "method": "Wilson"}
    metric = {"score_type": "continuous", "min_score": 0, "max_score": 1, "lower_is_better": False}
    return {
        "evaluation_name": f"{header.suite}: {part.category}",
        "source_data": {
            "dataset_name": f"{header.suite} {header.suite_version}",
            "source_type": "other",
            "additional_details": {"sha256": header.suite_sha256},
        },
        "metric_config": metric,
        "score_details": {
            "score": part.share,
            "details": {"passed": str(part.passed), "asked": str(part.asked)},
            "uncertainty": {"confidence_interval": interval, "num_samples": part.asked},
        },
        "generation_config": {
            "generation_args": _taken(header.sampling, "temperature", "max_tokens"),
        },
    }


def _eee_sample(header: RunHeader, record: Record) -> dict[str, Any]:
    case, outcome, verdict = record.case, record.outcome, record.final
    expected = [case.expected] if isinstance(case.expected, str) else list(case.expected)
    passed = record.state == "pass"
    found: dict[str, Any] = {
        "schema_version": EEE_SCHEMA,
        "evaluation_id": _evaluation_id(header),
        "model_id": header.model,
        "evaluation_name": f"{header.suite}: {case.category}",
        "sample_id": case.id,
        "interaction_type": "single_turn",
        "input": {"raw": case.question, "reference": expected},
        "output": {"raw": []},
        "answer_attribution": [],
        "evaluation": {"score": float(passed), "is_correct": passed},
        "metadata": {"state": record.state, "repeat": str(record.repeat)},
    }
    if isinstance(outcome, CallFailure):
        return found | {"error": f"{outcome.kind}: {outcome.message}"}
    found["output"]["raw"].append(outcome.text)
    if verdict and verdict.answer is not None:
        method = {"judge": "llm_judge", "person": "human"}.get(record.verdict_by or "", "custom")
        read = {"turn_idx": 0, "source": "output.raw", "is_terminal": True}
        more = {"extracted_value": verdict.answer, "extraction_method": method}
        found["answer_attribution"].append(read | more)
    if usage := _usage(outcome):
        found["token_usage"] = usage
    if outcome.latency_s is not None:
        found["performance"] = {"latency_ms": 1000 * outcome.latency_s}
    return found


# A log of inspect_ai, version 2, as JSON. Source: `inspect_ai/log/_log.py` of inspect_ai 0.3.285,
# whose own reader takes what is written here.


def inspect_log(run: Run) -> dict[str, Any]:
    """Failed calls are samples with an error, and no score."""
    header, score = run.header, summarise(run)
    parts = {"accuracy": score.overall, **{part.category: part for part in score.categories}}
    metrics = {
        name: {"name": name, "value": part.share}
        for name, part in parts.items()
        if part.share is not None
    }
    why = {} if score.complete else {"error": _error(f"incomplete: {score.overall.missing}")}
    return {
        "version": 2,
        "status": "success" if score.complete else "error",
        "eval": {
            "created": header.started_at.isoformat(),
            "task": header.suite,
            "task_version": header.suite_version,
            "dataset": {"name": header.suite, "samples": header.prompts},
            "model": header.model,
            "model_base_url": header.base_url,
            "model_generate_config": {
                **_taken(header.sampling, "temperature", "max_tokens", "seed"),
                "system_message": header.system,
            },
            "config": {"epochs": header.repeats},
        },
        "results": {
            "total_samples": score.overall.asked,
            "completed_samples": score.overall.asked - score.overall.errors,
            "scores": [{"name": "evalrun", "scorer": "evalrun", "metrics": metrics}],
        },
        **why,
        "samples": [_inspect_sample(header, it) for it in in_suite_order(header, run.records())],
    }


def _inspect_sample(header: RunHeader, record: Record) -> dict[str, Any]:
    case, outcome, verdict = record.case, record.outcome, record.final
    found: dict[str, Any] = {
        "id": case.id,
        "epoch": record.repeat + 1,
        "input": case.question,
        "target": case.expected if isinstance(case.expected, str) else list(case.expected),
        "metadata": _taken(case, "category", "difficulty", "pictures"),
        "started_at": record.started_at.isoformat(),
    }
    if isinstance(outcome, CallFailure) or verdict is None:
        return found | {"error": _error(getattr(outcome, "message", ""))}
    said = {"role": "assistant", "content": outcome.text, "source": "generate"}
    stop = "max_tokens" if outcome.truncated else "stop"
    found["messages"] = [{"role": "user", "content": case.question, "source": "input"}, said]
    found["output"] = {
        "model": header.model,
        "choices": [{"message": said, "stop_reason": stop}],
        "completion": outcome.text,
        "usage": _usage(outcome),
        "time": outcome.latency_s,
    }
    value = {"pass": "C", "fail": "I", "cut": "N"}[record.state]  # correct, incorrect, no answer
    score = {"value": value, "answer": verdict.answer, "explanation": verdict.reason}
    return found | {"scores": {"evalrun": score}}


def _usage(reply: Reply) -> dict[str, int] | None:
    """None where the reply came without its tokens: they are not known then, and not 0."""
    into, out = reply.tokens_in, reply.tokens_out
    if into is None or out is None:
        return None
    return {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}


def _error(message: str) -> dict[str, str]:
    return {"message": message, "traceback": "", "traceback_ansi": ""}
