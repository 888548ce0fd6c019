"""What was found in a suite: the essential first. Computes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from harness.records import Case
from harness.suites.lint import Level, Policy, Report
from harness.suites.lint.answers import answer_of
from harness.suites.lint.guessing import MAX_CATEGORY, MAX_OVERALL
from harness.tables.table import Block, Cell, Column, Line, Table
from harness.text import one_line

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


def blocks(report: Report) -> Iterator[Block]:
    """How many prompts are sound, how they are graded, what is wrong, what guessing scores."""
    yield from _head(report)
    if report.suite.cases:
        yield _graders(report.suite.cases)
    if report.findings:
        yield _findings(report)
    if report.policies:
        yield _guessing(report)


def _head(report: Report) -> Iterator[Line]:
    suite = report.suite
    counts = [_count(report.count(level), level) for level in Level if report.count(level)]
    found = ", ".join(counts) or "nothing to mend"
    yield Line(f"sound: {found}" if report.sound else found, "better" if report.sound else "fail")
    licence = f", {suite.license}" if suite.license else ""
    yield Line(f"{suite.name} {suite.version}{licence}", "bold")
    parts = [_count(len(suite.cases), "prompt"), _count(report.pictures, "picture")]
    difficulty = Counter(case.difficulty for case in suite.cases if case.difficulty)
    rated = [f"{difficulty[it]} {it}" for it in ("easy", "medium", "hard") if difficulty[it]]
    yield Line(f"{' on '.join(parts)}{': ' if rated else ''}{', '.join(rated)}")
    yield Line(f"sha256 {suite.sha256[:16]}")


def _graders(cases: Sequence[Case]) -> Table:
    """Which graders are in use, each with its first case."""
    counted = Counter(case.grader for case in cases)
    rows: list[list[Cell | str | int]] = []
    for grader, count in counted.most_common():
        first = next(case for case in cases if case.grader == grader)
        example = f"{one_line(first.question, 70)} = {one_line(answer_of(first), 30)}"
        rows.append([grader, count, example])
    columns = [Column("grader", "grader"), Column("prompts", "prompts", "count")]
    return Table(columns=[*columns, Column(heading="for example")], rows=rows)


def _findings(report: Report) -> Table:
    rows: list[list[Cell | str]] = []
    for level in Level:
        listed = [it for it in report.findings if it.level is level][:_SHOWN]
        head = Cell(str(level), key=_KEYS[level])
        rows += [[head, it.where, one_line(it.what, 400)] for it in listed]
        if more := report.count(level) - len(listed):
            rows.append([head, "", f"and {more:,} more"])
    columns = [Column(name, heading) for name, heading in _FINDING.items()]
    return Table(columns=columns, rows=rows)


_FINDING = {"level": "finding", "where": "where", "what": "what"}


def _guessing(report: Report) -> Table:
    """What each policy that never looks would score, in per cent."""
    members: dict[str, list[Case]] = defaultdict(list)
    for case in report.suite.cases:
        members[case.category].append(case)
    rows: list[list[Cell | str | int]] = []
    for category, cases in list(members.items())[:_SHOWN]:
        shares = [_percent(it.categories[category], MAX_CATEGORY) for it in report.policies]
        rows.append([category, len(cases), _yes_no(cases), *shares])
    shares = [_percent(it.overall, MAX_OVERALL) for it in report.policies]
    everything = report.suite.cases
    rows.append(["overall", len(everything), _yes_no(everything), *shares])
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


def _yes_no(cases: Sequence[Case]) -> str:
    """How many questions are answered yes, and how many no."""
    counts = Counter(answer_of(case).casefold() for case in cases if case.grader == "yes_no")
    return f"{counts['yes']}/{counts['no']}" if counts else ""


def _legend(policies: Sequence[Policy]) -> Iterator[str]:
    for policy in policies:
        answers = ", ".join(one_line(answer, 24) for answer in list(policy.answers.values())[:8])
        yield f"{_HEADINGS[policy.name]}: {policy.says}{': ' if answers else ''}{answers}"


def _percent(share: float, most: float) -> Cell:
    return Cell(100 * share, f"{100 * share:.1f}{'!' if share > most else ''}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
