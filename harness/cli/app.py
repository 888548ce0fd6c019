"""The application: a table of commands, each loaded when it is asked for, and one door for errors.

A new command: a function, and a line in the table. A parameter whose type is a group stands for
every option in it, under the group's name in `--help`; one without a default is the option of that
name in `harness.options`.

Defaults stand in `[run]` and `[profile.NAME]` of evalrun.toml, and in `EVALRUN_*`. What is typed
wins, then the environment, then the project's file (here), then the user's; in a file, the profile
that is asked for wins over `[run]`. typer looks the values up.
"""

from __future__ import annotations

import glob
import inspect
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from harness import __version__, catalogue
from harness.errors import EvalrunError, ExitCode, UsageError
from harness.options import DECLARED, DEFAULT_RESULTS, SHARED, CommandOptions, RunOptions
from harness.records import Fact
from harness.text import inert, nearest

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("app:run", "Ask a model every question of a suite, save each answer, show scores."),
    "compare": ("compare:compare", "Compare models or runs: is the later one really better?"),
    "sweep": ("sweep:sweep", "Try a grid of settings: which one for this machine, this job?"),
    "leaderboard": ("compare:leaderboard", "Rank every model's newest complete run."),
    "report": ("compare:report", "Write one HTML page about runs, to keep and to pass on."),
    "view": ("runs:view", "Look at runs, try models and correct verdicts in the browser."),
    "ask": ("ask:ask", "Ask one question about pictures; all answers side by side."),
    "eyes": ("eyes:eyes", "Test what an endpoint sees, on charts of known truth."),
    "runs": ("runs:list_runs", "List the runs there are, oldest first."),
    "show": ("runs:show", "Show a run: its scores, and the prompts it failed."),
    "export": ("runs:export", "Export runs as CSV: a row per prompt, or per category."),
    "regrade": ("grading:regrade", "Grade a run's kept replies again, with today's graders."),
    "check": ("suites:check", "Look a suite over: questions, answers, pictures, guessing."),
    "new": ("suites:new", "Start a suite of your own: a small one that works, or your photos."),
    "models": ("machine:models", "List the models of the catalogue, or show one."),
    "doctor": ("machine:doctor", "Check this machine: server, packages, keys, a question."),
    "grade": ("grading:grade", "Grade recorded answers: a JSON line out for every line in."),
    "audit": ("grading:audit", "Compare our verdicts with those of careful readers."),
}
"""Name -> module and function, and its line in `--help`, which is that of its docstring."""

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_OF_THE_APPLICATION = frozenset(
    ["-h", "--help", "-V", "--version", "--install-completion", "--show-completion"]
)


def run(*, options: RunOptions, command: CommandOptions, context: typer.Context) -> int:
    """Ask a model every question of a suite, save each answer, show scores.

    Without a model: the demonstration model, on a real llama.cpp server, needing no key. Defaults
    of your own stand under [run] in evalrun.toml, or in variables such as EVALRUN_MODEL.
    """
    from harness.cli import run as running  # `run --help` needs none of what it imports

    return running.run(options, command, context)


class Command(TyperCommand):
    """One command, with its options under headings."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        acts = not ctx.resilient_parsing and not {*ctx.help_option_names} & {*args}
        if acts and any(it.envvar for it in self.params):
            apply_settings(ctx)
        rest = super().parse_args(ctx, args)
        if rest and acts:  # such as NAME in `evalrun run NAME`
            word, see = inert(rest[0]), f"see `evalrun {self.name} --help`"
            named = f"name a model with --model: `evalrun --model {word}`"
            fix = (_thing(rest[0]) or named) if self.name == "run" else see
            raise UsageError(f"`evalrun {self.name}` does not take {word!r}", fix=fix)
        return rest

    def invoke(self, ctx: Any) -> Any:
        from harness.cli.output import Voice  # loads rich, and `--help` needs none of it

        check_keys(ctx)
        Voice.quiet = ctx.params.get("quiet", False)
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
            fix = _meant(args[0]) or "see `evalrun --help`"
            raise UsageError(f"{inert(args[0])!r} is not a command", fix=fix)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> None:
        """Errors we foresaw end in their message and exit code; a bug crashes."""
        try:
            code = super().invoke(ctx)
        except EvalrunError as error:
            from harness.cli.output import complain  # loads rich

            complain(f"evalrun: {inert(str(error))}")
            code = error.exit_code
        except BrokenPipeError:  # the reader of our stdout left: `evalrun runs | head`
            code = ExitCode.DONE
        _leave(int(code or ExitCode.DONE))

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


def _leave(code: int) -> None:
    """End the process. Threads may hang in a call that nobody waits for any more, and the memory
    of long runs goes back at once, instead of text by text.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # its reader has left
    except OSError as error:
        sys.stderr.write(f"evalrun: stdout cannot be written: {error.strerror}\n")
        code = code or int(ExitCode.BAD_RESULTS)
    os._exit(code)


