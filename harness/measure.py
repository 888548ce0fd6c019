"""The verb `run`: from options to a run file. Prints nothing, asks nobody, takes no signals.

`prepare` finds out what to ask and of which model; `carry_out` asks it, resumed or anew, and saves
each record as it lands; `measure` does both.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
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
from harness.options import RunOptions
from harness.records import Case, EncodedImage, Fact, ModelScore, Record, RunHeader
from harness.runner import Asking, Job, Runner, plan
from harness.suites import Suite
from harness.suites.pictures import shrinking
from harness.suites.shuffling import in_other_order
from harness.summary import Tally
from harness.tables.runs import is_published, publish
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

    @property
    def asked(self) -> int:
        return len(self.cases) * self.options.suite.repeats


def estimate(work: Work) -> tuple[list[EncodedImage], int]:
    """The pictures of a run, each read and checked, and about how many tokens it sends.

    Raises: SuiteError for a broken picture.
    """
    paths = [path for case in work.cases for path in work.suite.pictures(case)]
    pictures = {it: encode(it, longest_side_px=work.side_px) for it in dict.fromkeys(paths)}
    seen = [] if work.options.suite.blind else [pictures[it] for it in paths]
    tokens_in = sum(len(case.question) // CHARACTERS_PER_TOKEN for case in work.cases)
    tokens_in += sum(it.width_px * it.height_px // PIXELS_PER_TOKEN for it in seen)
    return [*pictures.values()], tokens_in * work.options.suite.repeats


class Progress:
    """A run under way: its file, what it held already, and how far it is."""

    def __init__(self, writer: store.RunWriter, *, created: bool, include_cached: bool) -> None:
        run = store.read(writer.path)
        self.writer, self.header, self.created = writer, run.header, created
        self.asked = run.header.asked
        self.tally = Tally(run.header, include_cached=include_cached)
        self.in_flight: Callable[[], int] = lambda: 0
        """Whoever asks replaces it."""
        self.answered_before: set[store.Key] = set()
        self.cost_before_usd = 0.0
        for record in run.records():
            if record.answered:
                self.tally.add(record)
                self.answered_before.add(record.key)
                self.cost_before_usd += record.cost_usd or 0.0
        self.done, self.retries, self.errors = len(self.answered_before), 0, 0
        self._started = time.monotonic()

    def add(self, records: Sequence[Record]) -> None:
        """Append what landed to the file, and count it."""
        self.writer.append(*records)
        for record in records:
            self.tally.add(record)
            self.done += 1
            self.errors += not record.answered
            self.retries += record.outcome.effort.attempts - 1

    @property
    def left_s(self) -> float | None:
        """How long the rest will take at the pace so far."""
        landed = self.done - len(self.answered_before)
        elapsed_s = time.monotonic() - self._started
        return elapsed_s / landed * (self.asked - self.done) if landed else None


Watch = Callable[[Progress], AbstractContextManager[Callable[[Sequence[Record]], None]]]
"""Entered while the run goes on; what it gives is called with the records that are on disk."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run came to its end."""

    path: Path
    score: ModelScore
    error: EvalrunError | None
    """What stopped it early, if something did."""
    over_budget: bool
    published: list[Path]
    """The tables that were rebuilt."""


