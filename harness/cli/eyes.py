"""`evalrun eyes`: what an endpoint sees, tested on charts whose truth is known."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Annotated, Any

from msgspec.structs import replace
from typer import Option

from harness import targets
from harness.adapters import Adapter, opener
from harness.adapters.routes import Route
from harness.cli.output import AsJson, Quiet, confirm, print_blocks, print_json, say
from harness.cli.progress import Interrupts
from harness.errors import ExitCode, NoVision, TargetError, UsageError
from harness.eyes.card import EyeCard, save
from harness.eyes.exam import Exam
from harness.eyes.marking import LABELS, mark, summary
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
from harness.tables import Column, Table
from harness.text import one_line
from harness.transport import without_credentials

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
        card, code = _sit(route, asked, chosen, max_cost, stopping)
    path = save(results, card)
    if json:
        print_json(card)
    else:
        print_blocks(_table(card))
    say(f"kept: {path}")
    return code


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


def _sit(
    route: Route,
    asked: Sequence[Question],
    seed: int,
    max_cost_usd: float | None,
    stopping: Event,
) -> tuple[EyeCard, ExitCode]:
    """Ask everything. Raises: TargetError when nobody answered."""
    began, measured_at = time.monotonic(), datetime.now(UTC)
    exam = Exam(asked, price=route.price, max_cost_usd=max_cost_usd, stopping=stopping)
    answers: list[Answer] = []
    url, backend = route.target.base_url, route.backend
    try:
        with (
            opener(route.backend)(route.target) as adapter,
            Interrupts(stopping).handled(),
        ):
            backend = adapter.backend
            _ask(exam, adapter, answers)
    except NoVision as error:  # a server of our own tells before the first call
        exam.no_eyes = one_line(error.problem, 120)
    card = mark(
        answers,
        exam,
        endpoint=without_credentials(url) if url else None,
        backend=backend,
        model=route.target.model,
        seed=seed,
        measured_at=measured_at,
        seconds=time.monotonic() - began,
    )
    partial = exam.over_budget or exam.stopping.is_set()
    return card, ExitCode.INCOMPLETE if partial else ExitCode.DONE


def _ask(exam: Exam, adapter: Adapter, answers: list[Answer]) -> None:
    for answer in exam.sit(adapter):
        answers.append(answer)
        part = f"{answer.question.test} {answer.question.part}".strip()
        said = one_line(answer.text or answer.error or "", 60) or "–"
        say(f"{len(answers):2d}/{len(exam.questions)} {part}: {said}")
    if not any(it.reply for it in answers) and exam.no_eyes is None:
        why = next((it.error for it in answers if it.error), "stopped before the first answer")
        raise TargetError(f"no call was answered: {why}", fix="see `evalrun doctor`")


def _table(card: EyeCard) -> Table:
    rows = [[name, words] for name, words in card.verdicts.items()]
    rows += [[LABELS.get(name, name), f"not run: {why}"] for name, why in card.not_run.items()]
    notes = [f"{card.calls} calls, {card.seconds:.0f} s, seed {card.seed}"]
    if card.settings:
        notes.append(f"what to set: evalrun --model {card.model} {card.options}")
    return Table(
        title=f"{card.model}: {summary(card)}",
        columns=[Column("test", "test"), Column("result", "what was seen")],
        rows=rows,
        notes=notes,
    )