def command_of(name: str, body: Callable[..., Any]) -> TyperCommand:
    """What typer makes of a function, whose groups are built from their options."""
    hints, taken = get_type_hints(body), inspect.signature(body).parameters

    def call(**given: Any) -> Any:
        return body(**{it: _built(hints[it], it, given) for it in taken})

    found: dict[str, inspect.Parameter] = {}
    for it in taken.values():
        for one in _parameters(it.name, hints[it.name], it.default):
            found.setdefault(one.name, one)  # of two options of one name the first counts
    call.__signature__ = inspect.Signature([*found.values()])  # type: ignore[attr-defined]
    call.__doc__ = body.__doc__
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=Command, context_settings=_CONTEXT)(call)
    built = typer.main.get_command(alone)
    assert isinstance(built, TyperCommand)
    for param in built.params:
        if getattr(param, "multiple", False):  # EVALRUN_CATEGORY=Reading,Counting
            param.type = copy(param.type)
            param.type.envvar_list_splitter = ","  # type: ignore[misc]
    return built


def _parameters(
    name: str, hint: Any, declared: Any, heading: str | None = None
) -> Iterator[inspect.Parameter]:
    """What typer reads for a parameter: each option of a group, one that stands in
    `harness.options`, one declared right here, or the context.
    """
    if is_dataclass(hint):
        under = f"{hint.__name__.removesuffix('Options')} options"  # type: ignore[union-attr]
        hints = get_type_hints(hint)
        for it in fields(hint):
            yield from _parameters(it.name, hints[it.name], it, under)
        return
    field = declared if getattr(declared, "metadata", None) else DECLARED.get(name)
    default: Any = inspect.Parameter.empty
    if field is not None:
        info = copy(field.metadata["typer"])
        info.rich_help_panel, info.show_envvar = heading, False
        shared = field is SHARED.get(name) or heading == "Command options"
        info.envvar = f"EVALRUN_{name.upper()}" if shared else None
        if hint is bool and info.default is ...:  # without flags of its own it gets no --no-FLAG
            info.param_decls = (f"--{name.replace('_', '-')}",)
        if name == "profile" and shared:
            info.is_eager, info.callback = True, apply_settings
        if field.default is not MISSING:
            default = field.default
        elif field.default_factory is not MISSING:
            default = field.default_factory()
        hint = Annotated[hint, info]
    yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _built(hint: Any, name: str, given: dict[str, Any]) -> Any:
    if not is_dataclass(hint):
        return given[name]
    hints = get_type_hints(hint)
    return hint(**{it.name: _built(hints[it.name], it.name, given) for it in fields(hint)})  # type: ignore[operator]


_MEANT: Mapping[str, str] = {
    "`evalrun runs` (measured) or `evalrun models` (known)": "list ls",
    "`evalrun runs`": "results history",
    "`evalrun --help`": "help",
    "`evalrun --version`": "version",
    "`evalrun new DIR`": "init create",
}
"""The command that does it, and the words that somebody may have typed for it."""


def _meant(word: str) -> str | None:
    """The command that somebody meant who typed a word that is none."""
    for command, words in _MEANT.items():
        if word.lower() in words.split():
            return f"did you mean {command}?"
    close = nearest(word, COMMANDS)
    return _thing(word) or (f"did you mean `evalrun {close[0]}`?" if close else None)


def _thing(word: str) -> str | None:
    """What can be done with the file, the folder or the model of that name."""
    path = Path(word)
    if path.is_dir():
        if any(path.glob("*/*.jsonl")):
            return f"for the runs in that folder: `evalrun runs --results {word}`"
        return f"for the suite in that folder: `evalrun --suite {word}`"
    if path.is_file():
        return f"a run is shown by `evalrun show {word}`, a suite asked by `evalrun --suite {word}`"
    if list(DEFAULT_RESULTS.glob(f"{glob.escape(word)}/*.jsonl")):
        return f"show its newest run: `evalrun show {word}`; or ask it: `evalrun --model {word}`"
    known = catalogue.load()
    card = known.get(word)
    close = [card.name] if card else [it for it in known.nearest(word) if it[0] == word[0].lower()]
    return f"name a model with --model: `evalrun --model {close[0]}`" if close else None


NOT_FROM_A_PROJECT = frozenset(
    ("api_key_env", "judge_api_key_env", "server_arg", "yes", "log", "models_file", "ray")
)
"""A folder that somebody else made may not send keys, steer programs, write files elsewhere or fill
the disk unasked."""
_FOUND = "evalrun.settings"
"""In a context's `meta`: the settings that became defaults."""


class Setting(NamedTuple):
    name: str
    value: Any
    file: Path
    table: str

    def __str__(self) -> str:
        return f"{self.file}: [{self.table}] {self.name.replace('_', '-')}"

    @property
    def is_projects(self) -> bool:
        return self.file == catalogue.PROJECT_FILE


