"""`sweep`: a grid of settings, each cell an ordinary run; then which one to take."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer
from msgspec.structs import replace

from harness import targets
from harness.cli.app import is_typed
from harness.cli.output import print_blocks, print_bytes, print_json, say, write_csv
from harness.cli.run import parsed, words_of
from harness.cli.sweeping import Driver, Planned, describe
from harness.errors import ExitCode, UsageError
from harness.options import (
    JudgeOptions,
    LimitOptions,
    LogOptions,
    ModelOptions,
    PlacementOptions,
    SamplingOptions,
    SuiteOptions,
    argument,
    option,
)
from harness.sweep import grid, table
from harness.sweep.choosing import Choice, Prefer, choose
from harness.sweep.reading import Result
from harness.tables import names, to_data, to_markdown
from harness.text import inert, nearest
from harness.transport import masked

_AXES = (
    *("quant", "mmproj", "image_tokens", "image_max_side", "thinking", "cache_type"),
    *("concurrency", "temperature", "system"),
)
_EACH = {"yes", "log", "verbose", "max_cost", "tries", "timeout", "max_wait"} | {
    *("replicas", "ray", "num_gpus"),
}
"""Options of `run` that say nothing about what is measured: a run is the same without them."""
_PROMPTS = {"suite", "images", "skip_broken", "category", "prompt", "limit"}
"""Options that say which prompts are asked: cells that differ in them cannot be compared."""
_OWN = {
    *("vary", "sweep_file", "prefer", "stop_early", "md", "csv", "json", "quiet"),
    *("dry_run", "resume", "model", "max_cost"),
}


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """What is varied."""

    model: list[str] = argument("Models to try; `demo` too.", [], metavar="MODEL...")
    quant: str | None = option("Quantizations of the weights.", metavar="A,B")
    mmproj: str | None = option("Picture projectors: files.", metavar="A,B")
    image_tokens: str | None = option("Tokens of a picture.", metavar="A,B")
    image_max_side: str | None = option(
        "Longest side sent, in pixels; 0: the file's own.", metavar="A,B"
    )
    thinking: str | None = option("How much the model thinks.", metavar="A,B")
    cache_type: str | None = option(
        "Types of a started server's cache: f16, q8_0, …", metavar="A,B"
    )
    concurrency: str | None = option("Calls in flight.", metavar="A,B")
    temperature: str | None = option("0 takes the likeliest token.", metavar="A,B")
    system: list[str] = option("A system prompt (repeatable).", [])
    shuffle_options: int | None = option(
        "Lettered options in N orders; the first is as written.", min=2, metavar="N"
    )
    vary: list[str] = option(
        "Any other setting of `evalrun run` (repeatable).", [], metavar="NAME=A,B"
    )
    sweep_file: Path | None = option(
        "TOML file with a [sweep] table of these options; a list varies."
    )


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Where the models live."""

    base_url: list[str]
    api_key_env: str | None
    backend: str | None
    gguf: Path | None = option("Weights; --quant finds others beside them.")
    server_arg: list[str] = option("A flag for each server that is started.", [])
    yes: bool = option("Download weights without asking.", False, "--yes", "-y")


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions:
    """What decides, and where it is written."""

    prefer: Prefer | None = option(
        "Of settings as good as the best [default: smallest, where sizes are known]."
    )
    stop_early: bool = option("End cells that are clearly worse; wrong in 5 % of sweeps.", False)
    results: Path
    profile: str | None = option("Defaults of [profile.NAME].")
    resume: bool = option("Take cells that are there, or ask all anew.", True, "--resume/--fresh")
    dry_run: bool = option("Say what would be asked; ask nothing.", False)
    json: bool
    md: bool
    csv: str | None
    quiet: bool


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """Everything `evalrun sweep` can be told; the last six are those of `run`, for every cell."""

    grid: GridOptions
    server: ServerOptions
    choice: ChoiceOptions
    suite: SuiteOptions
    sampling: SamplingOptions
    limits: LimitOptions
    placement: PlacementOptions
    judge: JudgeOptions
    log: LogOptions


def sweep(*, options: SweepOptions, context: typer.Context) -> int:
    """Try a grid of settings: which one for this machine, this job?

    Every combination is asked by a run of its own. The table says which setting is as good as the
    best, and smaller, faster or cheaper. The same command goes on where it stopped.
    """
    if options.grid.sweep_file is not None:
        with_file = _with_file(context, options.grid.sweep_file)
        return int(with_file.command.invoke(with_file))
    planned = _planned(context, options.grid)
    results = planned[0].options.output.results  # evalrun.toml may say which
    driver = Driver(
        planned,
        results=results,
        anew=not options.choice.resume,
        stop_early=options.choice.stop_early,
        max_cost_usd=options.limits.max_cost,
    )
    if options.choice.dry_run:
        describe(planned, results)
        return ExitCode.DONE
    code = driver.run(quiet=options.choice.quiet)
    found = driver.results()
    if any(it.run for it in found):
        folder = f" --results {shlex.quote(str(options.choice.results))}"
        named = f"{driver.id}{folder if is_typed(context, 'results') else ''}"
        say(f"next: evalrun report {named}   or   evalrun compare {named}")
    _show(options.choice, found, choose(found, options.choice.prefer))
    return code


