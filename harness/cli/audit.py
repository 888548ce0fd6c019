"""`audit`: how far to trust verdicts, ours and a judge's, where people have judged too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import msgspec
import typer

from harness import store
from harness.cli.grade import numbered_lines, report_faults
from harness.cli.output import AsJson, print_blocks, print_json, say
from harness.errors import ResultsError
from harness.graders.agreement import Audit, Tally
from harness.graders.agreement import audit as audited
from harness.graders.recorded import Labelled, Unreadable, graded, labelled
from harness.judge import Judge
from harness.options import DEFAULT_RESULTS, JudgeOptions, LimitOptions, ResultsDir
from harness.records import Record
from harness.tables import Line
from harness.tables.findings import agreement, of_audit
from harness.targets import open_judge

_NOTHING = "nothing was audited"


def audit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN",
            help="Answers with a label: pass, fail or ambiguous. With --judge: a run.",
        ),
    ],
    judge: JudgeOptions,
    results: ResultsDir = DEFAULT_RESULTS,
    json: AsJson = False,
) -> None:
    """Compare our verdicts with those of careful readers.

    Each line holds question, reference, response and label, optionally models (how many gave that
    answer). Shows agreement, wrong passes, wrong fails and Cohen's kappa, and each disagreement.
    With --judge the judge reads the replies of a run that a person corrected.
    """
    if judge.judge is not None:
        _audit_judge(store.find(results, source), judge, json=json)
        return
    faults: list[str] = []
    found = audited(_readable(numbered_lines(Path(source)), faults))
    if not faults and not found.by_answers["evalrun"].total and not found.left_out:
        raise ResultsError(
            f"{_NOTHING}: {source} holds no answer",
            fix="name JSON lines with question, reference, response and label",
        )
    if json:
        print_json(_as_json(found))
    else:
        print_blocks(*of_audit(found))
    report_faults(faults)


def _readable(lines: Iterator[tuple[int, bytes]], faults: list[str]) -> Iterator[Labelled]:
    for number, line in lines:
        try:
            answer = labelled(line)
            graded(answer)
        except Unreadable as error:
            faults.append(f"line {number}: {error}")
        else:
            yield answer


def _audit_judge(path: Path, options: JudgeOptions, *, json: bool) -> None:
    """What a judge and the rules say where a person has corrected the verdict."""
    corrected = [it for it in store.read(path).records() if it.correction is not None]
    if not corrected:
        raise ResultsError(
            f"{_NOTHING}: no verdict of {path} was corrected by a person",
            fix="correct some: evalrun show RUN --fix PROMPT pass --why '...', or evalrun view",
        )
    with ExitStack() as stack:
        all_of_them = replace(options, judge_scope="all")
        reader = open_judge(all_of_them, LimitOptions(), stack, Event(), say)
        assert reader is not None
        tallies, silent = _agreement(corrected, reader)
    if json:
        print_json({"by_answers": _figures(tallies), "judge_errors": silent})
        return
    title = f"{len(corrected)} replies that a person judged, in {path}"
    print_blocks(agreement(title, tallies))
    if silent:
        print_blocks(Line(f"{silent} times the judge gave no verdict"))


def _agreement(corrected: list[Record], judge: Judge) -> tuple[dict[str, Tally], int]:
    """Of the rules and of the judge; how often the judge gave no verdict."""
    tallies, silent = {"rules": Tally(), "judge": Tally()}, 0
    for record in corrected:
        assert record.correction is not None
        assert record.verdict is not None
        person = record.correction.passed
        tallies["rules"].add(record.verdict.passed, person, 1)
        judgement = judge.review(record, ()).judgement
        if judgement is None or judgement.verdict is None:
            silent += 1
        else:
            tallies["judge"].add(judgement.verdict.passed, person, 1)
    return tallies, silent


def _figures(tallies: dict[str, Tally]) -> dict[str, Any]:
    return {
        name: msgspec.to_builtins(tally)
        | {"agreement": tally.agreement, "kappa": tally.kappa, "total": tally.total}
        for name, tally in tallies.items()
    }


def _as_json(found: Audit) -> dict[str, object]:
    return {
        "by_models": _figures(found.by_models),
        "by_answers": _figures(found.by_answers),
        "by_grader": _figures(found.by_grader),
        "left_out": found.left_out,
        "disagreements": found.disagreements,
    }
