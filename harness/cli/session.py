"""One run, header to last record: resumed or fresh, watched, interruptible, saved as it lands."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import msgspec

from harness import store
from harness.cli.app import say
from harness.cli.progress import Progress, View, view
from harness.cli.signals import Interrupts, ending_well
from harness.errors import EvalrunError, ResultsError
from harness.records import Record, RunHeader
from harness.runner import Job, Runner
from harness.store import RunWriter
from harness.summary import Tally

_GARBAGE_OF_CALLS = 700, 10, 10
"""Python's own. What a call leaves in cycles may hold its body."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
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


def open_run(
    results: Path, header: RunHeader, *, resume: bool | None, include_cached: bool
) -> Opened:
    """The newest run of this header if it did not come to its end, else a new one.

    Raises: ResultsError when `resume` insists and the newest run has other settings.
    """
    path = None if resume is False else _unfinished(results, header)
    if path is None and resume:
        _insist(results, header)
    if path is not None:
        with suppress(_Busy):
            return _reopened(path, include_cached)
    writer = store.create(results, header)
    header = store.read(writer.path).header
    return Opened(
        writer=writer, header=header, done=set(), tally=Tally(header, include_cached=include_cached)
    )


def _unfinished(results: Path, header: RunHeader) -> Path | None:
    """The newest run of this header, if it lacks records, or was killed before its tables."""
    run = store.newest_alike(results, header)
    if run is None:
        return None
    from harness.tables.publish import is_published

    whole = len(run.answered_keys()) >= run.header.asked
    return None if whole and is_published(results, run.header.run) else run.path


class _Busy(Exception):
    """Another evalrun holds the run: start one of our own."""


def _reopened(path: Path, include_cached: bool) -> Opened:
    try:
        writer = store.reopen(path)
    except ResultsError as error:
        raise _Busy from error
    run = store.read(path)
    tally, done, cost_usd = Tally(run.header, include_cached=include_cached), set(), 0.0
    for record in run.records():
        if record.answered:
            tally.add(record)
            done.add(record.key)
            cost_usd += record.cost_usd or 0.0
    return Opened(writer=writer, header=run.header, done=done, tally=tally, cost_usd=cost_usd)


def _insist(results: Path, header: RunHeader) -> None:
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
    portions: list[list[Job]],
    ask: Callable[[Job], Record],
    *,
    stopping: threading.Event,
    prepare: Callable[[Job], None] | None = None,
    max_cost_usd: float | None = None,
) -> Ending:
    """Ask what is missing. Each batch of records is on disk before anybody is told of it."""
    _say_what_is_there(opened)
    gc.freeze()  # what stands here stays: looking through it again and again costs a fifth of a run
    gc.set_threshold(*_GARBAGE_OF_CALLS)
    budget = _Budget(max_cost_usd, opened.cost_usd, stopping)
    runner = Runner(
        portions,
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
    error: EvalrunError | None = None
    with view(progress) as shown, ending_well(stopping, shown.say) as interrupts:
        runner.start()
        # Needed in the end, and nothing but answers is waited for now. In a thread of its own: what
        # has been answered must not wait to be saved.
        threading.Thread(target=import_module, args=("harness.cli.ending",), daemon=True).start()
        try:
            _land_all(runner, opened, shown)
        except EvalrunError as stopped_by:
            error = stopped_by
    return _ending(opened, error, interrupts, budget)


def _say_what_is_there(opened: Opened) -> None:
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


def _ending(
    opened: Opened, error: EvalrunError | None, interrupts: Interrupts, budget: _Budget
) -> Ending:
    return Ending(
        path=opened.writer.path,
        tally=opened.tally,
        error=error,
        signalled=interrupts.exit_code,
        over_budget=budget.spent_up,
    )


class _Budget:
    """Money spent so far. Once it is enough, no further call is begun."""

    def __init__(self, most_usd: float | None, spent_usd: float, stopping: threading.Event) -> None:
        self._most_usd, self._spent_usd, self._stopping = most_usd, spent_usd, stopping
        self._lock = threading.Lock()
        self._stop_when_spent_up()

    @property
    def spent_up(self) -> bool:
        return self._most_usd is not None and self._spent_usd >= self._most_usd

    def bounding(self, ask: Callable[[Job], Record]) -> Callable[[Job], Record]:
        """`ask`, counting what each answer costs as soon as it is there."""

        def asked(job: Job) -> Record:
            record = ask(job)
            with self._lock:
                self._spent_usd += record.cost_usd or 0.0
            self._stop_when_spent_up()
            return record

        return asked

    def _stop_when_spent_up(self) -> None:
        if self.spent_up:
            self._stopping.set()
