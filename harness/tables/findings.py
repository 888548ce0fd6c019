"""What `check` found in a suite, and how far `audit` found graders to agree with readers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from harness.graders.audit import Audit, Tally
from harness.records import Case
from harness.suites import Level
from harness.suites.lint import MAX_CATEGORY, MAX_OVERALL, Report, answer_of
from harness.tables import Block, Cell, Column, Line, Row, Table, rows_of
from harness.text import as_text, one_line

_SHOWN = 20
"""Findings of a level, and categories, that are listed; `--json` has all."""
_HEADINGS = {
    "constant": "one answer",
    "category": "one a category",
    "type": "one a type",
    "first": "first option",
    "last": "last option",
    "guess": "random option",
}
_KEYS = {Level.PROBLEM: "fail", Level.WARNING: "undecided", Level.NOTE: ""}


def of_suite(report: Report) -> Iterator[Block]:
    """How many prompts are sound, how they are graded, what is wrong, what guessing scores."""
    suite, cases = report.suite, report.suite.cases
    counts = [_count(report.counts[it], it) for it in Level if report.counts[it]]
    found = ", ".join(counts) or "nothing to mend"
    yield Line(f"sound: {found}" if report.sound else found, "better" if report.sound else "fail")
    licence = f", {suite.license}" if suite.license else ""
    yield Line(f"{suite.name} {suite.version}{licence}", "bold")
    difficulty = Counter(case.difficulty for case in cases if case.difficulty)
    rated = [f"{difficulty[it]} {it}" for it in ("easy", "medium", "hard") if difficulty[it]]
    sizes = f"{_count(len(cases), 'prompt')} on {_count(report.pictures, 'picture')}"
    yield Line(": ".join(filter(None, [sizes, ", ".join(rated)])))
    yield Line(f"sha256 {suite.sha256[:16]}")
    if cases:
        first = {case.grader: case for case in reversed(cases)}
        rows: list[Row] = [
            [it, n, f"{one_line(first[it].question, 70)} = {one_line(answer_of(first[it]), 30)}"]
            for it, n in Counter(case.grader for case in cases).most_common()
        ]
        columns = [Column("grader", "grader"), Column("prompts", "prompts", unit="count")]
        yield Table(columns=[*columns, Column(heading="for example")], rows=rows)
    if report.findings:
        yield from _findings(report)
    if report.policies:
        yield _guessing(report)


def _findings(report: Report) -> Iterator[Block]:
    """What is wrong, and what to do about it: each advice once, with the first place it is for."""
    rows, places = list[Row](), defaultdict[str, list[str]](list)
    for level in Level:
        listed = [it for it in report.findings if it.level is level][:_SHOWN]
        head = Cell(str(level), key=_KEYS[level])
        rows += [[head, it.where, one_line(it.what, 400)] for it in listed]
        if more := report.counts[level] - len(listed):
            rows.append([head, "", f"and {more:,} more"])
    headings = {"level": "finding", "where": "where", "what": "what"}
    yield Table(columns=[Column(*it) for it in headings.items()], rows=rows)
    for it in report.findings:
        places[it.fix or ""].append(it.where)
    for fix, where in [it for it in places.items() if it[0]][:_SHOWN]:
        more_places = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        yield Line(f"fix for {where[0]}{more_places}: {one_line(fix, 400)}")


def _guessing(report: Report) -> Table:
    """What each policy that never looks would score, in per cent; `!` is too good a guess."""
    policies, members = report.policies, defaultdict[str, list[Case]](list)
    for case in report.suite.cases:
        members[case.category].append(case)
    listed = dict(list(members.items())[:_SHOWN])
    rows = [_guessed(it, listed[it], [of.categories[it] for of in policies]) for it in listed]
    rows.append(_guessed("overall", report.suite.cases, [it.overall for it in policies]))
    more = len(members) - _SHOWN
    notes = [f"and {more} more categories"] if more > 0 else []
    for policy in policies:
        answers = ", ".join(one_line(it, 24) for it in list(policy.answers.values())[:8])
        says = f"{_HEADINGS[policy.name]}: {policy.says}"
        notes.append(f"{says}: {answers}" if answers else says)
    return Table(
        title="What answers score that never look, in per cent",
        columns=[
            Column("category", "category"),
            Column("prompts", "prompts", unit="count"),
            Column(heading="yes/no", figure=True, drop=len(_HEADINGS)),
            *(
                Column(it.name, _HEADINGS[it.name], figure=True, drop=number)
                for number, it in enumerate(policies)
            ),
        ],
        rows=rows,
        notes=notes,
        total=True,
    )


def _guessed(name: str, cases: Sequence[Case], shares: Sequence[float]) -> Row:
    counts = Counter(answer_of(case).casefold() for case in cases if case.grader == "yes_no")
    yes_no = f"{counts['yes']}/{counts['no']}" if counts else ""
    most = MAX_OVERALL if name == "overall" else MAX_CATEGORY
    figures = [Cell(100 * it, f"{100 * it:.1f}{'!' if it > most else ''}") for it in shares]
    return [name, len(cases), yes_no, *figures]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def suite_data(report: Report) -> dict[str, Any]:
    """What was found in a suite, for programs: all of it."""
    suite = report.suite
    fields = "id", "category", "question", "expected", "grader", "options", "difficulty"
    return {
        "suite": suite.name,
        "version": suite.version,
        "license": suite.license,
        "sha256": suite.sha256,
        "prompts": len(suite.cases),
        "pictures": report.pictures,
        "sound": report.sound,
        "counts": {level: report.counts[level] for level in Level},
        "findings": report.findings,
        "policies": report.policies,
        "cases": [
            {name: getattr(case, name) for name in fields} | {"images": case.pictures}
            for case in suite.cases
        ],
    }


_AGREEMENT = (
    Column("answers", "answers", "total", "count"),
    Column(
        "agreement_pct",
        "agreement",
        lambda it: Cell(100 * it.agreement, f"{100 * it.agreement:.2f} %"),
        figure=True,
    ),
    Column("wrong_passes", "wrong passes", "wrong_pass", "count"),
    Column("wrong_fails", "wrong fails", "wrong_fail", "count"),
    Column("kappa", "kappa", lambda it: Cell(it.kappa, f"{it.kappa:.3f}"), figure=True, drop=1),
)
"""Of a tally."""
_WRONG = {"pass": "wrong fail", "fail": "wrong pass"}
_DISAGREEMENT = (
    Column(heading="verdict", of=lambda it: f"{_WRONG[it.label]} ({it.grader}, {it.models}x)"),
    Column(heading="question", of="question"),
    Column(heading="expected", of=lambda it: as_text(it.reference)),
    Column(heading="response", of="response"),
    Column(heading="reason", of="reason"),
)


def of_audit(found: Audit) -> Iterator[Block]:
    """Agreement of every grading, of ours by type of grader, and each disagreement."""
    yield agreement("each answer as often as models gave it", found.by_models)
    yield agreement("each distinct answer once", found.by_answers)
    yield agreement("evalrun by type of grader", found.by_grader)
    if found.left_out:
        yield Line(f"{found.left_out} ambiguous answers are left out")
    if rows := rows_of(found.disagreements, _DISAGREEMENT):
        yield Table(title="Disagreements", columns=_DISAGREEMENT, rows=rows, records=True)
    else:
        yield Line("no disagreement")


def agreement(title: str, tallies: Mapping[str, Tally]) -> Table:
    figures = rows_of(tallies.values(), _AGREEMENT)
    rows = [[name, *row] for name, row in zip(tallies, figures, strict=True)]
    return Table(title=title, columns=[Column("grading", "grading"), *_AGREEMENT], rows=rows)


def audit_data(found: Audit) -> dict[str, Any]:
    """How far graders agree with people, for programs."""
    views = "by_models", "by_answers", "by_grader"
    return {
        **{name: figures(getattr(found, name)) for name in views},
        "left_out": found.left_out,
        "disagreements": found.disagreements,
    }


def figures(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    return {
        name: msgspec.to_builtins(tally)
        | {"agreement": tally.agreement, "kappa": tally.kappa, "total": tally.total}
        for name, tally in tallies.items()
    }
