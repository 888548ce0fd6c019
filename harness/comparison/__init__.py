"""Which of several models is better, by how much, and how sure that is.

`compare` takes names, `compare_sides` what `sides.Names` made of them; `regression` is the verdict
for a pipeline. `contrast` has the paired difference of two sides, `ranking` the leaderboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness.catalogue import Catalogue
from harness.comparison.contrast import Contrast, contrasts, p_value
from harness.comparison.sides import (
    Names,
    Prompt,
    Side,
    cells_of_one_sweep,
    differences,
    insist_on_comparable,
    labelled,
)
from harness.errors import ResultsError, UsageError
from harness.stats import ALPHA
from harness.text import as_text


class Answer(Struct, frozen=True, kw_only=True):
    """What one model answered to a prompt."""

    label: str
    passed: int
    asked: int
    answer: str | None
    text: str
    """The reply, cut after 500 characters; of several repeats the first that failed."""


class Disagreement(Struct, frozen=True, kw_only=True):
    """A prompt that one model passed more often than another."""

    prompt: str
    category: str
    question: str
    image: str
    expected: str
    answers: tuple[Answer, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """Everything `evalrun compare` shows, in whatever format."""

    sides: tuple[Side, ...]
    contrasts: tuple[Contrast, ...]
    disagreements: tuple[Disagreement, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def forced(self) -> bool:
        """Compared although the runs differ in ways that `warnings` lists."""
        return any(it.startswith("forced") for it in self.warnings)

    @property
    def shared_tasks(self) -> tuple[str, ...] | None:
        """Vision tasks that all of them state; None when one states none."""
        facts = [side.card.vision_tasks if side.card else None for side in self.sides]
        stated = [fact.value for fact in facts if fact is not None]
        if len(stated) < len(facts):
            return None
        return tuple(task for task in stated[0] if all(task in tasks for tasks in stated))


def compare(
    names: Sequence[str],
    *,
    results: Path,
    catalogue: Catalogue,
    force: bool = False,
    include_cached: bool = False,
) -> Comparison:
    """Compare every later model or run with the first.

    Raises: UsageError for fewer than two names or one run twice; IncompleteRun; ResultsError for
        names that mean nothing, damaged files, and runs that are not comparable.
    """
    if len(names) < 2:
        raise UsageError(
            "compare needs at least two models or runs",
            fix="name another: `evalrun compare A B`; a single run is shown by `evalrun show A`",
        )
    meant = Names(results=results, catalogue=catalogue, force=force, include_cached=include_cached)
    return compare_sides([meant.resolve(name) for name in names], names, meant)


def compare_sides(sides: Sequence[Side], names: Sequence[str], meant: Names) -> Comparison:
    """What `names` mean, compared on the prompts that all have."""
    _insist_on_different(names, sides)
    measured = [side for side in sides if side.measured]
    warnings = list(_warnings(measured, force=meant.force))
    shared = _shared(measured)
    if any(len(side.prompts) > len(shared) for side in measured):
        listed = ", ".join(f"{_run(side)} was asked {len(side.prompts)}" for side in measured)
        about = f"compared on the {len(shared)} prompts that all were asked and answered"
        warnings.append(f"{about}: {listed}")
        sides = [meant.read(*it.runs, only=shared) if it.measured else it for it in sides]
    aligned = labelled([_aligned(side, shared) for side in sides])
    return Comparison(
        sides=tuple(aligned),
        contrasts=contrasts(aligned),
        disagreements=tuple(_disagreements([side for side in aligned if side.measured])),
        warnings=tuple(warnings),
    )


def regression(comparison: Comparison) -> str | None:
    """In words, when the last side is significantly worse than the first; else None.

    Goes by the exact test of these two alone, uncorrected for others compared beside them.

    Raises: ResultsError when no test was made, as for published figures.
    """
    last = comparison.contrasts[-1]
    overall = last.overall
    if overall is None or overall.p is None:
        raise ResultsError(
            f"{last.first} and {last.second} give no verdict to fail on: published figures do not "
            "say which prompts were passed",
            fix="measure both on the same suite, and compare the runs",
        )
    if overall.difference >= 0 or overall.p >= ALPHA:
        return None
    loss = f"{-100 * overall.difference:.1f} percentage points"
    return f"{last.second} is {loss} worse than {last.first} ({p_value(overall.p)})"


def _run(side: Side) -> str:
    return side.header.run if side.header else side.label


def _insist_on_different(names: Sequence[str], sides: Sequence[Side]) -> None:
    seen: dict[object, str] = {}
    for name, side in zip(names, sides, strict=True):
        what = tuple(run.path.resolve() for run in side.runs) or side.label
        if what in seen:
            also = "" if seen[what] == name else f" (as {seen[what]!r} and {name!r})"
            raise UsageError(
                f"{_run(side)} is named twice{also}",
                fix="name two different models or runs; `evalrun runs` lists them",
            )
        seen[what] = name


def _warnings(sides: Sequence[Side], *, force: bool) -> Iterator[str]:
    """Raises: ResultsError for runs that are not comparable, unless forced."""
    headers = [side.header for side in sides if side.header is not None]
    try:
        insist_on_comparable(headers)
    except ResultsError:
        if not force:
            raise
        yield from (f"forced: {line}" for line in differences(headers, must_agree=True))
    if cells_of_one_sweep(headers):
        yield from (f"varied: {line}" for line in differences(headers, must_agree=True))
    for it in headers:
        if it.pictures_shrunk_to_px:
            arrived = f"pictures arrived shrunk to about {it.pictures_shrunk_to_px} px"
            yield f"note: {it.run}: {arrived}, as the sight test {it.eye_card} found"
    shown = differences(headers, must_agree=False, but=["pictures shrunk to"])
    yield from (f"note: {line}" for line in shown)
    yield from (f"passed over: {problem}" for side in sides for problem in side.passed_over)


def _shared(sides: Sequence[Side]) -> dict[str, Prompt]:
    """Prompts that all were asked in the same words and that all answered, in the first's order.

    Raises: ResultsError when there is none.
    """
    if not sides:
        return {}
    first, *others = sides
    shared, asked = first.prompts, first.repeats
    for other in others:
        asked_there = other.repeats
        shared = {
            id_: ours
            for id_, ours in shared.items()
            if ours.answered >= asked
            and (it := other.prompts.get(id_))
            and it.answered >= asked_there
            and it.asks_as(ours)
        }
    if not shared:
        listed = ", ".join(f"{_run(side)} ({len(side.prompts)})" for side in sides)
        raise ResultsError(
            f"these runs have no prompt in common: {listed}",
            fix="compare runs of the same suite, category and prompts",
        )
    return shared


def _aligned(side: Side, shared: dict[str, Prompt]) -> Side:
    """With the shared prompts alone, in the order that all runs then have them in."""
    if not side.measured or list(side.prompts) == list(shared):
        return side
    return replace(side, prompts={id_: side.prompts[id_] for id_ in shared})


def _disagreements(sides: Sequence[Side]) -> Iterator[Disagreement]:
    first, *others = [list(side.prompts.values()) for side in sides] or [[]]
    differing = {
        at
        for other in others
        for at, (one, two) in enumerate(zip(first, other, strict=True))
        if one.passed * two.answered != two.passed * one.answered
    }
    for at in sorted(differing):
        asked, answers = first[at], [first[at], *(other[at] for other in others)]
        yield Disagreement(
            prompt=asked.id,
            category=asked.category,
            question=asked.question,
            image=asked.image,
            expected=as_text(asked.right),
            answers=tuple(
                Answer(
                    label=side.label,
                    passed=it.passed,
                    asked=it.answered,
                    answer=it.answer,
                    text=it.text,
                )
                for side, it in zip(sides, answers, strict=True)
            ),
        )
