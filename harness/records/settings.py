"""What a run was made with: the header of its file, what each setting in it means for a comparison
and for going on with the run, and the commands that ask the same again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal

from msgspec import Struct, json
from msgspec.structs import asdict, fields


class Sampling(Struct, frozen=True, kw_only=True):
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
    memory_gb: float | None = None
    gpus: tuple[str, ...] = ()
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
    tokens_before_image: int | None = None
    """Cached tokens beyond this many mean that the picture was cached."""
    sees_images: bool | None = None
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
    endpoint: str | None = None
    suite: str
    suite_version: str
    suite_sha256: str
    suite_prompts: int
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
    image_tokens: tuple[int, int] | None = None
    """The fewest and the most tokens of a picture that the server was started with."""
    image_detail: Literal["low", "high", "auto"] | None = None
    coordinates: str | None = None
    """The convention in which boxes and points were to be read; None: the model's own."""
    options_order: int | None = None
    """The seed with which the order of lettered options was drawn; None: as they are written."""
    answer_format: Literal["constrained"] | None = None
    server_args: tuple[str, ...] = ()
    blind: bool = False
    cold: bool = False
    concurrency: int
    price: Price | None = None
    server: ServerFacts | None = None
    judge: str | None = None
    judge_thinking: str = "auto"
    regraded_from: str | None = None
    suite_path: str | None = None
    images_path: str | None = None
    eye_card: str | None = None
    """The sight test whose findings `auto` settings follow (`evalrun eyes`)."""
    pictures_shrunk_to_px: int | None = None
    sweep: str | None = None
    cell: dict[str, str] = {}
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
        """Records a complete run has."""
        return {name: count * self.repeats for name, count in self.categories.items()}

    @property
    def asked(self) -> int:
        return self.prompts * self.repeats

    @property
    def subset(self) -> bool:
        return self.prompts < self.suite_prompts


class Setting(Struct, frozen=True):
    """One setting of a run. A test holds that each field of a header has a home in one."""

    name: str
    fields: str
    """The fields of the header that hold it."""
    value: Callable[[RunHeader], object]
    must_agree: bool = True
    """Whether runs that differ in it may not be compared; else it is merely shown."""


def hardware(server: ServerFacts | None) -> str | None:
    """What computed: the GPU where layers lie on one, else the CPU."""
    machine = (server and server.machine) or Machine()
    return ", ".join(machine.gpus) if machine.offloaded_layers else machine.cpu


def memory(server: ServerFacts | None) -> str | None:
    """What a server that we started took of it."""
    machine = (server and server.machine) or Machine()
    sizes = {
        "weights": machine.weights_gb,
        "projector": machine.projector_gb,
        "peak": machine.peak_memory_gb,
        "on the card": machine.peak_gpu_memory_gb,
    }
    return ", ".join(f"{name} {gb:.3g} GB" for name, gb in sizes.items() if gb) or None


def cell_in_words(cell: Mapping[str, str]) -> str:
    """What is varied in a sweep, with one cell's values.

    >>> cell_in_words({"quant": "Q8_0", "image-max-side": "0", "temperature": "0.7"})
    'Q8_0, own size, temperature 0.7'
    """
    given = ((_IN_WORDS.get(name, f"{name} {{}}".format), value) for name, value in cell.items())
    return ", ".join(in_words(value) for in_words, value in given)


_IN_WORDS: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("quant", "system", "model"), str),
    "mmproj": lambda it: PurePath(it).stem,
    "image-max-side": lambda it: "own size" if it == "0" else f"{it} px",
    "image-tokens": "{} tokens".format,
    "cache-type": "cache {}".format,
    "concurrency": "{} at once".format,
    "shuffle-options": "order {}".format,
}
_PLACING = re.compile(
    r"--(?:threads|threads-batch|prio|prio-batch|poll|poll-batch|cpu-.+|numa|n-gpu-layers|gpu-layers"
    r"|main-gpu|device|split-mode|tensor-split|no-kv-offload|no-mmproj-offload|no-warmup"
    r"|mlock|no-mmap|verbosity|verbose)(?:=.*)?",
    re.DOTALL,
)
"""Flags of llama-server that say where and how fast it computes, not what."""


def _max_tokens(header: RunHeader) -> str:
    first, more = header.sampling.max_tokens, header.sampling.max_tokens_retry
    return f"{first} then {more}" if more else str(first)


def _judge(header: RunHeader) -> str:
    thinking, judge = header.judge_thinking, header.judge or "none"
    return judge if thinking == "auto" else f"{judge} thinking {thinking}"


def _flags(header: RunHeader, *, placing: bool) -> str:
    flags = [it for it in header.server_args if bool(_PLACING.fullmatch(it)) is placing]
    return " ".join(flags) or "none"


