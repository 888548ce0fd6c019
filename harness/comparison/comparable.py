"""What two runs must have in common to be compared, and what is merely shown.

A new setting of a run is a field of its header and a row in `records.settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.errors import ResultsError
from harness.records import RunHeader
from harness.records.settings import SETTINGS
from harness.text import one_line

Settings = dict[str, Callable[[RunHeader], object]]

MUST_AGREE: Settings = {it.name: it.value for it in SETTINGS if it.must_agree}
MAY_DIFFER: Settings = {it.name: it.value for it in SETTINGS if not it.must_agree}
_USUAL = frozenset([("temperature", 0.0), ("seed", 1)])
_UNSET = frozenset(["none", "no", "default", "auto", "free", "the model's own"])


def differences(
    headers: Sequence[RunHeader], settings: Settings, *, but: Sequence[str] = ()
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
    """Equal for runs that may be ranked together; a hash does not prove that suites are as long."""
    return (header.suite_prompts, *(setting(header) for setting in MUST_AGREE.values()))


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
