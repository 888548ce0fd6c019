"""How far graders agree with careful readers, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.graders.agreement import Audit, Disagreement, Tally
from harness.tables.prompts import as_text
from harness.tables.table import Block, Cell, Column, Line, Table


def blocks(found: Audit) -> Iterator[Block]:
    """Agreement of every grading, of ours by type of grader, and each disagreement."""
    yield agreement("each answer as often as models gave it", found.by_models)
    yield agreement("each distinct answer once", found.by_answers)
    yield agreement("evalrun by type of grader", found.by_grader)
    if found.left_out:
        yield Line(f"{found.left_out} ambiguous answers are left out")
    if not found.disagreements:
        yield Line("no disagreement")
        return
    headings = ("verdict", "question", "expected", "response", "reason")
    yield Table(
        title="Disagreements",
        columns=[Column(heading=heading) for heading in headings],
        rows=[_disagreement(it) for it in found.disagreements],
        records=True,
    )


def agreement(title: str, tallies: Mapping[str, Tally]) -> Table:
    return Table(
        title=title,
        columns=[
            Column("grading", "grading"),
            Column("answers", "answers", "count"),
            Column("agreement_pct", "agreement", figure=True),
            Column("wrong_passes", "wrong passes", "count"),
            Column("wrong_fails", "wrong fails", "count"),
            Column("kappa", "kappa", figure=True, drop=1),
        ],
        rows=[[name, *_figures(tally)] for name, tally in tallies.items()],
    )


def _figures(tally: Tally) -> tuple[int, Cell, int, int, Cell]:
    return (
        tally.total,
        Cell(100 * tally.agreement, f"{100 * tally.agreement:.2f} %"),
        tally.wrong_pass,
        tally.wrong_fail,
        Cell(tally.kappa, f"{tally.kappa:.3f}"),
    )


def _disagreement(it: Disagreement) -> list[Cell | str]:
    kind = "wrong fail" if it.label == "pass" else "wrong pass"
    head = Cell(f"{kind} ({it.grader}, {it.models}x)")
    return [head, it.question, as_text(it.reference), it.response, it.reason]
