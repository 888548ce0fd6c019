"""`grade`, `regrade` and `audit`: verdicts on answers that are there already."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from typer import Argument, Option

from harness import store, suites
from harness.cli.output import AsJson, CsvFile, print_blocks, print_json, say, write_csv
from harness.errors import ResultsError, UsageError
from harness.graders.audit import Labelled, Recorded, Unreadable, decoded, graded
from harness.graders.audit import audit as audited
from harness.options import DEFAULT_RESULTS, JudgeOptions, LimitOptions, ResultsDir, RunName
from harness.regrade import judged
from harness.regrade import regrade as regraded
from harness.tables import Line, Value
from harness.tables.findings import agreement, audit_data, figures, of_audit
from harness.targets import open_judge
from harness.text import inert, one_line

_COLUMNS = [
    "line",
    "id",
    "question",
    "reference",
    "response",
    "grader",
    "passed",
    "answer",
    "reason",
]
_FAULTS_SHOWN = 20


def grade(
    file: Annotated[
        Path, Argument(help="JSON lines with question, reference, response; - is stdin.")
    ],
    csv: CsvFile = None,
) -> None:
    """Grade recorded answers: a JSON line out for every line in.

    A line may name its grader and options; else they are inferred from question and reference.
    Lines that cannot be graded are reported with their number, and the exit code is 7. --csv FILE
    is written beside the lines, --csv - instead of them.
    """
    faults: list[str] = []
    rows = _graded(file, faults)
    if csv != "-":
        rows = _printed(rows)
    if csv is None:
        for _ in rows:
            pass
    else:
        write_csv(csv, _COLUMNS, rows)
    _report(faults)


def _graded(file: Path, faults: list[str]) -> Iterator[dict[str, Value]]:
    """A row for each line; a bad one says so."""
    for number, line in _lines(file):
        row = dict.fromkeys(_COLUMNS, None) | {"line": number}
        try:
            answer = decoded(line, Recorded)
            case, verdict = graded(answer)
        except Unreadable as error:
            faults.append(f"line {number}: {error}")
            yield row | {"reason": f"not graded: {error}"}
            continue
        expected = case.expected
        yield row | {
            "id": answer.id,
            "question": answer.question,
            "reference": expected if isinstance(expected, str) else ", ".join(expected),
            "response": answer.response,
            "grader": case.grader,
            "passed": verdict.passed,
            "answer": verdict.answer,
            "reason": verdict.reason,
        }


def _printed(rows: Iterator[dict[str, Value]]) -> Iterator[dict[str, Value]]:
    """Each row without what the line itself says, as JSON; a bad one with its error."""
    for row in rows:
        shown = {it: row[it] for it in ("line", "id", "passed", "answer", "grader", "reason")}
        if row["id"] is None:
            del shown["id"]
        if row["passed"] is None:
            shown = {"line": row["line"], "passed": None, "error": str(row["reason"])[12:]}
        print_json(shown)
        yield row


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank. Raises: ResultsError."""
    try:
        source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    except OSError as error:
        raise ResultsError(
            f"{file} cannot be read: {error.strerror}", fix="name a file of JSON lines, or -"
        ) from error
    with source:
        yield from ((number, line) for number, line in enumerate(source, start=1) if line.strip())


def _report(faults: list[str]) -> None:
    """Raises: ResultsError for lines that could not be graded."""
    if faults:
        listed = "\n  ".join(faults[:_FAULTS_SHOWN])
        more = len(faults) - _FAULTS_SHOWN
        raise ResultsError(
            f"{len(faults)} {'line' if len(faults) == 1 else 'lines'} could not be graded, "
            f"the others were:\n  {listed}" + (f"\n  and {more} more" if more > 0 else ""),
            fix="each line is one JSON object with question, reference and response",
        )


def regrade(
    run: RunName,
    judge: JudgeOptions,
    results: ResultsDir = DEFAULT_RESULTS,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say what would change; write nothing.")
    ] = False,
    suite: Annotated[
        Path | None, Option(help="Where the pictures are, for --judge-sees-image.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Grade a run's kept replies again, with today's graders.

    The old run is kept; the new one stands beside it.
    """
    old = store.read(store.find(results, run))
    with ExitStack() as stack:
        reader = open_judge(judge, LimitOptions(), stack, Event(), say)
        looks = reader is not None and judge.judge_sees_image
        found = regraded(old, reader, suites.of_run(old.header, suite) if looks else None)
    if json:
        print_json(found.changes)
    else:
        for it in found.changes:
            repeat = f" (repeat {it.repeat})" if it.repeat else ""
            now, was = it.after, it.before
            typer.echo(
                f"{inert(it.prompt)}{repeat}: {_word(was.passed)} -> {_word(now.passed)}: "
                f"{one_line(now.reason, 200)} (was: {one_line(was.reason, 200)})"
            )
        count = len(found.changes)
        say(f"{count} {'verdict changes' if count == 1 else 'verdicts change'}")
    if found.as_before and reader is None and not dry_run:
        say(f"{old.header.run}: nothing changes; no new run is written")
    elif not dry_run:
        say(f"wrote {found.write(results, judge.judge)}; {old.path} is kept")


def _word(passed: bool) -> str:
    return "pass" if passed else "fail"


def audit(
    source: Annotated[
        str,
        Argument(
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
    if not Path(source).exists() and list(results.glob(f"{glob.escape(source)}/*.jsonl")):
        raise UsageError(
            f"{source} is a run, which holds no labels of careful readers",
            fix=f"let a judge read what a person corrected: evalrun audit {source} --judge MODEL",
        )
    faults: list[str] = []
    found = audited(_readable(Path(source), faults))
    if not faults and not found.by_answers["evalrun"].total and not found.left_out:
        raise ResultsError(
            f"nothing was audited: {source} holds no answer",
            fix="name JSON lines with question, reference, response and label",
        )
    if json:
        print_json(audit_data(found))
    else:
        print_blocks(*of_audit(found))
    _report(faults)


def _readable(file: Path, faults: list[str]) -> Iterator[Labelled]:
    for number, line in _lines(file):
        try:
            answer = decoded(line, Labelled)
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
            f"nothing was audited: no verdict of {path} was corrected by a person",
            fix="correct some: evalrun show RUN --fix PROMPT pass --why '...', or evalrun view",
        )
    with ExitStack() as stack:
        all_of_them = replace(options, judge_scope="all")
        reader = open_judge(all_of_them, LimitOptions(), stack, Event(), say)
        assert reader is not None
        tallies, silent = judged(corrected, reader)
    if silent == len(corrected):
        raise ResultsError(
            f"nothing was audited: {options.judge} gave no verdict on any of {silent} replies",
            fix="name a model that can follow the instructions of a judge",
        )
    if json:
        print_json({"by_answers": figures(tallies), "judge_errors": silent})
        return
    print_blocks(agreement(f"{len(corrected)} replies that a person judged, in {path}", tallies))
    if silent:
        print_blocks(Line(f"{silent} times the judge gave no verdict"))
