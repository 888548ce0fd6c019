"""What is known of a model before asking it anything: facts with their source and date."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

T = TypeVar("T")
Dollars = Annotated[float, Meta(ge=0)]
Tokens = Annotated[int, Meta(gt=0)]


class Fact(Struct, Generic[T], frozen=True, kw_only=True):
    """A value that somebody stated somewhere on a day."""

    value: T
    source: str
    as_of: str
    """ISO date: the one the source gives for it, else the day the source was read."""


class GgufSource(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the weights of a local model live on the Hugging Face hub."""

    repo: str
    model_file: str
    """File name of the text weights; the default is never below 4 bits."""
    mmproj_file: str
    quantization: str
    mmproj_repo: str | None = None
    """None: the same repo."""
    context_tokens: Tokens | None = None
    """What to start the server with; pictures alone take thousands of tokens."""
    size_gb: float | None = None
    """To download, projector included."""
    source: str | None = None
    """Who states that these files exist and go together."""
    as_of: str | None = None


class GgufFiles(Struct, frozen=True, kw_only=True):
    """Weights that already lie on this machine: a user's own entry."""

    model: str
    mmproj: str


class HostedSource(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A hosted endpoint that serves the model."""

    preset: str
    model_id: str
    source: str | None = None
    as_of: str | None = None


class PublishedScore(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Figures somebody else published: shown, marked, never mixed with ours."""

    passed: int
    asked: int
    categories: dict[str, tuple[int, int]]
    """Category -> (passed, asked)."""
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


class Preset(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A known OpenAI-compatible endpoint."""

    name: str
    base_url: str
    api_key_env: str | None = None
    """None: a local server that wants no key."""
    source: str
    as_of: str
