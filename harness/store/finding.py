"""Which run a name means, and which run a command goes on with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.errors import ResultsError
from harness.records import RunHeader
from harness.store.files import model_runs, runs
from harness.store.reading import Run
from harness.text import nearest

_MAY_DIFFER = ("run", "started_at", "evalrun_version", "price")


def find(results: Path, name: str) -> Path:
    """The run that `name` means: a file, a run's id, or a model (its newest run).

    Raises: ResultsError with the nearest names there are.
    """
    for path in (Path(name), results / f"{name}.jsonl"):
        with contextlib.suppress(OSError, ValueError):  # too long for a path, or a NUL in it
            if path.suffix == ".jsonl" and path.is_file():
                return path
    same_stem = [path for path in runs(results) if path.stem == name]
    found = model_runs(results, name) or same_stem
    if not found:
        raise unknown(results, name)
    return found[-1]


def unknown(results: Path, name: str) -> ResultsError:
    """No run goes by this name: say which ones come near."""
    known = {path.parent.name for path in runs(results)}
    known |= {f"{path.parent.name}/{path.stem}" for path in runs(results)}
    near = nearest(name, known)
    hint = f"nearest: {', '.join(near)}" if near else "`evalrun runs` lists what there is"
    return ResultsError(f"no run or model {name!r} in {results}", fix=hint)


def resumable(results: Path, header: RunHeader) -> Path | None:
    """The newest run of the very same header, when it lacks records.

    Raises: ResultsError when that run is damaged: what it holds is not to be asked again unseen.
    """
    run = newest_alike(results, header)
    if run is None or len(run.answered_keys()) >= run.header.asked:
        return None
    return run.path


def newest_alike(results: Path, header: RunHeader) -> Run | None:
    """The newest run of the very same header, finished or not."""
    for path in reversed(model_runs(results, header.model)):
        with contextlib.suppress(ResultsError):
            run = Run(path)
            if not differences(run.header, header):
                return run
    return None


def differences(old: RunHeader, new: RunHeader) -> list[str]:
    """The settings that two halves of one run may not differ in."""
    before, now = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return [name for name in before if name not in _MAY_DIFFER and before[name] != now[name]]


def complete_runs(results: Path) -> Iterator[Run]:
    """Runs that count without being named: whole suite, seeing, all answered. Oldest first.

    Damaged files are passed over: they are reported where they are named.
    """
    for path in runs(results):
        with contextlib.suppress(ResultsError):
            run = Run(path)
            if counts(run.header) and len(run.answered_keys()) == run.header.asked:
                yield run


def newest_complete(results: Path, model: str) -> Run | None:
    """The run that stands for a model when only the model is named."""
    for path in reversed(model_runs(results, model)):
        with contextlib.suppress(ResultsError):
            run = Run(path)
            if counts(run.header) and len(run.answered_keys()) == run.header.asked:
                return run
    return None


def counts(header: RunHeader) -> bool:
    """A subset or a blind run counts only where it is named."""
    return not header.subset and not header.blind
