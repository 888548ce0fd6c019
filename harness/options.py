"""The options of whatever asks a model, in groups: each declared once, for `evalrun run`, `ask`,
`eyes`, `sweep` and for `harness.run`. A group's name is its heading in `--help`.

None, and an empty list, mean "not given".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from harness.errors import UsageError

DEFAULT_RESULTS = Path("results")


def model_names(incomplete: str) -> list[str]:
    """For the shell: the catalogue's."""
    from harness import catalogue  # only a shell that asks needs it

    return [name for name in catalogue.load().cards if name.startswith(incomplete)]


def run_names(incomplete: str) -> list[str]:
    """For the shell: models that were measured, and their runs, in the usual folder."""
    from harness import store  # only a shell that asks needs it

    found = [it.relative_to(DEFAULT_RESULTS).with_suffix("") for it in store.runs(DEFAULT_RESULTS)]
    names = dict.fromkeys([*(it.parent.name for it in found), *(it.as_posix() for it in found)])
    return [name for name in names if name.startswith(incomplete)]


def shared(name: str, *flags: str, **how: Any) -> Any:
    """An option of several commands: like those of the groups it takes defaults from [run]."""
    return Option(*flags, envvar=f"EVALRUN_{name.upper()}", show_envvar=False, **how)


_THINKING = "auto|off|low|medium|high|TOKENS"
RunName = Annotated[
    str, Argument(help="A model (its newest run), a run, or a file.", autocompletion=run_names)
]
ResultsDir = Annotated[Path, shared("results", "--results", help="Folder of the runs.")]
IncludeCached = Annotated[
    bool, Option("--include-cached", help="Count cached replies in response times.")
]
Model = Annotated[
    list[str],
    shared(
        *("model", "--model", "-m"),
        autocompletion=model_names,
        help="Model to ask (repeatable); without one, the demonstration model.",
    ),
]
BaseUrls = Annotated[
    list[str],
    shared(
        "base_url",
        help="A running server, for every model or as NAME=URL; several of one are replicas.",
    ),
]
ApiKeyEnv = Annotated[
    str | None, shared("api_key_env", help="Environment variable that holds the key.")
]
Backend = Annotated[
    str | None,
    shared("backend", help="Adapter or preset: llamacpp, openai, openrouter, ollama, …"),
]
Timeout = Annotated[
    float | None,
    shared("timeout", min=0.1, help="Seconds of silence [default: 600 local, 120 hosted]."),
]
MaxCost = Annotated[float | None, shared("max_cost", min=0, help="Stop at this many US dollars.")]
Yes = Annotated[bool, shared("yes", "--yes", "-y", help="Download weights without asking.")]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model is asked, and where it lives."""

    model: Model = field(default_factory=list)
    models_file: Annotated[
        Path | None, Option(help="TOML file with a [[model]] table for each, of any options.")
    ] = None
    base_url: BaseUrls = field(default_factory=list)
    api_key_env: ApiKeyEnv = None
    backend: Backend = None
    gguf: Annotated[Path | None, Option(help="Weights of a local model.")] = None
    mmproj: Annotated[Path | None, Option(help="Its picture projector.")] = None
    quant: Annotated[
        str | None, Option(help="Quantization, e.g. Q8_0: of its repository, or beside --gguf.")
    ] = None
    replay: Annotated[
        Path | None, Option(help="Answers recorded in a file; `example` comes with evalrun.")
    ] = None
    server_arg: Annotated[
        list[str],
        Option(help="A flag for the server that is started: --server-arg=--flag=value."),
    ] = field(default_factory=list)
    yes: Yes = False

    @property
    def one(self) -> str | None:
        """The model, where there can be only one. Raises: UsageError."""
        if self.models_file or len(self.model) > 1:
            raise UsageError("one model is asked at a time here", fix="name it with --model")
        return self.model[0] if self.model else None


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """Which questions are asked."""

    suite: Annotated[
        Path | None, Option(help="Suite folder or file; without one, the built-in suite.")
    ] = None
    images: Annotated[
        Path | None, Option(help="Folder of the suite's pictures, where they lie apart from it.")
    ] = None
    skip_broken: Annotated[
        bool, Option("--skip-broken", help="Leave out rows that have problems.")
    ] = False
    category: Annotated[list[str], Option(help="Only this category (repeatable).")] = field(
        default_factory=list
    )
    prompt: Annotated[list[str], Option(help="Only this prompt id (repeatable).")] = field(
        default_factory=list
    )
    limit: Annotated[int | None, Option(min=1, help="Only the first N prompts.")] = None
    repeats: Annotated[
        int, Option(min=1, help="Ask everything N times, each with the next seed, cold.")
    ] = 1
    blind: Annotated[bool, Option("--blind", help="Send no picture: the guessing floor.")] = False
    shuffle_options: Annotated[
        int | None, Option(min=1, help="Lettered options in another order, drawn with this seed.")
    ] = None
    answer_format: Annotated[
        Literal["constrained"] | None,
        Option(help="Hold each reply to a JSON schema of what its grader reads."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """What the model is told beside the question."""

    temperature: Annotated[
        float | None, Option(min=0, max=2, help="0 takes the likeliest token [default: 0].")
    ] = None
    seed: Annotated[
        int | None, Option(help="Of the random numbers, where the server takes one [default: 1].")
    ] = None
    max_tokens: Annotated[
        int | None, Option(min=1, help="Longest reply [default: 512; 4096 for one that was cut].")
    ] = None
    thinking: Annotated[
        str | None, Option(metavar=_THINKING, help="How much the model thinks [default: auto].")
    ] = None
    system: Annotated[str | None, Option(help="A system prompt.")] = None
    body: Annotated[
        list[str], Option(metavar="KEY=JSON", help="A further request parameter (repeatable).")
    ] = field(default_factory=list)
    image_max_side: Annotated[
        int | None,
        Option(
            min=0,
            max=16384,
            help="Longest side sent, in pixels; 0: as they are [default: suite's].",
        ),
    ] = None
    image_tokens: Annotated[
        str | None,
        Option(metavar="N|MIN-MAX", help="Tokens a picture takes (vLLM; a started server)."),
    ] = None
    image_detail: Annotated[
        Literal["low", "high", "auto"] | None,
        Option(help="How closely a hosted model looks (OpenAI, Gemini)."),
    ] = None
    coordinates: Annotated[
        str,
        Option(
            metavar="NAME|auto", help="How boxes and points are written; auto: as the model does."
        ),
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """How much time, money and patience a run gets."""

    concurrency: Annotated[
        int | None, Option(min=1, max=1024, help="Calls in flight [default: 1 local, 8 hosted].")
    ] = None
    timeout: Timeout = None
    tries: Annotated[int, Option(min=1, help="Tries a prompt; rate limits use none up.")] = 8
    max_wait: Annotated[float, Option(min=0, help="Longest Retry-After to honour, in seconds.")] = (
        120.0
    )
    cold: Annotated[bool, Option("--cold", help="Switch the server's picture cache off.")] = False
    max_cost: MaxCost = None


@dataclass(frozen=True, kw_only=True)
class PlacementOptions:
    """On how many servers, and where they are started."""

    replicas: Annotated[
        int, Option(min=1, max=256, help="Start so many servers and share the prompts among them.")
    ] = 1
    ray: Annotated[
        str | None,
        Option(
            metavar="auto|ADDRESS", help="Start servers, or ask, on the nodes of a Ray cluster."
        ),
    ] = None
    num_gpus: Annotated[
        float | None,
        Option(min=0, help="GPUs of a server there [default: 1 where the cluster has GPUs]."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """A second model that reads replies."""

    judge: Annotated[str | None, Option(help="A model that reads replies the rules cannot.")] = None
    judge_base_url: Annotated[str | None, Option(help="The server that the judge runs on.")] = None
    judge_gguf: Annotated[
        Path | None, Option(help="Its weights; text alone will do unless it sees the picture.")
    ] = None
    judge_backend: Annotated[str | None, Option(help="Its adapter or preset.")] = None
    judge_api_key_env: Annotated[
        str | None, Option(help="Environment variable that holds its key.")
    ] = None
    judge_thinking: Annotated[str, Option(metavar=_THINKING, help="How much the judge thinks.")] = (
        "auto"
    )
    judge_scope: Annotated[
        Literal["unread", "all"], Option(help="Which replies the judge sees.")
    ] = "unread"
    judge_sees_image: Annotated[
        bool, Option("--judge-sees-image", help="Send it the picture too.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where the run goes."""

    results: ResultsDir = DEFAULT_RESULTS
    resume: Annotated[
        bool | None,
        Option(
            "--resume/--fresh",
            help="Go on with the newest run, or start a new one "
            "[default: go on if it is incomplete and of the same settings].",
        ),
    ] = None
    include_cached: IncludeCached = False


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """What is written down of the exchanges."""

    log: Annotated[
        Path | None, Option(help="Append every exchange to this file, as JSON lines.")
    ] = None
    verbose: Annotated[bool, Option("--verbose", "-v", help="The same lines on stderr.")] = False


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Everything a run can be told."""

    target: ModelOptions = ModelOptions()
    suite: SuiteOptions = SuiteOptions()
    sampling: SamplingOptions = SamplingOptions()
    limits: LimitOptions = LimitOptions()
    placement: PlacementOptions = PlacementOptions()
    judge: JudgeOptions = JudgeOptions()
    output: OutputOptions = OutputOptions()
    log: LogOptions = LogOptions()
