"""A run in other tools' formats: what they need of it, and nothing invented.

JUnit XML for a CI's test page and the `.eval_results` of a model on the Hugging Face hub are here,
Every Eval Ever in `eee`, a log for inspect in `inspect_log`.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from xml.etree import ElementTree as ET

from harness.comparison.sides import IncompleteRun
from harness.records import ModelScore, Record, Reply
from harness.store import Run
from harness.summary import summarise
from harness.tables import percent
from harness.tables.prompts import in_suite_order
from harness.text import as_text, inert

_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def complete_score(run: Run) -> ModelScore:
    """Raises: IncompleteRun, for a range cannot be written where a format wants a score."""
    score = summarise(run)
    if not score.complete:
        raise IncompleteRun(
            f"{run.header.run} has a range, not a score: {score.overall.missing}",
            fix="finish the run, or export it as csv, inspect or junit, which hold single answers",
        )
    return score


def junit(run: Run) -> bytes:
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
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _test_case(suite: ET.Element, record: Record) -> None:
    case, outcome, verdict = record.case, record.outcome, record.final
    name = f"{case.id} #{record.repeat + 1}" if record.repeat else case.id
    test = ET.SubElement(suite, "testcase", classname=_plain(case.category), name=_plain(name))
    if isinstance(outcome, Reply) and outcome.latency_s is not None:
        test.set("time", f"{outcome.latency_s:.3f}")
    if record.state == "pass":
        return
    reason = verdict.reason if verdict else getattr(outcome, "message", "")
    kind = "failure" if record.state == "fail" else "error"
    problem = ET.SubElement(test, kind, type=record.state, message=_plain(reason))
    said = outcome.text if isinstance(outcome, Reply) else reason
    problem.text = _plain(f"{case.question}\nexpected: {as_text(case.expected)}\nreply: {said}")


def _plain(text: str) -> str:
    """XML takes no control characters and no halves of characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", inert(text))


def eval_results(run: Run) -> str:
    """YAML for `.eval_results/` in the model's repository: the score overall, then by category.

    The hub shows results of datasets that it knows as benchmarks; for others it keeps the file.
    Source: https://huggingface.co/docs/hub/eval-results

    Raises: ResultsError for an incomplete run.
    """
    score, header = complete_score(run), run.header
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
