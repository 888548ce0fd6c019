"""Ends a cell that is clearly worse, by a sequential paired test with a stated error rate.

For each earlier cell a gambler starts with 1 and bets, picture by picture in an order drawn at
random, that the earlier cell passes more. Were the later cell as good, no strategy could be
expected to win, whenever the gambler stops: capital above 1/α comes with a chance of α at most.
α is shared by all later cells, and for each of them by the earlier ones, so that a sweep of equal
cells ends any of them wrongly with a chance of at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from harness.records import Case, Record
from harness.runner import at_random_place

ALPHA = 0.05
BETS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Shares of the capital that are put on each picture; equal parts of it follow each of them."""


class Capital:
    """What betting on one earlier cell has come to.

    Formula: mean over bets of Π (1 + bet · d), d being what the earlier cell passed more of a
             picture's questions, as a share of the most questions that a picture has
    Source:  test martingales, Ville 1939; betting: Waudby-Smith and Ramdas 2024,
             doi:10.1093/jrsssb/qkad009

    >>> capital = Capital()
    >>> for _ in range(8):
    ...     capital.bet(1.0)
    >>> round(capital.value)
    76
    """

    def __init__(self) -> None:
        self._logs = [0.0] * len(BETS)

    def bet(self, difference: float) -> None:
        """`difference`: from -1 to 1."""
        self._logs = [
            log + math.log1p(bet * difference) for log, bet in zip(self._logs, BETS, strict=True)
        ]

    @property
    def value(self) -> float:
        return sum(map(math.exp, self._logs)) / len(BETS)


class EarlyStop:
    """Watches one cell's records against the earlier cells that are complete."""

    def __init__(
        self,
        cases: Iterable[Case],
        earlier: Sequence[Mapping[str, float] | None],
        *,
        cells: int,
        repeats: int = 1,
    ) -> None:
        """`earlier`: prompt -> pass rate of each cell before this one; None for one that is not
        complete, whose share of α is lost. `cells`: of the whole sweep.
        """
        pictures: dict[str, list[str]] = {}
        for case in cases:
            pictures.setdefault(at_random_place(case), []).append(case.id)
        self._pictures = [pictures[place] for place in sorted(pictures)]
        self._most = max(map(len, self._pictures), default=1)
        self._rates = [
            it if it and all(map(it.__contains__, self._ids())) else None for it in earlier
        ]
        self._capital = [Capital() for _ in earlier]
        self._repeats = repeats
        self._passed: dict[str, list[bool]] = {}
        self._at = 0
        self._needed = (cells - 1) / ALPHA
        self.is_worse = False
        """For good: capital that was reached once counts."""

    def _ids(self) -> Iterable[str]:
        return (id_ for ids in self._pictures for id_ in ids)

    @property
    def answered(self) -> int:
        return sum(map(len, self._passed.values()))

    def add(self, records: Iterable[Record]) -> None:
        """Bets on every picture whose turn it is and whose questions are all answered."""
        for record in records:
            verdict = record.final
            if verdict is not None:
                self._passed.setdefault(record.case.id, []).append(verdict.passed)
        while self._at < len(self._pictures) and self._is_answered(self._pictures[self._at]):
            self._bet(self._pictures[self._at])
            self._at += 1

    def _is_answered(self, ids: Sequence[str]) -> bool:
        return all(len(self._passed.get(id_, ())) >= self._repeats for id_ in ids)

    def _bet(self, ids: Sequence[str]) -> None:
        total = 0.0
        for number, (rates, capital) in enumerate(zip(self._rates, self._capital, strict=True), 1):
            if rates is not None:
                more = sum(rates[it] - sum(self._passed[it]) / self._repeats for it in ids)
                capital.bet(more / self._most)
                total += capital.value / 2**number  # the first named is the likeliest to be good
        self.is_worse = self.is_worse or total >= self._needed
