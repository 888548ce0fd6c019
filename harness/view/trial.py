"""What is tried: a picture that was dropped on the page, and a question put to several models."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Limits, Request, Target
from harness.adapters.routes import DEMO, Route, resolve
from harness.catalogue import Catalogue
from harness.errors import SuiteError, TargetError, UsageError
from harness.images import encode
from harness.records import EncodedImage
from harness.runner.consensus import consensus, sentence_on
from harness.runner.panel import TASKS, PanelAnswer, ask_all
from harness.view.library import Missing

_MOST_KEPT = 8
_LONGEST_SIDE_PX = 1024
_LIMITS = Limits(tries=2, max_wait_s=20)
"""Somebody waits at the screen: less patience than in a run."""


class Picture(Struct, frozen=True):
    """A picture that was dropped on the page: its file, and what the models are sent."""

    file: Path
    encoded: EncodedImage


class Trial:
    """One question that is being asked; a thread fills it, and pages read it."""

    def __init__(
        self, picture: Picture, question: str, task: str, models: list[str], *, hidden: bool
    ) -> None:
        self.picture, self.question, self.task = picture, question, task
        self.models, self.hidden = models, hidden
        self.stopping = threading.Event()
        self.texts = dict.fromkeys(models, "")
        self.answers: dict[str, PanelAnswer] = {}
        self.agreement = ""
        self.done = False

    def ask(self, addresses: dict[str, str], catalogue: Catalogue) -> None:
        """Ask them all, and see whether they agree."""
        try:
            reached = [self._route(name, addresses.get(name), catalogue) for name in self.models]
            found = [route for route in reached if route is not None]
            question = Request(id="try", question=self.question, images=(self.picture.encoded,))
            for answer in ask_all(found, question, stopping=self.stopping, on_text=self._on_text):
                self.answers[answer.model] = answer
            replies = {it.model: it.reply.text for it in self.answers.values() if it.reply}
            if len(replies) > 1 and self.task != "caption":
                grader = TASKS[self.task].grader if self.task else None
                self.agreement = sentence_on(consensus(self.question, replies, grader=grader))
        finally:
            self.done = True

    def _on_text(self, model: str, text: str) -> None:
        self.texts[model] = text

    def _route(self, name: str, address: str | None, catalogue: Catalogue) -> Route | None:
        given = Target(
            model=name,
            base_url=address,
            concurrency=1,
            limits=_LIMITS,
            stopping=self.stopping,
        )
        try:
            found = resolve(
                None if name == DEMO else name, given, backend=None, catalogue=catalogue
            )
        except (TargetError, UsageError) as error:
            self.answers[name] = PanelAnswer(model=name, route=None, error=error)
            return None
        return replace(found, target=replace(found.target, model=name))


class Bench:
    """Pictures and trials of this session; a few of each, in memory and a folder that goes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="evalrun-view-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.pictures: OrderedDict[str, Picture] = OrderedDict()
        self.trials: OrderedDict[str, Trial] = OrderedDict()
        self._lock = threading.Lock()

    def add_picture(self, data: bytes, suffix: str) -> str:
        """Raises: SuiteError when it is no picture that a model could be sent."""
        id_ = secrets.token_hex(8)
        file = self.folder / f"{id_}{suffix}"
        file.write_bytes(data)
        try:
            encoded = encode(file, longest_side_px=_LONGEST_SIDE_PX)
        except SuiteError as error:
            file.unlink()
            said = error.problem.replace(str(file), "the picture")
            raise SuiteError(said, fix=error.fix) from error
        with self._lock:
            self.pictures[id_] = Picture(file, encoded)
            while len(self.pictures) > _MOST_KEPT:
                self.pictures.popitem(last=False)[1].file.unlink(missing_ok=True)
        return id_

    def add_trial(self, trial: Trial) -> str:
        id_ = secrets.token_hex(8)
        with self._lock:
            self.trials[id_] = trial
            while len(self.trials) > _MOST_KEPT:
                self.trials.popitem(last=False)[1].stopping.set()
        return id_

    def trial(self, id_: str) -> Trial:
        found = self.trials.get(id_)
        if found is None:
            raise Missing("this question is no longer kept", fix="ask it again")
        return found
