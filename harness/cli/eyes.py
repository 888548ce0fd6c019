"""`evalrun eyes`: what an endpoint sees, tested on charts whose truth is known."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from msgspec.structs import replace

from harness import targets
from harness.cli.output import Interrupts, confirm, emit, say
from harness.errors import ExitCode, UsageError, reworded
from harness.eyes.card import save
from harness.eyes.exam import Exam
from harness.eyes.marking import examine, table
from harness.eyes.questions import AT_ONCE, Answer, Question, questions
from harness.options import LimitOptions, LogOptions, ModelOptions, SamplingOptions, option
from harness.text import one_line

_PATIENCE = LimitOptions(tries=3, max_wait=30.0, cold=True, concurrency=AT_ONCE)
"""Somebody waits at the terminal: less than in a run."""
_GIVE_UP_S = 5.0


def eyes(
    *,
    target: ModelOptions,
    log: LogOptions,
    seed: int | None = option("Repeat the charts of this seed.", min=0),
    charts: Path | None = option("Folder to write the charts to."),
    max_cost: float | None,
    results: Path,
    profile: str | None,  # noqa: ARG001 - its callback sees to it
    json: bool,
    quiet: bool,  # noqa: ARG001 - the application sees to it
) -> int:
    """Test what an endpoint sees, on charts of known truth.

    About 50 calls, then a card: does the picture arrive, at which size, whole and upright; how
    small may type be; what does a picture cost in tokens; which coordinates does the model give;
    are pictures mixed up. The card is kept beside the model's runs.
    """
    if target.replay is not None:
        raise UsageError("a recording cannot be shown new charts", fix="name a model")
    chosen = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - charts only
    asked, stopping = questions(chosen), Event()
    if charts is not None:
        _write(charts, asked)
    with ExitStack() as stack:
        route = targets.reach(
            *(target, SamplingOptions(), dataclasses.replace(_PATIENCE, max_cost=max_cost)),
            stopping=stopping,
            say=say,
            log=targets.open_log(log, stack),
        )
        targets.confirm_download(route, yes=target.yes, confirm=confirm)
        patience = replace(route.target.limits, give_up_s=_GIVE_UP_S)
        route = replace(route, target=replace(route.target, limits=patience))
        exam = Exam(asked, price=route.price, max_cost_usd=max_cost, stopping=stopping)
        card = examine(route, exam, chosen, _say, around=Interrupts(stopping).handled())
    emit([table(card)], card, json=json)
    say(f"kept: {save(results, card)}")  # last: what cannot be kept is shown all the same
    partial = exam.over_budget or stopping.is_set()
    return ExitCode.INCOMPLETE if partial else ExitCode.DONE


def _write(folder: Path, asked: Sequence[Question]) -> None:
    """The charts as files, in the order of asking. Raises: UsageError."""
    with reworded(UsageError, f"--charts {folder}", "name a folder you may write to", OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for at, question in enumerate(asked):
            for number, image in enumerate(question.images, start=1):
                name = "-".join([f"{at:02d}", question.test, *question.part.split(), str(number)])
                suffix = image.media_type.removeprefix("image/")
                (folder / f"{name}.{suffix}").write_bytes(image.data)


def _say(number: int, of: int, answer: Answer) -> None:
    part = f"{answer.question.test} {answer.question.part}".strip()
    said = one_line(answer.text or answer.error or "", 60) or "–"
    say(f"{number:2d}/{of} {part}: {said}")
