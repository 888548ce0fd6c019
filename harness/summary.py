"""Records in, scores out: counts, intervals, latency, cost. Words and colours live in `tables`."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median, quantiles

from msgspec.structs import replace

from harness.records import ModelScore, Record, Repeatability, Reply, RunHeader, Score, Verdict
from harness.stats import wilson_interval
from harness.store import Run

_COUNTS = (
    *("passed", "cut", "truncated", "filtered", "refused", "image_cached", "thought"),
    *("fields_right", "fields", "failed_s", "backoff_s", "queued_s"),
)
"""Figures that a score has as they were counted."""


class _Counter:
    """The running figures of one category. Keeps a float a reply, so memory stays flat."""

    def __init__(self) -> None:
        self.asked = self.answered = self.predicted_tokens = 0
        self.passed = self.cut = self.truncated = self.filtered = self.refused = 0
        self.image_cached = self.thought = self.fields_right = self.fields = 0
        self.failed_s = self.backoff_s = self.queued_s = self.predicted_ms = 0.0
        self.latency_s, self.ttft_s, self.cost_usd = array("d"), array("d"), array("d")
        self.tokens_reasoning, self.image_tokens = array("q"), array("q")
        self.measured, self.measures = Counter[str](), defaultdict[str, float](float)
        """How often each measure was taken, and the sum of what it came to."""

    def add(self, record: Record, *, include_cached: bool) -> None:
        reply, verdict = record.outcome, record.final
        self.asked += 1
        self.failed_s += reply.effort.failed_s
        self.backoff_s += reply.effort.backoff_s
        self.queued_s += reply.effort.queued_s
        if verdict is None or not isinstance(reply, Reply):
            return
        self.answered += 1
        self.passed += verdict.passed
        self.cut += verdict.cut
        self.truncated += reply.truncated
        self.filtered += reply.filtered
        self.refused += reply.refusal is not None
        self.image_cached += reply.image_cached
        self.thought += reply.thought
        if record.cost_usd is not None:
            self.cost_usd.append(record.cost_usd)
        if reply.tokens_reasoning:
            self.tokens_reasoning.append(reply.tokens_reasoning)
        if reply.image_tokens is not None:
            self.image_tokens.append(reply.image_tokens)
        if verdict.fields or verdict.measures:
            self._add_measures(verdict)
        if include_cached or not reply.image_cached:
            self._add_speed(reply)

    def _add_measures(self, verdict: Verdict) -> None:
        self.fields += len(verdict.fields)
        self.fields_right += sum(verdict.fields.values())
        self.measured.update(verdict.measures.keys())
        for name, value in verdict.measures.items():
            self.measures[name] += value

    def _add_speed(self, reply: Reply) -> None:
        if reply.latency_s is not None:
            self.latency_s.append(reply.latency_s)
        if reply.ttft_s is not None:
            self.ttft_s.append(reply.ttft_s)
        if reply.timings and reply.timings.predicted_ms and reply.timings.predicted_n:
            self.predicted_tokens += reply.timings.predicted_n
            self.predicted_ms += reply.timings.predicted_ms

    def absorb(self, other: _Counter) -> None:
        """Add another category's figures: numbers to numbers, lists of times to lists."""
        for name, value in vars(other).items():
            if isinstance(value, dict):
                for key, part in value.items():
                    getattr(self, name)[key] += part
            else:
                setattr(self, name, getattr(self, name) + value)

    def score(self, category: str, asked: int, *, repeats: int) -> Score:
        errors = asked - self.answered
        if missing := errors + self.cut:
            low, high = self.passed / asked, (self.passed + missing) / asked
        else:
            # Repeats are no new prompts: they must not narrow the interval.
            low, high = wilson_interval(self.passed / repeats, asked / repeats)
        # What is in order, or in a few orders, is soon sorted again.
        self.latency_s = array("d", sorted(self.latency_s))
        costs = self.cost_usd if len(self.cost_usd) == self.answered else ()
        speed = 1000 * self.predicted_tokens / self.predicted_ms if self.predicted_ms else None
        return Score(
            category=category,
            asked=asked,
            errors=errors,
            low=low,
            high=high,
            latency_mean_s=_of(fmean, self.latency_s),
            latency_p50_s=_of(median, self.latency_s),
            latency_p95_s=_of(_p95, self.latency_s),
            ttft_mean_s=_of(fmean, self.ttft_s),
            tokens_per_s=speed,
            cost_per_task_usd=_of(fmean, costs),
            cost_usd=_of(sum, costs),
            tokens_reasoning_p50=_of(median, self.tokens_reasoning),
            image_tokens_mean=_of(fmean, self.image_tokens),
            measures={name: self.measures[name] / n for name, n in self.measured.items()},
            **{name: getattr(self, name) for name in _COUNTS},
        )


