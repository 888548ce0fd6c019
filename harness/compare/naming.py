"""Which run or published figures a name on the command line means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import store
from harness.catalogue import Catalogue
from harness.compare.reading import Measured, measure
from harness.errors import ExitCode, ResultsError
from harness.records import ModelCard
from harness.store import Run

Reader = Callable[[Run], Measured]


class IncompleteRun(ResultsError):
    """A run with calls that failed or were not asked has a range, not a score."""

    exit_code = ExitCode.INCOMPLETE


def resolve(
    name: str, results: Path, catalogue: Catalogue, *, read: Reader, force: bool
) -> Measured | ModelCard:
    """The run that is named; or the model's newest complete run; or its published figures.

    Raises: IncompleteRun, or ResultsError with the nearest names.
    """
    path = store.named(results, name)
    if path is not None:
        measured = read(store.read(path))
        if not measured.score.complete and not force:
            raise _incomplete(measured)
        return measured
    card = catalogue.get(name)
    models = dict.fromkeys([name, card.name] if card else [name])
    for model in models:
        found = _newest_complete(results, model, read)
        if found is not None:
            return found
    if card is not None and card.published is not None and card.published.asked:
        return card
    newest = _newest_readable(results, list(models), read)
    if newest is not None and force:
        return newest
    raise _nothing(results, list(models), newest, card) or store.unknown(
        results, name, also=catalogue.nearest(name)
    )


def _newest_complete(results: Path, model: str, read: Reader) -> Measured | None:
    """The newest run that counts; what is wrong with newer ones is remembered."""
    damaged: list[str] = []
    for path in reversed(store.model_runs(results, model)):
        try:
            run = store.read(path)
            if store.counts(run.header) and (measured := read(run)).score.complete:
                return msgspec.structs.replace(measured, passed_over=tuple(damaged))
        except ResultsError as error:
            damaged.append(error.problem)
    return None


def _incomplete(measured: Measured) -> IncompleteRun:
    overall, header = measured.score.overall, measured.score.header
    return IncompleteRun(
        f"{header.run} is incomplete: {overall.errors} of {overall.asked} have no answer, so "
        f"its score is between {100 * overall.low:.1f} % and {100 * overall.high:.1f} %",
        fix=f"finish it with `{store.resume_command(header)}`, "
        "or compare the prompts that were answered with --force",
    )


def _newest_readable(results: Path, models: list[str], read: Reader) -> Measured | None:
    paths = [path for model in models for path in store.model_runs(results, model)]
    for path in reversed(paths):
        with contextlib.suppress(ResultsError):
            return read(store.read(path))
    return None


def _nothing(
    results: Path, models: list[str], newest: Measured | None, card: ModelCard | None
) -> ResultsError | None:
    """Why a model that is known cannot be compared; None when it is not known at all."""
    if newest is not None:
        return _partial(newest)
    damaged = [path for model in models for path in store.model_runs(results, model)]
    if damaged:
        return _damage(damaged[-1])
    if card is not None:
        return ResultsError(
            f"{card.name} has no run in {results} and no published figures",
            fix=f"measure it: `evalrun --model {card.name}`",
        )
    return None


def _partial(measured: Measured) -> ResultsError:
    header = measured.score.header
    if not measured.score.complete:
        return _incomplete(measured)
    what = "a blind run" if header.blind else f"a run of {header.prompts} prompts"
    return ResultsError(
        f"{header.model} has no complete run of the whole suite, only {what}",
        fix=f"run it whole, or name that run: {header.run}",
    )


def _damage(path: Path) -> ResultsError | None:
    try:
        measure(store.read(path))
    except ResultsError as error:
        return error
    return None
