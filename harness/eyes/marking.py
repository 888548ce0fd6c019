"""Answers in, a card out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from harness.eyes import reading
from harness.eyes.card import EyeCard
from harness.eyes.charts import COLOURS
from harness.eyes.exam import Exam
from harness.eyes.questions import Answer
from harness.eyes.reading import Fields, Verdicts
from harness.text import one_line

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
