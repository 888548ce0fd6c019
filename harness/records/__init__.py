"""The nouns of a run. Every other module is a verb over these.

Case --encode--> EncodedImage --ask--> Reply | CallFailure --grade--> Verdict

A `Record` ties the ends together and is one line of `results/<model>/<time>.jsonl`; a `ModelScore`
sums a run up. All are frozen `msgspec` structs, so the same declaration types, checks and
(de)serialises them. Those that a run has many of are left out of the search for cycles
(`gc=False`): they hold none. None means "not known"; it is never spelled 0 or "".
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from harness.records.cards import Fact as Fact
from harness.records.cards import GgufFiles as GgufFiles
from harness.records.cards import GgufSource as GgufSource
from harness.records.cards import HostedSource as HostedSource
from harness.records.cards import ModelCard as ModelCard
from harness.records.cards import Preset as Preset
from harness.records.cards import PublishedScore as PublishedScore
from harness.records.settings import Machine as Machine
from harness.records.settings import Price as Price
from harness.records.settings import RunHeader as RunHeader
from harness.records.settings import Sampling as Sampling
from harness.records.settings import ServerFacts as ServerFacts

State = Literal["pass", "fail", "cut", "error"]
MediaType = Literal["image/jpeg", "image/png"]
Size = tuple[int, int]
"""Width and height in pixels."""

_CUT_REASONS = (
    *("length", "model_length", "max_tokens", "max_output_tokens", "max_completion_tokens"),
    *("token_limit", "model_context_window_exceeded"),
)
_FILTER_REASONS = (
    *("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii"),
    *("image_safety", "sensitive", "language"),
)


class Case(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One question about one picture, with its right answer and how to recognise it."""

    id: str
    """Unique in its suite; results are keyed by it, never by the picture's name."""
    category: str
    question: str
    image: str
    """POSIX path relative to the suite's root."""
    expected: str | tuple[str, ...]
    """A tuple only for the list grader."""
    grader: str
    options: dict[str, Any] = {}
    """The grader's options, e.g. {"tolerance": 0.5, "unit": "bar"}."""
    images: tuple[str, ...] = ()
    """All pictures in their order where the question has several; `image` is then the first."""
    difficulty: Literal["easy", "medium", "hard"] | None = None

    @property
    def pictures(self) -> tuple[str, ...]:
        return self.images or (self.image,)


class EncodedImage(Struct, frozen=True, kw_only=True, dict=True):
    """The picture exactly as it is sent: JPEG or PNG, 8-bit RGB, upright, sRGB, no alpha."""

    data: bytes
    media_type: MediaType
    width_px: int
    height_px: int
    sha256: str
    """Of `data`: the input the reply was scored on."""
    file_size_px: Size | None = None
    """Of the upright file, where the picture was made from one."""

    @cached_property
    def base64(self) -> bytes:
        """Made when first asked for: all requests about the picture share it."""
        return b64encode(self.data)


