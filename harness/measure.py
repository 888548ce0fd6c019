"""The verb `run`: from options to a run file. Prints nothing, asks nobody, takes no signals.

`prepare` finds out what to ask and of which model; `carry_out` asks it, resumed or anew, and saves
each record as it lands; `measure` does both.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any

import msgspec

from harness import __version__, catalogue, store, suites, targets
from harness.adapters import HEADER_FIELDS, Adapter
from harness.adapters.replay import Replay
from harness.adapters.routes import Route
from harness.errors import EvalrunError, ResultsError, TargetError, UsageError
from harness.eyes.card import EyeCard, newest
from harness.graders import GRADER_VERSION
from harness.images import encode
from harness.judge import Judge
from harness.options import RunOptions, SuiteOptions
from harness.records import Case, EncodedImage, Fact, ModelScore, Record, RunHeader
from harness.runner import Asking, Job, Runner, plan
from harness.store import RunWriter
from harness.suites import Suite
from harness.suites.pictures import shrinking
from harness.suites.shuffling import in_other_order
from harness.summary import Tally
from harness.tables.leaderboard import is_published, publish
from harness.targets import Confirm, Say, silent
from harness.text import inert, one_line
from harness.transport import without_credentials

PIXELS_PER_TOKEN = 28 * 28
"""What many vision models (Qwen-VL, Pixtral) spend a token on; others differ by a factor of 2."""
CHARACTERS_PER_TOKEN = 4


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask, and of which model."""

    options: RunOptions
    suite: Suite
    cases: tuple[Case, ...]
    route: Route
    eye_card: EyeCard | None
    """What the newest sight test of this model at this endpoint found."""
    of_entry: Mapping[str, Fact[Any]]
    """The settings that the model's own entry in the catalogue decided."""

    @property
    def side_px(self) -> int:
        """The longest side of a picture that is sent."""
        return self.suite.side_px(self.options.sampling.image_max_side)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """About what a run takes."""

    asked: int
    pictures: list[EncodedImage]
    tokens_in: int
    most_tokens_out: int


