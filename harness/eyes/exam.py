"""Asks the questions. A failed call costs its part of a test, never the card."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby, islice

from harness.adapters.base import Adapter
from harness.errors import CallError, NoVision, RequestRefused, TargetError, UsageError
from harness.eyes import reading
from harness.eyes.questions import ARRIVAL_CALLS, AT_ONCE, Answer, Question
from harness.records import Price
from harness.text import one_line
from harness.transport import Stopped

_LOST_CALLS = 2
"""Calls in a row for which the endpoint could not be used: it is gone."""


class Exam:
    """One sitting: `sit` gives the answers as they land."""

    def __init__(
        self,
        questions: Sequence[Question],
        *,
        price: Price | None = None,
        max_cost_usd: float | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self.questions = questions
        self.price, self._max_cost_usd = price, max_cost_usd
        self.stopping = stopping or threading.Event()
        self.cost_usd = 0.0
        self._lost = 0
        self._why_lost: str | None = None
        self.no_eyes: str | None = None
        """Why no picture gets through, when none does."""

    @property
    def why_ended(self) -> str:
        """Why questions at the end were not asked."""
        if self.no_eyes is not None:
            return "pictures do not arrive"
        if self.over_budget:
            return "--max-cost was reached"
        return self._why_lost or "stopped"

    @property
    def over_budget(self) -> bool:
        return self._max_cost_usd is not None and self.cost_usd >= self._max_cost_usd

    def sit(self, adapter: Adapter) -> Iterator[Answer]:
        """The first call decides: an endpoint that refuses it gets no other.

        Raises: TargetError when the endpoint cannot be used.
        """
        first = self._ask(adapter, self.questions[0])
        yield first
        if self.no_eyes is not None:
            return
        answers = [first]
        for answer in self._ask_all(adapter, self.questions[1:]):
            yield answer
            answers.append(answer)
            if len(answers) == ARRIVAL_CALLS and self._sees_nothing(answers):
                self.no_eyes = "neither a code nor plain colours come through"
                return

    def _ask_all(self, adapter: Adapter, questions: Sequence[Question]) -> Iterator[Answer]:
        ask = partial(self._ask, adapter)
        workers = max(1, min(AT_ONCE, adapter.concurrency))
        with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(AT_ONCE) as together:
            for test, group in groupby(questions, key=lambda it: (it.test, it.at_once and it.part)):
                for batch in batched(group, AT_ONCE):
                    if self.stopping.is_set() or self.over_budget:
                        return
                    yield from (together if test[1] else pool).map(ask, batch)

    @staticmethod
    def _sees_nothing(answers: Sequence[Answer]) -> bool:
        answered = [it for it in answers if it.reply is not None]
        return len(answered) == len(answers) and reading.arrives(answers)[0] == {"arrives": False}

    def _ask(self, adapter: Adapter, question: Question) -> Answer:
        try:
            reply = adapter.ask(question.request)
        except NoVision as error:
            if question is self.questions[0]:
                self.no_eyes = f"pictures are refused: {one_line(error.problem, 120)}"
            return Answer(question=question, error=error.problem, refused=True)
        except RequestRefused as error:
            return Answer(question=question, error=error.problem, refused=True)
        except (CallError, UsageError) as error:  # some kinds take no --thinking off
            return Answer(question=question, error=error.problem)
        except (TargetError, Stopped) as error:
            if question is self.questions[0]:
                raise
            self._lost += 1
            problem = str(getattr(error, "problem", "stopped"))
            if self._lost >= _LOST_CALLS and not self.stopping.is_set():
                self._why_lost = one_line(problem, 200)
                self.stopping.set()
            return Answer(question=question, error=problem)
        self._lost = 0
        if self.price is not None:
            cost = self.price.cost_usd(reply.tokens_in, reply.tokens_out)
            self.cost_usd += cost or 0.0
        return Answer(question=question, reply=reply)


def batched(questions: Iterable[Question], size: int) -> Iterator[list[Question]]:
    """A round of calls made at once, or a few questions: between them a stop is looked for."""
    rest = iter(questions)
    while batch := list(islice(rest, size)):
        yield batch
