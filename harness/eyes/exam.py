"""Asks the questions. A failed call costs its part of a test, never the card."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from itertools import groupby, islice

from harness.adapters import Adapter
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
        grace_s: float = 5.0,
    ) -> None:
        """`grace_s`: how long calls in flight may take to finish once `stopping` is set."""
        self.questions = questions
        self.price, self._max_cost_usd = price, max_cost_usd
        self.stopping, self.grace_s = stopping or threading.Event(), grace_s
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
        callers = _Callers(self, adapter)
        try:
            yield from self._sit(callers, max(1, min(AT_ONCE, adapter.opened.concurrency)))
        finally:
            callers.dismiss()

    def _sit(self, callers: _Callers, workers: int) -> Iterator[Answer]:
        answers: list[Answer] = []
        for answer in callers.ask(self.questions[:1]):
            yield answer
            answers.append(answer)
        if self.no_eyes is not None:
            return
        for answer in self._ask_all(callers, workers):
            yield answer
            answers.append(answer)
            if len(answers) == ARRIVAL_CALLS and self._sees_nothing(answers):
                self.no_eyes = "neither a code nor plain colours come through"
                return

    def _ask_all(self, callers: _Callers, workers: int) -> Iterator[Answer]:
        rest = self.questions[1:]
        for key, group in groupby(rest, key=lambda it: (it.test, it.at_once and it.part)):
            for batch in batched(group, AT_ONCE if key[1] else workers):
                if self.stopping.is_set() or self.over_budget:
                    return
                yield from callers.ask(batch)

    @staticmethod
    def _sees_nothing(answers: Sequence[Answer]) -> bool:
        answered = [it for it in answers if it.reply is not None]
        return len(answered) == len(answers) and reading.arrives(answers)[0] == {"arrives": False}

    def answer(self, adapter: Adapter, question: Question) -> Answer:
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


class _Callers:
    """The threads that ask; daemons, as a call that hangs must not keep the process alive."""

    def __init__(self, exam: Exam, adapter: Adapter) -> None:
        self._exam, self._adapter = exam, adapter
        self._todo: queue.SimpleQueue[tuple[Question, Future[Answer]] | None] = queue.SimpleQueue()
        for _ in range(AT_ONCE):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while (it := self._todo.get()) is not None:
            question, future = it
            try:
                future.set_result(self._exam.answer(self._adapter, question))
            except BaseException as error:  # noqa: BLE001 - crosses the thread, raised by `ask`
                future.set_exception(error)

    def dismiss(self) -> None:
        for _ in range(AT_ONCE):
            self._todo.put(None)

    def ask(self, questions: Sequence[Question]) -> Iterator[Answer]:
        """All at once; answers in their order. Of a stopped exam, those that still come soon."""
        futures = [Future[Answer]() for _ in questions]
        for it in zip(questions, futures, strict=True):
            self._todo.put(it)
        until = float("inf")
        for future in futures:
            while not wait([future], timeout=0.1).done:
                if self._exam.stopping.is_set():
                    until = min(until, time.monotonic() + self._exam.grace_s)
                if time.monotonic() > until:
                    break
            else:
                yield future.result()


def batched(questions: Iterable[Question], size: int) -> Iterator[list[Question]]:
    """A round of calls made at once, or a few questions: between them a stop is looked for."""
    rest = iter(questions)
    while batch := list(islice(rest, size)):
        yield batch
