"""`compare`: names in, a Comparison out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from harness.catalogue import Catalogue
from harness.comparison import comparable, contrast, sentences
from harness.comparison.naming import Found, Names
from harness.comparison.nouns import Answer, Comparison, Contrast, Disagreement, Side
from harness.comparison.reading import Measured, Prompt, measure
from harness.comparison.sides import sides_of
from harness.errors import ResultsError, UsageError
from harness.records import RunHeader


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
    read = partial(measure, include_cached=include_cached, words={})
    meant = Names(results=results, catalogue=catalogue, read=read, force=force)
    found = [meant.resolve(name) for name in names]
    _insist_on_different(names, found)
    measured = [it for it in found if isinstance(it, Measured)]
    warnings = _warnings(measured, force=force)
    shared = _shared(measured)
    if any(len(it.prompts) > len(shared) for it in measured):
        warnings.append(_narrowing(measured, len(shared)))
        found = [_narrowed(it, shared, include_cached=include_cached) for it in found]
    found = [_aligned(it, shared) for it in found]
    sides = sides_of(found, catalogue)
    return Comparison(
        sides=tuple(sides),
        contrasts=_contrasts(sides, found),
        disagreements=tuple(_disagreements(sides, found)),
        warnings=tuple(warnings),
        shared_tasks=_shared_tasks(sides),
        forced=any(it.startswith("forced") for it in warnings),
    )


def _insist_on_different(names: Sequence[str], found: Sequence[Found]) -> None:
    seen: dict[object, str] = {}
    for name, it in zip(names, found, strict=True):
        files = [run.path.resolve() for run in it.runs] if isinstance(it, Measured) else [it.name]
        what = tuple(files)
        if what in seen:
            also = "" if seen[what] == name else f" (as {seen[what]!r} and {name!r})"
            called = it.score.header.run if isinstance(it, Measured) else it.name
            raise UsageError(
                f"{called} is named twice{also}",
                fix="name two different models or runs; `evalrun runs` lists them",
            )
        seen[what] = name


def _headers(measured: Sequence[Measured]) -> list[RunHeader]:
    return [it.score.header for it in measured]


def _warnings(measured: Sequence[Measured], *, force: bool) -> list[str]:
    """Raises: ResultsError for runs that are not comparable, unless forced."""
    headers = _headers(measured)
    try:
        comparable.insist(headers)
        forced = []
    except ResultsError:
        if not force:
            raise
        forced = comparable.differences(headers, comparable.MUST_AGREE)
    shown = comparable.differences(headers, comparable.MAY_DIFFER, but=["pictures shrunk to"])
    shrunk = [
        f"{it.run}: pictures arrived shrunk to about {it.pictures_shrunk_to_px} px, "
        f"as the sight test {it.eye_card} found"
        for it in headers
        if it.pictures_shrunk_to_px
    ]
    damaged = [problem for it in measured for problem in it.passed_over]
    return [
        *(f"forced: {line}" for line in forced),
        *(f"note: {line}" for line in (*shrunk, *shown)),
        *(f"passed over: {problem}" for problem in damaged),
    ]


def _shared(measured: Sequence[Measured]) -> dict[str, Prompt]:
    """Prompts that all were asked in the same words and that all answered, in the first's order.

    Raises: ResultsError when there is none.
    """
    if len(measured) < 2:
        return measured[0].prompts if measured else {}
    first, *others = measured
    shared, asked = first.prompts, first.repeats
    for other in others:
        theirs, asked_there = other.prompts, other.repeats
        shared = {
            id_: ours
            for id_, ours in shared.items()
            if ours.answered >= asked
            and (it := theirs.get(id_))
            and it.answered >= asked_there
            and it.asks_as(ours)
        }
    if not shared:
        listed = ", ".join(f"{it.score.header.run} ({len(it.prompts)})" for it in measured)
        raise ResultsError(
            f"these runs have no prompt in common: {listed}",
            fix="compare runs of the same suite, category and prompts",
        )
    return shared


def _narrowing(measured: Sequence[Measured], shared: int) -> str:
    listed = ", ".join(f"{it.score.header.run} was asked {len(it.prompts)}" for it in measured)
    return f"compared on the {shared} prompts that all were asked and answered: {listed}"


def _narrowed(found: Found, shared: dict[str, Prompt], *, include_cached: bool) -> Found:
    if not isinstance(found, Measured):
        return found
    return measure(*found.runs, include_cached=include_cached, only=shared)


def _aligned(found: Found, shared: dict[str, Prompt]) -> Found:
    """With the shared prompts alone, in the order that all runs then have them in."""
    if not isinstance(found, Measured) or list(found.prompts) == list(shared):
        return found
    return replace(found, prompts={id_: found.prompts[id_] for id_ in shared})


def _contrasts(sides: Sequence[Side], found: Sequence[Found]) -> tuple[Contrast, ...]:
    """Each later side with the first, corrected for being several, and put into words."""
    contrasts = [
        contrast.compare_pair(sides[0], found[0], side, it)
        for side, it in zip(sides[1:], found[1:], strict=True)
    ]
    tested = sum(it.p is not None for it in contrasts)
    return tuple(sentences.worded(it, tested=tested) for it in contrast.corrected(contrasts))


def _disagreements(sides: Sequence[Side], found: Sequence[Found]) -> list[Disagreement]:
    labels = [side.label for side in sides if side.measured]
    first, *others = [list(it.prompts.values()) for it in found if isinstance(it, Measured)] or [[]]
    differing = {
        at
        for other in others
        for at, (one, two) in enumerate(zip(first, other, strict=True))
        if one.passed * two.answered != two.passed * one.answered
    }
    return [
        _disagreement(first[at], labels, [first[at], *(other[at] for other in others)])
        for at in sorted(differing)
    ]


def _disagreement(asked: Prompt, labels: Sequence[str], prompts: Sequence[Prompt]) -> Disagreement:
    return Disagreement(
        prompt=asked.id,
        category=asked.category,
        question=asked.question,
        image=asked.image,
        expected=asked.expected,
        answers=tuple(
            [
                Answer(
                    label=label, passed=it.passed, asked=it.answered, answer=it.answer, text=it.text
                )
                for label, it in zip(labels, prompts, strict=True)
            ]
        ),
    )


def _shared_tasks(sides: Sequence[Side]) -> tuple[str, ...] | None:
    stated = [
        side.card.vision_tasks.value for side in sides if side.card and side.card.vision_tasks
    ]
    if len(stated) < len(sides):
        return None
    return tuple(task for task in stated[0] if all(task in tasks for tasks in stated[1:]))


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
    if overall.difference >= 0 or overall.p >= contrast.ALPHA:
        return None
    loss = f"{-100 * overall.difference:.1f} percentage points"
    return f"{last.second} is {loss} worse than {last.first} ({sentences.p_value(overall.p)})"
