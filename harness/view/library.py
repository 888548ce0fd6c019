"""The results folder and the suites as the pages see them, read once and kept while unchanged."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar, cast

import msgspec
from msgspec import Struct

from harness import store, suites
from harness.catalogue import Catalogue
from harness.comparison import ranking
from harness.errors import EvalrunError, ResultsError, SuiteError
from harness.images import encode
from harness.images.drawn import lighter
from harness.records import Correction, EncodedImage, RunHeader
from harness.report.album import files_of, sent
from harness.report.answers import Picture
from harness.view.index import Index

T = TypeVar("T")
Key = tuple[str, int]
"""Prompt and repeat."""
_THUMB_BYTES = 40_000
_MOST_THUMB_BYTES = 48 * 2**20
_MOST_KEPT = 8
_REREAD_S = 20
_SHORT_BYTES = 4_000_000


class RunLine(Struct, frozen=True, kw_only=True):
    """A run in a list: its header, or in words why it cannot be read."""

    name: str
    """`<model folder>/<UTC time>`, its place in the results folder and in addresses."""
    header: RunHeader | None
    problem: str = ""
    index: Index | None = None
    """None for a long run that nobody has looked at yet."""
    going_on: bool = False


class Missing(EvalrunError):
    """Nothing is at this address."""


class Library:
    """Everything that pages read. Several threads share it."""

    def __init__(self, results: Path, suite: Path | None, catalogue: Catalogue) -> None:
        self.results, self.suite, self.catalogue = results, suite, catalogue
        self._lock = Lock()
        self._kept: dict[str, OrderedDict[object, tuple[object, object]]] = {}
        self._thumbs: OrderedDict[str, EncodedImage] = OrderedDict()

    def run_names(self) -> list[str]:
        """Newest first."""
        return [f"{it.parent.name}/{it.stem}" for it in reversed(store.runs(self.results))]

    def path(self, name: str) -> Path:
        """Raises: Missing unless it is a run file inside the results folder."""
        path = self.results / f"{name}.jsonl"
        known = path in store.runs(self.results)
        if not known or not path.resolve().is_relative_to(self.results.resolve()):
            raise Missing(f"there is no run {name!r} here", fix="go back to the list of runs")
        return path

    def index(self, name: str) -> Index:
        """Raises: ResultsError when the file is damaged."""
        path = self.path(name)
        return self._remember("index", path, _state(path), lambda: Index(store.read(path)))

    def review_index(self, name: str) -> Index:
        """As `index`, but one's own corrections do not make a long run be read again."""
        path = self.path(name)
        return self._remember("review", path, _state(path), lambda: self.index(name))

    def correct(self, name: str, at: int, correction: Correction) -> None:
        """Write a person's verdict on the record at this position. Raises: ResultsError."""
        path, index = self.path(name), self.review_index(name)
        store.append_correction(path, correction)
        index.renew(at)
        with self._lock:
            self._kept["review"][path] = _state(path), index

    def asked(self, name: str) -> set[Key]:
        """The replies of a run that a person asked to see."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            data = store.asked_file(self.path(name)).read_bytes()
            return set(msgspec.json.decode(data, type=list[Key]))
        return set()

    def ask_to_see(self, name: str, key: Key, *, wanted: bool) -> None:
        """Put a reply into the queue of those to be seen, or take it out. Raises: ResultsError."""
        with self._lock:
            asked = self.asked(name)
            asked = asked | {key} if wanted else asked - {key}
            text = msgspec.json.encode(sorted(asked)).decode()
            store.replace_text(store.asked_file(self.path(name)), text)

    def header(self, name: str) -> RunHeader:
        """Raises: ResultsError when the file is no run."""
        path = self.path(name)
        return self._remember("header", path, "", lambda: store.read(path).header)

    def suite_of(self, name: str) -> str | None:
        """The hash of the suite that a run asked; None when it cannot be read."""
        try:
            return self.header(name).suite_sha256
        except ResultsError:
            return None

    def is_ready(self, name: str) -> bool:
        """Whether `index` answers at once: the run is short, or was read before."""
        path = self.path(name)
        with self._lock:
            return path.stat().st_size < _SHORT_BYTES or path in self._kept.get("index", {})

    def line(self, name: str) -> RunLine:
        try:
            header = self.header(name)
            index = self.index(name) if self.is_ready(name) else None
        except ResultsError as error:
            return RunLine(name=name, header=None, problem=error.problem)
        lacks = index is not None and len(index) < header.asked
        going_on = lacks and store.is_being_written(self.path(name))
        return RunLine(name=name, header=header, index=index, going_on=going_on)

    def lines(self) -> list[RunLine]:
        return [self.line(name) for name in self.run_names()]

    def is_short(self) -> bool:
        """Whether all runs together are soon read, or were read before."""
        return sum(self.sizes().values()) < 4 * _SHORT_BYTES or "board" in self._kept

    def board(self) -> ranking.Leaderboard:
        paths = store.runs(self.results)
        state = tuple((str(it), it.stat().st_mtime_ns, it.stat().st_size) for it in paths)
        return self._remember("board", "", state, lambda: ranking.leaderboard(self.results))

    def sizes(self) -> dict[str, int]:
        """Run -> size of its file: what changes while a run goes on."""
        return {f"{it.parent.name}/{it.stem}": it.stat().st_size for it in store.runs(self.results)}

    def picture(self, picture: Picture, *, thumb: bool) -> EncodedImage:
        """The picture as it was sent, or a light copy.

        Raises: Missing, saying why, e.g. that the file is not the one that was sent.
        """
        if thumb:
            with self._lock:
                if found := self._thumbs.get(picture.sha256):
                    self._thumbs.move_to_end(picture.sha256)
                    return found
        reasons = []
        for files in self._suites():
            found_or_why = sent(files, picture)
            if isinstance(found_or_why, EncodedImage):
                return self._thumb(picture, found_or_why) if thumb else found_or_why
            reasons.append(found_or_why)
        raise Missing(reasons[0], fix="name the run's own suite: evalrun view --suite PATH")

    def suite_picture(self, name: str) -> EncodedImage:
        """A picture of the suite as it lies there now, lightened. Raises: Missing, SuiteError."""
        file = self._files(lambda: suites.read(self.suite or suites.builtin())[0], "own").get(name)
        if file is None:
            raise Missing(f"the suite has no picture {name!r}", fix="reload the page in a minute")
        return lighter(encode(file, longest_side_px=1024), most_bytes=_THUMB_BYTES)

    def read_suite(self) -> tuple[suites.Suite, suites.Findings]:
        return suites.read(self.suite or suites.builtin())

    def _suites(self) -> Iterator[dict[str, Path]]:
        """Pictures by the names that cases give them: of the suite that was named, else of those
        that the runs here asked."""
        yield self._files(lambda: suites.read(self.suite or suites.builtin())[0], "own")
        headers: dict[tuple[str | None, str | None], RunHeader] = {}
        for name in self.run_names():
            with contextlib.suppress(ResultsError):
                header = self.header(name)
                headers.setdefault((header.suite_path, header.images_path), header)
        for key, header in headers.items():
            if self.suite:
                yield self._files(partial(suites.of_run, header, self.suite), (*key, "own"))
            yield self._files(partial(suites.of_run, header), key)

    def _files(self, load: Callable[[], suites.Suite], key: object) -> dict[str, Path]:
        def read() -> dict[str, Path]:
            try:
                return files_of(load())
            except SuiteError:
                return {}

        return self._remember("files", key, int(time.time() / _REREAD_S), read)

    def _thumb(self, picture: Picture, image: EncodedImage) -> EncodedImage:
        made = lighter(image, most_bytes=_THUMB_BYTES)
        with self._lock:
            self._thumbs[picture.sha256] = made
            while sum(len(it.data) for it in self._thumbs.values()) > _MOST_THUMB_BYTES:
                self._thumbs.popitem(last=False)
        return made

    def _remember(self, kind: str, what: object, state: object, make: Callable[[], T]) -> T:
        """What `make` gives, made anew only when `state` has changed; a few of each kind."""
        with self._lock:
            kept = self._kept.setdefault(kind, OrderedDict())
            if what in kept and kept[what][0] == state:
                kept.move_to_end(what)
                return cast(T, kept[what][1])
        made = make()
        with self._lock:
            kept[what] = state, made
            kept.move_to_end(what)
            while len(kept) > (_MOST_KEPT if kind == "index" else 1_000):
                kept.popitem(last=False)
        return made


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