class Tally:
    """Scores that grow as records land; the live view and the final table read the same one."""

    def __init__(self, header: RunHeader, *, include_cached: bool = False) -> None:
        self._header, self._include_cached = header, include_cached
        self._by_category = {category: _Counter() for category in header.asked_by_category}
        self._by_difficulty = {it: _Counter() for it in ("easy", "medium", "hard")}
        self._peak_gb = 0.0
        """What the server that we started held at most, by its replies."""
        self._verdicts = Counter(corrected=0, judged=0, judge_errors=0, judge_unusable=0)
        self._repeats: dict[str, list[tuple[int, bool | None]]] = defaultdict(list)
        """By prompt, of each repeat its text's hash, and whether it passed (None: cut). Empty when
        every prompt is asked once, so that memory stays flat."""

    def add(self, record: Record) -> None:
        case, outcome, verdict = record.case, record.outcome, record.final
        self._by_category[case.category].add(record, include_cached=self._include_cached)
        if case.difficulty is not None:
            self._by_difficulty[case.difficulty].add(record, include_cached=self._include_cached)
        if self._header.repeats > 1 and verdict is not None and isinstance(outcome, Reply):
            passed = None if verdict.cut else verdict.passed
            self._repeats[case.id].append((hash(outcome.text), passed))
        if isinstance(outcome, Reply) and outcome.server_memory_gb:
            self._peak_gb = max(self._peak_gb, outcome.server_memory_gb)
        if record.correction is not None:
            self._verdicts["corrected"] += 1
        if record.judgement is not None:
            self._verdicts["judged"] += record.verdict_by == "judge"
            self._verdicts["judge_errors"] += record.judgement.verdict is None
            self._verdicts["judge_unusable"] += record.judgement.words is not None

    def _repeatability(self) -> Repeatability | None:
        several = [it for it in self._repeats.values() if len(it) > 1]
        verdicts = sum({True, False} <= {passed for _, passed in it} for it in several)
        texts = sum(len({text for text, _ in it}) > 1 for it in several)
        found = Repeatability(prompts=len(several), verdicts_changed=verdicts, texts_changed=texts)
        return found if several else None

    def score(self) -> ModelScore:
        overall, asked = _Counter(), self._header.asked_by_category
        categories = tuple(self._scored(self._by_category, asked))
        for counter in self._by_category.values():
            overall.absorb(counter)
        rated = {name: it.asked for name, it in self._by_difficulty.items() if it.asked}
        return ModelScore(
            header=self._header_with_peak(),
            overall=next(self._scored({"overall": overall}, {"overall": sum(asked.values())})),
            categories=categories,
            difficulties=tuple(self._scored(self._by_difficulty, rated)),
            repeatability=self._repeatability(),
            **self._verdicts,
        )

    def _header_with_peak(self) -> RunHeader:
        """It was written before the first question; its server took more memory since."""
        server = self._header.server
        machine = server.machine if server else None
        if server is None or machine is None or self._peak_gb <= (machine.peak_memory_gb or 0):
            return self._header
        machine = replace(machine, peak_memory_gb=self._peak_gb)
        return replace(self._header, server=replace(server, machine=machine))

    def _scored(self, counters: dict[str, _Counter], asked: dict[str, int]) -> Iterator[Score]:
        for name, count in asked.items():
            yield counters[name].score(name, count, repeats=self._header.repeats)


def summarise(run: Run, *, include_cached: bool = False) -> ModelScore:
    """Score a run file. What each category asks stands in its header, so nothing can drop out."""
    tally = Tally(run.header, include_cached=include_cached)
    for record in run.records():
        tally.add(record)
    return tally.score()


def _of(figure: Callable[[Sequence[float]], float], values: Sequence[float]) -> float | None:
    return figure(values) if values else None


def _p95(values: Sequence[float]) -> float:
    """Linear interpolation between order statistics, as numpy's default."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
