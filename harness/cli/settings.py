"""Defaults that stay: `[run]` and `[profile.NAME]` of evalrun.toml, and `EVALRUN_*` variables.

An option that is typed wins, then the environment, then the project's file (here), then the
user's; in a file, the profile that is asked for wins over `[run]`. typer looks the values up.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import typer

from harness import catalogue
from harness.errors import UsageError
from harness.records import Fact
from harness.text import nearest

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


def apply(context: typer.Context, profile: str | None = None) -> str | None:
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
