"""The application: a table of commands, each loaded when it is asked for, and one door for errors.

A new command: a function that typer reads, and a line in the table. One thing is ours: a parameter
(or a field) whose type is a group stands for every option in it, and the group's name is their
heading in `--help`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import OptionInfo

from harness import __version__
from harness.cli.output import complain, leave
from harness.errors import EvalrunError, ExitCode
from harness.text import inert

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("run:run", "Ask a model every question of a suite, save each answer, show scores."),
        "compare": ("comparing:compare", "Compare models or runs: is the later one really better?"),
        "sweep": ("sweep:sweep", "Try a grid of settings: which one for this machine, this job?"),
        "leaderboard": ("comparing:leaderboard", "Rank every model's newest complete run."),
        "report": ("pages:report", "Write one HTML page about runs, to keep and to pass on."),
        "view": ("pages:view", "Look at runs, try models and correct verdicts in the browser."),
        "ask": ("ask:ask", "Ask one question about pictures; all answers side by side."),
        "eyes": ("eyes:eyes", "Test what an endpoint sees, on charts of known truth."),
        "runs": ("runs:list_runs", "List the runs there are, oldest first."),
        "show": ("runs:show", "Show a run: its scores, and the prompts it failed."),
        "export": ("runs:export", "Export runs as CSV: a row per prompt, or per category."),
        "regrade": ("grading:regrade", "Grade a run's kept replies again, with today's graders."),
        "check": ("suites:check", "Look a suite over: questions, answers, pictures, guessing."),
        "new": ("suites:new", "Start a suite of your own: a small one that works, or your photos."),
        "models": ("here:models", "List the models of the catalogue, or show one."),
        "doctor": ("here:doctor", "Check this machine: server, packages, keys, a question."),
        "grade": ("grading:grade", "Grade recorded answers: a JSON line out for every line in."),
        "audit": ("grading:audit", "Compare our verdicts with those of careful readers."),
    }
)
"""Name -> module and function, and its line in `--help`, which is that of its docstring."""

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_OF_THE_APPLICATION = frozenset(
    ["-h", "--help", "-V", "--version", "--install-completion", "--show-completion"]
)


class Command(TyperCommand):
    """One command, with its options under headings."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        asks_for_help = bool({*ctx.help_option_names} & {*args})
        if any(it.envvar for it in self.params) and not (ctx.resilient_parsing or asks_for_help):
            from harness.cli import settings  # loads the catalogue

            settings.apply(ctx)
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            from harness.cli import guesses  # loads the catalogue

            raise guesses.unexpected_words(self.name or "", rest)
        return rest

    def invoke(self, ctx: Any) -> Any:
        from harness.cli import settings  # loads the catalogue

        settings.check_keys(ctx)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        headings: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                of_its_kind = f"{param.param_type_name}s".capitalize()
                heading = getattr(param, "rich_help_panel", None) or of_its_kind
                headings.setdefault(heading, []).append(record)
        for heading, records in headings.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def command_of(name: str, body: Callable[..., Any]) -> TyperCommand:
    """What typer makes of a function."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=Command, context_settings=_SETTINGS)(_flattened(body))
    built = typer.main.get_command(alone)
    assert isinstance(built, TyperCommand)
    for param in built.params:
        if getattr(param, "multiple", False):  # EVALRUN_CATEGORY=Reading,Counting
            param.type = copy(param.type)
            param.type.envvar_list_splitter = ","  # type: ignore[misc]
    return built


class Commands(TyperGroup):
    """The commands by name; only the one asked for is imported. It may return an exit code."""

    def list_commands(self, _: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name][0].split(":")
        return command_of(cmd_name, getattr(import_module(f"harness.cli.{module}"), function))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from harness.cli import guesses  # loads the catalogue

            raise guesses.unknown_command(args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> None:
        """Errors we foresaw end in their message and exit code; a bug crashes."""
        try:
            code = super().invoke(ctx)
        except EvalrunError as error:
            complain(f"evalrun: {inert(str(error))}")
            code = error.exit_code
        except BrokenPipeError:  # the reader of our stdout left: `evalrun runs | head`
            code = ExitCode.DONE
        leave(int(code or ExitCode.DONE))

    def format_commands(self, _: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`evalrun --model X` is short for `evalrun run --model X`."""
        completing = not args and ctx.resilient_parsing
        first = args[0] if args else "-"
        if first.startswith("-") and first not in _OF_THE_APPLICATION and not completing:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _flattened(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command` as typer reads it: the options of its groups one by one.

    Of two options of one name the first counts.
    """
    hints = get_type_hints(command, include_extras=True)
    taken = inspect.signature(command).parameters

    def call(**given: Any) -> Any:
        return command(**{name: _built(hints[name], name, given) for name in taken})

    parameters: dict[str, inspect.Parameter] = {}
    for name, parameter in taken.items():
        for one in _parameters(name, hints[name], parameter.default, heading=None):
            parameters.setdefault(one.name, one)
    call.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    call.__doc__ = command.__doc__
    return call


_SHARED = ("harness.options", "harness.cli.run")
"""Where the groups stand whose options take defaults from [run] and EVALRUN_*, in every command."""


def _parameters(
    name: str, hint: Any, default: Any, *, heading: str | None, shared: bool = False
) -> Iterator[inspect.Parameter]:
    if is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        under = f"{hint.__name__.removesuffix('Options')} options"  # type: ignore[union-attr]
        shared = hint.__module__ in _SHARED
        for it in fields(hint):
            yield from _parameters(
                it.name, hints[it.name], _default(it), heading=under, shared=shared
            )
        return
    if heading is not None:
        kind, info = get_args(hint)
        info = copy(info)
        info.rich_help_panel = heading
        if isinstance(info, OptionInfo) and shared:
            info.envvar, info.show_envvar = f"EVALRUN_{name.upper()}", False
        hint = Annotated[kind, info]
    yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _default(it: Field[Any]) -> Any:
    if it.default_factory is not MISSING:
        return it.default_factory()
    return inspect.Parameter.empty if it.default is MISSING else it.default


def _built(hint: Any, name: str, given: dict[str, Any]) -> Any:
    if not is_dataclass(hint):
        return given[name]
    hints = get_type_hints(hint, include_extras=True)
    return hint(**{it.name: _built(hints[it.name], it.name, given) for it in fields(hint)})  # type: ignore[operator]


app = typer.Typer(
    name="evalrun",
    cls=Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: loading rich's Markdown for it takes 0.2 s
    context_settings=_SETTINGS,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"evalrun {__version__}")
        raise typer.Exit


@app.callback()
def _application(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Measure how well vision-language models answer questions about pictures.

    `evalrun --model NAME` and `evalrun run --model NAME` are the same. Without a model, a small
    demonstration model is asked: no key, no download.
    """
