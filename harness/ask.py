"""The verb `ask`: one question about pictures to several models, graded where the answer is known.

`runner.panel.ask_all` puts it to the routes that `reach_all` found. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from threading import Event
from typing import Any

from harness import targets
from harness.adapters.routes import Route
from harness.catalogue import Catalogue
from harness.errors import TargetError, UsageError
from harness.graders import infer, problems
from harness.options import LimitOptions, ModelOptions, SamplingOptions
from harness.records import Case
from harness.runner.consensus import Consensus, consensus
from harness.runner.panel import TASKS, PanelAnswer
from harness.suites import slug
from harness.targets import Confirm, Say, silent

PATIENCE = LimitOptions(tries=3, max_wait=30.0, concurrency=1)
"""Somebody waits at a screen: less than in a run."""
_ID_CHARS = 80


def reach_all(
    models: Iterable[ModelOptions],
    *,
    known: Catalogue,
    stopping: Event,
    sampling: SamplingOptions | None = None,
    timeout_s: float | None = None,
    say: Say = silent,
    confirm: Confirm | None = None,
    **more: Any,
) -> tuple[list[Route], list[PanelAnswer]]:
    """The routes to those that can be asked, and why the others cannot.

    `more` are further fields of their targets. Raises: UsageError for one model twice.
    """
    routes: list[Route] = []
    unreached: list[PanelAnswer] = []
    limits = replace(PATIENCE, timeout=timeout_s)
    more |= {"known": known, "stopping": stopping, "say": say}
    for model in models:
        try:
            route = targets.reach(model, sampling or SamplingOptions(), limits, **more)
            targets.confirm_download(route, yes=model.yes, confirm=confirm)
        except (TargetError, UsageError) as error:
            unreached.append(PanelAnswer(model=model.one or "", route=None, error=error))
        else:
            routes.append(route)
    named = [it.target.model for it in routes]
    if twice := {it for it in named if named.count(it) > 1}:
        raise UsageError(f"{', '.join(twice)} is named twice", fix="name each model once")
    return routes, unreached


def agreement(question: str, answers: Iterable[PanelAnswer], task: str | None) -> Consensus | None:
    """None when fewer than two answered, and for captions, which differ in words alone."""
    replies = {it.model: it.reply.text for it in answers if it.reply is not None}
    if len(replies) < 2 or task == "caption":
        return None
    return consensus(question, replies, grader=TASKS[task].grader if task else None)


def case_of(question: str, expected: str, *, name: str, category: str) -> Case:
    """The question with its right answer, as a case of a suite.

    Raises: UsageError for an answer that cannot be graded.
    """
    grader, chosen = infer(question, expected)
    case = Case(
        id=slug(name)[:_ID_CHARS] or "asked",
        category=category,
        question=question,
        image="",
        expected=expected,
        grader=grader,
        options=chosen,
    )
    if wrong := problems(case):
        raise UsageError(
            f"the right answer {expected!r}: {wrong[0]}", fix="name another right answer"
        )
    return case
