"""A run file, read line by line."""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import msgspec

from harness.errors import ResultsError
from harness.records import Correction, Record, RunHeader

Line = RunHeader | Record | Correction
_LINE: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_CORRECTION = b'{"type":"correction"'
"""How the encoder begins such a line; inside a record every quote of a text is escaped."""
_DAMAGED = (msgspec.MsgspecError, ValueError, RecursionError)
_BLOCK_BYTES = 1 << 16
"""Much larger ones, decoded, leave the processor's cache: a tenth slower."""

Key = tuple[str, int]


class Run:
    """A run file: its header now, its records when asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = False
        """Whether the last line was cut short; known once the records were walked to the end."""
        with _opened(path) as file:
            line = file.readline()
        header = _decode(path, 1, line) if line.endswith(b"\n") else None
        if not isinstance(header, RunHeader):
            raise ResultsError(
                f"{path} is not a run file: its first line is no header",
                fix="name a file that evalrun wrote; `evalrun runs` lists them",
            )
        self.header = header
        self._is_0_1 = header.evalrun_version.startswith("0.1.")
        """It called `image_cached` `warm`. Inside a text the quotes would be escaped."""

    def records(self) -> Iterator[Record]:
        """Each prompt and repeat once, with a person's newest correction filled in.

        A failed call that was asked again and answered later does not count; failures that stand
        come last. Memory grows with the keys and the failures, not with the replies.
        """
        return (record for _, record in self.located())

    def located(self) -> Iterator[tuple[int, Record]]:
        """`records`, each with the place of its line in the file, for `at`."""
        corrections = self._corrections()
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
            correction = corrections.get(line.key) if corrections else None
            yield (
                place,
                msgspec.structs.replace(line, correction=correction) if correction else line,
            )
        yield from failures.values()

    def at(self, places: Iterable[int]) -> list[Record]:
        """The records whose lines begin at these bytes, as `located` gave them."""
        corrections, found = self._corrections(), list[Record]()
        with _opened(self.path) as file:
            for place in places:
                file.seek(place)
                (line,) = _decoded(self.path, 0, self._renamed([file.readline()]))
                if isinstance(line, Record):
                    correction = corrections.get(line.key)
                    found.append(msgspec.structs.replace(line, correction=correction))
        return found

    def answered_keys(self) -> set[Key]:
        """What a resumed run need not ask again."""
        return {record.key for record in self.records() if record.answered}

    def _corrections(self) -> dict[Key, Correction]:
        if not _holds(self.path, b"\n" + _CORRECTION):
            return {}
        with _opened(self.path) as file:
            lines = [
                _decode(self.path, number, line)
                for number, line in enumerate(file, start=1)
                if _is_correction(line)
            ]
        newest = {(it.prompt, it.repeat): it for it in lines if isinstance(it, Correction)}
        return {key: it for key, it in newest.items() if not it.withdrawn}

    def _lines(self) -> Iterator[tuple[int, Line]]:
        with _opened(self.path) as file:
            number, place = 1, 0
            while lines := file.readlines(_BLOCK_BYTES):
                self.torn = not lines[-1].endswith(b"\n")
                if self.torn:
                    lines.pop()
                places = accumulate(map(len, lines), initial=place)
                yield from zip(
                    places, _decoded(self.path, number, self._renamed(lines)), strict=False
                )
                number += len(lines)
                place = file.tell()

    def _renamed(self, lines: list[bytes]) -> list[bytes]:
        if not self._is_0_1:
            return lines
        return [it.replace(b'"warm":true', b'"image_cached":true') for it in lines]


def read(path: Path) -> Run:
    """Open a run file. Raises: ResultsError when it is missing or no run file."""
    return Run(path)


def _holds(path: Path, words: bytes) -> bool:
    """A search in C: runs have many lines, and few of them a correction."""
    with _opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped.find(words) >= 0


def _is_correction(line: bytes) -> bool:
    return line.startswith(_CORRECTION) and line.endswith(b"\n")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ResultsError(
            f"{path} cannot be read: {error.strerror}", fix="`evalrun runs` lists what there is"
        ) from error


def _decoded(path: Path, number: int, lines: list[bytes]) -> Iterable[Line]:
    """What `lines`, the first of which is `number`, hold; one by one only where one is damaged."""
    try:
        found = _LINE.decode_lines(b"".join(lines))
    except _DAMAGED:
        found = []
    if len(found) == len(lines):
        return found
    return (_decode(path, number + at, line) for at, line in enumerate(lines))


def _decode(path: Path, number: int, line: bytes) -> Line:
    try:
        return _LINE.decode(line)
    except _DAMAGED as error:
        raise ResultsError(
            f"{path}, line {number} is damaged ({error}); the {max(0, number - 2)} records "
            "before it are readable",
            fix=f"keep a copy, delete line {number}, and run the same command again: "
            "what the line had is asked again (--fresh leaves the file alone)",
        ) from error
