"""`evalrun` and `evalrun run`: ask a model a suite's questions, save answers, show scores."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

import msgspec

from harness.cli.app import app, say, stopping_cleanly
from harness.cli.options import RunOptions, taking

LOCAL_TIMEOUT_S, HOSTED_TIMEOUT_S = 600.0, 120.0

if TYPE_CHECKING:
    from harness.adapters import Adapter
    from harness.adapters.ways import Choice
    from harness.records import Case, Price, RunHeader
    from harness.suites import Suite


def run(options: RunOptions) -> None:
    """Ask a model every question of a suite, save each answer, show the scores.

    Without a model: the demonstration model, on a real llama.cpp server, needing no key.
    """
    with stopping_cleanly():
        _check(options)
        from harness import suites

        suite = suites.load(options.suite)
        cases = suites.select(
            suite, categories=options.category, prompts=options.prompt, limit=options.limit
        )
        choice = _choose(options, stopping := Event())
        price = _price(options, choice)
        if options.dry_run:
            from harness.cli.dry_run import describe

            describe(options, suite, cases, choice, price)
            return
        from harness.cli.download import agree

        agree(choice, yes=options.yes)
        with ExitStack() as stack:
            code = _ask_all(options, _Job(suite, cases, choice, price), stopping, stack)
    # Threads may still hang in a call that nobody waits for any more; do not wait for them either.
    from harness.cli.signals import leave_now

    leave_now(code)


def _check(options: RunOptions) -> None:
    """Warn of options that are allowed but may surprise.

    Raises: UsageError for a text that could not be sent.
    """
    from harness.errors import UsageError

    for name, text in (("--model", options.model), ("--system", options.system)):
        if text and any("\ud800" <= character <= "\udfff" for character in text):
            raise UsageError(f"{name} is no UTF-8 text: {text!r}", fix="write it in UTF-8")
    if options.repeats > 1 and options.temperature == 0:
        say("at temperature 0 repeats are copies of one another: raise --temperature")


class _Job(msgspec.Struct, frozen=True):
    """What to ask, and whom."""

    suite: Suite
    cases: tuple[Case, ...]
    choice: Choice
    price: Price | None


def _ask_all(options: RunOptions, job: _Job, stopping: Event, stack: ExitStack) -> int:
    from harness.adapters import opener
    from harness.cli import session
    from harness.cli.judging import open_judge
    from harness.runner import Asking, plan

    adapter = stack.enter_context(opener(job.choice.backend)(job.choice.target))
    judge = open_judge(options, stack, stopping)
    asking = Asking(
        adapter,
        job.suite.pictures,
        image_max_side_px=options.image_max_side,
        blind=options.blind,
        price=job.price,
        review=judge.review if judge else None,
    )
    opened = session.open_run(
        options.results,
        _header(options, job, adapter),
        resume=options.resume,
        include_cached=options.include_cached,
    )
    stack.enter_context(opened.writer)
    by_picture = adapter.shards_by_picture and adapter.concurrency > 1
    ending = session.carry_out(
        opened,
        plan(job.cases, repeats=options.repeats, done=opened.done, by_picture=by_picture),
        asking.ask,
        stopping=stopping,
        # A local server computes on this machine: work beside its answers would slow what is timed.
        prepare=asking.prepare if adapter.server is None else None,
        max_cost_usd=options.max_cost,
    )
    from harness.cli.ending import finish

    return finish(options, ending)


def _header(options: RunOptions, job: _Job, adapter: Adapter) -> RunHeader:
    import re
    import sys

    from harness.runner import header_of

    credentials = re.compile(r"(https?://)[^/?#\s]*@", re.IGNORECASE)
    typed = (credentials.sub(r"\1USER:PASSWORD@", it) for it in sys.argv[1:] if it != "--fresh")
    header = header_of(
        job.suite,
        job.cases,
        job.choice.target,
        adapter,
        image_max_side_px=options.image_max_side,
        repeats=options.repeats,
        blind=options.blind,
        price=job.price,
        judge=options.judge,
    )
    return msgspec.structs.replace(
        header,
        suite_path=str(options.suite.resolve()) if options.suite else None,
        arguments=tuple(typed),
    )


def _choose(options: RunOptions, stopping: Event) -> Choice:
    """What the model's name means here and now; the person is told which way was taken."""
    from msgspec.structs import replace

    from harness import catalogue
    from harness.adapters import Limits, Target
    from harness.adapters.resolve import resolve
    from harness.records import Sampling

    given = Target(
        model=options.model or "",
        base_url=options.base_url,
        api_key_env=options.api_key_env,
        gguf=options.gguf,
        mmproj=options.mmproj,
        replay=options.replay,
        sampling=Sampling(
            temperature=options.temperature, seed=options.seed, max_tokens=options.max_tokens
        ),
        system=options.system,
        cold=options.cold or options.repeats > 1,
        concurrency=options.concurrency,
        stopping=stopping,
        notify=say,
    )
    choice = resolve(options.model, given, backend=options.backend, catalogue=catalogue.load())
    limits = Limits(
        timeout_s=options.timeout or (LOCAL_TIMEOUT_S if choice.local else HOSTED_TIMEOUT_S),
        tries=options.tries,
        max_wait_s=options.max_wait,
    )
    return replace(choice, target=replace(choice.target, limits=limits))


def _price(options: RunOptions, choice: Choice) -> Price | None:
    """The list price of what is asked. Raises: UsageError when a budget hangs on an unknown one."""
    from harness.errors import UsageError

    if choice.price is None and options.max_cost is not None:
        raise UsageError(
            f"--max-cost needs a price, and none is known for {choice.target.model!r} here",
            fix="leave --max-cost out, or put the price into evalrun.toml",
        )
    return choice.price


app.command("run")(taking(RunOptions, run))
