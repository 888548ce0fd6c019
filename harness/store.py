"""Run files: append-only JSON lines, `results/<model>/<UTC time>.jsonl`.

The header comes first, then a record or a person's correction a line. What is appended is on disk
before it is reported. A torn last line (power cut, kill) is recognised when reading and cut off
when the run goes on; nothing else is ever changed. `find` says which run a name means.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, count
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Self

import msgspec
import portalocker
from msgspec.structs import asdict, replace

from harness.errors import ResultsError, reworded
from harness.records import Correction, Record, RunHeader
from harness.records.settings import PER_START
from harness.text import nearest, valid_unicode

Line = RunHeader | Record | Correction
Key = tuple[str, int]
"""A prompt's id and a repeat."""

_ENCODER = msgspec.json.Encoder()
_LINE: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_CORRECTION = re.compile(rb'\n(\{"type": ?"correction".*)(?=\n)')
"""How such lines begin; inside a record every quote of a text is escaped."""
_RENAMED_IN_0_1 = b'"warm":true', b'"image_cached":true'
_DAMAGED = (msgspec.MsgspecError, ValueError, RecursionError)
_BLOCK_BYTES = 1 << 16
"""Much larger ones, decoded, leave the processor's cache: a tenth slower."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LOCK = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
_LEFT_BEHIND_S = 60.0


class Run:
    """A run file: its header now, its records when asked. Raises: ResultsError if it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = False
        """Whether the last line was cut short; known once the records were walked to the end."""
        with _opened(path) as file:
            line = file.readline()
        self._renamed = _RENAMED_IN_0_1 if b'"evalrun_version":"0.1.' in line else None
        header = next(self._decoded(1, [line])) if line.endswith(b"\n") else None
        if not isinstance(header, RunHeader):
            raise ResultsError(
                f"{path} is not a run file: its first line is no header",
                fix="name a file that evalrun wrote; `evalrun runs` lists them",
            )
        self.header = header
        self._corrections: dict[Key, Correction] = {}
        self._searched_bytes = 0

    def records(self) -> Iterator[Record]:
        """Each prompt and repeat once, with a person's newest correction filled in.

        A failed call that was asked again and answered later does not count; failures that stand
        come last. Memory grows with the keys and the failures, not with the replies.
        """
        return (record for _, record in self.located())

    def located(self) -> Iterator[tuple[int, Record]]:
        """`records`, each with the place of its line in the file, for `at`."""
        self._find_corrections()
        answered: dict[int, set[str]] = defaultdict(set)
        failures: dict[Key, tuple[int, Record]] = {}
        for place, line in self._lines():
            if not isinstance(line, Record) or line.case.id in answered[line.repeat]:
                continue
            if line.verdict is None:
                failures[line.key] = place, line
                continue
            answered[line.repeat].add(line.case.id)
            if failures:
                failures.pop(line.key, None)
            yield place, self._corrected(line) if self._corrections else line
        yield from failures.values()

    def at(self, places: Iterable[int]) -> list[Record]:
        """The records whose lines begin at these bytes, as `located` gave them."""
        self._find_corrections()
        with _opened(self.path) as file:
            lines = [file.readline() for place in places if file.seek(place) == place]
        return [self._corrected(it) for it in self._decoded(0, lines) if isinstance(it, Record)]

    def answered_keys(self) -> set[Key]:
        """What a resumed run need not ask again."""
        return {record.key for record in self.records() if record.answered}

    def _corrected(self, record: Record) -> Record:
        found = self._corrections.get(record.key)
        return replace(record, correction=found) if found and not found.withdrawn else record

    def _find_corrections(self) -> None:
        """A search in C, of what is new: runs have many lines, and few of them a correction.

        A damaged one is passed over here: whoever walks the lines is told of it.
        """
        with _opened(self.path) as file, _mapped(file.fileno()) as held:
            for found in _CORRECTION.finditer(held, self._searched_bytes):
                with contextlib.suppress(*_DAMAGED):
                    line = _LINE.decode(found[1])
                    if isinstance(line, Correction):
                        self._corrections[line.prompt, line.repeat] = line
            self._searched_bytes = held.rfind(b"\n")

    def _lines(self) -> Iterator[tuple[int, Line]]:
        with _opened(self.path) as file:
            number, place = 1, 0
            while lines := file.readlines(_BLOCK_BYTES):
                self.torn = not lines[-1].endswith(b"\n")
                if self.torn:
                    lines.pop()
                places = accumulate(map(len, lines), initial=place)
                yield from zip(places, self._decoded(number, lines), strict=False)
                number += len(lines)
                place = file.tell()

    def _decoded(self, number: int, lines: list[bytes]) -> Iterator[Line]:
        """What `lines` hold, the first of which is `number`; one by one where one is damaged."""
        if self._renamed:
            lines = [line.replace(*self._renamed) for line in lines]
        with contextlib.suppress(*_DAMAGED):
            found = _LINE.decode_lines(b"".join(lines))
            if len(found) == len(lines):
                yield from found
                return
        for at, line in enumerate(lines, start=number):
            try:
                yield _LINE.decode(line)
            except _DAMAGED as error:
                raise ResultsError(
                    f"{self.path}, line {at} is damaged ({error}); the {max(0, at - 2)} records "
                    "before it are readable",
                    fix=f"keep a copy, delete line {at}, and run the same command again: what the "
                    "line had is asked again (--fresh leaves the file alone)",
                ) from error


