"""`grade`: verdicts on answers recorded anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import print_json, write_csv
from harness.errors import ResultsError
from harness.graders.recorded import Graded, Recorded, Unreadable, graded, recorded
from harness.tables import Value

Answers = Annotated[
    Path, typer.Argument(help="JSON lines with question, reference, response; - is stdin.")
]
_COLUMNS = (
    "line",
    "id",
    "question",
    "reference",
    "response",
    "grader",
    "passed",
    "answer",
    "reason",
)


def grade(
    file: Answers,
    csv: Annotated[
        str | None, typer.Option(help="CSV instead, - for stdout, or beside the lines to a file.")
    ] = None,
) -> None:
    """Grade recorded answers: a JSON line out for every line in.

    A line may name its grader and options; else they are inferred from question and reference.
    Lines that cannot be graded are reported with their number, and the exit code is 7.
    """
    faults: list[str] = []
    graded = _graded(numbered_lines(file), recorded, faults)
    if csv == "-":
        write_csv("-", _COLUMNS, (row for row, _ in graded))
    else:
        rows = []
        for row, out in graded:
            print_json(out)
            if csv is not None:
                rows.append(row)
        sys.stdout.flush()
        if csv is not None:
            write_csv(csv, _COLUMNS, iter(rows))
    report_faults(faults)


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank. Raises: ResultsError."""
    try:
        source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    except OSError as error:
        raise ResultsError(
            f"{file} cannot be read: {error.strerror}", fix="name a file of JSON lines, or -"
        ) from error
    with source:
        for number, line in enumerate(source, start=1):
            if line.strip():
                yield number, line


def _graded(
    lines: Iterator[tuple[int, bytes]], decode: Callable[[bytes], Recorded], faults: list[str]
) -> Iterator[tuple[dict[str, Value], dict[str, object]]]:
    """For each line a row of the CSV and the JSON line; a bad one says so in both."""
    for number, line in lines:
        try:
            answer = decode(line)
            yield _row(number, answer, graded(answer))
        except Unreadable as error:
            faults.append(f"line {number}: {error}")
            fault: dict[str, object] = {"line": number, "passed": None, "error": str(error)}
            row: dict[str, Value] = {"line": number, "reason": f"not graded: {error}"}
            yield row, fault


def _row(
    number: int, answer: Recorded, found: Graded
) -> tuple[dict[str, Value], dict[str, object]]:
    expected, verdict = found.case.expected, found.verdict
    out: dict[str, object] = {"line": number}
    if answer.id is not None:
        out["id"] = answer.id
    out |= {
        "passed": verdict.passed,
        "answer": verdict.answer,
        "grader": found.case.grader,
        "reason": verdict.reason,
    }
    row: dict[str, Value] = {
        "line": number,
        "id": answer.id,
        "question": answer.question,
        "reference": expected if isinstance(expected, str) else ", ".join(expected),
        "response": answer.response,
        "grader": found.case.grader,
        "passed": verdict.passed,
        "answer": verdict.answer,
        "reason": verdict.reason,
    }
    return row, out


def report_faults(faults: list[str]) -> None:
    if not faults:
        return
    listed = "\n  ".join(faults[:20])
    more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
    raise ResultsError(
        f"{len(faults)} {'line' if len(faults) == 1 else 'lines'} could not be graded, "
        f"the others were:\n  {listed}{more}",
        fix="each line is one JSON object with question, reference and response",
    )
