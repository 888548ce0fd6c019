"""What a report is about: the runs that were named, compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from harness.catalogue import Catalogue
from harness.comparison import Comparison, Side, comparable, compare, ranking
from harness.comparison.naming import Found, Names
from harness.comparison.reading import Measured, measure
from harness.comparison.sides import sides_of
from harness.errors import ResultsError


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the report: its side of the comparison, and its run if it has one."""

    side: Side
    measured: Measured | None

    @property
    def label(self) -> str:
        return self.side.label


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page is made from, pictures apart."""

    columns: tuple[Column, ...]
    comparison: Comparison
    """Its sides are whole runs, also where its verdicts rest on the prompts that all share."""
    left_out: tuple[str, ...] = ()
    """Models that have runs and are not in the report, with the reason."""


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
    read = partial(measure, include_cached=include_cached)
    meant = Names(results=results, catalogue=catalogue, read=read, force=True)
    found = [meant.resolve(name) for name in names]
    if not force:
        comparable.insist([it.score.header for it in found if isinstance(it, Measured)])
    sides = tuple(sides_of(found, catalogue))
    comparison = _compared(found, results, catalogue, include_cached=include_cached)
    return Gathered(
        columns=tuple(
            Column(side=side, measured=it if isinstance(it, Measured) else None)
            for side, it in zip(sides, found, strict=True)
        ),
        comparison=msgspec.structs.replace(comparison, sides=sides),
        left_out=left_out,
    )


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


def _compared(
    found: Sequence[Found], results: Path, catalogue: Catalogue, *, include_cached: bool
) -> Comparison:
    """Every later column compared with the first; a single one has none to be compared with."""
    if len(found) == 1:
        return Comparison(sides=(), contrasts=())
    return compare(
        [str(it.run.path) if isinstance(it, Measured) else it.name for it in found],
        results=results,
        catalogue=catalogue,
        force=True,
        include_cached=include_cached,
    )
