"""What `check` found in a suite, and how far `audit` found graders to agree with readers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from harness.graders.audit import Audit, Tally
from harness.records import Case
from harness.suites import Level
from harness.suites.lint import MAX_CATEGORY, MAX_OVERALL, Policy, Report, answer_of
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
    suite = report.suite
    counts = [_count(report.count(level), level) for level in Level if report.count(level)]
    found = ", ".join(counts) or "nothing to mend"
    yield Line(f"sound: {found}" if report.sound else found, "better" if report.sound else "fail")
    licence = f", {suite.license}" if suite.license else ""
    yield Line(f"{suite.name} {suite.version}{licence}", "bold")
    difficulty = Counter(case.difficulty for case in suite.cases if case.difficulty)
    rated = [f"{difficulty[it]} {it}" for it in ("easy", "medium", "hard") if difficulty[it]]
    sizes = f"{_count(len(suite.cases), 'prompt')} on {_count(report.pictures, 'picture')}"
    yield Line(": ".join(filter(None, [sizes, ", ".join(rated)])))
    yield Line(f"sha256 {suite.sha256[:16]}")
    if suite.cases:
        yield _graders(suite.cases)
    if report.findings:
        yield _findings(report)
        yield from _fixes(report)
    if report.policies:
        yield _guessing(report)


def _graders(cases: Sequence[Case]) -> Table:
    """Which graders are in use, each with its first case."""
    rows: list[Row] = []
    for grader, count in Counter(case.grader for case in cases).most_common():
        first = next(case for case in cases if case.grader == grader)
        example = f"{one_line(first.question, 70)} = {one_line(answer_of(first), 30)}"
        rows.append([grader, count, example])
    columns = [Column("grader", "grader"), Column("prompts", "prompts", "count")]
    return Table(columns=[*columns, Column(heading="for example")], rows=rows)


def _findings(report: Report) -> Table:
    rows: list[Row] = []
    for level in Level:
        listed = [it for it in report.findings if it.level is level][:_SHOWN]
        head = Cell(str(level), key=_KEYS[level])
        rows += [[head, it.where, one_line(it.what, 400)] for it in listed]
        if more := report.count(level) - len(listed):
            rows.append([head, "", f"and {more:,} more"])
    columns = [Column("level", "finding"), Column("where", "where"), Column("what", "what")]
    return Table(columns=columns, rows=rows)


def _fixes(report: Report) -> Iterator[Line]:
    """What to do about the problems, each piece of advice once, with the first place it is for."""
    places: dict[str, list[str]] = {}
    for it in report.findings:
        if it.fix:
            places.setdefault(it.fix, []).append(it.where)
    for fix, where in list(places.items())[:_SHOWN]:
        more = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        yield Line(f"fix for {where[0]}{more}: {one_line(fix, 400)}")


def _guessing(report: Report) -> Table:
    """What each policy that never looks would score, in per cent."""
    members: dict[str, list[Case]] = defaultdict(list)
    for case in report.suite.cases:
        members[case.category].append(case)
    rows = [
        _guessed(name, cases, [it.categories[name] for it in report.policies], MAX_CATEGORY)
        for name, cases in list(members.items())[:_SHOWN]
    ]
    overall = [it.overall for it in report.policies]
    rows.append(_guessed("overall", report.suite.cases, overall, MAX_OVERALL))
    more = len(members) - _SHOWN
    return Table(
        title="What answers score that never look, in per cent",
        columns=[
            Column("category", "category"),
            Column("prompts", "prompts", "count"),
            Column(heading="yes/no", figure=True, drop=len(_HEADINGS)),
            *(
                Column(it.name, _HEADINGS[it.name], figure=True, drop=number)
                for number, it in enumerate(report.policies)
            ),
        ],
        rows=rows,
        notes=[*([f"and {more} more categories"] if more > 0 else []), *_legend(report.policies)],
        total=True,
    )


def _guessed(name: str, cases: Sequence[Case], shares: Sequence[float], most: float) -> Row:
    """With how many questions are answered yes, and how many no; `!` is too good a guess."""
    counts = Counter(answer_of(case).casefold() for case in cases if case.grader == "yes_no")
    yes_no = f"{counts['yes']}/{counts['no']}" if counts else ""
    figures = [Cell(100 * it, f"{100 * it:.1f}{'!' if it > most else ''}") for it in shares]
    return [name, len(cases), yes_no, *figures]


def _legend(policies: Sequence[Policy]) -> Iterator[str]:
    for policy in policies:
        answers = ", ".join(one_line(answer, 24) for answer in list(policy.answers.values())[:8])
        yield f"{_HEADINGS[policy.name]}: {policy.says}{': ' if answers else ''}{answers}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


_AGREEMENT = (
    Column("grading", "grading", of=lambda it: it[0]),
    Column("answers", "answers", "count", of=lambda it: it[1].total),
    Column("agreement_pct", "agreement", figure=True, of=lambda it: _percent(it[1].agreement)),
    Column("wrong_passes", "wrong passes", "count", of=lambda it: it[1].wrong_pass),
    Column("wrong_fails", "wrong fails", "count", of=lambda it: it[1].wrong_fail),
    Column("kappa", "kappa", figure=True, drop=1, of=lambda it: _kappa(it[1].kappa)),
)
_DISAGREEMENT = (
    Column(
        heading="verdict", of=lambda it: Cell(f"{_wrong(it.label)} ({it.grader}, {it.models}x)")
    ),
    Column(heading="question", of=lambda it: it.question),
    Column(heading="expected", of=lambda it: as_text(it.reference)),
    Column(heading="response", of=lambda it: it.response),
    Column(heading="reason", of=lambda it: it.reason),
)


def of_audit(found: Audit) -> Iterator[Block]:
    """Agreement of every grading, of ours by type of grader, and each disagreement."""
    yield agreement("each answer as often as models gave it", found.by_models)
    yield agreement("each distinct answer once", found.by_answers)
    yield agreement("evalrun by type of grader", found.by_grader)
    if found.left_out:
        yield Line(f"{found.left_out} ambiguous answers are left out")
    rows = rows_of(found.disagreements, _DISAGREEMENT)
    if rows:
        yield Table(title="Disagreements", columns=_DISAGREEMENT, rows=rows, records=True)
    else:
        yield Line("no disagreement")


def agreement(title: str, tallies: Mapping[str, Tally]) -> Table:
    return Table(title=title, columns=_AGREEMENT, rows=rows_of(tallies.items(), _AGREEMENT))


def _percent(share: float) -> Cell:
    return Cell(100 * share, f"{100 * share:.2f} %")


def _kappa(value: float) -> Cell:
    return Cell(value, f"{value:.3f}")


def _wrong(label: str) -> str:
    return "wrong fail" if label == "pass" else "wrong pass"


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
        "counts": {level: report.count(level) for level in Level},
        "findings": report.findings,
        "policies": report.policies,
        "cases": [
            {name: getattr(case, name) for name in fields} | {"images": case.pictures}
            for case in suite.cases
        ],
    }


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
