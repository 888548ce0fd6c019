"""What each field of a run's header means for a comparison, and for going on with the run.

One row a setting. A test holds that every field of `RunHeader` and `Sampling` has a home here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePath

from msgspec import Struct, json

from harness.records.run import Machine, RunHeader, Sampling, ServerFacts


class Setting(Struct, frozen=True, kw_only=True):
    """One setting of a run."""

    name: str
    """In a reader's words."""
    fields: tuple[str, ...]
    """The fields of the header that hold it."""
    value: Callable[[RunHeader], object]
    """As it is shown; None: not known."""
    must_agree: bool = True
    """Whether runs that differ in it may not be compared; else it is merely shown."""


def hardware(server: ServerFacts | None) -> str | None:
    """What computed: the GPU where layers lie on one, else the CPU."""
    machine = server.machine if server else None
    if machine is None:
        return None
    return ", ".join(machine.gpus) if machine.offloaded_layers else machine.cpu


def memory(server: ServerFacts | None) -> str | None:
    """What a server that we started took of it."""
    machine = (server.machine if server else None) or Machine()
    sizes = {
        "weights": machine.weights_gb,
        "projector": machine.projector_gb,
        "peak": machine.peak_memory_gb,
        "on the card": machine.peak_gpu_memory_gb,
    }
    return ", ".join(f"{name} {gb:.3g} GB" for name, gb in sizes.items() if gb) or None


_IN_WORDS = {
    "quant": "{}",
    "system": "{}",
    "model": "{}",
    "image-max-side": "{} px",
    "image-tokens": "{} tokens",
    "cache-type": "cache {}",
    "concurrency": "{} at once",
    "shuffle-options": "order {}",
}


def cell_in_words(cell: Mapping[str, str]) -> str:
    """What is varied in a sweep, with one cell's values.

    >>> cell_in_words({"quant": "Q8_0", "image-max-side": "0", "temperature": "0.7"})
    'Q8_0, own size, temperature 0.7'
    """
    return ", ".join(_in_words(name, value) for name, value in cell.items())


def _in_words(name: str, value: str) -> str:
    if name == "mmproj":
        return PurePath(value).stem
    if (name, value) == ("image-max-side", "0"):
        return "own size"
    return _IN_WORDS.get(name, f"{name} {{}}").format(value)


def _max_tokens(header: RunHeader) -> str:
    first, more = header.sampling.max_tokens, header.sampling.max_tokens_retry
    return f"{first} then {more}" if more else str(first)


def _places_work(argument: str) -> bool:
    """Whether a flag of llama-server says where and how fast it computes, not what."""
    return _PLACING.fullmatch(argument.partition("=")[0]) is not None