class ServerTimings(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a llama.cpp server says of its own work on one reply, as its API names it."""

    prompt_ms: float | None = None
    """Reading the prompt, picture included; excludes uploading and decoding the picture file."""
    predicted_ms: float | None = None
    prompt_n: int | None = None
    predicted_n: int | None = None
    cache_n: int | None = None
    """Prompt tokens that came out of the server's cache."""


class Effort(Struct, frozen=True, kw_only=True, gc=False):
    """What a call took besides its successful attempt."""

    attempts: int = 1
    """1 means the first try was answered."""
    failed_s: float = 0.0
    backoff_s: float = 0.0
    """Time slept between attempts, the server's Retry-After included."""
    queued_s: float = 0.0
    """Time spent waiting for a place among the calls in flight."""


class Reply(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="reply"):
    """What the model said, and what the call took."""

    text: str
    """The answer proper. Empty content is a reply, and is graded."""
    reasoning: str | None = None
    """Thinking text the server kept apart; never graded."""
    refusal: str | None = None
    """The model's words of refusal, where the endpoint keeps them apart from the content."""
    finish_reason: str | None = None
    provider: str | None = None
    """Who answered, where a gateway says whom it asked."""
    served_model: str | None = None
    """The model that answered, as the endpoint names it."""
    tokens_in: int | None = None
    """Picture tokens and cached tokens included."""
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    tokens_cached: int | None = None
    latency_s: float | None = None
    """The successful attempt alone: from sending the request to the last byte of the reply. None
    when nobody measured it, as in a recording of another tool."""
    ttft_s: float | None = None
    """Time to the first token of content or reasoning; None when the reply was not streamed."""
    effort: Effort = Effort()
    timings: ServerTimings | None = None
    image_cached: bool = False
    """The picture came out of the server's cache; kept out of latency figures."""
    image_tokens: int | None = None
    """What the question's pictures took of `tokens_in`, where that can be known."""
    server_memory_gb: float | None = None
    """Resident memory of the server that we started, where this reply raised its peak."""
    adapted: tuple[str, ...] = ()
    """Request parameters this model refused, and what was sent instead."""

    @property
    def truncated(self) -> bool:
        """Cut at the output limit: the answer may lie beyond the cut."""
        return (self.finish_reason or "").lower() in _CUT_REASONS

    @property
    def thought(self) -> bool:
        """Whether it came with reasoning, as far as the endpoint tells."""
        return bool(self.reasoning or self.tokens_reasoning)

    @property
    def filtered(self) -> bool:
        """Stopped by the endpoint's content filter."""
        return (self.finish_reason or "").lower().partition(":")[0] in _FILTER_REASONS


class FailureKind(StrEnum):
    """Why a model did not answer."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    SERVER_FAULT = "server_fault"
    REFUSED = "refused"
    BAD_REPLY = "bad_reply"


class CallFailure(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="failure"):
    """The model never answered. Never graded, never dropped from a denominator."""

    kind: FailureKind
    message: str
    fix: str | None = None
    """What to try next, where the error's kind tells."""
    effort: Effort = Effort()


class Verdict(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A grader's opinion of one reply."""

    passed: bool
    answer: str | None
    """What was read out of the reply; None when nothing gradable was found."""
    reason: str
    cut: bool = False
    """The reply hit the token limit before it stated an answer: neither pass nor fail."""
    measures: dict[str, float] = {}
    """How near the answer came, the chief measure first: cer, iou, distance_px, error, f1..."""
    fields: dict[str, bool] = {}
    """Of an answer in JSON, which fields are right."""
    coordinates: str | None = None
    """The convention in which a point or box was read."""


class GradeContext(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What grading a point or a box takes besides the reply."""

    file_size_px: Size | None = None
    """Of the upright picture, in whose pixels cases give their answers."""
    sent_size_px: Size | None = None
    coordinates: str | None = None
    """The convention that the run asked for, or that the model is known by."""


class Judgement(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A model judge's opinion, kept beside the rule's."""

    judge: str
    prompt_sha256: str
    verdict: Verdict | None = None
    """None when the judge did not judge: the rule's verdict stands, flagged."""
    error: str | None = None
    words: str | None = None
    """What the judge said, when that was neither PASS nor FAIL; None when it did not answer."""


class Correction(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="correction"):
    """A person's verdict on one reply; wins over rule and judge. A line of its own."""

    prompt: str
    repeat: int
    passed: bool
    why: str
    at: datetime
    withdrawn: bool = False
    """Taken back: the verdict of rule or judge stands again."""


class Record(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="record"):
    """One case asked of one model, once: a line of the run file."""

    case: Case
    repeat: int = 0
    place: int | None = None
    """The prompt's place among those asked, in the suite's order: records stand as they landed."""
    image_sha256: str | None = None
    """Of the first picture; None in a blind run, or when no picture was sent."""
    images_sha256: tuple[str, ...] = ()
    """Of all pictures in their order, where several were sent."""
    media_types: tuple[MediaType, ...] = ()
    """Of the pictures that were sent; runs before 0.2 do not say."""
    outcome: Reply | CallFailure
    verdict: Verdict | None = None
    """The rule's. Present exactly when the outcome is a Reply."""
    context: GradeContext | None = None
    judgement: Judgement | None = None
    correction: Correction | None = None
    """Filled in by the store when it reads a run; never written inside a record."""
    cost_usd: float | None = None
    started_at: datetime

    def __post_init__(self) -> None:
        if isinstance(self.outcome, Reply) != (self.verdict is not None):
            raise ValueError(f"{self.case.id!r}: a reply has a verdict and a failure has none")

    @property
    def key(self) -> tuple[str, int]:
        return self.case.id, self.repeat

    @property
    def answered(self) -> bool:
        return self.verdict is not None

    @property
    def state(self) -> State:
        """What everybody shows of this record."""
        verdict = self.final
        if verdict is None:
            return "error"
        return "cut" if verdict.cut else "pass" if verdict.passed else "fail"

    @property
    def verdict_by(self) -> Literal["rule", "judge", "person"] | None:
        if self.verdict is None:
            return None
        judged = self.judgement is not None and self.judgement.verdict is not None
        return "person" if self.correction else "judge" if judged else "rule"

    @property
    def final(self) -> Verdict | None:
        """The verdict that counts: the person's, else the judge's, else the rule's."""
        verdict, correction = self.verdict, self.correction
        if verdict is not None and correction is not None:
            why = f"corrected by a person: {correction.why}"
            return Verdict(passed=correction.passed, answer=verdict.answer, reason=why)
        return (self.judgement and self.judgement.verdict) or verdict


class Score(Struct, frozen=True, kw_only=True):
    """Counts and latency of one category, or of the whole run (`category` is "overall")."""

    category: str
    passed: int
    asked: int
    """The denominator: every planned prompt and repeat, answered or not."""
    errors: int
    """Failed calls and prompts not asked yet."""
    cut: int = 0
    low: float
    """95 % Wilson bound of the share, 0 to 1; if incomplete: all errors and cuts are wrong."""
    high: float
    """95 % Wilson bound; if incomplete: all errors and cuts are right."""
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
    """Of answers in JSON: fields asked for."""
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
    """Passed in one repeat and failed in another."""
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
