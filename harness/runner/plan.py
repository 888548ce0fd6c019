"""Which questions are still to be asked, in what order, and what one worker takes at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable

from msgspec import Struct

from harness.records import Case


class Job(Struct, frozen=True):
    """One question, once."""

    case: Case
    repeat: int
    place: int
    """Of the case, in the suite's order."""


def plan(
    cases: Iterable[Case],
    *,
    repeats: int = 1,
    done: Container[tuple[str, int]] = (),
    by_picture: bool = False,
    at_random: bool = False,
) -> list[list[Job]]:
    """The work as portions, each for one worker.

    Questions on one picture stand together, in the suite's order of pictures. `by_picture` makes
    them one portion, so that a server with several slots reads each picture in one of them only.
    `done` holds the (id, repeat) that a resumed run already has. `at_random`: in the order of
    `at_random_place`, so that any beginning of the run stands for the whole.
    """
    pictures: dict[tuple[str, ...], list[Job]] = {}
    for repeat in range(repeats):
        for place, case in enumerate(cases):
            if (case.id, repeat) not in done:
                pictures.setdefault(case.pictures, []).append(Job(case, repeat, place))
    portions = list(pictures.values())
    if at_random:
        portions.sort(key=lambda it: at_random_place(it[0].case))
    return portions if by_picture else [[job] for tasks in portions for job in tasks]


def at_random_place(case: Case) -> str:
    """Sorts pictures into an order that has nothing to do with them, the same in every run."""
    return hashlib.sha256("\n".join(case.pictures).encode()).hexdigest()
