"""The options of the commands, each declared once; a group's name is its heading in `--help`.

The groups of `RunOptions` hold what `evalrun run`, `ask`, `eyes`, `sweep` and `harness.run` may be
told. A command names an option that stands here by a parameter of that name without a default.
None, and an empty list, mean "not given".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from typer import Argument, Option

from harness.errors import UsageError

DEFAULT_RESULTS = Path("results")
THINKING = "auto|off|low|medium|high|TOKENS"


def option(text: str, default: Any = None, *flags: str, **how: Any) -> Any:
    """A field, or a parameter, that typer takes as an option; `how` is what typer.Option takes."""
    return _declared(Option(*flags, help=text, **how), default)


def argument(text: str, default: Any = MISSING, **how: Any) -> Any:
    """The same for an argument; without a default it has to be given."""
    return _declared(Argument(help=text, **how), default)


def _declared(info: Any, default: Any) -> Any:
    given = {"default_factory": list} if default == [] else {"default": default}
    return field(**given, metadata={"typer": info})


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


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model is asked, and where it lives."""

    model: list[str] = option(
        "Model to ask (repeatable) [default: demo].",
        *([], "--model", "-m"),
        autocompletion=model_names,
    )
    models_file: Path | None = option("TOML file: a [[model]] table each, of any options.")
    base_url: list[str] = option("A running server, or NAME=URL; several of one are replicas.", [])
    api_key_env: str | None = option("Environment variable that holds the key.")
    backend: str | None = option("Adapter or preset: llamacpp, openai, openrouter, ollama, …")
    gguf: Path | None = option("Weights of a local model.")
    mmproj: Path | None = option("Its picture projector.")
    quant: str | None = option("Quantization, e.g. Q8_0: of its repository, or beside --gguf.")
    replay: Path | None = option("Answers recorded in a file; `example` comes with evalrun.")
    server_arg: list[str] = option("Flag of a server we start: --server-arg=--flag=value.", [])
    yes: bool = option("Download weights without asking.", False, "--yes", "-y")

    @property
    def one(self) -> str | None:
        """The model, where there can be only one. Raises: UsageError."""
        if self.models_file or len(self.model) > 1:
            raise UsageError("one model is asked at a time here", fix="name it with --model")
        return self.model[0] if self.model else None


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """Which questions are asked."""

    suite: Path | None = option("Suite folder or file; without one, the built-in suite.")
    images: Path | None = option("Folder of the suite's pictures, where they lie apart from it.")
    skip_broken: bool = option("Leave out rows that have problems.", False)
    category: list[str] = option("Only this category (repeatable).", [])
    prompt: list[str] = option("Only this prompt id (repeatable).", [])
    limit: int | None = option("Only the first N prompts.", min=1)
    repeats: int = option("Ask everything N times, each with the next seed, cold.", 1, min=1)
    blind: bool = option("Send no picture: the guessing floor.", False)
    shuffle_options: int | None = option("Shuffle lettered options with this seed.", min=1)
    answer_format: Literal["constrained"] | None = option("Hold replies to a schema of the answer.")


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """What the model is told beside the question."""

    temperature: float | None = option("0 takes the likeliest token [default: 0].", min=0, max=2)
    seed: int | None = option("Of the random numbers, where the server takes one [default: 1].")
    max_tokens: int | None = option("Longest reply [default: 512; 4096 when cut].", min=1)
    thinking: str | None = option("How much the model thinks [default: auto].", metavar=THINKING)
    system: str | None = option("A system prompt.")
    body: list[str] = option("A further request parameter (repeatable).", [], metavar="KEY=JSON")
    image_max_side: int | None = option(
        "Longest side, in pixels; 0: as it is [default: suite's].", min=0, max=16384
    )
    image_tokens: str | None = option("Tokens a picture takes.", metavar="N|MIN-MAX")
    image_detail: Literal["low", "high", "auto"] | None = option(
        "How closely a hosted model looks (OpenAI, Gemini)."
    )
    coordinates: str = option(
        "Of boxes and points; auto: the model's.", "auto", metavar="NAME|auto"
    )


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """How much time, money and patience a run gets."""

    concurrency: int | None = option("Calls at once [default: 1 local, 8 hosted].", min=1, max=1024)
    timeout: float | None = option("Seconds of silence [default: 600 local, 120 hosted].", min=0.1)
    tries: int = option("Tries a prompt; rate limits use none up.", 8, min=1)
    max_wait: float = option("Longest Retry-After to honour, in seconds.", 120.0, min=0)
    cold: bool = option("Switch the server's picture cache off.", False)
    max_cost: float | None = option("Stop at this many US dollars.", min=0)


@dataclass(frozen=True, kw_only=True)
class PlacementOptions:
    """On how many servers, and where they are started."""

    replicas: int = option("Start so many servers and share the prompts.", 1, min=1, max=256)
    ray: str | None = option("Start servers, or ask, on a Ray cluster.", metavar="auto|ADDRESS")
    num_gpus: float | None = option("GPUs a server [default: 1 where there are any].", min=0)


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """A second model that reads replies."""

    judge: str | None = option("A model that reads replies the rules cannot.")
    judge_base_url: str | None = option("The server that the judge runs on.")
    judge_gguf: Path | None = option("Its weights; text alone will do unless it sees the picture.")
    judge_backend: str | None = option("Its adapter or preset.")
    judge_api_key_env: str | None = option("Environment variable that holds its key.")
    judge_thinking: str = option("How much the judge thinks.", "auto", metavar=THINKING)
    judge_scope: Literal["unread", "all"] = option("Which replies the judge sees.", "unread")
    judge_sees_image: bool = option("Send it the picture too.", False)


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where the run goes."""

    results: Path = option("Folder of the runs.", DEFAULT_RESULTS)
    resume: bool | None = option(
        "Go on with the newest run, or start anew [default: go on if it is unfinished and alike].",
        *(None, "--resume/--fresh"),
    )
    include_cached: bool = option("Count cached replies in response times.", False)


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """What is written down of the exchanges."""

    log: Path | None = option("Append every exchange to this file, as JSON lines.")
    verbose: bool = option("The same lines on stderr.", False, "--verbose", "-v")


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


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """What only the command takes: how it shows a run, and what decides its exit code."""

    profile: str | None = option("Take the defaults of [profile.NAME] in evalrun.toml.")
    dry_run: bool = option("Say what would be asked; ask nothing.", False)
    fail_under: float | None = option("Exit 6 below this score, in per cent.", min=0, max=100)
    json: bool
    github_summary: bool
    quiet: bool


@dataclass(frozen=True, kw_only=True)
class _OfCommands:
    run: str = argument("A model (its newest run), a run, or a file.", autocompletion=run_names)
    csv: str | None = option("CSV file to write, or - for stdout.")
    json: bool = option("JSON on stdout.", False)
    md: bool = option("Markdown on stdout.", False)
    github_summary: bool = option("Append the tables to the page of a GitHub job.", False)
    quiet: bool = option("Say nothing on stderr but errors.", False, "--quiet", "-q")


SHARED: Mapping[str, Field[Any]] = {
    it.name: it for group in (*vars(RunOptions()).values(), CommandOptions) for it in fields(group)
}
"""The options that take defaults from [run] and EVALRUN_* in every command that has them."""
DECLARED: Mapping[str, Field[Any]] = {**SHARED, **{it.name: it for it in fields(_OfCommands)}}
"""Every option that a command may name without saying more."""
