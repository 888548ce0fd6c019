"""Answers in, a card out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial

from harness.adapters.routes import Route, opener
from harness.errors import NoVision, TargetError
from harness.eyes import reading
from harness.eyes.card import EyeCard
from harness.eyes.charts import COLOURS
from harness.eyes.exam import Exam
from harness.eyes.questions import Answer
from harness.eyes.reading import Fields, Verdicts
from harness.tables import Column, Table
from harness.text import one_line
from harness.transport import without_credentials

Reader = Callable[[Sequence[Answer]], tuple[Fields, Verdicts]]
TESTS: dict[str, Reader] = {
    "arrives": reading.arrives,
    "acuity": reading.acuity,
    "whole": reading.whole,
    "forms": reading.forms,
    "where": reading.where,
    "concurrent": reading.concurrent,
    "several": reading.several,
    "counting": partial(reading.tally, "counting", "counting"),
    "colour": reading.colour,
    "left_right": partial(reading.tally, "left_right", "left and right"),
    "schema": reading.schema,
    "repeatable": reading.repeatable,
}
FIELDS = {
    "acuity": "smallest_legible_px",
    "whole": "whole_picture",
    "forms": "formats",
    "where": "coordinates",
    "concurrent": "mixes_up_concurrent_pictures",
    "several": "pictures_per_question",
}
"""The field of the card that a test fills, where it is called otherwise."""
LABELS = {
    "smallest_legible_px": "acuity",
    "whole_picture": "whole picture",
    "coordinates": "where",
    "mixes_up_concurrent_pictures": "one at a time",
    "pictures_per_question": "several pictures",
    "left_right": "left and right",
    "repeatable": "repeatability",
}
_KEEPS_REFUSALS = {"forms", "several", "schema"}
"""Tests for which a refused call is a result."""


def examine(
    route: Route,
    exam: Exam,
    seed: int,
    on_answer: Callable[[int, int, Answer], None],
    *,
    around: AbstractContextManager[object],
) -> EyeCard:
    """Open the model, ask everything (`around` is entered for that), and mark the answers.

    Raises: TargetError when nobody answered.
    """
    began, measured_at = time.monotonic(), datetime.now(UTC)
    answers: list[Answer] = []
    url, backend = route.target.base_url, route.backend
    try:
        with opener(route.backend)(route.target) as adapter, around:
            backend = adapter.opened.backend
            for answer in exam.sit(adapter):
                answers.append(answer)
                on_answer(len(answers), len(exam.questions), answer)
    except NoVision as error:  # a server of our own tells before the first call
        exam.no_eyes = one_line(error.problem, 120)
    if not any(it.reply for it in answers) and exam.no_eyes is None:
        why = next((it.error for it in answers if it.error), "stopped before the first answer")
        raise TargetError(f"no call was answered: {why}", fix="see `evalrun doctor`")
    return mark(
        answers,
        exam,
        endpoint=without_credentials(url) if url else None,
        backend=backend,
        model=route.target.model,
        seed=seed,
        measured_at=measured_at,
        seconds=time.monotonic() - began,
    )


def table(card: EyeCard) -> Table:
    """What was seen, test by test."""
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


def mark(
    answers: Sequence[Answer],
    exam: Exam,
    *,
    endpoint: str | None,
    backend: str,
    model: str,
    seed: int,
    measured_at: datetime,
    seconds: float,
) -> EyeCard:
    """The card of one sitting, finished or not."""
    fields, verdicts, not_run = _read(answers, exam)
    return EyeCard(
        id=f"{model}/eyes-{measured_at:%Y%m%dT%H%M%SZ}",
        measured_at=measured_at,
        model=model,
        endpoint=endpoint,
        backend=backend,
        seed=seed,
        verdicts=verdicts,
        not_run=not_run,
        settings=_settings(fields),
        calls=len(answers),
        seconds=round(seconds, 1),
        cost_usd=exam.cost_usd or None,
        parts=tuple(map(reading.part, answers)),
        **fields,
    )


def _read(answers: Sequence[Answer], exam: Exam) -> tuple[Fields, Verdicts, dict[str, str]]:
    fields: Fields = {}
    verdicts: Verdicts = {}
    not_run: dict[str, str] = {}
    for test, reader in TESTS.items():
        mine = [it for it in answers if it.question.test == test]
        if test == "repeatable" and mine:
            mine = [answers[0], *mine]
        if why := _not_run(test, mine, exam):
            not_run[FIELDS.get(test, test)] = why
            continue
        found, words = reader(mine if test in _KEEPS_REFUSALS else [it for it in mine if it.reply])
        fields |= found
        verdicts |= words
    priced = reading.picture_cost(fields, exam.price) if exam.price else None
    if priced is not None:
        verdicts["image tokens"] += f"; {priced}"
    if any(it.reply for it in answers):
        found, words = reading.thinking(answers)
        fields |= found
        verdicts |= words
    if exam.no_eyes is not None:
        fields["arrives"] = False
        verdicts = {"arrives": f"no eyes: {exam.no_eyes}"}
    return fields, verdicts, not_run


def _not_run(test: str, answers: Sequence[Answer], exam: Exam) -> str | None:
    """Why a test has no result: a call failed, or the exam ended before its last."""
    failed = (it for it in answers if it.error and not (it.refused and test in _KEEPS_REFUSALS))
    if (first := next(failed, None)) is not None:
        return one_line(first.error or "", 200)
    asked = {id(it) for it in exam.questions if it.test == test}
    whole = bool(answers) and asked <= {id(it.question) for it in answers}
    return None if whole else exam.why_ended


def _settings(fields: Fields) -> dict[str, str | int]:
    """Options of `run` that suit what was seen."""
    found: dict[str, str | int] = {}
    if fields.get("shrinks_to_px") is not None:
        found["image-max-side"] = fields["shrinks_to_px"]
    if fields.get("coordinates") is not None:
        found["coordinates"] = fields["coordinates"]
    thinking = fields.get("thinking")
    if thinking is not None and thinking.unasked and thinking.can_be_switched_off:
        found["thinking"] = "off"  # it costs time, and reading a picture seldom needs it
    if fields.get("mixes_up_concurrent_pictures"):
        found["concurrency"] = 1
    return found


def summary(card: EyeCard) -> str:
    """What it sees, in one sentence."""
    why = card.verdicts.get("arrives") or card.not_run.get("arrives", "")
    if card.arrives is None:
        return f"whether it sees: {why}"
    if not card.arrives:
        return f"no eyes: {why.removeprefix('no eyes: ').removeprefix('no: ')}"
    seen = {
        "colours": any(it.right for it in card.parts if it.part in COLOURS),
        "numbers of things": card.counting is not None and card.counting.right >= 2,
        "text": any(card.smallest_legible_px.values()),
        "places": "explains" in card.verdicts.get("where", ""),
    }
    names = [name for name, sees in seen.items() if sees] or ["nothing that the charts show"]
    rest = " and nothing else" if len(names) == 1 else ""
    return f"sees {', '.join(names)}{rest}"
