"""One job, from picture to record."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness.adapters.base import Adapter, Request
from harness.errors import CallError, EvalrunError
from harness.graders import GRADERS, grade
from harness.images import encode
from harness.records import Case, EncodedImage, GradeContext, Price, Record
from harness.runner.plan import Job

Review = Callable[[Record, Sequence[EncodedImage]], Record]
"""A second opinion on a record, e.g. a model judge's."""


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
        review: Review | None = None,
        coordinates: str | None = None,
    ) -> None:
        self._adapter = adapter
        self._pictures = pictures
        self._encoded = _Encoded(image_max_side_px)
        self._blind, self._price, self._review = blind, price, review
        self._coordinates = coordinates

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
            image_sha256=sent[0] if sent else None,
            images_sha256=sent if len(sent) > 1 else (),
        )
        prompt = Request(id=case.id, question=case.question, images=images, repeat=job.repeat)
        started_at = datetime.now(UTC)
        try:
            reply = self._adapter.ask(prompt)
        except CallError as error:  # the one place where a failed call becomes data
            return record(outcome=error.as_failure(), started_at=started_at)
        context = self._context(case, images)
        graded = record(
            outcome=reply,
            verdict=grade(
                case,
                reply.text,
                truncated=reply.truncated,
                reasoning=bool(reply.reasoning),
                context=context,
            ),
            context=context,
            cost_usd=self._price.cost_usd(reply.tokens_in, reply.tokens_out)
            if self._price
            else None,
            started_at=started_at,
        )
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