def apply_settings(context: typer.Context, profile: str | None = None) -> str | None:
    """Make the files' values the defaults of the options that `run` and this command share.

    They are those with a variable. (What typer calls an eager callback, for --profile.)
    Raises: UsageError, naming the file and the key.
    """
    known = {it.name or "": it for it in context.command.params if it.envvar}
    context.meta[_FOUND] = found = {}
    typed: dict[str, Any] = {}
    for name, setting in _read(profile).items():
        if name not in known or name == "profile":
            if context.command.name == "run":
                raise unknown(name, known, f"{setting} is not an option of `evalrun run`")
            continue
        if name in NOT_FROM_A_PROJECT and setting.is_projects:
            raise UsageError(
                f"{setting} may not come from the folder that evalrun runs in",
                fix=f"put it into your own file, {catalogue.user_files()[0]}, or type the option",
            )
        found[name] = setting
        value, several = setting.value, known[name].multiple
        words = [str(it) for it in (value if isinstance(value, list) else [value])]
        try:
            if len(words) != 1 and not several:
                raise typer.BadParameter("takes one value")  # noqa: TRY301
            # As the command line would bring it, so that 3.5 is as little a count here as there.
            typed[name] = words if several else words[0]
            known[name].type_cast_value(context, typed[name])
        except typer.BadParameter as error:
            raise UsageError(f"{setting}: {error.message}", fix="correct it in the file") from error
    context.default_map = typed
    return profile


def check_keys(context: typer.Context) -> None:
    """Raises: UsageError where a key that was not typed would go where the project's file says."""
    found: Mapping[str, Setting] = context.meta.get(_FOUND, {})
    for judge in ("", "judge_"):
        key = f"{judge}api_key_env"
        if context.params.get(key) is None or is_typed(context, key):
            continue
        for name in (f"{judge}base_url", f"{judge}backend"):
            if _source(context, name) == "DEFAULT_MAP" and found[name].is_projects:
                raise UsageError(
                    f"{found[name]} says where to ask, and a key would be sent there",
                    fix=f"type --{key.replace('_', '-')} {context.params[key]} to send it there",
                )


def unknown(name: str, known: Iterable[str], problem: str) -> UsageError:
    """For an option that does not exist; the fix names the nearest."""
    close = nearest(name, known, most=1)
    fix = f"did you mean {close[0].replace('_', '-')}?" if close else "remove it"
    return UsageError(problem, fix=fix)


def is_typed(context: typer.Context, name: str) -> bool:
    return _source(context, name) == "COMMANDLINE"


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    return source.name if source is not None else "DEFAULT"


def origins(context: typer.Context, entry: Mapping[str, Fact[Any]]) -> Iterator[str]:
    """The options that do not have their default, with their value and where it came from.

    `entry`: those that the model's own entry in the catalogue decided.
    """
    from harness.transport import masked  # loads httpx, and `run --help` comes by here

    found: Mapping[str, Setting] = context.meta.get(_FOUND, {})
    values = [(it, value, _where(context, it, found)) for it, value in context.params.items()]
    values += [
        (it, fact.value, f"the model's entry in {fact.source}") for it, fact in entry.items()
    ]
    for name, value, where in values:
        if where is not None:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield f"--{name.replace('_', '-')} {masked(text)} ({where})"


def _where(context: typer.Context, name: str, found: Mapping[str, Setting]) -> str | None:
    """Where a value comes from, unless it is the usual one."""
    source = _source(context, name)
    if source == "DEFAULT_MAP":
        return f"[{found[name].table}] of {found[name].file}"
    return {"COMMANDLINE": "typed", "ENVIRONMENT": f"$EVALRUN_{name.upper()}"}.get(source)


def _read(profile: str | None) -> dict[str, Setting]:
    """Option -> the value that wins among the files.

    Raises: UsageError for a file that cannot be read, or a profile that no file has.
    """
    files = [(file, from_toml(file)) for file in catalogue.user_files()]
    named = [(file, _table(file, it, "profile")) for file, it in files]
    tables = [("run", file, _table(file, it, "run")) for file, it in files]
    if profile is not None:
        known = sorted({name for _, profiles in named for name in profiles})
        if profile not in known:
            raise UsageError(
                f"there is no profile {profile!r} (there are: {', '.join(known) or 'none'})",
                fix=f"write [profile.{profile}] into evalrun.toml",
            )
        tables += [(f"profile.{profile}", file, _table(file, it, profile)) for file, it in named]
    found = [
        Setting(key.replace("-", "_"), value, file, table)
        for table, file, values in tables
        for key, value in values.items()
    ]
    return {it.name: it for it in found}


def _table(file: Path, content: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{file}: {name} is not a table", fix=f"write [{name}]")
    return table


def from_toml(file: Path) -> dict[str, Any]:
    """Of a TOML file; nothing where there is none. Raises: UsageError."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}", fix="mend or move the file") from error


app = typer.Typer(
    name="evalrun",
    cls=Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: loading rich's Markdown for it takes 0.2 s
    context_settings=_CONTEXT,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"evalrun {__version__}")
        raise typer.Exit


@app.callback()
def _application(
    version: bool = typer.Option(
        False, "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Measure how well vision-language models answer questions about pictures.

    `evalrun --model NAME` and `evalrun run --model NAME` are the same. Without a model, a small
    demonstration model is asked: no key, no download.
    """
