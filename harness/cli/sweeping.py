"""The cells of a sweep, asked one after the other; what is there already is not asked again."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace as with_field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Self

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness import store, suites
from harness.adapters import Target
from harness.adapters.llamacpp.weights import missing_bytes
from harness.cli.output import Interrupts, Voice, complain, duration, is_watched, line
from harness.cli.run import cost, gravest
from harness.errors import EvalrunError, ExitCode, ResultsError
from harness.measure import Progress, Watch, Work, carry_out, estimate, prepare
from harness.options import RunOptions
from harness.records import Record
from harness.store import Run
from harness.suites import Suite
from harness.summary import summarise
from harness.sweep import grid, reading
from harness.sweep.early import EarlyStop
from harness.sweep.grid import Cell
from harness.sweep.reading import Result
from harness.tables import share_and_counts
from harness.text import inert, size_text


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that could be asked now: its options are valid, its model has a route."""

    cell: Cell
    options: RunOptions
    work: Work
    stopping: Event

    @classmethod
    def of(cls, made: Iterable[tuple[Cell, RunOptions]]) -> list[Self]:
        """Raises: UsageError, SuiteError or TargetError for the first that could not be asked."""
        loaded: dict[object, Suite] = {}
        planned = []
        for cell, options in made:
            given, stopping = options.suite, Event()
            key = given.suite, given.images, given.skip_broken
            if key not in loaded:
                path, images, skip_broken = key
                loaded[key] = suites.load(path, images=images, skip_broken=skip_broken)
            tell = _teller(cell)
            work = prepare(options, stopping, tell, suite=loaded[key])
            planned.append(cls(cell=cell, options=options, work=work, stopping=stopping))
        return planned


def _teller(cell: Cell) -> Callable[[str], None]:
    """Of what a run says of itself only warnings are worth a line."""

    def tell(line: str) -> None:
        if line.startswith("WARNING"):
            complain(f"{inert(cell.label)}: {inert(line)}")

    return tell


class _Stopping(Event):
    """Stops the cells that are being asked, too."""

    def __init__(self, planned: Sequence[Planned]) -> None:
        super().__init__()
        self._planned = planned

    def set(self) -> None:
        super().set()
        for it in self._planned:
            it.stopping.set()


