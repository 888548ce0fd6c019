"""How far graders agree with careful readers, as tables."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.graders.agreement import Audit, Disagreement, Tally
from harness.text import inert, one_line

_LONGEST = 300


def audited(found: Audit) -> RenderableType:
    """Agreement of every way of grading, of ours by type, and each disagreement."""
    parts: list[RenderableType] = [
        _table("each answer as often as models gave it", "grading", found.by_models),
        _table("each distinct answer once", "grading", found.by_answers),
        _table("evalrun by type of grader", "grader", found.by_grader),
    ]
    if found.left_out:
        parts.append(Text(f"{found.left_out} ambiguous answers are left out", style="dim"))
    parts += [_disagreement(it) for it in found.disagreements]
    if not found.disagreements:
        parts.append(Text("no disagreement"))
    return Group(*parts)


def _table(title: str, first: str, tallies: dict[str, Tally]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for name in ("answers", "agreement", "wrong passes", "wrong fails", "kappa"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, tally in tallies.items():
        table.add_row(
            name,
            f"{tally.total}",
            f"{100 * tally.agreement:.2f} %",
            f"{tally.wrong_pass}",
            f"{tally.wrong_fail}",
            f"{tally.kappa:.3f}",
        )
    return table


def _disagreement(it: Disagreement) -> Text:
    expected = it.reference if isinstance(it.reference, str) else ", ".join(it.reference)
    kind = "wrong fail" if it.label == "pass" else "wrong pass"
    return Text(
        f"\n{kind} ({it.grader}, {it.models}x)\n"
        f"  question  {one_line(it.question, _LONGEST)}\n"
        f"  expected  {one_line(expected, _LONGEST)}\n"
        f"  said      {one_line(it.response, _LONGEST)}\n"
        f"  reason    {inert(it.reason, _LONGEST)}"
    )
