"""From the options of `run` to its exit code: load, resolve, open, ask, finish."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from threading import Event
from types import MappingProxyType
from typing import Any

import msgspec
import typer

from harness import catalogue, suites
from harness.adapters import Adapter, Target, opener
from harness.adapters.llamacpp.files import quantized
from harness.adapters.replay import Replay
from harness.adapters.routes import Route, resolve
from harness.cli import ending, session, settings, several, targets
from harness.cli.dry_run import describe
from harness.cli.exchange_log import open_log
from harness.cli.output import github_summary, say
from harness.cli.run import RunOptions
from harness.cli.session import Watch
from harness.errors import ExitCode, UsageError
from harness.eyes.card import EyeCard, newest
from harness.records import Case, Price, RunHeader
from harness.runner import Asking, header_of, plan
from harness.suites import Suite
from harness.suites.pictures import shrinking
from harness.text import inert, one_line
from harness.transport import masked, without_credentials


class Work(msgspec.Struct, frozen=True):
    """What to ask, and of which model."""

    suite: Suite
    cases: tuple[Case, ...]
    route: Route
    price: Price | None
    eye_card: EyeCard | None
    """What the newest sight test of this model at this endpoint found."""


def measure(options: RunOptions, context: typer.Context) -> int:
    """One run of the command, from the options to the exit code."""
    settings.check_keys(context)
    stopping = Event()
    work = prepared(options, stopping)
    if options.output.dry_run:
        describe(options, work.suite, work.cases, work.route, work.price, settings.origins(context))
        return ExitCode.DONE
    targets.confirm_download(work.route, yes=options.target.yes)
    typed = [masked(it) for it in sys.argv[1:] if it != "--fresh"]
    with ExitStack() as stack:
        outcome = _ask_all(options, work, stopping, stack, {"arguments": tuple(typed)})
        context.meta[several.RUN] = outcome.path
        return ending.finish(options.output, outcome)


def measure_within(options: RunOptions, watch: Watch) -> session.Outcome:
    """One run within somebody's program: asks nobody, and takes no signals."""
    stopping = Event()
    return carry_on(options, prepared(options, stopping), watch, stopping=stopping)


def carry_on(
    options: RunOptions,
    work: Work,
    watch: Watch,
    *,
    stopping: Event,
    more: Mapping[str, Any] = MappingProxyType({}),
    at_random: bool = False,
) -> session.Outcome:
    """`measure_within` what is prepared. `more`: further fields of its header."""
    targets.confirm_download(work.route, yes=options.target.yes, may_ask=False)
    try:
        with ExitStack() as stack:
            return _ask_all(options, work, stopping, stack, more, watch=watch, at_random=at_random)
    finally:
        stopping.set()


def prepared(
    options: RunOptions,
    stopping: Event,
    notify: Callable[[str], None] = say,
    *,
    suite: Suite | None = None,
) -> Work:
    """Suite and route, checked; nothing is asked. `suite`: when it is loaded already."""
    _check(options)
    suite = suite or suites.load(
        options.suite.suite, images=options.suite.images, skip_broken=options.suite.skip_broken
    )
    for remark in suite.remarks:
        notify(f"{remark.level}: {one_line(str(remark), 400)}")
    cases = suites.select(
        suite,
        categories=options.suite.category,
        prompts=options.suite.prompt,
        limit=options.suite.limit,
    )
    limit_px = options.sampling.image_max_side
    if limit_px and not options.suite.blind and (made := shrinking(suite, cases, limit_px)):
        notify(one_line(made, 400))
    route = _route(options, stopping, notify)
    return Work(suite, cases, route, _price(options, route), _eye_card(options, route))


def _check(options: RunOptions) -> None:
    """Raises: UsageError for a text that could not be sent."""
    if options.output.github_summary:
        github_summary()
    texts = ("--model", options.target.one), ("--system", options.sampling.system)
    for name, text in texts:
        if text and any("\ud800" <= character <= "\udfff" for character in text):
            raise UsageError(f"{name} is not valid UTF-8: {text!r}", fix="write it in UTF-8")
    targets.coordinates(options.sampling.coordinates, None)
    if options.suite.answer_format:
        _check_constrained(options)


def _check_constrained(options: RunOptions) -> None:
    """Raises: UsageError for what --answer-format cannot stand beside."""
    if options.target.replay:
        raise UsageError(
            "--answer-format is not for a recording, which says the same again",
            fix="leave it out",
        )
    given = targets.body(options.sampling.body).keys() & {"response_format", "grammar"}
    if given:
        raise UsageError(
            f"--answer-format and --body both say what a reply looks like ({min(given)})",
            fix="leave one of the two out",
        )