_PLACING = re.compile(
    r"--(?:threads|threads-batch|prio|prio-batch|poll|poll-batch|cpu-.+|numa|n-gpu-layers|gpu-layers"
    r"|main-gpu|device|split-mode|tensor-split|no-kv-offload|no-mmproj-offload|no-warmup"
    r"|mlock|no-mmap|verbosity|verbose)"
)
_NO_SERVER = ServerFacts()

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="suite",
        fields=("suite", "suite_version", "suite_sha256", "suite_prompts"),
        value=lambda it: f"{it.suite} {it.suite_version} ({it.suite_sha256[:12]})",
    ),
    Setting(name="grader version", fields=("grader_version",), value=lambda it: it.grader_version),
    Setting(
        name="judge",
        fields=("judge", "judge_thinking"),
        value=lambda it: " thinking ".join(
            [it.judge or "none"] + [it.judge_thinking] * (it.judge_thinking != "auto")
        ),
    ),
    Setting(
        name="image limit",
        fields=("image_max_side_px",),
        value=lambda it: f"{it.image_max_side_px} px" if it.image_max_side_px else "none",
    ),
    Setting(
        name="image tokens",
        fields=("image_tokens",),
        value=lambda it: "{}-{}".format(*it.image_tokens) if it.image_tokens else "default",
    ),
    Setting(
        name="image detail", fields=("image_detail",), value=lambda it: it.image_detail or "default"
    ),
    Setting(
        name="coordinates",
        fields=("coordinates",),
        value=lambda it: it.coordinates or "the model's own",
    ),
    Setting(
        name="order of options",
        fields=("options_order",),
        value=lambda it: "default" if it.options_order is None else f"drawn {it.options_order}",
    ),
    Setting(
        name="answer format", fields=("answer_format",), value=lambda it: it.answer_format or "free"
    ),
    Setting(name="thinking", fields=("thinking",), value=lambda it: it.sampling.thinking),
    Setting(name="temperature", fields=("temperature",), value=lambda it: it.sampling.temperature),
    Setting(name="seed", fields=("seed",), value=lambda it: it.sampling.seed),
    Setting(name="max tokens", fields=("max_tokens", "max_tokens_retry"), value=_max_tokens),
    Setting(
        name="request parameters",
        fields=("body",),
        value=lambda it: json.encode(it.body, order="sorted").decode() if it.body else "none",
    ),
    Setting(name="system prompt", fields=("system",), value=lambda it: it.system or "none"),
    Setting(name="blind", fields=("blind",), value=lambda it: "yes" if it.blind else "no"),
    Setting(
        name="quantization",
        fields=(),
        value=lambda it: (it.server or _NO_SERVER).quantization,
        must_agree=False,
    ),
    Setting(
        name="projector",
        fields=(),
        value=lambda it: (it.server or _NO_SERVER).mmproj_file,
        must_agree=False,
    ),
    Setting(
        name="server build",
        fields=("server",),
        value=lambda it: (it.server or _NO_SERVER).build,
        must_agree=False,
    ),
    Setting(
        name="server flags",
        fields=("server_args",),
        value=lambda it: " ".join(x for x in it.server_args if not _places_work(x)) or "none",
    ),
    Setting(
        name="server flags for speed",
        fields=(),
        value=lambda it: " ".join(filter(_places_work, it.server_args)) or "none",
        must_agree=False,
    ),
    Setting(
        name="pictures shrunk to",
        fields=("pictures_shrunk_to_px",),
        value=lambda it: it.pictures_shrunk_to_px and f"about {it.pictures_shrunk_to_px} px",
        must_agree=False,
    ),
    Setting(name="hardware", fields=(), value=lambda it: hardware(it.server), must_agree=False),
    Setting(
        name="concurrency",
        fields=("concurrency",),
        value=lambda it: it.concurrency,
        must_agree=False,
    ),
    Setting(name="repeats", fields=("repeats",), value=lambda it: it.repeats, must_agree=False),
)

IDENTITY = (
    *("model", "backend", "base_url", "categories", "prompts_sha256", "cold", "regraded_from"),
)
"""What a run is of: the same in both halves of a resumed run, and what a comparison is about."""
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


def whole_command(header: RunHeader) -> str:
    """The command that asks the whole suite with a run's settings, as far as its header tells."""
    sampling, usual, options = header.sampling, Sampling(), ["--model", header.model]
    is_ours = header.backend == "llamacpp"
    settings = {
        "--base-url": (None if is_ours else header.base_url, None),
        "--suite": (header.suite_path, None),
        "--images": (header.images_path, None),
        "--system": (header.system, None),
        "--temperature": (sampling.temperature, usual.temperature),
        "--seed": (sampling.seed, usual.seed),
        "--max-tokens": (None if sampling.max_tokens_retry else sampling.max_tokens, None),
        "--thinking": (sampling.thinking, usual.thinking),
        "--image-max-side": (header.image_max_side_px, 1024),
        "--image-tokens": ("{}-{}".format(*header.image_tokens or ("", "")), "-"),
        "--image-detail": (header.image_detail, None),
        "--coordinates": (header.coordinates, None),
        "--shuffle-options": (header.options_order, None),
        "--answer-format": (header.answer_format, None),
        "--repeats": (header.repeats, 1),
        "--judge": (header.judge, None),
        "--judge-thinking": (header.judge_thinking, "auto"),
    }
    for option, (value, default) in settings.items():
        if value != default:
            options += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    for key, value in header.body.items():
        options += ["--body", f"{key}={json.encode(value).decode()}"]
    options += [f"--server-arg={it}" for it in header.server_args]
    options += ["--blind"] * header.blind + ["--cold"] * (header.cold and header.repeats == 1)
    return shlex.join(["evalrun", *options])