def measure(options: RunOptions, *, watch: Watch | None = None, say: Say = silent) -> Outcome:
    """Ask a model every question of a suite. The same options resume a run that is incomplete.

    Raises: EvalrunError when the suite, the model or its server cannot be used, or nothing was
            answered.
    """
    stopping = Event()
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
    known, named, given = catalogue.load(), options.target.one, options.sampling
    sampling = targets.with_entry(given, known.get(named) if named else None)
    options = replace(options, sampling=sampling)
    _check(options)
    chosen = options.suite
    suite = suite or suites.load(chosen.suite, images=chosen.images, skip_broken=chosen.skip_broken)
    cases = suites.select(
        suite, categories=chosen.category, prompts=chosen.prompt, limit=chosen.limit
    )
    if chosen.shuffle_options is not None:
        cases = in_other_order(cases, chosen.shuffle_options)
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
    url = route.target.base_url
    card = newest(
        options.output.results, route.target.model, without_credentials(url) if url else None
    )
    for remark in suite.remarks:
        say(f"{remark.level}: {one_line(str(remark), 400)}")
    limit_px = sampling.image_max_side
    sent = () if chosen.blind else (it for case in cases for it in suite.pictures(case))
    if limit_px and (made := shrinking(sent, limit_px)):
        say(one_line(made, 400))
    if card is not None and card.coordinates and sampling.coordinates == "auto":
        say(f"coordinates {card.coordinates}, as the sight test {card.id} found")
    of_entry = targets.of_entry(given, route.card)
    return Work(
        options=options, suite=suite, cases=cases, route=route, eye_card=card, of_entry=of_entry
    )


def _check(options: RunOptions) -> None:
    """Raises: UsageError for options that contradict each other."""
    targets.coordinates(options.sampling.coordinates, card=None)
    given = targets.body(options.sampling.body).keys() & {"response_format", "grammar"}
    other = "--replay" if options.target.replay else f"--body {min(given)}" if given else None
    if other and options.suite.answer_format:
        raise UsageError(
            f"--answer-format and {other} both decide what a reply looks like",
            fix="leave one of the two out",
        )


def carry_out(
    work: Work,
    stopping: Event,
    *,
    watch: Watch | None = None,
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
        adapter = _open_model(work, stack, say)
        judge = targets.open_judge(options.judge, options.limits, stack, stopping, say)
        progress = _open_run(work, _header(work, adapter, more), say)
        stack.enter_context(progress.writer)
        asking = _asking(work, adapter, judge, progress.cost_before_usd, stopping)
        error = _ask_all(_runner(work, asking, progress, at_random), progress, watch)
    score = progress.tally.score()
    if error is not None and score.overall.errors == score.overall.asked:
        raise error
    return Outcome(
        path=progress.writer.path,
        score=score,
        error=error,
        over_budget=asking.over_budget,
        published=publish(options.output.results),
    )


def _open_model(work: Work, stack: ExitStack, say: Say) -> Adapter:
    options = work.options
    log = targets.open_log(options.log, stack)
    target = msgspec.structs.replace(work.route.target, log=log)
    adapter = stack.enter_context(
        targets.opened(target, work.route.backend, options.placement, options.target)
    )
    if isinstance(adapter, Replay):
        strays = sorted(adapter.prompts() - {case.id for case in work.suite.cases})
        if strays:
            shown = inert(", ".join(strays[:5])) + (", …" if len(strays) > 5 else "")
            say(f"{len(strays)} recorded answers are to no prompt of {work.suite.name}: {shown}")
    return adapter


def _asking(
    work: Work, adapter: Adapter, judge: Judge | None, spent_usd: float, stopping: Event
) -> Asking:
    """How each question is asked, and its reply judged."""
    options, target, card = work.options, work.route.target, work.route.card
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
        coordinates=targets.coordinates(options.sampling.coordinates, found=found, card=card),
        constrained=options.suite.answer_format == "constrained",
        most_usd=options.limits.max_cost,
        spent_usd=spent_usd,
        stopping=stopping,
    )


def _runner(work: Work, asking: Asking, progress: Progress, at_random: bool) -> Runner[Job, Record]:
    opened = asking.adapter.opened
    jobs = plan(
        work.cases,
        repeats=work.options.suite.repeats,
        done=progress.answered_before,
        by_picture=opened.shards_by_picture and opened.concurrency > 1,
        at_random=at_random,
    )
    return Runner(
        jobs,
        asking.ask,
        # A model far away is sent questions ahead; its own side bounds the calls in flight.
        workers=opened.concurrency * opened.ahead,
        stopping=asking.stopping,
        # A server here computes on this machine: work beside it would slow what is timed.
        prepare=asking.prepare if opened.server is None else None,
    )


