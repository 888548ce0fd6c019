"""The Python face: `import harness` gives `run`, `load`, `compare` and `grade`.

Nothing here prints, asks or exits; what goes wrong is an `EvalrunError`, with `problem` and `fix`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_type_hints

import msgspec
import pandas as pd

from harness import catalogue, comparison, store
from harness.comparison import Comparison, ranking
from harness.errors import UsageError, reworded
from harness.graders.audit import Recorded, Unreadable, graded
from harness.measure import Progress, measure
from harness.options import RunOptions
from harness.records import ModelScore, Record, Verdict
from harness.summary import summarise
from harness.tables import Table, frame, to_markdown
from harness.tables import compare as compare_tables
from harness.tables.runs import by_category, listing, ranked
from harness.text import nearest


class RunArguments(TypedDict, total=False):
    """The further options of `run`: those of `evalrun run`, where `--help` explains each."""

    api_key_env: str | None
    backend: str | None
    gguf: str | Path | None
    mmproj: str | Path | None
    quant: str | None
    replay: str | Path | None
    server_arg: str | list[str]
    yes: bool
    images: str | Path | None
    skip_broken: bool
    category: str | list[str]
    prompt: str | list[str]
    limit: int | None
    repeats: int
    blind: bool
    shuffle_options: int | None
    answer_format: Literal["constrained"] | None
    temperature: float | None
    seed: int | None
    max_tokens: int | None
    thinking: str | None
    system: str | None
    body: str | list[str]
    image_max_side: int | None
    image_tokens: str | None
    image_detail: Literal["low", "high", "auto"] | None
    coordinates: str
    concurrency: int | None
    timeout: float | None
    tries: int
    max_wait: float
    cold: bool
    max_cost: float | None
    replicas: int
    ray: str | None
    num_gpus: float | None
    judge: str | None
    judge_base_url: str | None
    judge_gguf: str | Path | None
    judge_backend: str | None
    judge_api_key_env: str | None
    judge_thinking: str
    judge_scope: Literal["unread", "all"]
    judge_sees_image: bool
    resume: bool | None
    include_cached: bool
    log: str | Path | None
    verbose: bool


OnProgress = Callable[[int, int], None]
"""Called with how many prompts are answered, and how many will be."""


class Results:
    """Runs of a results folder, read when asked, as pandas DataFrames."""

    def __init__(self, folder: Path, paths: tuple[Path, ...] | None = None) -> None:
        self.folder, self._paths = folder, paths

    @property
    def paths(self) -> tuple[Path, ...]:
        """The run files, oldest first."""
        return tuple(store.runs(self.folder)) if self._paths is None else self._paths

    def records(self) -> pd.DataFrame:
        """A row a prompt and repeat, with the columns of a run's CSV. Raises: ResultsError."""
        return frame.of_runs(map(store.read, self.paths))

    def scores(self) -> pd.DataFrame:
        """A row a run and category, and one of each run named `overall`. Raises: ResultsError."""
        return frame.of_table(by_category(*self._scores()))

    def leaderboard(self, *, suite: str | None = None, settings: str | None = None) -> pd.DataFrame:
        """Every model's newest complete run of the folder, ranked among comparable ones."""
        board = ranking.leaderboard(self.folder, suite=suite, settings=settings)
        return frame.of_table(ranked(board.groups))

    def _scores(self) -> Iterator[ModelScore]:
        return (summarise(store.read(path)) for path in self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r}, {len(self)} runs)"

    def _repr_html_(self) -> str:
        """The overall scores, in a notebook."""
        return frame.of_table(listing(self._scores())).to_html(index=False, na_rep="")


class Measured(Results):
    """The run that `run` made, with its score."""

    def __init__(self, folder: Path, path: Path, score: ModelScore) -> None:
        super().__init__(folder, (path,))
        self.path, self.score = path, score

    @property
    def complete(self) -> bool:
        """Whether every prompt was answered; else the score is a range, and `run` resumes it."""
        return self.score.complete