class Driver:
    """Asks what is missing."""

    def __init__(
        self,
        planned: Sequence[Planned],
        *,
        results: Path,
        anew: bool,
        stop_early: bool,
        max_cost_usd: float | None,
    ) -> None:
        self.planned, self._folder = planned, results
        self._max_cost_usd, self._spent_usd = max_cost_usd, 0.0
        self._problems: dict[tuple[str, ...], EvalrunError] = {}
        self.id = grid.sweep_id([it.cell for it in planned])
        self._anew, self._stops_early = anew, stop_early
        self._stopped: dict[tuple[str, ...], int] = {}
        self._runs = {} if anew else self._found()
        self._stopping = _Stopping(planned)

    def _found(self) -> dict[tuple[str, ...], Run]:
        cells = [it.cell for it in self.planned]
        return reading.find(self._folder, cells, self.planned[0].work.suite.sha256)

    def run(self, *, quiet: bool) -> int:
        """Ask every cell that is not there; the exit code."""
        codes: set[int] = set()
        left = {it.cell.words: self._missing(it) for it in self.planned}
        done = {words for words, missing in left.items() if not missing}
        whole = Whole(asked=sum(left.values()), quiet=quiet)
        was_quiet, Voice.quiet = Voice.quiet, True
        try:
            interrupts = Interrupts(self._stopping)
            with whole.shown(), interrupts.handled(whole.say):
                for it in self.planned:
                    if it.cell.words in done:
                        whole.say(f"{it.cell.label}: there already")
                missing = [it for it in self.planned if it.cell.words not in done]
                first = missing[: self._stops_early]  # what the others are held against
                codes.update(self._ask(it, whole) for it in first)
                with ThreadPoolExecutor(self._at_once()) as pool:
                    codes.update(pool.map(partial(self._ask, whole=whole), missing[len(first) :]))
        finally:
            Voice.quiet = was_quiet
        if interrupts.exit_code is not None:
            whole.say(f"stopped; this goes on: {shlex.join(['evalrun', *sys.argv[1:]])}")
            codes.add(interrupts.exit_code)
        return gravest(codes)

    def _missing(self, it: Planned) -> int:
        """Answers that are not there yet."""
        run = self._runs.get(it.cell.words)
        return max(0, it.work.asked - (len(run.answered_keys()) if run else 0))

    def _early(self, it: Planned) -> EarlyStop | None:
        """What watches this cell, with the answers there are already; None: nothing does."""
        before = self.planned[: self.planned.index(it)]
        if not self._stops_early or not before:
            return None
        runs = self._found()
        early = EarlyStop(
            it.work.cases,
            [reading.pass_rates(runs.get(other.cell.words)) for other in before],
            cells=len(self.planned),
            repeats=it.options.suite.repeats,
        )
        if (own := self._runs.get(it.cell.words)) is not None:
            early.add(own.records())
        return early

    def _at_once(self) -> int:
        """One server at a time here; as many cells as a cluster has room for."""
        placement = self.planned[0].options.placement
        if placement.ray is None:
            return 1
        from harness.cluster import driver

        needed = driver.resources(placement.num_gpus, self.planned[0].work.route.target)
        return max(1, driver.places(needed) // placement.replicas)

    def _ask(self, it: Planned, whole: Whole) -> int:
        if self._stopping.is_set():
            return ExitCode.DONE
        early = self._early(it)
        if early is not None and early.is_worse:
            return self._ended_early(it, early, whole)
        more = {"sweep": self.id, "cell": dict(it.cell.settings), "arguments": it.cell.words}
        try:
            outcome = carry_out(
                msgspec.structs.replace(it.work, options=self._options(it)),
                it.stopping,
                watch=whole.watching(it, early),
                more=more,
                at_random=self._stops_early,
            )
        except EvalrunError as error:
            return self._failed(it, error, whole)
        finally:
            it.stopping.set()
        score = outcome.score.overall
        self._spent_usd += score.cost_usd or 0.0
        if early is not None and early.is_worse and not score.complete:
            return self._ended_early(it, early, whole)
        why = "; stopped: --max-cost is reached" if outcome.over_budget else ""
        whole.ended(it, f"{share_and_counts(score)}{why}")
        return ExitCode.DONE if score.complete else ExitCode.INCOMPLETE

    def _ended_early(self, it: Planned, early: EarlyStop, whole: Whole) -> int:
        self._stopped[it.cell.words] = early.answered
        whole.ended(it, f"ended early after {early.answered} answers: clearly worse")
        return ExitCode.DONE

    def _options(self, it: Planned) -> RunOptions:
        """With what is left of the budget, and a run of its own if everything is asked anew."""
        options = it.options
        if self._max_cost_usd is not None:
            left = max(0.0, self._max_cost_usd - self._spent_usd)
            options = with_field(options, limits=with_field(options.limits, max_cost=left))
        if self._anew:
            options = with_field(options, output=with_field(options.output, resume=False))
        return options

    def _failed(self, it: Planned, error: EvalrunError, whole: Whole) -> int:
        """One cell that cannot be asked; the rest goes on."""
        self._problems[it.cell.words] = error
        whole.ended(it, f"not usable: {error}")
        return int(error.exit_code)

    def results(self) -> list[Result]:
        runs = self._found()
        return reading.results_of(
            Result(
                cell=it.cell,
                run=runs.get(it.cell.words),
                stopped_after=self._stopped.get(it.cell.words),
                problem=str(self._problems.get(it.cell.words) or "") or None,
            )
            for it in self.planned
        )


class Whole:
    """Progress: a line a cell, and one for the whole, live on a terminal."""

    _EVERY_S = 15.0

    def __init__(self, *, asked: int, quiet: bool) -> None:
        self._quiet, self._write = quiet, complain
        self._asked, self._landed = asked, 0
        self._started = time.monotonic()
        self._now: dict[str, Progress] = {}
        """The cells that are being asked."""
        self._next_at = self._started + self._EVERY_S

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Drawn while cells are asked, where a person looks at it."""
        if self._quiet or not is_watched(sys.stderr):
            yield
            return
        console = Console(stderr=True)
        with Live(get_renderable=self._lines, console=console, transient=True):
            self._write = partial(console.print, markup=False, highlight=False)
            yield
        self._write = complain

    def _lines(self) -> Text:
        return Text("\n".join(inert(it) for it in [*self._cells(), self.line()]))

    def _cells(self) -> Iterator[str]:
        yield from (f"{label}: {line(it)}" for label, it in list(self._now.items()))

    def say(self, line: str) -> None:
        if not self._quiet:
            self._write(inert(line))

    def watching(self, it: Planned, early: EarlyStop | None) -> Watch:
        """Shows one cell, and ends it when it is clearly worse."""

        @contextmanager
        def watch(progress: Progress) -> Iterator[Callable[[Sequence[Record]], None]]:
            def landed(records: Sequence[Record]) -> None:
                self._count(len(records))
                if early is not None:
                    early.add(records)
                    if early.is_worse:
                        it.stopping.set()

            self._now[it.cell.label] = progress
            yield landed
            del self._now[it.cell.label]

        return watch

    def _count(self, landed: int) -> None:
        self._landed += landed
        if time.monotonic() >= self._next_at and self._write is complain:
            self._next_at = time.monotonic() + self._EVERY_S
            for text in (*self._cells(), self.line()):
                self.say(text)

    def ended(self, it: Planned, how: str) -> None:
        self.say(f"{it.cell.label}: {how}")
        if self._write is complain:
            self.say(self.line())

    def line(self) -> str:
        elapsed_s = time.monotonic() - self._started
        left = max(0, self._asked - self._landed)
        eta = duration(elapsed_s / self._landed * left) if self._landed else "…"
        return f"sweep: {self._landed}/{self._asked} asked, {eta} left"


def describe(planned: Sequence[Planned], results: Path) -> None:
    """`--dry-run`: cells, calls, downloads, and about how long and how dear."""
    seconds: list[float | None] = []
    for it in planned:
        parts = [f"{it.work.asked:,} calls", *_download(it.work.route.target)]
        if it.work.route.price is not None:
            parts.append(cost(it.work, estimate(it.work)[1]))
        seconds.append(_seconds(it, results))
        parts.append("time unknown" if seconds[-1] is None else f"about {duration(seconds[-1])}")
        typer.echo(inert(f"{it.cell.label}: {', '.join(parts)}"))
    known = [it for it in seconds if it is not None]
    time_ = f"about {duration(sum(known))}" if len(known) == len(seconds) else "time unknown"
    why = "" if len(known) == len(seconds) else " (no run of such a cell to go by yet)"
    typer.echo(
        f"{len(planned)} cells, {sum(it.work.asked for it in planned):,} calls, {time_}{why}"
    )


def _download(target: Target) -> Iterator[str]:
    source = target.weights if target.gguf is None else None
    if source is not None and (size_bytes := missing_bytes(source)):
        yield f"{size_text(size_bytes)} to download"


def _seconds(it: Planned, results: Path) -> float | None:
    """By the response times of the model's newest run here."""
    for path in reversed(store.runs(results, it.cell.model)):
        with suppress(ResultsError):
            score = summarise(store.read(path))
            mean_s = score.overall.latency_mean_s
            if mean_s is not None:
                return mean_s * it.work.asked / (it.options.limits.concurrency or 1)
    return None
