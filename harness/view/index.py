"""What the pages need to know of every record of a run, small enough to keep for 100,000."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.records import ModelScore, Record, Reply, State
from harness.store import Run
from harness.summary import Tally

STATES: tuple[State, ...] = ("pass", "fail", "cut", "error")
FLAGS = {
    "cached": "picture was cached",
    "corrected": "corrected by a person",
    "overruled": "a person decided against the rule",
    "judged": "judged by a model",
    "truncated": "at the token limit",
    "unread": "no answer could be read",
    "retried": "needed several attempts",
}
"""Name in an address -> what it means."""
_BITS = {name: 1 << at for at, name in enumerate(FLAGS)}
_PARTICULAR = re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'|\d[\d.,:/-]*")
_MOST_REASONS = 1_000


class Filters(Struct, frozen=True, kw_only=True):
    """Which records of a run are wanted; empty: all."""

    category: str = ""
    verdict: str = ""
    flag: str = ""
    reason: str = ""
    prompts: frozenset[str] | None = None
    """Only these prompts, e.g. those that another run answered differently."""


class Index:
    """A run read once: where each record stands, and what one can filter by."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.ids: list[str] = []
        self.reasons: Counter[str] = Counter()
        self._places, self._states = array("Q"), bytearray()
        self._repeats, self._categories, self._reasons = array("H"), array("H"), array("H")
        self._flags = bytearray()
        self._reason_numbers: dict[str, int] = {"": 0}
        self._category_numbers = {name: at for at, name in enumerate(run.header.categories)}
        tally = Tally(run.header)
        for place, record in run.located():
            tally.add(record)
            self._add(place, record)
        self.score: ModelScore = tally.score()
        self.position = {(id_, self._repeats[at]): at for at, id_ in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def _add(self, place: int, record: Record) -> None:
        self.ids.append(record.case.id)
        self._places.append(place)
        self._repeats.append(record.repeat)
        self._states.append(STATES.index(record.state))
        self._categories.append(self._category_numbers[record.case.category])
        self._flags.append(_flags(record))
        reason = reason_kind(record)
        self.reasons[reason] += 1
        if reason not in self._reason_numbers and len(self._reason_numbers) < _MOST_REASONS:
            self._reason_numbers[reason] = len(self._reason_numbers)
        self._reasons.append(self._reason_numbers.get(reason, 0))

    def renew(self, at: int) -> None:
        """Take in a correction without reading the whole run again; the score stays as it was."""
        (record,) = self.records([at])
        self._states[at], self._flags[at] = STATES.index(record.state), _flags(record)

    def has(self, at: int, flag: str) -> bool:
        return bool(self._flags[at] & _BITS[flag])

    def state(self, at: int) -> State:
        return STATES[self._states[at]]

    def states(self) -> dict[str, State]:
        """Prompt -> the state of its first repeat."""
        return {it: self.state(at) for at, it in enumerate(self.ids) if not self._repeats[at]}

    def chosen(self, wanted: Filters) -> Sequence[int]:
        """Positions of the records that pass all filters, in the file's order."""
        return list(self._chosen(wanted)) if wanted != Filters() else range(len(self))

    def _chosen(self, wanted: Filters) -> Iterator[int]:
        category = self._category_numbers.get(wanted.category)
        state = STATES.index(wanted.verdict) if wanted.verdict in STATES else None
        flag = _BITS.get(wanted.flag, 0)
        reason = self._reason_numbers.get(wanted.reason, 0)
        for at in range(len(self)):
            if (
                (category is None or self._categories[at] == category)
                and (state is None or self._states[at] == state)
                and (self._flags[at] & flag == flag)
                and (not reason or self._reasons[at] == reason)
                and (wanted.prompts is None or self.ids[at] in wanted.prompts)
            ):
                yield at

    def records(self, positions: Sequence[int]) -> list[Record]:
        """Read from the file now, so that a correction of this moment is in them."""
        return self.run.at(self._places[at] for at in positions)

    def counts(self, kind: str) -> Counter[str]:
        """How many records each choice of a filter has."""
        if kind == "verdict":
            return Counter({it: self._states.count(at) for at, it in enumerate(STATES)})
        if kind == "category":
            counted = Counter(self._categories)
            return Counter({it: counted[at] for it, at in self._category_numbers.items()})
        return Counter({it: sum(bool(x & bit) for x in self._flags) for it, bit in _BITS.items()})


def _flags(record: Record) -> int:
    outcome, verdict = record.outcome, record.verdict
    if not isinstance(outcome, Reply) or verdict is None:
        return _BITS["retried"] if outcome.effort.attempts > 1 else 0
    corrected = record.correction
    held = {
        "cached": outcome.image_cached,
        "corrected": corrected is not None,
        "overruled": corrected is not None and corrected.passed != verdict.passed,
        "judged": record.verdict_by == "judge",
        "truncated": outcome.truncated,
        "unread": verdict.answer is None,
        "retried": outcome.effort.attempts > 1,
    }
    return sum(_BITS[name] for name, is_so in held.items() if is_so)


def reason_kind(record: Record) -> str:
    """The reason without what is particular to this reply, so that alike ones count together."""
    verdict, outcome = record.final, record.outcome
    if verdict is None:
        return "" if isinstance(outcome, Reply) else f"error: {outcome.kind}"
    return _PARTICULAR.sub("…", verdict.reason)[:120]