read = Run


def _opened(path: Path) -> BinaryIO:
    fix = "`evalrun runs` lists what there is"
    with reworded(ResultsError, f"{path} cannot be read", fix, OSError):
        return path.open("rb")


def _mapped(fd: int) -> mmap.mmap:
    return mmap.mmap(fd, 0, access=mmap.ACCESS_READ)


class RunWriter:
    """Holds the lock on one run file and appends to it."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd, self._good_bytes, self._discarded = fd, os.fstat(fd).st_size, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if self._discarded:
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other runs are in there
                self.path.parent.rmdir()

    def discard(self) -> None:
        """Leave no file behind: nothing came of the run."""
        self._discarded = True

    def append(self, *lines: Line) -> None:
        """Write the lines and wait for the disk, once for all of them.

        Raises: ResultsError when the disk refuses; the file then ends with the last whole line.
        """
        data = _encoded(lines)
        with _writing(self.path):
            try:
                _write_all(self._fd, data)
                os.fsync(self._fd)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, self._good_bytes)
                raise
            self._good_bytes += len(data)
            if os.fstat(self._fd).st_nlink == 0:
                self._restore()

    def _restore(self) -> None:
        """Somebody removed the folder under us: put the file back, whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = _open_locked(self.path, os.O_CREAT | os.O_EXCL)
        with open(self._fd, "rb") as old:
            old.seek(0)
            _write_all(fd, old.read())
        os.fsync(fd)
        self._fd = fd


def create(results: Path, header: RunHeader) -> RunWriter:
    """Start a run file; it appears under its name only with its whole header on disk.

    The header's `run` is made unique among runs of the same second.
    """
    folder, stamp = results / folder_name(header.model), f"{header.started_at:%Y%m%dT%H%M%SZ}"
    with _writing(folder), _part(folder, "part") as part:
        fd = _open_locked(part, os.O_CREAT | os.O_EXCL)
        for number in count(1):
            path = folder / f"{stamp}{f'-{number}' if number > 1 else ''}.jsonl"
            os.ftruncate(fd, 0)
            _write_all(fd, _encoded([replace(header, run=f"{folder.name}/{path.stem}")]))
            os.fsync(fd)
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
                break
        _sync(folder)
        _sync(results)
    return RunWriter(path, fd)


def reopen(path: Path) -> RunWriter:
    """Go on with a run: take its lock and cut off a torn last line.

    Raises: ResultsError when another evalrun is writing it.
    """
    with _writing(path):
        fd = _open_locked(path)
        if os.fstat(fd).st_size:
            with _mapped(fd) as held:
                whole_bytes = held.rfind(b"\n") + 1
            os.ftruncate(fd, whole_bytes)
    return RunWriter(path, fd)


def delete(path: Path) -> None:
    """Remove a run for good, and its model's folder with the last one. Raises: ResultsError."""
    with reopen(path) as writer, _writing(path):
        writer.discard()
        asked_file(path).unlink(missing_ok=True)


def asked_file(run: Path) -> Path:
    """Beside a run: which of its replies a person asked to see again."""
    return run.with_suffix(".asked.json")


def is_being_written(path: Path) -> bool:
    """Whether a run in another process, or of this one, holds the file."""
    try:
        os.close(_open_locked(path))
    except (ResultsError, OSError):
        return True
    return False


def append_correction(path: Path, correction: Correction) -> None:
    """Keep a person's verdict beside the record it is about, which the caller knows to be there."""
    with reopen(path) as writer:
        writer.append(correction)


def replace_text(path: Path, text: str) -> None:
    """Write a derived file in one step: readers see the old one or the new one, never a half."""
    with _writing(path), _part(path.parent, "new") as part:
        with part.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        part.replace(path)


