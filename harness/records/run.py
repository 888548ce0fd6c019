"""The nouns of a run. Every other module is a verb over these.

Case --encode--> EncodedImage --ask--> Reply | CallFailure --grade--> Verdict

A `Record` ties the ends together and is one line of `results/<model>/<time>.jsonl`.
All are frozen `msgspec` structs, so the same declaration types, checks and (de)serialises them.
Those that a run has many of are left out of the search for cycles (`gc=False`): they hold none.
None means "not known"; it is never spelled 0 or "".
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

State = Literal["pass", "fail", "cut", "error"]


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
    media_type: Literal["image/jpeg", "image/png"]
    width_px: int
    height_px: int
    sha256: str
    """Of `data`: the input the reply was scored on."""
    file_size_px: tuple[int, int] | None = None
    """Width and height of the upright file, where the picture was made from one."""

    @cached_property
    def base64(self) -> bytes:
        """`data` as text, made when first asked for: all requests about the picture share it."""
        return b64encode(self.data)


class ServerTimings(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a llama.cpp server says of its own work on one reply."""

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
    """Time spent in attempts that failed."""
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
    """In words a person can read in the results."""
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

    file_size_px: tuple[int, int] | None = None
    """Width and height of the upright picture, in whose pixels cases give their answers."""
    sent_size_px: tuple[int, int] | None = None
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
    media_types: tuple[Literal["image/jpeg", "image/png"], ...] = ()
    """Of the pictures that were sent; runs before 0.2 do not say."""
    outcome: Reply | CallFailure
    verdict: Verdict | None = None
    """The rule's. Present exactly when the outcome is a Reply."""
    context: GradeContext | None = None
    """What grading took besides the reply, where the answer is a point or a box."""
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
        if verdict.cut:
            return "cut"
        return "pass" if verdict.passed else "fail"

    @property
    def verdict_by(self) -> Literal["rule", "judge", "person"] | None:
        if self.verdict is None:
            return None
        if self.correction is not None:
            return "person"
        judged = self.judgement is not None and self.judgement.verdict is not None
        return "judge" if judged else "rule"

    @property
    def final(self) -> Verdict | None:
        """The verdict that counts: the person's, else the judge's, else the rule's."""
        if self.verdict is None:
            return None
        if self.correction is not None:
            return Verdict(
                passed=self.correction.passed,
                answer=self.verdict.answer,
                reason=f"corrected by a person: {self.correction.why}",
            )
        judged = self.judgement.verdict if self.judgement is not None else None
        return judged or self.verdict


class Sampling(Struct, frozen=True, kw_only=True):
    """How the model was told to speak."""

    temperature: float = 0.0
    seed: int = 1
    max_tokens: int = 512
    max_tokens_retry: int | None = None
    """A reply that was cut before its answer is asked for once more with this limit; None: never,
    as where --max-tokens was given."""
    thinking: str = "auto"
    """auto (the model's default), off, low, medium, high, or a number of tokens."""


class Price(Struct, frozen=True, kw_only=True):
    """List price, in US dollars per million tokens, on a day."""

    in_usd_per_mtok: float
    out_usd_per_mtok: float
    as_of: str

    def cost_usd(self, tokens_in: int | None, tokens_out: int | None) -> float | None:
        """What these tokens cost; None, never 0, when a count is not known."""
        if tokens_in is None or tokens_out is None:
            return None
        return (tokens_in * self.in_usd_per_mtok + tokens_out * self.out_usd_per_mtok) / 1e6


