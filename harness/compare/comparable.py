"""What two runs must have in common to be held against each other, and what is merely shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.errors import ResultsError
from harness.records import RunHeader, ServerFacts

_NO_SERVER = ServerFacts()


def hardware(server: ServerFacts | None) -> str | None:
    """What computed: the GPU where layers lie on one, else the CPU."""
    machine = server.machine if server else None
    if machine is None:
        return None
    return ", ".join(machine.gpus) if machine.offloaded_layers else machine.cpu


MUST_AGREE: dict[str, Callable[[RunHeader], object]] = {
    "suite": lambda it: f"{it.suite} {it.suite_version} ({it.suite_sha256[:12]})",
    "grader version": lambda it: it.grader_version,
    "judge": lambda it: it.judge or "none",
    "image limit": lambda it: f"{it.image_max_side_px} px",
    "image tokens": lambda it: "{}-{}".format(*it.image_tokens) if it.image_tokens else "default",
    "image detail": lambda it: it.image_detail or "default",
    "temperature": lambda it: it.sampling.temperature,
    "seed": lambda it: it.sampling.seed,
    "max tokens": lambda it: it.sampling.max_tokens,
    "system prompt": lambda it: it.system or "none",
    "blind": lambda it: "yes" if it.blind else "no",
}
MAY_DIFFER: dict[str, Callable[[RunHeader], object]] = {
    "quantization": lambda it: (it.server or _NO_SERVER).quantization,
    "projector": lambda it: (it.server or _NO_SERVER).mmproj_file,
    "server build": lambda it: (it.server or _NO_SERVER).build,
    "server flags": lambda it: " ".join(it.server_args) or "none",
    "hardware": lambda it: hardware(it.server),
    "concurrency": lambda it: it.concurrency,
    "repeats": lambda it: it.repeats,
}


def differences(
    headers: Sequence[RunHeader], settings: dict[str, Callable[[RunHeader], object]]
) -> list[str]:
    """A line for every setting in which a later run differs from the first; unknown is no answer.

    Suites that share name and version still differ when their hashes do.
    """
    found = []
    for name, value in settings.items():
        values = [value(header) for header in headers]
        if len({it for it in values if it is not None}) > 1:
            told = " against ".join("unknown" if it is None else str(it) for it in values)
            found.append(f"{name}: {told}")
    return found


def insist(headers: Sequence[RunHeader]) -> None:
    """Raises: ResultsError naming every setting in which the runs differ and must not."""
    found = differences(headers, MUST_AGREE)
    if found:
        listed = "".join(f"\n  - {line}" for line in found)
        raise ResultsError(
            f"these runs are not comparable:{listed}",
            fix="run them with the same settings, or compare the prompts they share with --force",
        )