class Compared:
    """Two or more models, compared with the first; `found` is all of it."""

    def __init__(self, found: Comparison) -> None:
        self.found = found

    @property
    def verdicts(self) -> list[str]:
        """A sentence for each later model."""
        return [contrast.sentence for contrast in self.found.contrasts]

    def table(self) -> pd.DataFrame:
        """Facts and scores side by side, with the differences."""
        return frame.of_table(compare_tables.for_programs(self.found))

    def disagreements(self) -> pd.DataFrame:
        """A row a prompt that one of them passed more often than another."""
        rows = [
            {"prompt": it.prompt, "category": it.category, "expected": it.expected}
            | {answer.label: answer.text for answer in it.answers}
            for it in self.found.disagreements
        ]
        return pd.DataFrame.from_records(rows)

    def __repr__(self) -> str:
        return "\n".join(self.verdicts)

    def _repr_markdown_(self) -> str:
        """What `evalrun compare --md` prints, in a notebook, without what is folded there."""
        blocks = compare_tables.blocks(self.found)
        return to_markdown(it for it in blocks if not (isinstance(it, Table) and it.folded))


def run(
    model: str | None = None,
    *,
    suite: str | Path | None = None,
    base_url: str | list[str] | None = None,
    results: str | Path = "results",
    progress: OnProgress | None = None,
    **options: Unpack[RunArguments],
) -> Measured:
    """Ask a model every question of a suite, save each answer, return records and scores.

    Args:    `options` are those of `evalrun run` by their names: limit=5, temperature=0.7,
             category=["Object Counting"], api_key_env="MY_KEY", yes=True …
    Returns: the run, also when calls failed: it is then not `complete`; the same call resumes it
    Raises:  EvalrunError when the suite, the model or its server cannot be used, or nothing was
             answered
    """
    own = {"model": model, "suite": suite, "base_url": base_url, "results": results}
    given: dict[str, Any] = {**options, **own}
    chosen = _run_options({name: value for name, value in given.items() if value is not None})

    @contextmanager
    def watch(it: Progress) -> Iterator[Callable[[Sequence[Record]], None]]:
        yield lambda _: progress(it.done, it.asked) if progress is not None else None

    outcome = measure(chosen, watch=watch)
    return Measured(chosen.output.results, outcome.path, outcome.score)


def load(results: str | Path = "results", *names: str) -> Results:
    """The runs of a results folder, or those that are named: models, runs or files.

    Raises: ResultsError for a name that means nothing.
    """
    paths = tuple(store.find(Path(results), name) for name in names)
    return Results(Path(results), paths or None)


def compare(
    first: str, *others: str, results: str | Path = "results", force: bool = False
) -> Compared:
    """Is a later model or run really better than the first? Names as in `evalrun compare`.

    Raises: ResultsError for runs that are incomplete or not comparable, unless `force`.
    """
    names, known = [first, *others], catalogue.load()
    found = comparison.compare(names, results=Path(results), catalogue=known, force=force)
    return Compared(found)


def grade(
    question: str,
    expected: str | float | tuple[str, ...],
    reply: str,
    *,
    grader: str | None = None,
    **options: Any,
) -> Verdict:
    """Whether a reply is right. Without a `grader` one is inferred from question and answer.

    Raises: UsageError when the grader cannot work with what is expected.

    >>> grade("How many bolts are there?", 4, "I count four.").passed
    True
    """
    answer = Recorded(
        question=question, reference=expected, response=reply, grader=grader, options=options
    )
    try:
        return graded(answer)[1]
    except Unreadable as error:
        raise UsageError(str(error), fix="give an expected answer that the grader takes") from error


def _run_options(given: Mapping[str, Any]) -> RunOptions:
    """By their names; a list may be given as its only item, a path as text.

    Raises: UsageError for an option that `evalrun run` does not have, or a wrong value.
    """
    groups: dict[str, Any] = get_type_hints(RunOptions)
    known = {it.name: it for group in groups.values() for it in fields(group)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            near = ", ".join(nearest(name, known)) or "see `evalrun run --help`"
            raise UsageError(f"run has no option {name!r}", fix=f"nearest: {near}")
        is_item = known[name].default_factory is list and isinstance(value, str)
        values[name] = [value] if is_item else value
    what, fix = "a wrong option of run", "see `evalrun run --help`"
    with reworded(UsageError, what, fix, msgspec.ValidationError):
        return RunOptions(
            **{
                name: msgspec.convert(
                    {it.name: values[it.name] for it in fields(group) if it.name in values},
                    group,
                    dec_hook=lambda _, value: Path(value),
                )
                for name, group in groups.items()
            }
        )