class Machine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a server that we started ran on, and what it took; figures in GB are of 10^9 bytes."""

    cpu: str | None = None
    threads: int | None = None
    """That computed."""
    memory_gb: float | None = None
    gpus: tuple[str, ...] = ()
    """Each with its memory, whether the server used it or not."""
    gpu_driver: str | None = None
    offloaded_layers: str | None = None
    """On the GPU, of all: "33/33"; None when the server had no GPU to use."""
    weights_gb: float | None = None
    projector_gb: float | None = None
    peak_memory_gb: float | None = None
    """Resident. In a run file until the last test picture, in a score of the whole run."""
    peak_gpu_memory_gb: float | None = None


class ServerFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a local server was found to be at preflight."""

    build: str | None = None
    model_file: str | None = None
    model_sha256: str | None = None
    quantization: str | None = None
    mmproj_file: str | None = None
    mmproj_sha256: str | None = None
    context_tokens: int | None = None
    """Per slot."""
    slots: int | None = None
    chat_template_sha256: str | None = None
    system_info: str | None = None
    """CPU or GPU features as the server reports them."""
    tokens_before_image: int | None = None
    """Cached tokens beyond this many mean that the picture was cached."""
    sees_images: bool | None = None
    """Whether the coloured test picture was named rightly at preflight."""
    machine: Machine | None = None


class RunHeader(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="header"):
    """First line of a run file: all that would make two runs incomparable, and provenance."""

    run: str
    """`<model folder>/<UTC time>`: the path of the file under results/, without `.jsonl`."""
    model: str
    backend: str
    base_url: str | None = None
    """Without credentials."""
    model_id: str | None = None
    """The name the endpoint knows the model by; None: the same."""
    endpoint: str | None = None
    """The kind of endpoint, which decides how thinking is asked for; None: not known."""
    suite: str
    suite_version: str
    suite_sha256: str
    suite_prompts: int
    """How many prompts the whole suite has."""
    categories: dict[str, int]
    """Prompts this run asks per category, in the suite's order."""
    prompts_sha256: str
    """Of the ids asked: a run resumes only with the same selection."""
    repeats: int = 1
    grader_version: str
    image_max_side_px: int
    sampling: Sampling
    system: str | None = None
    body: dict[str, Any] = {}
    """Further request parameters that were given with --body."""
    image_tokens: tuple[int, int] | None = None
    """The fewest and the most tokens of a picture that the server was started with."""
    image_detail: Literal["low", "high", "auto"] | None = None
    coordinates: str | None = None
    """The convention in which boxes and points were to be read; None: the model's own."""
    options_order: int | None = None
    """The seed with which the order of lettered options was drawn; None: as they are written."""
    answer_format: Literal["constrained"] | None = None
    """Whether replies were held to a schema, where the case's grader gives one."""
    server_args: tuple[str, ...] = ()
    """Further flags that the server was started with."""
    blind: bool = False
    cold: bool = False
    concurrency: int
    price: Price | None = None
    server: ServerFacts | None = None
    judge: str | None = None
    judge_thinking: str = "auto"
    regraded_from: str | None = None
    suite_path: str | None = None
    """Where the suite was read from; None: the built-in one."""
    images_path: str | None = None
    """The folder of its pictures, where they lie apart from it."""
    eye_card: str | None = None
    """The sight test whose findings `auto` settings follow (`evalrun eyes`)."""
    pictures_shrunk_to_px: int | None = None
    """What it found: to what long side pictures are shrunk on the way."""
    sweep: str | None = None
    """The sweep that this run is a cell of (`evalrun sweep`)."""
    cell: dict[str, str] = {}
    """What was varied there, and this cell's values."""
    arguments: tuple[str, ...] = ()
    """What was typed behind `evalrun`, without passwords: the same again resumes the run."""
    evalrun_version: str
    started_at: datetime

    @property
    def prompts(self) -> int:
        """How many prompts this run asks (a subset when fewer than `suite_prompts`)."""
        return sum(self.categories.values())

    @property
    def asked_by_category(self) -> dict[str, int]:
        """Records a complete run has, per category."""
        return {name: count * self.repeats for name, count in self.categories.items()}

    @property
    def asked(self) -> int:
        """Records a complete run has."""
        return self.prompts * self.repeats

    @property
    def subset(self) -> bool:
        return self.prompts < self.suite_prompts
