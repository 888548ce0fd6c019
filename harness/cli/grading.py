"""`grade`, `regrade` and `audit`: verdicts on answers that are there already."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from harness import regrade as verbs
from harness import store, suites
from harness.cli.output import emit, print_json, print_line, say, write_csv
from harness.errors import ResultsError, UsageError, reworded
from harness.graders import GRADER_VERSION
from harness.graders.audit import Labelled, Recorded, T, Unreadable, decoded, graded
from harness.graders.audit import audit as audited
from harness.options import JudgeOptions, LimitOptions, argument, option
from harness.records import Case, Verdict
from harness.tables import Line
from harness.tables.findings import agreement, audit_data, figures, of_audit
from harness.targets import open_judge
from harness.text import as_text, inert, one_line

_OF_THE_LINE = ("line", "id", "question", "reference", "response")
_OF_THE_VERDICT = ("grader", "passed", "answer", "reason")
_FAULTS_SHOWN = 20


def grade(
    *,
    file: Path = argument("JSON lines with question, reference, response; - is stdin."),
    csv: str | None,
) -> None:
    """Grade recorded answers: a JSON line out for every line in.

    A line may name its grader and options; else they are inferred from question and reference.
    Lines that cannot be graded are reported with their number, and the exit code is 7. --csv FILE
    is written beside the lines, --csv - instead of them.
    """
    faults: list[str] = []
    rows: list[dict[str, Any]] = []
    for number, found in _answers(file, Recorded, faults):
        row: dict[str, Any] = {"line": number}
        if isinstance(found, Unreadable):
            shown = row | {"passed": None, "error": str(found)}
            row["reason"] = f"not graded: {found}"
        else:
            answer, case, verdict = found
            row |= {"id": answer.id} if answer.id is not None else {}
            shown = row | {"passed": verdict.passed, "answer": verdict.answer}
            shown |= {"grader": case.grader, "reason": verdict.reason}
            row |= shown | {"question": answer.question, "response": answer.response}
            row["reference"] = as_text(case.expected)
        if csv != "-":
            print_json(shown)
        if csv is not None:
            rows.append(row)
    if csv is not None:
        write_csv(csv, (*_OF_THE_LINE, *_OF_THE_VERDICT), rows)
    _report(faults)


def _answers(
    file: Path, kind: type[T], faults: list[str]
) -> Iterator[tuple[int, tuple[T, Case, Verdict] | Unreadable]]:
    """Each line that is not blank, with its number; what cannot be graded becomes a fault.

    Raises: ResultsError for a file that cannot be read.
    """
    fix = "name a file of JSON lines, or -"
    with reworded(ResultsError, f"{file} cannot be read", fix, OSError):
        source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with source:
        for number, line in enumerate(source, start=1):
            if not line.strip():
                continue
            try:
                answer: Any = decoded(line, kind)
                yield number, (answer, *graded(answer))
            except Unreadable as error:
                faults.append(f"line {number}: {error}")
                yield number, error


def _report(faults: list[str]) -> None:
    """Raises: ResultsError for lines that could not be graded."""
    if faults:
        count = "1 line" if len(faults) == 1 else f"{len(faults)} lines"
        more = len(faults) - _FAULTS_SHOWN
        listed = [*faults[:_FAULTS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        raise ResultsError(
            "\n  ".join([f"{count} could not be graded, the others were:", *listed]),
            fix="each line is one JSON object with question, reference and response",
        )


def regrade(
    *,
    run: str,
    judge: JudgeOptions,
    results: Path,
    dry_run: bool = option("Say what would change; write nothing.", False),
    suite: Path | None = option("Where the pictures are, for --judge-sees-image."),
    json: bool,
) -> None:
    """Grade a run's kept replies again, with today's graders.

    The old run is kept; the new one stands beside it.
    """
    old = store.read(store.find(results, run))
    with ExitStack() as stack:
        reader = open_judge(judge, LimitOptions(), stack, Event(), say)
        looks = reader is not None and judge.judge_sees_image
        pictures = suites.of_run(old.header, suite) if looks else None
        records, changes = verbs.regrade(old, reader, pictures)
    if json:
        print_json(changes)
    else:
        for it in changes:
            repeat = f" (repeat {it.repeat})" if it.repeat else ""
            change = "fail -> pass" if it.after.passed else "pass -> fail"
            why = f"{one_line(it.after.reason, 200)} (was: {one_line(it.before.reason, 200)})"
            print_line(f"{inert(it.prompt)}{repeat}: {change}: {why}")
        say(f"{len(changes)} {'verdict changes' if len(changes) == 1 else 'verdicts change'}")
    if not (changes or reader) and old.header.grader_version == GRADER_VERSION:
        say(f"{old.header.run}: nothing changes; no new run is written")
    elif not dry_run:
        written = verbs.write(old, records, results, judge.judge)
        say(f"wrote {written}; {old.path} is kept")


def audit(
    *,
    source: str = argument(
        "Answers with a label: pass, fail or ambiguous. With --judge: a run.", metavar="FILE|RUN"
    ),
    judge: JudgeOptions,
    results: Path,
    json: bool,
) -> None:
    """Compare our verdicts with those of careful readers.

    Each line holds question, reference, response and label, optionally models (how many gave that
    answer). Shows agreement, wrong passes, wrong fails and Cohen's kappa, and each disagreement.
    With --judge the judge reads the replies of a run that a person corrected.
    """
    if judge.judge is not None:
        _audit_judge(store.find(results, source), judge, as_json=json)
        return
    if not Path(source).exists() and list(results.glob(f"{glob.escape(source)}/*.jsonl")):
        raise UsageError(
            f"{source} is a run, which holds no labels of careful readers",
            fix=f"let a judge read what a person corrected: evalrun audit {source} --judge MODEL",
        )
    faults: list[str] = []
    lines = _answers(Path(source), Labelled, faults)
    found = audited(it[0] for _, it in lines if not isinstance(it, Unreadable))
    if not found.by_answers["evalrun"].total and not found.left_out:
        fix = "name JSON lines with question, reference, response and label"
        raise _nothing(": ".join([f"{source} holds no answer", *faults[:1]]), fix)
    emit(of_audit(found), audit_data(found), json=json)
    _report(faults)


def _audit_judge(path: Path, options: JudgeOptions, *, as_json: bool) -> None:
    """What a judge and the rules say where a person has corrected the verdict."""
    corrected = [it for it in store.read(path).records() if it.correction is not None]
    if not corrected:
        fix = "correct some: evalrun show RUN --fix PROMPT pass --why '...', or evalrun view"
        raise _nothing(f"no verdict of {path} was corrected by a person", fix)
    with ExitStack() as stack:
        of_all = replace(options, judge_scope="all")
        reader = open_judge(of_all, LimitOptions(), stack, Event(), say)
        assert reader is not None
        tallies, silent = verbs.judged(corrected, reader)
    if silent == len(corrected):
        why = f"{options.judge} gave no verdict on any of {silent} replies"
        raise _nothing(why, "name a model that can follow the instructions of a judge")
    title = f"{len(corrected)} replies that a person judged, in {path}"
    silence = [Line(f"{silent} times the judge gave no verdict")] if silent else []
    data = {"by_answers": figures(tallies), "judge_errors": silent}
    emit([agreement(title, tallies), *silence], data, json=as_json)


def _nothing(why: str, fix: str) -> ResultsError:
    return ResultsError(f"nothing was audited: {why}", fix=fix)