def _planned(context: typer.Context, options: GridOptions) -> list[Planned]:
    """Every cell with the options of its run. Raises: UsageError, SuiteError or TargetError."""
    typed = {name: it for name, it in context.params.items() if is_typed(context, name)}
    axes = _axes(typed, options.vary)
    known = {it.name or "": it for it in context.command.params}
    shared = {it: typed[it] for it in typed if it not in _OWN and it not in axes}
    urls = targets.addresses(shared.pop("base_url", ()), options.model)
    shown = [word for it in shared if it not in _EACH for word in words_of(known[it], shared[it])]
    words = {
        name: [*shown, *words_of(known["base_url"], urls.get(name) or urls.get(None, []))]
        for name in options.model
    }
    each = [word for it in shared if it in _EACH for word in words_of(known[it], shared[it])]
    made = [(it, parsed([*it.words, *each], context.parent)[0]) for it in grid.cells(words, axes)]
    for number, (cell, asked) in enumerate(made):
        if any(asked == other for _, other in made[:number]):  # 0 and 0.0, too
            raise UsageError(f"two cells are the same: {cell.label}", fix="give each value once")
    shareable = [(replace(it, words=tuple(map(masked, it.words))), asked) for it, asked in made]
    return Planned.of(shareable)


def _axes(typed: Mapping[str, Any], vary: Sequence[str]) -> dict[str, list[str]]:
    """What is varied, each with its values as they are typed."""
    axes = {
        name: list(typed[name]) if name == "system" else typed[name].split(",")
        for name in _AXES
        if name in typed
    }
    if "shuffle_options" in typed:
        axes["shuffle_options"] = [str(it) for it in range(typed["shuffle_options"])]
    return axes | _varied(vary, axes)


def _settable() -> set[str]:
    groups = SamplingOptions, SuiteOptions, ModelOptions, LimitOptions, JudgeOptions
    unfit = {*_EACH, "model", "models_file", "replay"}
    return {it.name for group in groups for it in fields(group)} - unfit


def _varied(given: Sequence[str], axes: Mapping[str, object]) -> dict[str, list[str]]:
    """`--vary NAME=A,B`. Raises: UsageError for a name that is no setting of a run."""
    found: dict[str, list[str]] = {}
    for text in given:
        written, sign, values = text.partition("=")
        name = written.replace("-", "_")
        if not sign or not values:
            raise UsageError(f"--vary {text!r} is not NAME=A,B", fix="write e.g. --vary seed=1,2")
        if name in _PROMPTS:
            raise UsageError(
                f"--vary {written}: every cell is asked the same prompts",
                fix=f"give --{grid.option(name)} beside the grid, or sweep twice",
            )
        if name not in _settable():
            near = nearest(name, _settable(), most=1)
            raise UsageError(
                f"--vary {written}: {written!r} is no setting of a run",
                fix=f"did you mean {grid.option(near[0])}?" if near else "see `evalrun run --help`",
            )
        if name in axes or name in found:
            raise UsageError(f"--{grid.option(name)} is varied twice", fix="name it once")
        found[name] = values.split(",")
    return found


def _with_file(context: typer.Context, file: Path) -> Any:
    """The context with the `[sweep]` table's options; those that are typed win."""
    known = {it.name or "": it for it in context.command.params}
    typed = {name: it for name, it in context.params.items() if is_typed(context, name)}
    del typed["sweep_file"]
    listed = {name: it for name, it in grid.from_file(file).items() if name not in typed}
    if "sweep_file" in listed:
        raise UsageError(
            f"{file}: a [sweep] table cannot name another file", fix="remove sweep-file from it"
        )
    words = [word for name, it in listed.items() for word in _words_from_file(known, name, it)]
    models = typed.pop("model", [])
    words += [word for name, it in typed.items() for word in words_of(known[name], it)]
    return context.command.make_context("sweep", [*words, *models], parent=context.parent)


def _words_from_file(known: Mapping[str, Any], name: str, values: Sequence[str]) -> Iterator[str]:
    param = known.get(name)
    if name == "model":
        yield from values
    elif param is None or (len(values) > 1 and name not in _AXES and not param.multiple):
        yield f"--vary={name}={','.join(values)}"
    elif name in _AXES and name != "system":
        yield f"--{grid.option(name)}={','.join(values)}"
    else:
        for value in values:
            flag = getattr(param, "is_flag", False)
            yield from words_of(param, (value == "yes") if flag else value)


def _show(options: ChoiceOptions, results: Sequence[Result], choice: Choice | None) -> None:
    made = table.table(results, choice)
    if options.csv is not None:
        write_csv(options.csv, names(made), to_data(made))
    if options.json:
        print_json(table.as_json(results, choice))
    elif options.md:
        command = f"\n```sh\n{choice.command}\n```\n" if choice else ""
        print_bytes(f"{to_markdown(table.blocks(results, choice))}{command}".encode())
    elif options.csv != "-":
        print_blocks(*table.blocks(results, choice))
        if choice is not None:  # whole, so that it can be copied
            typer.echo(f"  {inert(choice.command)}")