def estimate(work: Work) -> Estimate:
    """Every picture is read and checked on the way. Raises: SuiteError for a broken one."""
    suite, options = work.suite.pictures, work.options.suite
    pictures = {
        path: encode(path, longest_side_px=work.side_px)
        for path in dict.fromkeys(path for case in work.cases for path in suite(case))
    }
    seen = [pictures[path] for case in work.cases for path in suite(case) if not options.blind]
    tokens_in = options.repeats * (
        sum(len(case.question) // CHARACTERS_PER_TOKEN for case in work.cases)
        + sum(it.width_px * it.height_px // PIXELS_PER_TOKEN for it in seen)
    )
    asked = len(work.cases) * options.repeats
    return Estimate(
        asked=asked,
        pictures=[*pictures.values()],
        tokens_in=tokens_in,
        most_tokens_out=asked * work.route.target.sampling.max_tokens,
    )


class Progress:
    """How far a run is."""

    def __init__(self, opened: _Opened, in_flight: Callable[[], int]) -> None:
        self.tally, self.asked, self.in_flight = opened.tally, opened.header.asked, in_flight
        self.done = self._done_before = len(opened.done)
        self.retries = self.errors = 0
        self._started = time.monotonic()

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            self.tally.add(record)
            self.done += 1
            self.errors += not record.answered
            self.retries += record.outcome.effort.attempts - 1

    @property
    def left_s(self) -> float | None:
        """How long the rest will take at the pace so far."""
        landed = self.done - self._done_before
        elapsed_s = time.monotonic() - self._started
        return elapsed_s / landed * (self.asked - self.done) if landed else None


Watch = Callable[[Progress], AbstractContextManager[Callable[[Sequence[Record]], None]]]
"""Entered while the run goes on; what it gives is called with the records that are on disk."""


@contextmanager
def unwatched(_: Progress) -> Iterator[Callable[[Sequence[Record]], None]]:
    """For a run that nobody looks at."""
    yield lambda _: None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run came to its end."""

    path: Path
    score: ModelScore
    error: EvalrunError | None
    """What stopped it early, if something did."""
    over_budget: bool
    published: list[Path]
    """The tables that were rebuilt."""


def measure(
    options: RunOptions,
    *,
    watch: Watch = unwatched,
    say: Say = silent,
    stopping: Event | None = None,
) -> Outcome:
    """Ask a model every question of a suite. The same options resume a run that is incomplete.

    Raises: EvalrunError when the suite, the model or its server cannot be used, or nothing was
            answered.
    """
    stopping = stopping or Event()
    try:
        return carry_out(prepare(options, stopping, say), stopping, watch=watch, say=say)
    finally:
        stopping.set()


def prepare(
    options: RunOptions, stopping: Event, say: Say = silent, *, suite: Suite | None = None
) -> Work:
    """Load the suite, unless it is given, and find the model; nothing is asked or downloaded.

    Raises: UsageError, SuiteError, TargetError.
    """
    known, named = catalogue.load(), options.target.one
    given = options.sampling
    sampling = targets.with_entry(given, known.get(named) if named else None)
    options = replace(options, sampling=sampling)
    _check(options)
    chosen = options.suite
    suite = suite or suites.load(chosen.suite, images=chosen.images, skip_broken=chosen.skip_broken)
    for remark in suite.remarks:
        say(f"{remark.level}: {one_line(str(remark), 400)}")
    cases = _chosen(suite, chosen)
    route = targets.reach(
        options.target,
        sampling,
        replace(options.limits, cold=options.limits.cold or chosen.repeats > 1),
        known=known,
        stopping=stopping,
        say=say,
        sends_pictures=not chosen.blind,
    )
    targets.check_placement(options.placement, route)
    limit_px = sampling.image_max_side
    sent = () if chosen.blind else (it for case in cases for it in suite.pictures(case))
    if limit_px and (made := shrinking(sent, limit_px)):
        say(one_line(made, 400))
    url = route.target.base_url
    endpoint = without_credentials(url) if url else None
    card = newest(options.output.results, route.target.model, endpoint)
    if card is not None and card.coordinates and sampling.coordinates == "auto":
        say(f"coordinates {card.coordinates}, as the sight test {card.id} found")
    return Work(
        options=options,
        suite=suite,
        cases=cases,
        route=route,
        eye_card=card,
        of_entry=targets.of_entry(given, route.card),
    )


def _chosen(suite: Suite, options: SuiteOptions) -> tuple[Case, ...]:
    cases = suites.select(
        suite, categories=options.category, prompts=options.prompt, limit=options.limit
    )
    seed = options.shuffle_options
    return cases if seed is None else in_other_order(cases, seed)


def _check(options: RunOptions) -> None:
    """Raises: UsageError for options that contradict each other."""
    targets.coordinates(options.sampling.coordinates, card=None)
    if not options.suite.answer_format:
        return
    given = targets.body(options.sampling.body).keys() & {"response_format", "grammar"}
    other = "--replay" if options.target.replay else f"--body {min(given)}" if given else None
    if other:
        raise UsageError(
            f"--answer-format and {other} both decide what a reply looks like",
            fix="leave one of the two out",
        )


def carry_out(
    work: Work,
    stopping: Event,
    *,
    watch: Watch = unwatched,
    say: Say = silent,
    confirm: Confirm | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
    at_random: bool = False,
) -> Outcome:
    """Ask what is missing; each record is on disk before it is shown. Then rebuild the tables.

    `more`: further fields of the header. `at_random`: any beginning stands for the whole.
    Raises: EvalrunError when nothing was answered.
    """
    options = work.options
    targets.confirm_download(work.route, yes=options.target.yes, confirm=confirm)
    with ExitStack() as stack:
        adapter = _open(work, stack, say)
        judge = targets.open_judge(options.judge, options.limits, stack, stopping, say)
        asking = _asking(work, adapter, judge)
        opened = _open_run(options, _header(work, adapter, more), say)
        stack.enter_context(opened.writer)
        budget = _Budget(options.limits.max_cost, opened.cost_usd, stopping)
        runner = Runner(
            _plan(work, adapter, opened, at_random),
            budget.bounding(asking.ask),
            # A model far away is sent questions ahead; its own side bounds the calls in flight.
            workers=getattr(adapter, "workers", adapter.concurrency),
            stopping=stopping,
            # A server here computes on this machine: work beside it would slow what is timed.
            prepare=asking.prepare if adapter.server is None else None,
        )
        error = _ask_all(runner, opened, watch)
    score = opened.tally.score()
    if error is not None and score.overall.errors == score.overall.asked:
        raise error
    return Outcome(
        path=opened.writer.path,
        score=score,
        error=error,
        over_budget=budget.exhausted,
        published=publish(options.output.results),
    )


def _open(work: Work, stack: ExitStack, say: Say) -> Adapter:
    log = targets.open_log(work.options.log, stack)
    target = msgspec.structs.replace(work.route.target, log=log)
    options = work.options
    adapter = stack.enter_context(
        targets.opened(target, work.route.backend, options.placement, options.target)
    )
    if isinstance(adapter, Replay):
        strays = sorted(adapter.prompts() - {case.id for case in work.suite.cases})
        if strays:
            shown = inert(", ".join(strays[:5])) + (", …" if len(strays) > 5 else "")
            say(f"{len(strays)} recorded answers are to no prompt of {work.suite.name}: {shown}")
    return adapter


def _plan(work: Work, adapter: Adapter, opened: _Opened, at_random: bool) -> list[list[Job]]:
    by_picture = adapter.shards_by_picture and adapter.concurrency > 1
    return plan(
        work.cases,
        repeats=work.options.suite.repeats,
        done=opened.done,
        by_picture=by_picture,
        at_random=at_random,
    )


def _asking(work: Work, adapter: Adapter, judge: Judge | None) -> Asking:
    options, target = work.options, work.route.target
    found = work.eye_card.coordinates if work.eye_card else None
    return Asking(
        adapter=adapter,
        pictures=work.suite.pictures,
        image_max_side_px=work.side_px,
        blind=options.suite.blind,
        price=work.route.price,
        # A recording says the same again, however much room it is given.
        retry_tokens=None if target.replay else target.sampling.max_tokens_retry,
        review=judge.review if judge else None,
        coordinates=targets.coordinates(
            options.sampling.coordinates, found=found, card=work.route.card
        ),
        constrained=options.suite.answer_format == "constrained",
    )


def _ask_all(runner: Runner[Job, Record], opened: _Opened, watch: Watch) -> EvalrunError | None:
    """What ended the run early, if something did."""
    progress = Progress(opened, lambda: runner.in_flight)
    error: EvalrunError | None = None
    with watch(progress) as show:
        runner.start()
        try:
            for batch in runner:
                opened.writer.append(*batch)
                progress.add(batch)
                show(batch)
        except EvalrunError as stopped_by:
            error = stopped_by
    if opened.created and isinstance(error, TargetError) and progress.done == progress.errors:
        opened.writer.discard()
    return error


def _header(work: Work, adapter: Adapter, more: Mapping[str, Any]) -> RunHeader:
    """`run` stays empty: the store names the run when it creates the file."""
    options, suite, target, card = work.options, work.suite, work.route.target, work.eye_card
    ids = "\n".join(case.id for case in work.cases)
    shared = {it: getattr(target, it) for it in HEADER_FIELDS}
    of_adapter = {"base_url": adapter.base_url, "concurrency": adapter.concurrency}
    header = RunHeader(
        **(shared | of_adapter),
        run="",
        backend=adapter.backend,
        endpoint=getattr(adapter, "endpoint", None),
        suite=suite.name,
        suite_version=suite.version,
        suite_sha256=suite.sha256,
        suite_prompts=len(suite.cases),
        suite_path=suites.address(options.suite.suite) if options.suite.suite else None,
        images_path=suites.address(options.suite.images) if options.suite.images else None,
        categories=dict(Counter(case.category for case in work.cases)),
        prompts_sha256=hashlib.sha256(ids.encode()).hexdigest(),
        repeats=options.suite.repeats,
        grader_version=GRADER_VERSION,
        image_max_side_px=work.side_px,
        coordinates=targets.coordinates(options.sampling.coordinates, card=None),
        options_order=options.suite.shuffle_options,
        answer_format=options.suite.answer_format,
        blind=options.suite.blind,
        price=work.route.price,
        server=adapter.server,
        judge=options.judge.judge,
        judge_thinking=options.judge.judge_thinking,
        eye_card=card.id if card else None,
        pictures_shrunk_to_px=card.shrinks_to_px if card else None,
        evalrun_version=__version__,
        started_at=datetime.now(UTC),
    )
    return msgspec.structs.replace(header, **more)


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The run file to write to, and what it holds already."""

    writer: RunWriter
    header: RunHeader
    tally: Tally
    done: set[tuple[str, int]] = set()
    cost_usd: float = 0.0
    created: bool = False
    """Nothing but the header is in the file."""


def _open_run(options: RunOptions, header: RunHeader, say: Say) -> _Opened:
    """The newest run of this header if it did not come to its end, else a new one.

    Raises: ResultsError when --resume insists and the newest run has other settings.
    """
    results, include_cached = options.output.results, options.output.include_cached
    path = None if options.output.resume is False else _unfinished(results, header)
    if path is None and options.output.resume:
        _refuse_other_settings(results, header)
    if path is not None and (reopened := _reopened(path, include_cached)) is not None:
        there, asked = len(reopened.done), reopened.header.asked
        if there:
            say(f"resuming {reopened.header.run}: {there} of {asked} are there already")
        if there == asked:
            say("it was stopped just before its end; --fresh asks everything anew")
        return reopened
    writer = store.create(results, header)
    header = store.read(writer.path).header
    tally = Tally(header, include_cached=include_cached)
    return _Opened(writer=writer, header=header, tally=tally, created=True)


def _unfinished(results: Path, header: RunHeader) -> Path | None:
    """The newest run of this header, if it lacks records, or was killed before its tables."""
    run = store.newest_alike(results, header)
    if run is None:
        return None
    whole = len(run.answered_keys()) >= run.header.asked
    return None if whole and is_published(results, run.header.run) else run.path


def _reopened(path: Path, include_cached: bool) -> _Opened | None:
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
    return _Opened(writer=writer, header=run.header, done=done, tally=tally, cost_usd=cost_usd)


def _refuse_other_settings(results: Path, header: RunHeader) -> None:
    runs = store.runs(results, header.model)
    if not runs:
        return
    newest = store.read(runs[-1])
    differing = store.differences(newest.header, header)
    if differing and len(newest.answered_keys()) < newest.header.asked:
        raise ResultsError(
            f"{newest.header.run} cannot be resumed: {', '.join(differing)} would differ",
            fix="give the options it was started with, or start anew with --fresh",
        )


class _Budget:
    """Money spent so far. Once it is enough, no further call is begun."""

    def __init__(self, most_usd: float | None, spent_usd: float, stopping: Event) -> None:
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
