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
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from harness.records.settings import Machine as Machine
from harness.records.settings import Price as Price
from harness.records.settings import RunHeader as RunHeader
from harness.records.settings import Sampling as Sampling
from harness.records.settings import ServerFacts as ServerFacts

T = TypeVar("T")
State = Literal["pass", "fail", "cut", "error"]
MediaType = Literal["image/jpeg", "image/png"]
Dollars = Annotated[float, Meta(ge=0)]
Tokens = Annotated[int, Meta(gt=0)]
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


class Fact(Struct, Generic[T], frozen=True, kw_only=True):
    """A value that somebody stated somewhere on a day."""

    value: T
    source: str
    as_of: str
    """ISO date: the one the source gives for it, else the day the source was read."""


class _Entry(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A table of a catalogue file: a key that it does not know is a mistake."""


class GgufSource(_Entry, frozen=True, kw_only=True):
    repo: str
    model_file: str
    mmproj_file: str
    quantization: str
    mmproj_repo: str | None = None
    """None: the same repo."""
    context_tokens: Tokens | None = None
    size_gb: float | None = None
    source: str | None = None
    as_of: str | None = None


class GgufFiles(Struct, frozen=True, kw_only=True):
    """Weights that already lie on this machine: a user's own entry."""

    model: str
    mmproj: str


class HostedSource(_Entry, frozen=True, kw_only=True):
    preset: str
    model_id: str
    source: str | None = None
    as_of: str | None = None


class PublishedScore(_Entry, frozen=True, kw_only=True):
    """Figures somebody else published: shown, marked, never mixed with ours."""

    passed: int
    asked: int
    categories: dict[str, tuple[int, int]]
    latency_mean_s: float | None = None
    cost_per_task_usd: float | None = None
    rank: int | None = None
    ranked: int | None = None
    source: str
    as_of: str


class ModelCard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A catalogue entry. Every fact is sourced; what no source states is None."""

    name: str
    aliases: tuple[str, ...] = ()
    organization: Fact[str] | None = None
    category: Fact[str] | None = None
    modality: Fact[str] | None = None
    released: Fact[str] | None = None
    context_tokens: Fact[Tokens] | None = None
    parameters: Fact[str] | None = None
    license: Fact[str] | None = None
    price_in_usd_per_mtok: Fact[Dollars] | None = None
    price_out_usd_per_mtok: Fact[Dollars] | None = None
    vision_tasks: Fact[tuple[str, ...]] | None = None
    features: Fact[tuple[str, ...]] | None = None
    coordinates: Fact[str] | None = None
    """How it writes boxes and points: the name of a convention, such as `1000-yxyx`."""
    about: Fact[str] | None = None
    """What it is for, what it needs, its limits: a paragraph in our words; the source backs it."""
    temperature: Fact[Annotated[float, Meta(ge=0, le=2)]] | None = None
    """This and those below: how it is asked where no option says so, by the options' names."""
    seed: Fact[int] | None = None
    max_tokens: Fact[Tokens] | None = None
    thinking: Fact[int | str] | None = None
    system: Fact[str] | None = None
    body: Fact[tuple[str, ...]] | None = None
    image_max_side: Fact[Annotated[int, Meta(ge=16, le=16384)]] | None = None
    image_tokens: Fact[int | str] | None = None
    image_detail: Fact[Literal["low", "high", "auto"]] | None = None
    base_url: str | None = None
    """Where a server of the user's serves it; it is sent no key."""
    files: GgufFiles | None = None
    gguf: GgufSource | None = None
    hosted: tuple[HostedSource, ...] = ()
    published: PublishedScore | None = None


class Preset(_Entry, frozen=True, kw_only=True):
    """A known OpenAI-compatible endpoint."""

    name: str
    base_url: str
    api_key_env: str | None = None
    """None: a local server that wants no key."""
    source: str
    as_of: str


class Case(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One question about one picture, with its right answer and how to recognise it."""

    id: str
    """Unique in its suite; results are keyed by it, never by the picture's name."""
    category: str
    question: str
    image: str
    """POSIX path relative to the suite's root."""
    expected: str | tuple[str, ...]
    grader: str
    options: dict[str, Any] = {}
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

    @cached_property
    def base64(self) -> bytes:
        """Made when first asked for: all requests about the picture share it."""
        return b64encode(self.data)


class ServerTimings(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a llama.cpp server says of its own work on one reply, as its API names it."""

    prompt_ms: float | None = None
    predicted_ms: float | None = None
    prompt_n: int | None = None
    predicted_n: int | None = None
    cache_n: int | None = None


class Effort(Struct, frozen=True, kw_only=True, gc=False):
    """What a call took besides its successful attempt."""

    attempts: int = 1
    failed_s: float = 0.0
    backoff_s: float = 0.0
    queued_s: float = 0.0


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
    served_model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    tokens_cached: int | None = None
    latency_s: float | None = None
    """The successful attempt alone: from sending the request to the last byte of the reply. None
    when nobody measured it, as in a recording of another tool."""
    ttft_s: float | None = None
    effort: Effort = Effort()
    timings: ServerTimings | None = None
    image_cached: bool = False
    """The picture came out of the server's cache; kept out of latency figures."""
    image_tokens: int | None = None
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
    coordinates: str | None = None


class GradeContext(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What grading a point or a box takes besides the reply."""

    file_size_px: Size | None = None
    sent_size_px: Size | None = None
    coordinates: str | None = None


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


class Record(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="record"):
    """One case asked of one model, once: a line of the run file."""

    case: Case
    repeat: int = 0
    place: int | None = None
    """The prompt's place among those asked, in the suite's order: records stand as they landed."""
    image_sha256: str | None = None
    """Of the first picture; None in a blind run, or when no picture was sent."""
    images_sha256: tuple[str, ...] = ()
    media_types: tuple[MediaType, ...] = ()
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
    cost_per_task_usd: float | None = None
    cost_usd: float | None = None
    truncated: int = 0
    filtered: int = 0
    refused: int = 0
    image_cached: int = 0
    thought: int = 0
    tokens_reasoning_p50: float | None = None
    image_tokens_mean: float | None = None
    fields_right: int = 0
    fields: int = 0
    measures: dict[str, float] = {}
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
    """Prompts that were answered at least twice; of them, those whose verdicts or texts changed."""

    prompts: int
    verdicts_changed: int
    texts_changed: int


class ModelScore(Struct, frozen=True, kw_only=True):
    header: RunHeader
    overall: Score
    categories: tuple[Score, ...]
    difficulties: tuple[Score, ...] = ()
    corrected: int = 0
    judged: int = 0
    judge_errors: int = 0
    """Replies that the judge was asked about in vain: the rule's verdict stands."""
    judge_unusable: int = 0
    """Of these, those where the judge answered, and neither with PASS nor with FAIL."""
    repeatability: Repeatability | None = None

    @property
    def model(self) -> str:
        return self.header.model

    @property
    def complete(self) -> bool:
        return self.overall.complete