def _server(field: str) -> Callable[[RunHeader], object]:
    return lambda it: getattr(it.server, field, None)


SETTINGS = (
    Setting(
        "suite",
        "suite suite_version suite_sha256 suite_prompts",
        lambda it: f"{it.suite} {it.suite_version} ({it.suite_sha256[:12]})",
    ),
    Setting("grader version", "grader_version", lambda it: it.grader_version),
    Setting("judge", "judge judge_thinking", _judge),
    Setting(
        "image limit",
        "image_max_side_px",
        lambda it: f"{it.image_max_side_px} px" if it.image_max_side_px else "none",
    ),
    Setting(
        "image tokens",
        "image_tokens",
        lambda it: "{}-{}".format(*it.image_tokens) if it.image_tokens else "default",
    ),
    Setting("image detail", "image_detail", lambda it: it.image_detail or "default"),
    Setting("coordinates", "coordinates", lambda it: it.coordinates or "the model's own"),
    Setting(
        "order of options",
        "options_order",
        lambda it: "default" if it.options_order is None else f"drawn {it.options_order}",
    ),
    Setting("answer format", "answer_format", lambda it: it.answer_format or "free"),
    Setting("thinking", "thinking", lambda it: it.sampling.thinking),
    Setting("temperature", "temperature", lambda it: it.sampling.temperature),
    Setting("seed", "seed", lambda it: it.sampling.seed),
    Setting("max tokens", "max_tokens max_tokens_retry", _max_tokens),
    Setting(
        "request parameters",
        "body",
        lambda it: json.encode(it.body, order="sorted").decode() if it.body else "none",
    ),
    Setting("system prompt", "system", lambda it: it.system or "none"),
    Setting("blind", "blind", lambda it: "yes" if it.blind else "no"),
    Setting("quantization", "", _server("quantization"), must_agree=False),
    Setting("projector", "", _server("mmproj_file"), must_agree=False),
    Setting("server build", "server", _server("build"), must_agree=False),
    Setting("server flags", "server_args", lambda it: _flags(it, placing=False)),
    Setting("server flags for speed", "", lambda it: _flags(it, placing=True), must_agree=False),
    Setting(
        "pictures shrunk to",
        "pictures_shrunk_to_px",
        lambda it: it.pictures_shrunk_to_px and f"about {it.pictures_shrunk_to_px} px",
        must_agree=False,
    ),
    Setting("hardware", "", lambda it: hardware(it.server), must_agree=False),
    Setting("concurrency", "concurrency", lambda it: it.concurrency, must_agree=False),
    Setting("repeats", "repeats", lambda it: it.repeats, must_agree=False),
)

PER_START = (
    *("run", "started_at", "evalrun_version", "price", "arguments", "suite_path", "images_path"),
    *("eye_card", "model_id", "endpoint", "sweep", "cell"),
)
"""What may differ between two halves of one run."""


def resume_command(header: RunHeader) -> str:
    """The command that goes on with a run: as it was typed, else as far as its header tells."""
    if header.arguments:
        return shlex.join(["evalrun", *header.arguments])
    return whole_command(header)


_OPTIONS = (
    *("base_url", "suite", "images", "system", "temperature", "seed", "max_tokens", "thinking"),
    *("image_max_side", "image_detail", "coordinates", "shuffle_options", "answer_format"),
    *("repeats", "judge", "judge_thinking"),
)
_FIELDS = {
    "suite": "suite_path",
    "images": "images_path",
    "image_max_side": "image_max_side_px",
    "shuffle_options": "options_order",
}


def whole_command(header: RunHeader) -> str:
    """The command that asks the whole suite with a run's settings, as far as its header tells."""
    given = asdict(header) | asdict(header.sampling)
    usual = {it.name: it.default for it in (*fields(RunHeader), *fields(Sampling))}
    usual["image_max_side_px"] = 1024
    retries = header.sampling.max_tokens_retry  # where --max-tokens was not given
    usual["max_tokens"] = header.sampling.max_tokens if retries else None
    if header.backend == "llamacpp":  # an address of our own choice
        usual["base_url"] = header.base_url
    options = ["--model", header.model]
    for name in _OPTIONS:
        field = _FIELDS.get(name, name)
        if (value := given[field]) != usual[field]:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            options += [f"--{name.replace('_', '-')}", text]
    if header.image_tokens:
        options += ["--image-tokens", "{}-{}".format(*header.image_tokens)]
    for key, value in header.body.items():
        options += ["--body", f"{key}={json.encode(value).decode()}"]
    options += [f"--server-arg={it}" for it in header.server_args]
    options += ["--blind"] * header.blind + ["--cold"] * (header.cold and header.repeats == 1)
    return shlex.join(["evalrun", *options])
