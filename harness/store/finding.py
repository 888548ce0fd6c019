"""Which run a name means, which run a command resumes, and the command that resumes a run."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.errors import ResultsError
from harness.records import RunHeader, Sampling
from harness.records.settings import PER_START
from harness.store.files import model_runs, runs
from harness.store.reading import Run
from harness.text import nearest


def find(results: Path, name: str) -> Path:
    """The run that `name` means: a file, a run's id or time, or a model (its newest run).

    Raises: ResultsError with the nearest names there are.
    """
    path = named(results, name)
    if path is not None:
        return path
    of_model = model_runs(results, name)
    if not of_model:
        raise unknown(results, name)
    return of_model[-1]


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


def unknown(results: Path, name: str, *, also: list[str] | None = None) -> ResultsError:
    """No run goes by this name: say which ones come near; `also` are near names of other kinds."""
    known = {path.parent.name for path in runs(results)}
    known |= {f"{path.parent.name}/{path.stem}" for path in runs(results)}
    near = dict.fromkeys([*nearest(name, known), *(also or [])])
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
    """The settings that two halves of one run may not differ in."""
    before, now = map(_settings, (old, new))
    return [name for name in before if name not in PER_START and before[name] != now[name]]


def _settings(header: RunHeader) -> dict[str, object]:
    """What its machine took is measured anew by every server that is started."""
    server = header.server and msgspec.structs.replace(header.server, machine=None)
    return msgspec.structs.asdict(header) | {"server": server}


def counts(header: RunHeader) -> bool:
    """A subset or a blind run counts only where it is named."""
    return not header.subset and not header.blind


def resume_command(header: RunHeader) -> str:
    """The command that goes on with a run: as it was typed, else as far as its header tells."""
    if header.arguments:
        return shlex.join(["evalrun", *header.arguments])
    return whole_command(header)


def whole_command(header: RunHeader) -> str:
    """The command that asks the whole suite with a run's settings, as far as its header tells."""
    return shlex.join(["evalrun", *_options(header)])


def _options(header: RunHeader) -> Iterator[str]:
    sampling, usual = header.sampling, Sampling()
    yield from ("--model", header.model)
    if header.base_url and header.backend != "llamacpp":
        yield from ("--base-url", header.base_url)
    settings = {
        "--suite": (header.suite_path, None),
        "--system": (header.system, None),
        "--temperature": (sampling.temperature, usual.temperature),
        "--seed": (sampling.seed, usual.seed),
        "--max-tokens": (None if sampling.max_tokens_retry else sampling.max_tokens, None),
        "--thinking": (sampling.thinking, usual.thinking),
        "--image-max-side": (header.image_max_side_px, 1024),
        "--image-tokens": ("{}-{}".format(*header.image_tokens or ("", "")), "-"),
        "--image-detail": (header.image_detail, None),
        "--coordinates": (header.coordinates, None),
        "--answer-format": (header.answer_format, None),
        "--repeats": (header.repeats, 1),
        "--judge": (header.judge, None),
        "--judge-thinking": (header.judge_thinking, "auto"),
    }
    for option, (value, default) in settings.items():
        if value != default:
            yield from (option, f"{value:g}" if isinstance(value, float) else str(value))
    for key, value in header.body.items():
        yield from ("--body", f"{key}={msgspec.json.encode(value).decode()}")
    yield from (f"--server-arg={it}" for it in header.server_args)
    yield from ["--blind"] * header.blind + ["--cold"] * (header.cold and header.repeats == 1)
