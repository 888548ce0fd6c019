"""`evalrun` and `evalrun run`: ask a model a suite's questions, save answers, show scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.app import app, say, stopping_cleanly
from harness.cli.options import RunOptions, taking

if TYPE_CHECKING:
    from contextlib import ExitStack
    from threading import Event

    from harness.adapters.resolve import Choice
    from harness.records import Case
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
        if options.dry_run:
            from harness.cli.dry_run import describe

            describe(options, suite, cases)
            return
        code = _run(options, suite, cases)
    # Threads may still hang in a call that nobody waits for any more; do not wait for them either.
    from harness.cli.signals import leave_now

    leave_now(code)


def _check(options: RunOptions) -> None:
    """Options that make no sense together."""
    from harness.errors import UsageError

    if options.judge_scope not in ("unread", "all"):
        raise UsageError(
            f"--judge-scope {options.judge_scope!r} is neither unread nor all",
            fix="give --judge-scope unread or --judge-scope all",
        )
    if options.repeats > 1 and options.temperature == 0:
        say("at temperature 0 repeats are copies of one another: raise --temperature")


def _run(options: RunOptions, suite: Suite, cases: tuple[Case, ...]) -> int:
    from contextlib import ExitStack
    from threading import Event

    stopping = Event()
    with ExitStack() as stack:
        choice = _choose(options, stopping)
        return _ask_all(options, suite, cases, choice, stopping, stack)


def _ask_all(
    options: RunOptions,
    suite: Suite,
    cases: tuple[Case, ...],
    choice: Choice,
    stopping: Event,
    stack: ExitStack,
) -> int:
    from rich.console import Console

    from harness.adapters import opener
    from harness.cli import session
    from harness.cli.ending import finish
    from harness.runner import Asking, header_of, plan

    adapter = stack.enter_context(opener(choice.adapter)(choice.target))
    price = _price(options, choice)
    header = header_of(
        suite,
        cases,
        choice.target,
        adapter,
        image_max_side_px=options.image_max_side,
        repeats=options.repeats,
        blind=options.blind,
        price=price,
        judge=options.judge,
    )
    opened = session.open_run(
        options.results, header, resume=options.resume, include_warm=options.include_warm
    )
    stack.enter_context(opened.writer)
    if opened.done:
        say(f"resuming {opened.header.run}: {len(opened.done)} of {header.asked} are there already")
    asking = Asking(
        adapter,
        suite.picture,
        image_max_side_px=options.image_max_side,
        blind=options.blind,
        price=price,
        review=_review(options, stopping, stack),
    )
    ending = session.carry_out(
        opened,
        plan(
            cases,
            repeats=options.repeats,
            done=opened.done,
            by_picture=adapter.shards_by_picture and adapter.concurrency > 1,
        ),
        asking.ask,
        workers=adapter.concurrency,
        stopping=stopping,
        console=Console(stderr=True),
        max_cost_usd=options.max_cost,
    )
    return finish(options, ending)


def _choose(options: RunOptions, stopping: Event) -> Choice:
    """What the model's name means here and now; the person is told which way was taken."""
    from harness.adapters.resolve import Wanted, resolve

    return resolve(
        Wanted(
            model=options.model,
            base_url=options.base_url,
            api_key_env=options.api_key_env,
            backend=options.backend,
            gguf=options.gguf,
            mmproj=options.mmproj,
            replay=options.replay,
        ),
        notify=say,
    )


app.command("run")(taking(RunOptions, run))
