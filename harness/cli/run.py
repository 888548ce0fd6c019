"""`evalrun` and `evalrun run`: ask a model a suite's questions, save answers, show scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from harness.cli import settings
from harness.cli.exchange_log import LogOptions
from harness.cli.options import (
    DEFAULT_RESULTS,
    GithubSummary,
    IncludeCached,
    JudgeOptions,
    LimitOptions,
    Quiet,
    ResultsDir,
    SamplingOptions,
    model_names,
)
from harness.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model is asked, and where it lives."""

    model: Annotated[
        list[str],
        Option(
            *("--model", "-m"),
            autocompletion=model_names,
            help="Model to ask (repeatable); without one, the demonstration model.",
        ),
    ] = field(default_factory=list)
    models_file: Annotated[
        Path | None, Option(help="TOML file with a [[model]] table for each, of any options.")
    ] = None
    base_url: Annotated[
        str | None, Option(help="A running server, e.g. http://localhost:8080/v1.")
    ] = None
    api_key_env: Annotated[str | None, Option(help="Environment variable that holds the key.")] = (
        None
    )
    backend: Annotated[
        str | None, Option(help="Adapter or preset: llamacpp, openai, openrouter, ollama, …")
    ] = None
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
    yes: Annotated[bool, Option("--yes", "-y", help="Download weights without asking.")] = False

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
    answer_format: Annotated[
        Literal["constrained"] | None,
        Option(help="Hold each reply to a JSON schema of what its grader reads."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where defaults come from and results go, and what decides the exit code."""

    profile: Annotated[
        str | None,
        Option(
            is_eager=True,
            callback=settings.apply,
            help="Take the defaults of [profile.NAME] in evalrun.toml.",
        ),
    ] = None
    results: ResultsDir = DEFAULT_RESULTS
    resume: Annotated[
        bool | None,
        Option(
            "--resume/--fresh",
            help="Go on with the newest run, or start a new one "
            "[default: go on if it is incomplete and of the same settings].",
        ),
    ] = None
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be asked; ask nothing.")] = (
        False
    )
    include_cached: IncludeCached = False
    fail_under: Annotated[
        float | None, Option(min=0, max=100, help="Exit 6 below this score, in per cent.")
    ] = None
    json: Annotated[bool, Option("--json", help="Scores as JSON on stdout.")] = False
    github_summary: GithubSummary = False
    quiet: Quiet = False


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Everything `evalrun run` can be told."""

    target: ModelOptions
    suite: SuiteOptions
    sampling: SamplingOptions
    limits: LimitOptions
    judge: JudgeOptions
    output: OutputOptions
    log: LogOptions


def run(options: RunOptions, context: typer.Context) -> int:
    """Ask a model every question of a suite, save each answer, show scores.

    Without a model: the demonstration model, on a real llama.cpp server, needing no key. Defaults
    of your own stand under [run] in evalrun.toml, or in variables such as EVALRUN_MODEL.
    """
    from harness.cli import measure, several  # `run --help` needs none of what they import

    models, file = options.target.model, options.target.models_file
    if several.ALONE not in context.meta and (file or len(models) > 1):
        return several.measure_all(context, models, file, options.output.results)
    return measure.measure(options, context)
