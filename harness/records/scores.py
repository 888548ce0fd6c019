"""What a run comes to. Shares are 0 to 1; a share is None while a call is missing."""

from __future__ import annotations

from msgspec import Struct

from harness.records.run import RunHeader


class Score(Struct, frozen=True, kw_only=True):
    """Counts and latency of one category, or of the whole run (`category` is "overall")."""

    category: str
    passed: int
    asked: int
    """The denominator: every planned prompt and repeat, answered or not."""
    errors: int
    """Failed calls and prompts not asked yet."""
    cut: int = 0
    """Replies that hit the token limit before they stated an answer."""
    low: float
    """95 % Wilson bound; for an incomplete score: all errors and cuts are wrong."""
    high: float
    """95 % Wilson bound; for an incomplete score: all errors and cuts are right."""
    latency_mean_s: float | None = None
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    ttft_mean_s: float | None = None
    tokens_per_s: float | None = None
    """Generation speed: the server's own timing where it tells it."""
    cost_per_task_usd: float | None = None
    cost_usd: float | None = None
    truncated: int = 0
    filtered: int = 0
    """Replies that the endpoint's content filter stopped."""
    refused: int = 0
    """Replies that the endpoint marked as a refusal."""
    image_cached: int = 0
    thought: int = 0
    """Replies that came with reasoning."""
    tokens_reasoning_p50: float | None = None
    """Of those that thought, where the tokens are known."""
    image_tokens_mean: float | None = None
    """What the pictures of a prompt took, where that is known."""
    fields_right: int = 0
    fields: int = 0
    """Of answers in JSON: fields asked for, and those that were right."""
    measures: dict[str, float] = {}
    """The mean of each measure beside the verdict: cer, iou, distance_px, f1..."""
    failed_s: float = 0.0
    backoff_s: float = 0.0
    queued_s: float = 0.0

    @property
    def complete(self) -> bool:
        return self.errors == 0 and self.cut == 0

    @property
    def share(self) -> float | None:
        """Passed / asked; None while incomplete (then `low` to `high` is the range)."""
        return self.passed / self.asked if self.complete and self.asked else None

    @property
    def missing(self) -> str:
        """
        >>> Score(category="x", passed=1, asked=9, errors=2, cut=1, low=0, high=1).missing
        '2 errors, 1 cut'
        """
        counts = {"error" if self.errors == 1 else "errors": self.errors, "cut": self.cut}
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


class Repeatability(Struct, frozen=True, kw_only=True):
    """How many prompts were answered otherwise when they were asked again."""

    prompts: int
    """Answered at least twice."""
    verdicts_changed: int
    """Prompts that passed in one repeat and failed in another."""
    texts_changed: int
    """Prompts whose replies are not the same, letter by letter."""


class ModelScore(Struct, frozen=True, kw_only=True):
    """One run, scored."""

    header: RunHeader
    overall: Score
    categories: tuple[Score, ...]
    """In the suite's order."""
    difficulties: tuple[Score, ...] = ()
    """easy, medium, hard, where the suite says so; of prompts asked so far."""
    corrected: int = 0
    """Verdicts that a person overrode."""
    judged: int = 0
    """Verdicts that are a model judge's."""
    judge_errors: int = 0
    """Replies that the judge was asked about in vain: the rule's verdict stands."""
    judge_unusable: int = 0
    """Of these, those where the judge answered, and neither with PASS nor with FAIL."""
    repeatability: Repeatability | None = None
    """None when no prompt was answered twice."""

    @property
    def model(self) -> str:
        return self.header.model

    @property
    def complete(self) -> bool:
        return self.overall.complete