def _ask_all(
    runner: Runner[Job, Record], progress: Progress, watch: Watch | None
) -> EvalrunError | None:
    """What ended the run early, if something did."""
    progress.in_flight = lambda: runner.in_flight
    error: EvalrunError | None = None
    with watch(progress) if watch else nullcontext() as show:
        runner.start()
        try:
            for batch in runner:
                progress.add(batch)
                if show is not None:
                    show(batch)
        except EvalrunError as stopped_by:
            error = stopped_by
    if progress.created and isinstance(error, TargetError) and progress.done == progress.errors:
        progress.writer.discard()
    return error


def _header(work: Work, adapter: Adapter, more: Mapping[str, Any]) -> RunHeader:
    """`run` stays empty: the store names the run when it creates the file."""
    options, suite, target, card = work.options, work.suite, work.route.target, work.eye_card
    chosen, ids = options.suite, "\n".join(case.id for case in work.cases)
    fields: dict[str, Any] = {it: getattr(target, it) for it in HEADER_FIELDS}
    opened = ("backend", "base_url", "endpoint", "server", "concurrency")
    fields |= {it: getattr(adapter.opened, it) for it in opened}
    fields |= {it: getattr(chosen, it) for it in ("repeats", "answer_format", "blind")}
    fields |= {it: getattr(options.judge, it) for it in ("judge", "judge_thinking")}
    fields |= more
    return RunHeader(
        **fields,
        run="",
        suite=suite.name,
        suite_version=suite.version,
        suite_sha256=suite.sha256,
        suite_prompts=len(suite.cases),
        suite_path=suites.address(chosen.suite) if chosen.suite else None,
        images_path=suites.address(chosen.images) if chosen.images else None,
        categories=dict(Counter(case.category for case in work.cases)),
        prompts_sha256=hashlib.sha256(ids.encode()).hexdigest(),
        grader_version=GRADER_VERSION,
        image_max_side_px=work.side_px,
        coordinates=targets.coordinates(options.sampling.coordinates, card=None),
        options_order=chosen.shuffle_options,
        price=work.route.price,
        eye_card=card.id if card else None,
        pictures_shrunk_to_px=card.shrinks_to_px if card else None,
        evalrun_version=__version__,
        started_at=datetime.now(UTC),
    )


def _open_run(work: Work, header: RunHeader, say: Say) -> Progress:
    """The newest run of this header if it did not come to its end, else a new one.

    Raises: ResultsError when --resume insists and the newest run has other settings.
    """
    output = work.options.output
    writer = None if output.resume is False else _unfinished(output.results, header)
    if writer is None and output.resume:
        for path in store.runs(output.results, header.model)[-1:]:
            _check_settings(store.read(path), header)
    progress = Progress(
        writer or store.create(output.results, header),
        created=writer is None,
        include_cached=output.include_cached,
    )
    run, there, asked = progress.header.run, progress.done, progress.asked
    if there:
        say(f"resuming {run}: {there} of {asked} are there already")
    if there == asked:
        say("it was stopped just before its end; --fresh asks everything anew")
    return progress


def _unfinished(results: Path, header: RunHeader) -> store.RunWriter | None:
    """The newest run of this header, if it lacks records, or was killed before its tables.

    None when there is none, or another evalrun is writing to it.
    """
    run = store.newest_alike(results, header)
    if run is None:
        return None
    if len(run.answered_keys()) >= header.asked and is_published(results, run.header.run):
        return None
    try:
        return store.reopen(run.path)
    except ResultsError:
        return None


def _check_settings(run: store.Run, header: RunHeader) -> None:
    """Raises: ResultsError for an unfinished run of other settings."""
    differing = store.differences(run.header, header)
    if differing and len(run.answered_keys()) < run.header.asked:
        raise ResultsError(
            f"{run.header.run} cannot be resumed: {', '.join(differing)} would differ",
            fix="give the options it was started with, or start anew with --fresh",
        )
