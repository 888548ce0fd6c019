"""Which run or published figures a name on the command line means.

`A` is a run, a file, or a model: its newest complete run, else its published figures. `A@SUITE` is
the model's newest complete run of that suite, `A+B` joins runs over several forms of a suite.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import store
from harness.catalogue import Catalogue
from harness.comparison.reading import Measured
from harness.errors import ExitCode, ResultsError
from harness.records import ModelCard, RunHeader, Score
from harness.records.settings import resume_command

Found = Measured | ModelCard
Reader = Callable[..., Measured]
"""`measure`, with how it is to count."""


class IncompleteRun(ResultsError):
    """A run with errors, cuts or prompts not asked has a range, not a score."""

    exit_code = ExitCode.INCOMPLETE


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What names mean in a results folder."""

    results: Path
    catalogue: Catalogue
    read: Reader
    force: bool = False
    """Take incomplete runs too."""

    def resolve(self, name: str) -> Found:
        """Raises: IncompleteRun, or ResultsError with the nearest names."""
        path = store.named(self.results, name)
        if path is not None:
            return self._whole(self.read(store.read(path)))
        card = self.catalogue.get(name)
        models = list(dict.fromkeys([name, card.name] if card else [name]))
        found = self._of_models(models, lambda _: True) or self._on_suite(name)
        if found is not None:
            return found
        if card is not None and card.published is not None and card.published.asked:
            return card
        if "+" in name and not any(store.model_runs(self.results, model) for model in models):
            return self._joined(name.split("+"))
        return self._newest(models, card, name)

    def _of_models(
        self, models: list[str], is_meant: Callable[[RunHeader], bool]
    ) -> Measured | None:
        """The newest run that counts; what is wrong with newer ones is remembered."""
        for model in models:
            damaged: list[str] = []
            for path in reversed(store.model_runs(self.results, model)):
                try:
                    run = store.read(path)
                    if not (run.header.subset or run.header.blind) and is_meant(run.header):
                        measured = self.read(run)
                        if measured.score.complete:
                            return msgspec.structs.replace(measured, passed_over=tuple(damaged))
                except ResultsError as error:
                    damaged.append(error.problem)
        return None

    def _on_suite(self, name: str) -> Measured | None:
        model, at, suite = name.rpartition("@")
        return self._of_models([model], lambda it: is_of_suite(it, suite)) if at else None

    def _joined(self, names: list[str]) -> Measured:
        parts = [self.resolve(name) for name in names]
        measured = [part for part in parts if isinstance(part, Measured)]
        if len(measured) < len(parts):
            raise ResultsError(
                f"{'+'.join(names)} joins published figures, which name no prompts",
                fix="join runs made here: `evalrun runs` lists them",
            )
        return self.read(*(part.run for part in measured))

    def _whole(self, measured: Measured) -> Measured:
        if not measured.score.complete and not self.force:
            raise _incomplete(measured)
        return measured

    def _newest(self, models: list[str], card: ModelCard | None, name: str) -> Measured:
        """The newest run even though it does not count, if forced; else the reason why not."""
        damage: ResultsError | None = None
        for path in reversed(
            [it for model in models for it in store.model_runs(self.results, model)]
        ):
            try:
                measured = self.read(store.read(path))
            except ResultsError as error:
                damage = damage or error
                continue
            if self.force:
                return measured
            raise _does_not_count(measured)
        if damage is not None:
            raise damage
        if card is not None:
            raise ResultsError(
                f"{card.name} has no run in {self.results} and no published figures",
                fix=f"measure it: `evalrun --model {card.name}`",
            )
        raise store.unknown(self.results, name, also=self.catalogue.nearest(name))


def is_of_suite(header: RunHeader, suite: str) -> bool:
    """By its name, its version, or the folder it was read from."""
    folder = Path(header.suite_path).name if header.suite_path else None
    return suite in (header.suite, header.suite_version, folder)


def missing(score: Score) -> str:
    """Why a score is a range."""
    return f"{score.errors + score.cut} of {score.asked} have no answer ({score.missing})"


def _incomplete(measured: Measured) -> IncompleteRun:
    overall, header = measured.score.overall, measured.score.header
    return IncompleteRun(
        f"{header.run} is incomplete: {missing(overall)}, so "
        f"its score is between {100 * overall.low:.1f} % and {100 * overall.high:.1f} %",
        fix=f"finish it with `{resume_command(measured.run.header)}`, "
        "or compare the prompts that were answered with --force",
    )


def _does_not_count(measured: Measured) -> ResultsError:
    header = measured.score.header
    if not measured.score.complete:
        return _incomplete(measured)
    what = "a blind run" if header.blind else f"a run of {header.prompts} prompts"
    return ResultsError(
        f"{header.model} has no complete run of the whole suite, only {what}",
        fix=f"run it whole, or name that run: {header.run}",
    )
