"""What was found in a suite, for a terminal of 60 columns or more. Computes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.records import Case
from harness.suites.lint import Finding, Level, Policy, Report
from harness.suites.lint.answers import answer_of
from harness.suites.lint.policies import MAX_CATEGORY, MAX_OVERALL
from harness.text import inert, one_line

_SHOWN = 20
"""Findings of a level, and categories, that a terminal lists; `--json` has all."""
_HEADINGS = {
    "constant": "one",
    "category": "cat",
    "type": "type",
    "first": "1st",
    "last": "last",
    "guess": "luck",
}
"""Policy: its column, narrow enough for six of them."""
_STYLES = {Level.PROBLEM: "red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


def looked_over(report: Report) -> RenderableType:
    """The whole report."""
    parts: list[RenderableType] = [_title(report)]
    if report.suite.cases:
        parts += ["", *_guessing(report), "", _graders(report.suite.cases)]
    if report.findings:
        parts += ["", _findings(report)]
    return Group(*parts, "", _verdict(report))


def _title(report: Report) -> Text:
    suite = report.suite
    licence = f", {suite.license}" if suite.license else ""
    return Text.assemble(
        (one_line(f"{suite.name} {suite.version}{licence}", 200), "bold"),
        f"\n{_count(len(suite.cases), 'prompt')} on {_count(report.pictures, 'picture')}",
        f"\nsha256 {suite.sha256[:16]}",
    )


def _guessing(report: Report) -> Iterator[RenderableType]:
    """How many prompts, and what each policy that never looks would score on them, in per cent."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("without looking, %", overflow="fold")
    for heading in ("n", "y/n", *(_HEADINGS[policy.name] for policy in report.policies)):
        table.add_column(heading, justify="right", no_wrap=True)
    members: dict[str, list[Case]] = defaultdict(list)
    for case in report.suite.cases:
        members[case.category].append(case)
    for category, cases in list(members.items())[:_SHOWN]:
        shares = (_percent(it.categories[category], MAX_CATEGORY) for it in report.policies)
        table.add_row(Text(one_line(category, 60)), f"{len(cases)}", _yes_no(cases), *shares)
    if len(members) > _SHOWN:
        table.add_row(Text(f"and {len(members) - _SHOWN} more categories", style="dim"))
    everything = report.suite.cases
    shares = (_percent(policy.overall, MAX_OVERALL) for policy in report.policies)
    total = f"{len(everything)}"
    table.add_row(Text("overall", style="bold"), total, _yes_no(everything), *shares)
    yield table
    yield _legend(report.policies)


def _yes_no(cases: Sequence[Case]) -> str:
    """How many questions are answered yes, and how many no."""
    said = Counter(answer_of(case).casefold() for case in cases if case.grader == "yes_no")
    return f"{said['yes']}/{said['no']}" if said else ""


def _legend(policies: Sequence[Policy]) -> Table:
    legend = Table.grid(padding=(0, 1, 0, 0))
    for policy in policies:
        answers = ", ".join(one_line(answer, 24) for answer in list(policy.answers.values())[:8])
        says = f"{policy.says}: {answers}" if answers else policy.says
        legend.add_row(Text(_HEADINGS[policy.name], "dim"), Text(says, "dim"))
    return legend


def _percent(share: float, most: float) -> Text:
    return Text(f"{100 * share:.1f}", style="bold red" if share > most else "")


def _graders(cases: tuple[Case, ...]) -> Table:
    """Which graders are in use, each with its first case."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("grader", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold")
    counted = Counter(case.grader for case in cases)
    for grader, count in counted.most_common():
        first = next(case for case in cases if case.grader == grader)
        example = f"{one_line(first.question, 70)} = {one_line(answer_of(first), 30)}"
        table.add_row(grader, f"{count:,}", Text(example))
    return table


def _findings(report: Report) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    for level in Level:
        listed = [finding for finding in report.findings if finding.level is level]
        for finding in listed[:_SHOWN]:
            table.add_row(Text(level, style=_STYLES[level]), _said(finding))
        more = report.count(level) - min(len(listed), _SHOWN)
        if more:
            table.add_row(Text(level, style=_STYLES[level]), f"and {more:,} more")
    return table


def _said(finding: Finding) -> Text:
    return Text.assemble((inert(finding.where, 120), "bold"), f": {one_line(finding.what, 400)}")


def _verdict(report: Report) -> Text:
    counts = [_count(report.count(level), level) for level in Level if report.count(level)]
    said = ", ".join(counts) or "nothing to mend"
    return Text(f"sound: {said}" if report.sound else said, "green" if report.sound else "red")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
