"""How figures are spelled, the same everywhere: scores, ranges, seconds, dollars."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.records import ModelScore, RunHeader, Score

DASH = "–"
GOOD, FAIR = 0.75, 0.40
Spell = Callable[[float | None], str]
STYLES = {
    "good": "green",
    "fair": "yellow",
    "poor": "red",
    "incomplete": "magenta",
    "pass": "green",
    "fail": "red",
    "cut": "magenta",
    "error": "magenta",
    "better": "green",
    "worse": "red",
    "undecided": "yellow",
    "yes": "green",
}
KEY = "score key: good >= 75 %, fair 40 to under 75 %, poor < 40 %"


def key(score: Score) -> str:
    """The score key, in a word: colour is never the only sign."""
    share = score.share
    if share is None:
        return "incomplete"
    return "good" if share >= GOOD else "fair" if share >= FAIR else "poor"


def share_and_counts(score: Score) -> str:
    """`73.3 % (11/15)`; for an incomplete score the range from all wrong to all right."""
    if score.share is not None:
        return f"{100 * score.share:.1f} % ({score.passed}/{score.asked})"
    return f"{100 * score.low:.1f} to {100 * score.high:.1f} % ({score.missing})"


def interval(score: Score) -> str:
    """The 95 % interval; an incomplete score has a range instead, which is no interval."""
    return f"{100 * score.low:.1f} to {100 * score.high:.1f}" if score.complete else DASH


def seconds(value: float | None) -> str:
    """
    >>> seconds(0.0123), seconds(3.456), seconds(75.0), seconds(None)
    ('12 ms', '3.46 s', '75.0 s', '–')
    """
    if value is None:
        return DASH
    if value < 0.1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def dollars(value: float | None) -> str:
    """
    >>> dollars(0.000512), dollars(1.5), dollars(None)
    ('$0.0005', '$1.50', '–')
    """
    if value is None:
        return DASH
    return f"${value:.2f}" if value >= 1 else f"${value:.4f}"


def title(header: RunHeader) -> str:
    """Model, weights and where it ran: what must stand over every table."""
    server = header.server
    parts = [header.model]
    if server and server.quantization:
        parts.append(server.quantization)
    parts.append(header.backend)
    if header.blind:
        parts.append("BLIND (no pictures sent)")
    return " · ".join(parts)


def notes(score: ModelScore) -> list[str]:
    """What a reader must know beside the table, a line each."""
    return [*_of_answers(score), *_of_verdicts(score)]


def _of_answers(score: ModelScore) -> Iterator[str]:
    """Time, tokens, cost."""
    overall, header = score.overall, score.header
    if overall.image_cached:
        cached = f", without {overall.image_cached} replies whose picture was cached"
        yield f"response times at concurrency {header.concurrency}{cached}"
    elif overall.latency_mean_s is None:
        yield "response times were not measured"
    else:
        yield f"response times at concurrency {header.concurrency}"
    if overall.ttft_mean_s is not None:
        yield f"first token after {seconds(overall.ttft_mean_s)} on average"
    if overall.tokens_per_s is not None:
        yield f"{overall.tokens_per_s:.1f} tokens/s generated, by the server's own clock"
    if overall.thought:
        known = overall.tokens_reasoning_p50
        median = f", {known:,.0f} reasoning tokens in the median" if known is not None else ""
        yield f"{overall.thought} of {overall.asked} replies thought{median}"
    if overall.image_tokens_mean is not None:
        yield f"pictures took {overall.image_tokens_mean:,.0f} tokens a prompt in the mean"
    if overall.cost_usd is not None:
        cost = f"{dollars(overall.cost_usd)} in all, {dollars(overall.cost_per_task_usd)} a prompt"
        yield f"{cost}, at the list price of {header.price.as_of if header.price else ''}"
    if overall.failed_s or overall.backoff_s >= 0.05:
        lost = f"{seconds(overall.failed_s)} in failed attempts"
        yield f"{lost} and {seconds(overall.backoff_s)} of back-off are not in these times"


def _of_verdicts(score: ModelScore) -> Iterator[str]:
    header = score.header
    if score.difficulties:
        parts = [f"{it.category} {share_and_counts(it)}" for it in score.difficulties]
        yield f"by difficulty: {', '.join(parts)}"
    if (again := score.repeatability) is not None:
        yield (
            f"between repeats the verdict changed on {again.verdicts_changed} of {again.prompts} "
            f"prompts, the text of the reply on {again.texts_changed}"
        )
    yield from _endings(score)
    if score.corrected:
        yield f"{score.corrected} verdicts were corrected by a person (marked in `evalrun show`)"
    if score.judged or score.judge_errors:
        judge = f"{score.judged} verdicts are those of the judge {header.judge or ''}".rstrip()
        yield f"{judge}{_in_vain(score)}"
    if header.subset:
        yield f"a subset: {header.prompts} of the suite's {header.suite_prompts} prompts"


def _in_vain(score: ModelScore) -> str:
    """How often the judge's silence, or what it said, left the rule's verdict in place."""
    silent = score.judge_errors - score.judge_unusable
    how = [f"did not answer {silent} times"] * (silent > 0)
    how += [f"said neither PASS nor FAIL {score.judge_unusable} times"] * (score.judge_unusable > 0)
    return f"; it {' and '.join(how)}, where the rule's verdict stands" if how else ""


def _endings(score: ModelScore) -> Iterator[str]:
    """How replies ended otherwise than with an answer."""
    overall, sampling = score.overall, score.header.sampling
    if overall.fields:
        yield f"fields right: {overall.fields_right} of {overall.fields} in answers in JSON"
    if overall.measures:
        means = ", ".join(f"{name} {value:.3g}" for name, value in overall.measures.items())
        yield f"in the mean: {means}"
    if overall.truncated:
        more = sampling.max_tokens_retry
        again = f", and with room for {more} again" if more else ""
        yield f"{overall.truncated} replies were cut at {sampling.max_tokens} tokens{again}"
    if overall.filtered:
        yield f"{overall.filtered} replies were stopped by the endpoint's content filter"
    if overall.refused:
        yield f"{overall.refused} replies are refusals"
