"""`evalrun` and `evalrun run`: ask a model a suite's questions, save answers, show scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer import Option

from harness.cli import settings
from harness.cli.output import GithubSummary, Quiet
from harness.options import RunOptions, shared

Profile = Annotated[
    str | None,
    shared(
        "profile",
        is_eager=True,
        callback=settings.apply,
        help="Take the defaults of [profile.NAME] in evalrun.toml.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """What only the command takes: how it shows a run, and what decides its exit code."""

    profile: Profile = None
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be asked; ask nothing.")] = (
        False
    )
    fail_under: Annotated[
        float | None, Option(min=0, max=100, help="Exit 6 below this score, in per cent.")
    ] = None
    json: Annotated[bool, Option("--json", help="Scores as JSON on stdout.")] = False
    github_summary: GithubSummary = False
    quiet: Quiet = False


def run(options: RunOptions, command: CommandOptions, context: typer.Context) -> int:
    """Ask a model every question of a suite, save each answer, show scores.

    Without a model: the demonstration model, on a real llama.cpp server, needing no key. Defaults
    of your own stand under [run] in evalrun.toml, or in variables such as EVALRUN_MODEL.
    """
    from harness.cli import running, several  # `run --help` needs none of what they import

    models, file = options.target.model, options.target.models_file
    if several.ALONE not in context.meta and (file or len(models) > 1):
        return several.run_all(context, models, file, options.output.results)
    return running.run(options, command, context)
