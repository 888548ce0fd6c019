"""`evalrun` and `evalrun run`: ask a model a suite's questions, save answers, show scores."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

from harness.cli.app import app, say, stopping_cleanly
from harness.cli.options import RunOptions, taking

LOCAL_TIMEOUT_S, HOSTED_TIMEOUT_S = 600.0, 120.0

if TYPE_CHECKING:
    from harness.adapters.resolve import Choice
    from harness.records import Case, Price
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
            code = _ask_all(options, suite, cases, choice, price, stopping, stack)
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


def _ask_all(
    options: RunOptions,
    suite: Suite,
    cases: tuple[Case, ...],
    choice: Choice,
    price: Price | None,
    stopping: Event,
    stack: ExitStack,
) -> int:
    from rich.console import Console

    from harness.adapters import opener
    from harness.cli import session
    from harness.cli.ending import finish
    from harness.runner import Asking, header_of, plan

    adapter = stack.enter_context(opener(choice.backend)(choice.target))
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
    """The list price of a hosted model; a server of one's own has none."""
    from harness.errors import UsageError
    from harness.records import Price

    card = choice.card
    facts = (card.price_in_usd_per_mtok, card.price_out_usd_per_mtok) if card else (None, None)
    if choice.local or facts[0] is None or facts[1] is None:
        if options.max_cost is not None:
            raise UsageError(
                f"--max-cost needs a price, and none is known for {choice.target.model!r} here",
                fix="leave --max-cost out, or put the price into evalrun.toml",
            )
        return None
    return Price(
        in_usd_per_mtok=facts[0].value, out_usd_per_mtok=facts[1].value, as_of=facts[1].as_of
    )


app.command("run")(taking(RunOptions, run))
