"""One job, from picture to record."""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from harness.adapters.base import Adapter, Request
from harness.errors import CallError, EvalrunError, RequestRefused, TargetError
from harness.graders import GRADERS, grade_reply
from harness.graders.constraints import constraint
from harness.images import encode
from harness.records import Case, Effort, EncodedImage, GradeContext, Price, Record, Reply
from harness.runner.plan import Job
from harness.text import one_line

Review = Callable[[Record, Sequence[EncodedImage]], Record]
"""A second opinion on a record, e.g. a model judge's."""

_ALIKE, _ANY = 3, 6
"""So many failures of one kind, or of any, before any answer end the run."""
_OF_THE_PICTURE = re.compile(r"HTTP 413|context|image|picture|too large|too long", re.IGNORECASE)
_VARYING = re.compile(r"\S*\d\S*|'[^']*'|\"[^\"]*\"")


class Asking:
    """Everything one question needs besides itself. Threads share it."""

    def __init__(
        self,
        adapter: Adapter,
        pictures: Callable[[Case], Sequence[Path]],
        *,
        image_max_side_px: int,
        blind: bool = False,
        price: Price | None = None,
        retry_tokens: int | None = None,
        review: Review | None = None,
        coordinates: str | None = None,
        constrained: bool = False,
    ) -> None:
        """`retry_tokens`: the limit with which a reply that was cut is asked for once more.
        `constrained`: whether a reply is held to what its grader reads."""
        self._adapter = adapter
        self._pictures = pictures
        self._encoded = _Encoded(image_max_side_px)
        self._blind, self._price, self._review = blind, price, review
        self._coordinates, self._retry_tokens = coordinates, retry_tokens
        self._constrained = constrained
        self._first_calls = _FirstCalls()

    def ask(self, job: Job) -> Record:
        """Ask and grade. Raises: SuiteError for a broken picture, TargetError for a lost cause."""
        case = job.case
        paths = () if self._blind else self._pictures(case)
        images = tuple(map(self._encoded.get, paths))
        sent = tuple(image.sha256 for image in images)
        record = partial(
            Record,
            case=case,
            repeat=job.repeat,
            place=job.place,
            image_sha256=sent[0] if sent else None,
            images_sha256=sent if len(sent) > 1 else (),
            started_at=datetime.now(UTC),
        )
        request = Request(
            id=case.id,
            question=case.question,
            images=images,
            repeat=job.repeat,
            answer_schema=constraint(case) if self._constrained else None,
        )
        try:
            reply = self._adapter.ask(request)
        except CallError as error:  # the one place where a failed call becomes data
            self._first_calls.failed(error)
            return record(outcome=error.as_failure())
        self._first_calls.answered = True
        context = self._context(case, images)
        verdict = grade_reply(case, reply, context=context)
        if verdict.cut and self._retry_tokens:
            reply = self._with_more_room(request, reply, self._retry_tokens)
            verdict = grade_reply(case, reply, context=context)
        price = self._price
        cost_usd = price.cost_usd(reply.tokens_in, reply.tokens_out) if price else None
        graded = record(outcome=reply, verdict=verdict, context=context, cost_usd=cost_usd)
        return self._review(graded, images) if self._review else graded

    def _context(self, case: Case, images: Sequence[EncodedImage]) -> GradeContext | None:
        """What grading a point or a box takes besides the reply."""
        if not images or not GRADERS[case.grader].sees_context:
            return None
        sent = (images[0].width_px, images[0].height_px)
        file = images[0].file_size_px or sent
        return GradeContext(file_size_px=file, sent_size_px=sent, coordinates=self._coordinates)

    def prepare(self, job: Job) -> None:
        """Have the picture ready before it is asked about. What is wrong with it, `ask` says."""
        if not self._blind:
            with suppress(EvalrunError):
                for path in self._pictures(job.case):
                    self._encoded.get(path).base64  # noqa: B018 - and kept

    def _with_more_room(self, request: Request, cut: Reply, tokens: int) -> Reply:
        """Ask once more; both asks count in tokens and effort, the response time is the last's."""
        try:
            reply = self._adapter.ask(replace(request, max_tokens=tokens))
        except CallError as error:
            failed = f"max_tokens: {tokens} failed: {one_line(error.problem, 200)}"
            effort = _both(cut.effort, error.effort)
            return replace(cut, effort=effort, adapted=(*cut.adapted, failed))
        effort = _both(cut.effort, reply.effort)
        return replace(
            reply,
            tokens_in=_sum(cut.tokens_in, reply.tokens_in),
            tokens_out=_sum(cut.tokens_out, reply.tokens_out),
            tokens_reasoning=_sum(cut.tokens_reasoning, reply.tokens_reasoning),
            effort=replace(effort, failed_s=effort.failed_s + (cut.latency_s or 0.0)),
            adapted=(*reply.adapted, f"max_tokens: {tokens}, as the first reply was cut"),
        )


class _FirstCalls:
    """Whether a run is hopeless: nothing was answered yet, and the first calls fail alike."""

    def __init__(self) -> None:
        self.answered = False
        self._alike: Counter[str] = Counter()
        self._lock = threading.Lock()

    def failed(self, error: CallError) -> None:
        """Raises: TargetError when this failure is one too many."""
        of_the_picture = isinstance(error, RequestRefused) and _OF_THE_PICTURE.search(error.problem)
        if self.answered or of_the_picture:
            return
        with self._lock:
            kind = f"{error.kind} {_VARYING.sub('', error.problem)}"
            self._alike[kind] += 1
            if self._alike[kind] < _ALIKE and self._alike.total() < _ANY:
                return
            how = "alike" if len(self._alike) == 1 else "in vain"
        count = self._alike.total()
        raise TargetError(
            f"the first {count} prompts all failed {how}: {error.problem}", fix=error.fix
        ) from error


def _both(first: Effort, second: Effort) -> Effort:
    return Effort(
        attempts=first.attempts + second.attempts,
        failed_s=first.failed_s + second.failed_s,
        backoff_s=first.backoff_s + second.backoff_s,
        queued_s=first.queued_s + second.queued_s,
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


class _Encoded:
    """The pictures used last: each is read, checked and encoded once for all its questions."""

    _MOST = 16

    def __init__(self, longest_side_px: int) -> None:
        self._longest_side_px = longest_side_px
        self._images: OrderedDict[Path, EncodedImage] = OrderedDict()
        self._busy: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, path: Path) -> EncodedImage:
        with self._lock:
            if path in self._images:
                self._images.move_to_end(path)
                return self._images[path]
            busy = self._busy.setdefault(path, threading.Lock())
        with busy:
            with self._lock:
                if path in self._images:
                    return self._images[path]
            image = encode(path, longest_side_px=self._longest_side_px)
            with self._lock:
                self._images[path] = image
                self._busy.pop(path, None)
                while len(self._images) > self._MOST:
                    self._images.popitem(last=False)
            return image
