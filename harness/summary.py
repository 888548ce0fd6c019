"""Records in, scores out: counts, intervals, latency, cost. Words and colours live in `tables`."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.records import ModelScore, Record, Repeatability, Reply, RunHeader, Score, Verdict
from harness.stats import wilson_interval
from harness.store import Run

OVERALL = "overall"


class _Counter:
    """The running figures of one category. Keeps a float a reply, so memory stays flat."""

    def __init__(self) -> None:
        self.passed = self.answered = self.cut = self.truncated = self.image_cached = 0
        self.asked = self.filtered = self.refused = self.thought = 0
        self.latency_s = array("d")
        self.ttft_s = array("d")
        self.cost_usd = array("d")
        self.tokens_reasoning = array("q")
        self.image_tokens = array("q")
        self.fields_right = self.fields = 0
        self.measured, self.measures = Counter[str](), defaultdict[str, float](float)
        """How often each measure was taken, and the sum of what it came to."""
        self.predicted_tokens = 0
        self.predicted_ms = 0.0
        self.failed_s = self.backoff_s = self.queued_s = 0.0

    def add(self, record: Record, *, include_cached: bool) -> None:
        outcome, verdict = record.outcome, record.final
        self.asked += 1
        effort = outcome.effort
        self.failed_s += effort.failed_s
        self.backoff_s += effort.backoff_s
        self.queued_s += effort.queued_s
        if verdict is None or not isinstance(outcome, Reply):
            return
        self.answered += 1
        self.passed += verdict.passed
        self.cut += verdict.cut
        self.truncated += outcome.truncated
        self.filtered += outcome.filtered
        self.refused += outcome.refusal is not None
        if record.cost_usd is not None:
            self.cost_usd.append(record.cost_usd)
        if outcome.image_cached:
            self.image_cached += 1
        self._add_tokens(outcome)
        if verdict.fields or verdict.measures:
            self._add_measures(verdict)
        if include_cached or not outcome.image_cached:
            self._add_speed(outcome)

    def _add_tokens(self, reply: Reply) -> None:
        self.thought += reply.thought
        if reply.tokens_reasoning:
            self.tokens_reasoning.append(reply.tokens_reasoning)
        if reply.image_tokens is not None:
            self.image_tokens.append(reply.image_tokens)

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
        timings = reply.timings
        if timings is not None and timings.predicted_ms and timings.predicted_n:
            self.predicted_tokens += timings.predicted_n
            self.predicted_ms += timings.predicted_ms

    def put_in_order(self) -> None:
        """Sort the response times: what is in order, or in a few orders, is soon sorted again."""
        self.latency_s = array("d", sorted(self.latency_s))

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
        costs_known = len(self.cost_usd) == self.answered and self.answered > 0
        return Score(
            category=category,
            passed=self.passed,
            asked=asked,
            errors=errors,
            cut=self.cut,
            low=low,
            high=high,
            latency_mean_s=_mean(self.latency_s),
            latency_p50_s=quantile(self.latency_s, 0.5),
            latency_p95_s=quantile(self.latency_s, 0.95),
            ttft_mean_s=_mean(self.ttft_s),
            tokens_per_s=1000 * self.predicted_tokens / self.predicted_ms
            if self.predicted_ms
            else None,
            cost_per_task_usd=_mean(self.cost_usd) if costs_known else None,
            cost_usd=sum(self.cost_usd) if costs_known else None,
            truncated=self.truncated,
            filtered=self.filtered,
            refused=self.refused,
            image_cached=self.image_cached,
            thought=self.thought,
            tokens_reasoning_p50=quantile(self.tokens_reasoning, 0.5),
            image_tokens_mean=_mean(self.image_tokens),
            fields_right=self.fields_right,
            fields=self.fields,
            measures={name: self.measures[name] / n for name, n in self.measured.items()},
            failed_s=self.failed_s,
            backoff_s=self.backoff_s,
            queued_s=self.queued_s,
        )


class _Repeats:
    """What the repeats of one prompt came to so far."""

    __slots__ = ("failed", "passed", "replies", "text_changed", "text_hash")

    def __init__(self, text_hash: int) -> None:
        self.replies = 0
        self.passed = self.failed = self.text_changed = False
        self.text_hash = text_hash

    def add(self, text_hash: int, verdict: Verdict) -> None:
        self.replies += 1
        self.passed |= verdict.passed
        self.failed |= not verdict.passed and not verdict.cut
        self.text_changed |= text_hash != self.text_hash


class Tally:
    """Scores that grow as records land; the live view and the final table read the same one."""

    def __init__(self, header: RunHeader, *, include_cached: bool = False) -> None:
        self._header = header
        self._asked = header.asked_by_category
        self._include_cached = include_cached
        self._by_category = {category: _Counter() for category in self._asked}
        self._by_difficulty = {it: _Counter() for it in ("easy", "medium", "hard")}
        self._corrected = self._judged = self._judge_errors = self._judge_unusable = 0
        self._repeats: dict[str, _Repeats] = {}
        """By prompt; empty when every prompt is asked once, so that memory stays flat."""

    def add(self, record: Record) -> None:
        self._by_category[record.case.category].add(record, include_cached=self._include_cached)
        if record.case.difficulty is not None:
            self._by_difficulty[record.case.difficulty].add(
                record, include_cached=self._include_cached
            )
        if self._header.repeats > 1:
            self._add_repeat(record)
        if record.correction is not None:
            self._corrected += 1
        if record.judgement is not None:
            self._judged += record.verdict_by == "judge"
            self._judge_errors += record.judgement.verdict is None
            self._judge_unusable += record.judgement.words is not None

    def _add_repeat(self, record: Record) -> None:
        verdict, outcome = record.final, record.outcome
        if verdict is None or not isinstance(outcome, Reply):
            return
        text_hash = hash(outcome.text)
        self._repeats.setdefault(record.case.id, _Repeats(text_hash)).add(text_hash, verdict)

    def _repeatability(self) -> Repeatability | None:
        several = [it for it in self._repeats.values() if it.replies > 1]
        if not several:
            return None
        return Repeatability(
            prompts=len(several),
            verdicts_changed=sum(it.passed and it.failed for it in several),
            texts_changed=sum(it.text_changed for it in several),
        )

    def score(self) -> ModelScore:
        overall, repeats = _Counter(), self._header.repeats
        for counter in self._by_category.values():
            counter.put_in_order()
            overall.absorb(counter)
        overall.put_in_order()
        return ModelScore(
            header=self._header,
            overall=overall.score(OVERALL, sum(self._asked.values()), repeats=repeats),
            categories=tuple(
                counter.score(category, self._asked[category], repeats=repeats)
                for category, counter in self._by_category.items()
            ),
            difficulties=tuple(
                counter.score(difficulty, counter.asked, repeats=repeats)
                for difficulty, counter in self._by_difficulty.items()
                if counter.asked
            ),
            corrected=self._corrected,
            judged=self._judged,
            judge_errors=self._judge_errors,
            judge_unusable=self._judge_unusable,
            repeatability=self._repeatability(),
        )


def summarise(run: Run, *, include_cached: bool = False) -> ModelScore:
    """Score a run file. What each category asks stands in its header, so nothing can drop out."""
    tally = Tally(run.header, include_cached=include_cached)
    for record in run.records():
        tally.add(record)
    return tally.score()


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between order statistics (numpy's default); None for no values.

    >>> quantile([1.0, 2.0, 4.0], 0.5), quantile([], 0.5)
    (2.0, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
