"""`evalrun eyes`: what an endpoint sees, tested on charts whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Annotated, Any

from msgspec.structs import replace
from typer import Option

from harness import targets
from harness.adapters.routes import Route
from harness.cli.output import AsJson, Quiet, confirm, print_blocks, print_json, say
from harness.cli.progress import Interrupts
from harness.cli.run import Profile
from harness.errors import ExitCode, UsageError
from harness.eyes.card import save
from harness.eyes.exam import Exam
from harness.eyes.marking import examine, table
from harness.eyes.questions import AT_ONCE, Answer, Question, questions
from harness.options import (
    DEFAULT_RESULTS,
    LimitOptions,
    LogOptions,
    MaxCost,
    ModelOptions,
    ResultsDir,
    SamplingOptions,
)
from harness.text import one_line

_SEEDS = 1_000_000
_TRIES, _MAX_WAIT_S = 3, 30.0
"""Somebody waits at the terminal: less patience than in a run."""
_GIVE_UP_S = 5.0


def eyes(
    target: ModelOptions,
    log: LogOptions,
    seed: Annotated[int | None, Option(min=0, help="Repeat the charts of this seed.")] = None,
    charts: Annotated[Path | None, Option(help="Folder to write the charts to.")] = None,
    max_cost: MaxCost = None,
    results: ResultsDir = DEFAULT_RESULTS,
    profile: Profile = None,  # noqa: ARG001 - its callback sees to it
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - its callback sees to it
) -> int:
    """Test what an endpoint sees, on charts of known truth.

    About 50 calls, then a card: does the picture arrive, at which size, whole and upright; how
    small may type be; what does a picture cost in tokens; which coordinates does the model give;
    are pictures mixed up. The card is kept beside the model's runs.
    """
    chosen = random.randrange(_SEEDS) if seed is None else seed  # noqa: S311 - charts, not secrets
    asked = questions(chosen)
    if charts is not None:
        _write(charts, asked)
    stopping = Event()
    with ExitStack() as stack:
        route = _route(target, max_cost, stopping, log=targets.open_log(log, stack))
        exam = Exam(asked, price=route.price, max_cost_usd=max_cost, stopping=stopping)
        card = examine(route, exam, chosen, _say, around=Interrupts(stopping).handled())
    if json:
        print_json(card)
    else:
        print_blocks(table(card))
    say(f"kept: {save(results, card)}")  # last: what cannot be kept is shown all the same
    partial = exam.over_budget or stopping.is_set()
    return ExitCode.INCOMPLETE if partial else ExitCode.DONE


def _write(folder: Path, asked: Sequence[Question]) -> None:
    """The charts as files, in the order of asking. Raises: UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for at, question in enumerate(asked):
            for number, image in enumerate(question.images, start=1):
                name = "-".join([f"{at:02d}", question.test, *question.part.split(), str(number)])
                suffix = image.media_type.removeprefix("image/")
                (folder / f"{name}.{suffix}").write_bytes(image.data)
    except OSError as error:
        raise UsageError(
            f"--charts {folder}: {error.strerror}", fix="name a folder you may write to"
        ) from error


def _route(
    options: ModelOptions, max_cost_usd: float | None, stopping: Event, **more: Any
) -> Route:
    if options.replay is not None:
        raise UsageError("a recording cannot be shown new charts", fix="name a model")
    limits = LimitOptions(
        tries=_TRIES, max_wait=_MAX_WAIT_S, cold=True, concurrency=AT_ONCE, max_cost=max_cost_usd
    )
    route = targets.reach(options, SamplingOptions(), limits, stopping=stopping, say=say, **more)
    targets.confirm_download(route, yes=options.yes, confirm=confirm)
    patience = replace(route.target.limits, give_up_s=_GIVE_UP_S)
    return replace(route, target=replace(route.target, limits=patience))


def _say(number: int, of: int, answer: Answer) -> None:
    part = f"{answer.question.test} {answer.question.part}".strip()
    said = one_line(answer.text or answer.error or "", 60) or "–"
    say(f"{number:2d}/{of} {part}: {said}")
