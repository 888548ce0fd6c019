"""One self-contained HTML page about runs: readable without network and without script.

Names --gather--> Gathered --page.page--> HTML. Model output is untrusted from end to end: every
text passes `inert` and the template's autoescape, and the page forbids itself scripts and requests.
`charts.bars` and `charts.plots` make SVG of any sides: `components.html` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness.catalogue import Catalogue
from harness.comparison import Comparison, compare_sides, ranking
from harness.comparison.sides import Names, Side, insist_on_comparable, labelled
from harness.errors import ResultsError


class Gathered(Struct, frozen=True, kw_only=True):
    """Everything the page is made from, pictures apart."""

    comparison: Comparison
    """Its sides are whole runs, also where its verdicts rest on the prompts that all share."""
    left_out: tuple[str, ...] = ()
    """Models that have runs and are not in the report, with the reason."""

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.comparison.sides


def gather(
    names: Sequence[str],
    *,
    results: Path,
    catalogue: Catalogue,
    force: bool = False,
    include_cached: bool = False,
) -> Gathered:
    """The named models and runs, or without a name every model's newest complete run.

    Unlike `compare` it takes a single run, and incomplete ones, whose scores are ranges.

    Raises: ResultsError for names that mean nothing, damaged files, nothing to report, and runs
        that are not comparable unless `force`; UsageError for one run named twice.
    """
    left_out: tuple[str, ...] = ()
    if not names:
        names, left_out = _ranked(results, include_cached=include_cached)
    meant = Names(results=results, catalogue=catalogue, force=True, include_cached=include_cached)
    found = [meant.resolve(name) for name in names]
    if not force:
        insist_on_comparable([side.header for side in found if side.header is not None])
    comparison = Comparison(sides=(), contrasts=())
    if len(found) > 1:
        comparison = compare_sides(found, names, meant)
    comparison = replace(comparison, sides=tuple(labelled(found)))
    return Gathered(comparison=comparison, left_out=left_out)


def _ranked(results: Path, *, include_cached: bool) -> tuple[list[str], tuple[str, ...]]:
    """The runs of the leaderboard, best first, and which models are not on it."""
    board = ranking.leaderboard(results, include_cached=include_cached)
    left_out = [f"{it.run}: {it.reason} (`{it.command}`)" for it in board.unranked]
    if not board.groups:
        because = f" ({'; '.join(left_out)})" if left_out else ""
        raise ResultsError(
            f"there is no complete run in {results}{because}",
            fix="make one with `evalrun --model NAME`, or name the run to report: "
            "`evalrun runs` lists them",
        )
    first, *others = board.groups
    for group in others:
        models = ", ".join(it.score.model for it in group.standings)
        left_out.append(f"{models}: measured on {group.suite} with {group.settings}")
    return [it.score.header.run for it in first.standings], tuple(left_out)
