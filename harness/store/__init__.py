"""Run files: append-only JSON lines, `results/<model>/<UTC time>.jsonl`.

The header comes first (and once more at the end, with the memory that a server of ours took), then
a record or a person's correction a line. What is appended is on disk before it is reported. A torn
last line (power cut, kill) is recognised when reading and cut off when the run goes on; nothing
else is ever changed. `find`, `named`, `candidates` say which run a name means.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import asdict, replace

from harness.errors import ResultsError
from harness.records import RunHeader
from harness.records.settings import PER_START
from harness.store.files import Run as Run
from harness.store.files import RunWriter as RunWriter
from harness.store.files import append_correction as append_correction
from harness.store.files import asked_file as asked_file
from harness.store.files import create as create
from harness.store.files import delete as delete
from harness.store.files import folder_name as folder_name
from harness.store.files import is_being_written as is_being_written
from harness.store.files import read as read
from harness.store.files import reopen as reopen
from harness.store.files import replace_text as replace_text
from harness.text import nearest


def runs(results: Path) -> list[Path]:
    """Every run file, oldest first; a missing folder holds none."""
    return sorted(results.glob("*/*.jsonl"), key=lambda path: (path.stem, path.parent.name))


def model_runs(results: Path, model: str) -> list[Path]:
    """The run files of one model, oldest first."""
    return sorted((results / folder_name(model)).glob("*.jsonl"), key=lambda path: path.stem)


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
        yield from reversed(model_runs(results, name))
        model, at, suite = name.rpartition("@")
        for path in reversed(model_runs(results, model) if at else []):
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
    known = {path.parent.name for path in runs(results)}
    known |= {f"{path.parent.name}/{path.stem}" for path in runs(results)}
    near = dict.fromkeys([*nearest(name, known), *also])
    hint = f"nearest: {', '.join(near)}" if near else "see `evalrun runs` and `evalrun models`"
    return ResultsError(f"no run in {results} and no model is called {name!r}", fix=hint)


def newest_alike(results: Path, header: RunHeader) -> Run | None:
    """The newest run of the very same header, finished or not."""
    for path in reversed(model_runs(results, header.model)):
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
