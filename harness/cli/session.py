"""One run, header to last record: resumed or fresh, watched, interruptible, saved as it lands."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from harness import store
from harness.cli.output import say
from harness.cli.progress import Progress, View, view
from harness.cli.signals import Interrupts, stopped_by_signals
from harness.errors import EvalrunError, ResultsError, TargetError
from harness.records import Record, RunHeader
from harness.runner import Job, Runner
from harness.store import RunWriter
from harness.summary import Tally
from harness.tables.publish import is_published

Watch = Callable[[Progress], View]
_GARBAGE_OF_CALLS = 700, 10, 10
"""Python's own. What a call leaves in cycles may hold its body."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run came to its end."""

    path: Path
    tally: Tally
    error: EvalrunError | None = None
    """What stopped it early, if something did."""
    signalled: int | None = None
    """128 plus the signal that stopped it."""
    over_budget: bool = False


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The run file to write to, and what it holds already."""

    writer: RunWriter
    header: RunHeader
    done: set[tuple[str, int]]
    tally: Tally
    cost_usd: float = 0.0
    created: bool = False
    """Nothing but the header is in the file."""


def open_run(
    results: Path, header: RunHeader, *, resume: bool | None, include_cached: bool
) -> Opened:
    """The newest run of this header if it did not come to its end, else a new one.

    Raises: ResultsError when `resume` insists and the newest run has other settings.
    """
    path = None if resume is False else _unfinished(results, header)
    if path is None and resume:
        _refuse_other_settings(results, header)
    if path is not None and (reopened := _reopened(path, include_cached)) is not None:
        return reopened
    writer = store.create(results, header)
    header = store.read(writer.path).header
    return Opened(
        writer=writer,
        header=header,
        done=set(),
        tally=Tally(header, include_cached=include_cached),
        created=True,
    )


def _unfinished(results: Path, header: RunHeader) -> Path | None:
    """The newest run of this header, if it lacks records, or was killed before its tables."""
    run = store.newest_alike(results, header)
    if run is None:
        return None
    whole = len(run.answered_keys()) >= run.header.asked
    return None if whole and is_published(results, run.header.run) else run.path


def _reopened(path: Path, include_cached: bool) -> Opened | None:
    """None when another evalrun is writing to it."""
    try:
        writer = store.reopen(path)
    except ResultsError:
        return None
    run = store.read(path)
    tally, done, cost_usd = Tally(run.header, include_cached=include_cached), set(), 0.0
    for record in run.records():
        if record.answered:
            tally.add(record)
            done.add(record.key)
            cost_usd += record.cost_usd or 0.0
    return Opened(writer=writer, header=run.header, done=done, tally=tally, cost_usd=cost_usd)


def _refuse_other_settings(results: Path, header: RunHeader) -> None:
    runs = store.model_runs(results, header.model)
    if not runs:
        return
    newest = store.read(runs[-1])
    differing = store.differences(newest.header, header)
    if differing and len(newest.answered_keys()) < newest.header.asked:
        listed = ", ".join(differing)
        raise ResultsError(
            f"{newest.header.run} cannot be resumed: {listed} would differ",
            fix="give the options it was started with, or start anew with --fresh",
        )


def carry_out(
    opened: Opened,
    batches: list[list[Job]],
    ask: Callable[[Job], Record],
    *,
    stopping: threading.Event,
    prepare: Callable[[Job], None] | None = None,
    max_cost_usd: float | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Ask what is missing. Each batch of records is on disk before it is shown.

    With a `watch` of its own the run is within somebody's program, and leaves signals and the
    search for garbage alone.
    """
    _say_what_is_done(opened)
    if watch is None:
        gc.freeze()  # what stands here stays: searching it again and again costs a fifth of a run
        gc.set_threshold(*_GARBAGE_OF_CALLS)
    budget = _Budget(max_cost_usd, opened.cost_usd, stopping)
    runner = Runner(
        batches,
        budget.bounding(ask),
        workers=opened.header.concurrency,
        stopping=stopping,
        prepare=prepare,
    )
    progress = Progress(
        opened.tally,
        done=len(opened.done),
        asked=opened.header.asked,
        in_flight=lambda: runner.in_flight,
    )
    error, interrupts = _watched(runner, opened, progress, stopping, watch)
    if opened.created and isinstance(error, TargetError) and progress.done == progress.errors:
        opened.writer.discard()
    return Outcome(
        path=opened.writer.path,
        tally=opened.tally,
        error=error,
        signalled=interrupts.exit_code,
        over_budget=budget.exhausted,
    )


def _watched(
    runner: Runner,
    opened: Opened,
    progress: Progress,
    stopping: threading.Event,
    watch: Watch | None,
) -> tuple[EvalrunError | None, Interrupts]:
    """What ended the run early, if something did."""
    with ExitStack() as stack:
        shown = stack.enter_context((watch or view)(progress))
        interrupts = Interrupts()
        if watch is None:
            interrupts = stack.enter_context(stopped_by_signals(stopping, shown.say))
        runner.start()
        try:
            _land_all(runner, opened, shown)
        except EvalrunError as stopped_by:
            return stopped_by, interrupts
    return None, interrupts


def _say_what_is_done(opened: Opened) -> None:
    if opened.done:
        there, asked = len(opened.done), opened.header.asked
        say(f"resuming {opened.header.run}: {there} of {asked} are there already")
        if there == asked:
            say("it was stopped just before its end; --fresh asks everything anew")


def _land_all(runner: Runner, opened: Opened, shown: View) -> None:
    for batch in runner:
        opened.writer.append(*batch)
        for record in batch:
            opened.tally.add(record)
        shown.landed(batch)


class _Budget:
    """Money spent so far. Once it is enough, no further call is begun."""

    def __init__(self, most_usd: float | None, spent_usd: float, stopping: threading.Event) -> None:
        self._most_usd, self._spent_usd, self._stopping = most_usd, spent_usd, stopping
        self._lock = threading.Lock()
        self._stop_when_exhausted()

    @property
    def exhausted(self) -> bool:
        return self._most_usd is not None and self._spent_usd >= self._most_usd

    def bounding(self, ask: Callable[[Job], Record]) -> Callable[[Job], Record]:
        """`ask`, counting what each answer costs as soon as it is there."""

        def asked(job: Job) -> Record:
            record = ask(job)
            with self._lock:
                self._spent_usd += record.cost_usd or 0.0
            self._stop_when_exhausted()
            return record

        return asked

    def _stop_when_exhausted(self) -> None:
        if self.exhausted:
            self._stopping.set()
