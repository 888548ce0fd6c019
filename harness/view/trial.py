"""What is tried: a picture that was dropped on the page, and a question put to several models."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Request
from harness.adapters.routes import DEMO, Route
from harness.ask import agreement, reach_all
from harness.catalogue import Catalogue
from harness.errors import SuiteError
from harness.images import encode
from harness.options import ModelOptions
from harness.records import EncodedImage
from harness.runner.consensus import sentence_on
from harness.runner.panel import PanelAnswer, ask_all
from harness.view.library import Missing

_MOST_KEPT = 8
_LONGEST_SIDE_PX = 1024


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
            routes = [it for name in self.models for it in self._reach(name, addresses, catalogue)]
            question = Request(id="try", question=self.question, images=(self.picture.encoded,))
            for answer in ask_all(routes, question, stopping=self.stopping, on_text=self._on_text):
                self.answers[answer.model] = answer
            found = agreement(self.question, self.answers.values(), self.task or None)
            self.agreement = sentence_on(found) if found else ""
        finally:
            self.done = True

    def _on_text(self, model: str, text: str) -> None:
        self.texts[model] = text

    def _reach(self, name: str, addresses: dict[str, str], catalogue: Catalogue) -> Iterator[Route]:
        urls = [addresses[name]] if name in addresses else []
        model = ModelOptions(model=[] if name == DEMO else [name], base_url=urls)
        routes, unreached = reach_all([model], known=catalogue, stopping=self.stopping)
        for it in unreached:
            self.answers[name] = replace(it, model=name)
        for route in routes:
            yield replace(route, target=replace(route.target, model=name))


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
