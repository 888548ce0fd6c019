"""What two runs must have in common to be compared, and what is merely shown.

A new setting of a run is a field of its header and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.errors import ResultsError
from harness.records import RunHeader, ServerFacts
from harness.text import one_line

_NO_SERVER = ServerFacts()


Setting = Callable[[RunHeader], object]
"""A setting in words, as a header has it; None is unknown."""
_USUAL = frozenset([("temperature", 0.0), ("seed", 1)])
_UNSET = frozenset(["none", "no", "default", "auto"])


def hardware(server: ServerFacts | None) -> str | None:
    """What computed: the GPU where layers lie on one, else the CPU."""
    machine = server.machine if server else None
    if machine is None:
        return None
    return ", ".join(machine.gpus) if machine.offloaded_layers else machine.cpu


MUST_AGREE: Mapping[str, Setting] = {
    "suite": lambda it: f"{it.suite} {it.suite_version} ({it.suite_sha256[:12]})",
    "grader version": lambda it: it.grader_version,
    "judge": lambda it: it.judge or "none",
    "image limit": lambda it: f"{it.image_max_side_px} px",
    "image tokens": lambda it: "{}-{}".format(*it.image_tokens) if it.image_tokens else "default",
    "image detail": lambda it: it.image_detail or "default",
    "coordinates": lambda it: it.coordinates or "the model's own",
    "temperature": lambda it: it.sampling.temperature,
    "seed": lambda it: it.sampling.seed,
    "max tokens": lambda it: it.sampling.max_tokens,
    "system prompt": lambda it: it.system or "none",
    "blind": lambda it: "yes" if it.blind else "no",
}
MAY_DIFFER: Mapping[str, Setting] = {
    "quantization": lambda it: (it.server or _NO_SERVER).quantization,
    "projector": lambda it: (it.server or _NO_SERVER).mmproj_file,
    "server build": lambda it: (it.server or _NO_SERVER).build,
    "server flags": lambda it: " ".join(it.server_args) or "none",
    "hardware": lambda it: hardware(it.server),
    "concurrency": lambda it: it.concurrency,
    "repeats": lambda it: it.repeats,
}


def differences(
    headers: Sequence[RunHeader], settings: Mapping[str, Setting], *, but: Sequence[str] = ()
) -> list[str]:
    """A line for every setting in which a later run differs from the first; unknown is no answer.

    Suites that share name and version still differ when their hashes do.
    """
    found = []
    for name, setting in settings.items():
        values = [setting(header) for header in headers]
        if name not in but and len({it for it in values if it is not None}) > 1:
            listed = " against ".join("unknown" if it is None else str(it) for it in values)
            found.append(f"{name}: {listed}")
    return found


def settings_of(header: RunHeader) -> str:
    """The settings of a run in a line, the suite and what is usual left out."""
    return ", ".join(_unusual(header))


def _unusual(header: RunHeader) -> Iterator[str]:
    for name, setting in MUST_AGREE.items():
        value = setting(header)
        usual = value is None or value in _UNSET or (name, value) in _USUAL
        if name != "suite" and not usual:
            yield f"{name} {one_line(str(value), 40)}"


def group_of(header: RunHeader) -> tuple[object, ...]:
    """Equal for runs that may be ranked together."""
    return tuple(setting(header) for setting in MUST_AGREE.values())


def is_looking(first: RunHeader, later: RunHeader) -> bool:
    """Whether the two show what looking is worth: one model, with and without the pictures."""
    return first.model == later.model and first.blind != later.blind


def insist(headers: Sequence[RunHeader], *, but: Sequence[str] = ()) -> None:
    """Raises: ResultsError naming every setting in which the runs differ and must not."""
    if headers and all(it.model == headers[0].model for it in headers):
        but = (*but, "blind")
    found = differences(headers, MUST_AGREE, but=but)
    if found:
        listed = "".join(f"\n  - {line}" for line in found)
        raise ResultsError(
            f"these runs are not comparable:{listed}",
            fix="run them with the same settings, name other runs (a model's newest run on a suite "
            "is MODEL@SUITE), or compare the prompts they share with --force",
        )
