"""What the cells of a sweep came to: their runs, found again and held against the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from math import lcm
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness import stats, store
from harness.comparison.ranking import difference
from harness.comparison.sides import Side, measure
from harness.errors import ResultsError
from harness.records import Machine, Reply, Score
from harness.stats import ALPHA
from harness.store import Run
from harness.sweep.grid import Cell


class Result(Struct, frozen=True, kw_only=True):
    """One cell and what it came to."""

    cell: Cell
    run: Run | None = None
    """None: it was not asked."""
    measured: Side | None = None
    problem: str | None = None
    """Why it could not be asked."""
    stopped_after: int | None = None
    """So many answers showed that it is clearly worse: it was ended early."""
    lost: int | None = None
    gained: int | None = None
    """Prompts passed by the best cell only, and by this one only; None with repeats."""
    p: float | None = None
    """That it is as good as the best: exact, corrected for all cells (Holm)."""
    detectable: float | None = None
    """The smallest difference to the best that so many prompts would show."""
    answers_per_s: float | None = None
    """While at least one call was in flight."""
    tokens: int | None = None
    """In and out, of all replies; None where one is not known."""

    @property
    def score(self) -> Score | None:
        return self.measured.overall if self.measured else None

    @property
    def share(self) -> float | None:
        return self.score.share if self.score else None

    @property
    def machine(self) -> Machine:
        header = self.measured.header if self.measured else None
        server = header.server if header else None
        return (server.machine if server else None) or Machine()

    @property
    def weights_gb(self) -> float | None:
        """Projector included."""
        machine = self.machine
        return (
            None if machine.weights_gb is None else machine.weights_gb + (machine.projector_gb or 0)
        )

    @property
    def peak_gb(self) -> float | None:
        """On the card where there is one."""
        return self.machine.peak_gpu_memory_gb or self.machine.peak_memory_gb

    @property
    def is_as_good(self) -> bool:
        """Complete, and not significantly worse than the best."""
        return self.share is not None and (self.p is None or self.p >= ALPHA)


def find(results: Path, made: Sequence[Cell], suite_sha256: str) -> dict[tuple[str, ...], Run]:
    """The newest run of each cell on this suite, by the cell's words, which its header keeps."""
    wanted = {it.words for it in made}
    found: dict[tuple[str, ...], Run] = {}
    for path in store.runs(results):
        with suppress(ResultsError):
            run = store.read(path)
            if run.header.arguments in wanted and run.header.suite_sha256 == suite_sha256:
                found[run.header.arguments] = run
    return found


def pass_rates(run: Run | None) -> dict[str, float] | None:
    """Prompt -> share of its repeats that passed; None unless the run is complete."""
    measured = measure(run) if run is not None else None
    if measured is None or not measured.overall.complete:
        return None
    return {id_: _rate(measured, id_) for id_ in measured.prompts}


def results_of(entries: Iterable[Result]) -> list[Result]:
    """Measured, each complete one held against the best; without the best there is no p."""
    listed = [it if it.run is None else _measured(it, it.run) for it in entries]
    complete = [it for it in listed if it.share is not None]
    if not complete:
        return listed
    best = max(complete, key=lambda it: (it.share or 0, -(it.weights_gb or 0)))
    others = [_against(best, it) for it in complete if it is not best]
    corrected = stats.holm([it.p or 0.0 for it in others])
    known = {it.cell.words: replace(it, p=p) for it, p in zip(others, corrected, strict=True)}
    return [known.get(it.cell.words, it) for it in listed]


def _measured(result: Result, run: Run) -> Result:
    replies = [(it.started_at, it.outcome) for it in run.records() if isinstance(it.outcome, Reply)]
    tokens = [(it.tokens_in, it.tokens_out) for _, it in replies]
    known = all(None not in it for it in tokens)
    return replace(
        result,
        measured=measure(run),
        answers_per_s=answers_per_s(replies),
        tokens=sum((one or 0) + (two or 0) for one, two in tokens) if known else None,
    )


def _against(best: Result, other: Result) -> Result:
    """Both are complete runs of the same prompts."""
    assert best.measured
    assert other.measured
    rates = Counter(
        (_rate(best.measured, id_), _rate(other.measured, id_)) for id_ in other.measured.prompts
    )
    found = difference("overall", rates, lcm(best.measured.repeats, other.measured.repeats))
    discordant = sum(n for (one, two), n in rates.items() if one != two) / rates.total()
    return replace(
        other,
        lost=found.first_only,
        gained=found.second_only,
        p=found.p,
        detectable=stats.detectable_difference(rates.total(), discordant),
    )


def _rate(measured: Side, id_: str) -> float:
    prompt = measured.prompts[id_]
    return prompt.passed / prompt.answered


def answers_per_s(replies: Iterable[tuple[datetime, Reply]]) -> float | None:
    """Answers by the time in which any call was in flight: pauses of a resumed run do not count."""
    spans = sorted((it.timestamp(), it.timestamp() + _took_s(reply)) for it, reply in replies)
    if not spans:
        return None
    busy_s, until = 0.0, spans[0][0]
    for start, end in spans:
        busy_s += max(end - max(start, until), 0.0)
        until = max(until, end)
    return len(spans) / busy_s if busy_s else None


def _took_s(reply: Reply) -> float:
    effort = reply.effort
    return (reply.latency_s or 0.0) + effort.failed_s + effort.backoff_s + effort.queued_s