@contextlib.contextmanager
def _part(folder: Path, suffix: str) -> Iterator[Path]:
    """A name for a file that is not whole yet. What a kill left behind is removed; others may be
    at work on younger ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f".*.{suffix}"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _LEFT_BEHIND_S:
                path.unlink()
    part = folder / f".{token_hex(8)}.{suffix}"
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _writing(path: Path) -> contextlib.AbstractContextManager[None]:
    """Raises: ResultsError for what the disk refuses."""
    fix = (
        "free some space or name a folder you may write to with --results DIR; "
        "what is recorded so far is safe, and the same command resumes it"
    )
    return reworded(ResultsError, f"{path} cannot be written", fix, OSError)


def _open_locked(path: Path, flags: int = 0) -> int:
    fd = os.open(path, _FLAGS | flags, 0o666)
    try:
        portalocker.lock(fd, _LOCK)
    except portalocker.LockException as error:
        os.close(fd)
        raise ResultsError(
            f"{path} is being written by another evalrun",
            fix="wait for it, or start a run of your own with --fresh",
        ) from error
    return fd


def _encoded(lines: Sequence[Line]) -> bytes:
    try:
        return _ENCODER.encode_lines(lines)
    except UnicodeEncodeError:  # half characters, out of an adapter or an argument
        whole = (json.dumps(msgspec.to_builtins(it), ensure_ascii=False) for it in lines)
        return "".join(f"{valid_unicode(it)}\n" for it in whole).encode()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync(folder: Path) -> None:
    """A new file survives a power cut only once its folder is on disk as well."""
    if os.name != "nt":  # Windows cannot open a folder, and NTFS keeps its own journal
        fd = os.open(folder, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def folder_name(model: str) -> str:
    """A folder name that any file system takes, and that stays unique for odd model names.

    >>> folder_name("mistral-small-3.1")
    'mistral-small-3.1'
    >>> folder_name("org/model:free")
    'org_model_free-0ccb26a8'
    """
    safe = _UNSAFE.sub("_", model).strip("._")[:80]
    if safe == model:
        return safe
    digest = hashlib.sha256(model.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{safe}-{digest}".lstrip("-")


def runs(results: Path, model: str | None = None) -> list[Path]:
    """Every run file, or those of one model, oldest first; a missing folder holds none."""
    folder = "*" if model is None else folder_name(model)
    return sorted(results.glob(f"{folder}/*.jsonl"), key=lambda it: (it.stem, it.parent.name))


def find(results: Path, name: str) -> Path:
    """The run that `name` means; of a model or `MODEL@SUITE` the newest.

    Raises: ResultsError with the nearest names there are.
    """
    if found := named(results, name) or next(candidates(results, [name]), None):
        return found
    raise unknown(results, name)


def named(results: Path, name: str) -> Path | None:
    """A run named outright: its file, its id, or the time it started if no other did then.

    Raises: ResultsError for a file that does not exist.
    """
    for path in (Path(name), results / f"{name}.jsonl"):
        with contextlib.suppress(OSError, ValueError):  # too long for a path, or a NUL in it
            if path.suffix == ".jsonl" and path.is_file():
                return path
    if name.endswith(".jsonl"):
        raise ResultsError(f"there is no file {name}", fix="`evalrun runs` lists what there is")
    at_that_time = [path for path in runs(results) if path.stem == name]
    return at_that_time[0] if len(at_that_time) == 1 else None


def candidates(results: Path, models: Iterable[str]) -> Iterator[Path]:
    """The runs of a model that goes by these names, or of `MODEL@SUITE`, newest first."""
    for name in models:
        yield from reversed(runs(results, name))
        model, at, suite = name.rpartition("@")
        for path in reversed(runs(results, model) if at else []):
            with contextlib.suppress(ResultsError):
                if is_of_suite(Run(path).header, suite):
                    yield path


def cells(results: Path, names: Iterable[str]) -> Iterator[str]:
    """`names`, the id of a sweep replaced by the newest run of each of its cells."""
    for name in names:
        found: dict[tuple[str, ...], str] = {}
        for path in runs(results) if name.startswith("sweep-") else []:
            with contextlib.suppress(ResultsError):
                header = Run(path).header
                if header.sweep == name:
                    found[header.arguments] = header.run
        yield from found.values() if found else [name]


def is_of_suite(header: RunHeader, suite: str) -> bool:
    """By its name, its version, or the folder it was read from."""
    folder = Path(header.suite_path).name if header.suite_path else None
    return suite in (header.suite, header.suite_version, folder)


def unknown(results: Path, name: str, *, also: Iterable[str] = ()) -> ResultsError:
    """No run goes by this name: say which ones come near; `also` are near names of other kinds."""
    known = [
        it for path in runs(results) for it in (path.parent.name, f"{path.parent.name}/{path.stem}")
    ]
    near = dict.fromkeys([*nearest(name, known), *also])
    hint = f"nearest: {', '.join(near)}" if near else "see `evalrun runs` and `evalrun models`"
    return ResultsError(f"no run in {results} and no model is called {name!r}", fix=hint)


def newest_alike(results: Path, header: RunHeader) -> Run | None:
    """The newest run of the very same header, finished or not."""
    for path in reversed(runs(results, header.model)):
        with contextlib.suppress(ResultsError):
            run = Run(path)
            if not differences(run.header, header):
                return run
    return None


def differences(old: RunHeader, new: RunHeader) -> list[str]:
    """The settings that two halves of one run may not differ in.

    What its machine took is measured anew by every server that is started.
    """
    before, now = (
        asdict(it) | {"server": it.server and replace(it.server, machine=None)} for it in (old, new)
    )
    return [name for name in before if name not in PER_START and before[name] != now[name]]