def _route(options: RunOptions, stopping: Event, notify: Callable[[str], None]) -> Route:
    """Where the model that was named is reached from here, now."""
    target = options.target
    given = Target(
        model=target.one or "",
        base_url=target.base_url,
        api_key_env=target.api_key_env,
        gguf=target.gguf,
        mmproj=target.mmproj,
        replay=target.replay,
        sampling=targets.sampling(options.sampling),
        system=options.sampling.system,
        body=targets.body(options.sampling.body),
        sends_pictures=not options.suite.blind,
        image_tokens=targets.image_tokens(options.sampling.image_tokens),
        image_detail=options.sampling.image_detail,
        server_args=tuple(target.server_arg),
        cold=options.limits.cold or options.suite.repeats > 1,
        concurrency=options.limits.concurrency,
        stopping=stopping,
        notify=notify,
    )
    known, backend = catalogue.load(), target.backend
    if target.quant is not None:
        given, known = quantized(target.one, given, known, target.quant)
        backend = backend or ("llamacpp" if given.gguf is None else None)
    route = resolve(target.one, given, backend=backend, catalogue=known)
    return targets.with_limits(route, options.limits)


def _price(options: RunOptions, route: Route) -> Price | None:
    """The list price of what is asked. Raises: UsageError when a budget needs an unknown one."""
    if route.price is None and options.limits.max_cost is not None:
        raise UsageError(
            f"--max-cost needs a price, and none is known for {route.target.model!r} here",
            fix="leave --max-cost out, or put the price into evalrun.toml",
        )
    return route.price


def _eye_card(options: RunOptions, route: Route) -> EyeCard | None:
    """Said when it decides something."""
    url = route.target.base_url
    endpoint = without_credentials(url) if url else None
    card = newest(options.output.results, route.target.model, endpoint)
    if card is not None and card.coordinates and options.sampling.coordinates == "auto":
        say(f"coordinates {card.coordinates}, as the sight test {card.id} found")
    return card


def _ask_all(
    options: RunOptions,
    work: Work,
    stopping: Event,
    stack: ExitStack,
    more: Mapping[str, Any],
    *,
    watch: Watch | None = None,
    at_random: bool = False,
) -> session.Outcome:
    target = msgspec.structs.replace(work.route.target, log=open_log(options.log, stack))
    adapter = stack.enter_context(opener(work.route.backend)(target))
    if isinstance(adapter, Replay):
        _report_strays(adapter.prompts(), work.suite)
    asking = _asking(options, work, adapter, stack, stopping)
    opened = session.open_run(
        options.output.results,
        msgspec.structs.replace(_header(options, work, adapter), **more),
        resume=options.output.resume,
        include_cached=options.output.include_cached,
    )
    stack.enter_context(opened.writer)
    by_picture = adapter.shards_by_picture and adapter.concurrency > 1
    return session.carry_out(
        opened,
        plan(
            work.cases,
            repeats=options.suite.repeats,
            done=opened.done,
            by_picture=by_picture,
            at_random=at_random,
        ),
        asking.ask,
        stopping=stopping,
        # A local server computes on this machine: work beside its answers would slow what is timed.
        prepare=asking.prepare if adapter.server is None else None,
        max_cost_usd=options.limits.max_cost,
        watch=watch,
    )


def _asking(
    options: RunOptions, work: Work, adapter: Adapter, stack: ExitStack, stopping: Event
) -> Asking:
    judge = targets.open_judge(options.judge, options.limits, stack, stopping)
    return Asking(
        adapter,
        work.suite.pictures,
        image_max_side_px=work.suite.side_px(options.sampling.image_max_side),
        blind=options.suite.blind,
        price=work.price,
        retry_tokens=_retry_tokens(work.route.target),
        review=judge.review if judge else None,
        coordinates=targets.coordinates(
            options.sampling.coordinates, work.route.card, work.eye_card
        ),
        constrained=options.suite.answer_format == "constrained",
    )


def _retry_tokens(target: Target) -> int | None:
    """A recording says the same again, however much room it is given."""
    return None if target.replay else target.sampling.max_tokens_retry


def _report_strays(recorded: set[str], suite: Suite) -> None:
    strays = sorted(recorded - {case.id for case in suite.cases})
    if strays:
        shown = ", ".join(strays[:5]) + (", …" if len(strays) > 5 else "")
        say(f"{len(strays)} recorded answers are to no prompt of {suite.name}: {inert(shown)}")


def _header(options: RunOptions, work: Work, adapter: Adapter) -> RunHeader:
    header = header_of(
        work.suite,
        work.cases,
        work.route.target,
        adapter,
        image_max_side_px=work.suite.side_px(options.sampling.image_max_side),
        repeats=options.suite.repeats,
        blind=options.suite.blind,
        price=work.price,
        judge=options.judge.judge,
    )
    suite_path = options.suite.suite
    return msgspec.structs.replace(
        header,
        suite_path=str(suite_path.resolve()) if suite_path else None,
        coordinates=targets.coordinates(options.sampling.coordinates, None),
        answer_format=options.suite.answer_format,
        judge_thinking=options.judge.judge_thinking,
        eye_card=work.eye_card.id if work.eye_card else None,
        pictures_shrunk_to_px=work.eye_card.shrinks_to_px if work.eye_card else None,
    )
