"""One job, from picture to record."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from pathlib import Path

from msgspec.structs import replace

from harness.adapters import Adapter, Request
from harness.errors import CallError, EvalrunError, RequestRefused, TargetError
from harness.graders import GRADERS, grade_reply
from harness.graders.constraints import constraint
from harness.images import encode
from harness.records import Case, Effort, EncodedImage, GradeContext, Price, Record, Reply
from harness.runner.workers import Job
from harness.text import one_line

_KEPT_PICTURES = 16
_ALIKE, _ANY = 3, 6
"""So many failures of one kind, or of any, before any answer end the run."""
_OF_THE_PICTURE = re.compile(r"HTTP 413|context|image|picture|too large|too long", re.IGNORECASE)
_VARYING = re.compile(r"\S*\d\S*|'[^']*'|\"[^\"]*\"")


@dataclass(kw_only=True)
class Asking:
    """Everything one question needs besides itself. Threads share it."""

    adapter: Adapter
    pictures: Callable[[Case], Sequence[Path]]
    image_max_side_px: int
    blind: bool = False
    price: Price | None = None
    retry_tokens: int | None = None
    """The limit with which a reply that was cut is asked for once more."""
    review: Callable[[Record, Sequence[EncodedImage]], Record] | None = None
    """A second opinion on a record, e.g. a model judge's."""
    coordinates: str | None = None
    constrained: bool = False
    """Whether a reply is held to what its grader reads."""

    def __post_init__(self) -> None:
        self._picture = lru_cache(_KEPT_PICTURES)(partial(_Picture, side_px=self.image_max_side_px))
        self._first_calls = _FirstCalls()

    def ask(self, job: Job) -> Record:
        """Ask and grade. Raises: SuiteError for a broken picture, TargetError for a lost cause."""
        case, started_at = job.case, datetime.now(UTC)
        images = self._images(case)
        sent = tuple(image.sha256 for image in images)
        record = partial(
            Record,
            case=case,
            repeat=job.repeat,
            place=job.place,
            image_sha256=sent[0] if sent else None,
            images_sha256=sent if len(sent) > 1 else (),
            media_types=tuple(image.media_type for image in images),
            started_at=started_at,
        )
        schema = constraint(case) if self.constrained else case.options.get("schema")
        request = Request(
            id=case.id,
            question=case.question,
            images=images,
            repeat=job.repeat,
            answer_schema=schema,
            schema_in_words=not self.constrained,
        )
        try:
            reply = self.adapter.ask(request)
        except CallError as error:  # the one place where a failed call becomes data
            self._first_calls.failed(error)
            return record(outcome=error.as_failure())
        self._first_calls.answered = True
        context = self._context(case, images)
        verdict = grade_reply(case, reply, context=context)
        if verdict.cut and self.retry_tokens:
            reply = with_more_room(self.adapter, request, reply, self.retry_tokens)
            verdict = grade_reply(case, reply, context=context)
        price = self.price
        cost_usd = price.cost_usd(reply.tokens_in, reply.tokens_out) if price else None
        graded = record(outcome=reply, verdict=verdict, context=context, cost_usd=cost_usd)
        return self.review(graded, images) if self.review else graded

    def prepare(self, job: Job) -> None:
        """Have the picture ready before it is asked about. What is wrong with it, `ask` says."""
        with suppress(EvalrunError):
            for image in self._images(job.case):
                image.base64  # noqa: B018 - and kept

    def _images(self, case: Case) -> tuple[EncodedImage, ...]:
        return (
            () if self.blind else tuple(self._picture(it).encoded() for it in self.pictures(case))
        )

    def _context(self, case: Case, images: Sequence[EncodedImage]) -> GradeContext | None:
        """What grading a point or a box takes besides the reply."""
        if not images or not GRADERS[case.grader].located:
            return None
        sent = (images[0].width_px, images[0].height_px)
        file = images[0].file_size_px or sent
        return GradeContext(file_size_px=file, sent_size_px=sent, coordinates=self.coordinates)


def with_more_room(adapter: Adapter, request: Request, cut: Reply, tokens: int) -> Reply:
    """Ask once more; both asks count in tokens and effort, the response time is the last's."""
    try:
        reply = adapter.ask(replace(request, max_tokens=tokens))
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
            count = self._alike.total()
            if self._alike[kind] < _ALIKE and count < _ANY:
                return
        how = "alike" if len(self._alike) == 1 else "in vain"
        raise TargetError(
            f"the first {count} prompts all failed {how}: {error.problem}", fix=error.fix
        ) from error


def _both(first: Effort, second: Effort) -> Effort:
    names = Effort.__struct_fields__
    return Effort(**{name: getattr(first, name) + getattr(second, name) for name in names})


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


class _Picture:
    """Read, checked and encoded once, by whoever needs it first."""

    def __init__(self, path: Path, side_px: int) -> None:
        self._encode = cache(partial(encode, path, longest_side_px=side_px))
        self._busy = threading.Lock()

    def encoded(self) -> EncodedImage:
        with self._busy:
            return self._encode()
