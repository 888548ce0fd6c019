"""Defaults that stay: `[run]` and `[profile.NAME]` of evalrun.toml, and `EVALRUN_*` variables.

An option that is typed wins, then the environment, then the project's file (here), then the
user's; in a file, the profile that is asked for wins over `[run]`. typer looks the values up.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
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
    value: Any
    file: Path
    table: str


def apply(context: typer.Context, profile: str | None = None) -> str | None:
    """Make the files' values the defaults of the options that `run` and this command share.

    They are those with a variable. (What typer calls an eager callback, for --profile.)
    Raises: UsageError, naming the file and the key.
    """
    known = {it.name or "": it for it in context.command.params if it.envvar}
    found = {}
    for name, setting in read(profile).items():
        where = f"{setting.file}: [{setting.table}] {name.replace('_', '-')}"
        if name not in known or name == "profile":
            if context.command.name != "run":
                continue
            close = nearest(name, known, most=1)
            raise UsageError(
                f"{where} is not an option of `evalrun run`",
                fix=f"did you mean {close[0].replace('_', '-')}?" if close else "remove it",
            )
        if name in NOT_FROM_A_PROJECT and _is_projects(setting):
            raise UsageError(
                f"{where} may not come from the folder that evalrun runs in",
                fix=f"put it into your own file, {catalogue.user_files()[0]}, or type the option",
            )
        try:
            found[name] = setting._replace(value=_as_typed(setting.value, known[name], context))
        except typer.BadParameter as error:
            raise UsageError(f"{where}: {error.message}", fix="correct it in the file") from error
    context.default_map = {name: setting.value for name, setting in found.items()}
    context.meta[_FOUND] = found
    return profile


def check_keys(context: typer.Context) -> None:
    """Raises: UsageError where a key that was not typed would go where the project's file says."""
    found: Mapping[str, Setting] = context.meta.get(_FOUND, {})
    for judge in ("", "judge_"):
        key = f"{judge}api_key_env"
        if context.params.get(key) is None or _source(context, key) == "COMMANDLINE":
            continue
        for name in (f"{judge}base_url", f"{judge}backend"):
            if _source(context, name) == "DEFAULT_MAP" and _is_projects(found[name]):
                where = f"{found[name].file}: [{found[name].table}] {name.replace('_', '-')}"
                raise UsageError(
                    f"{where} says where to ask, and a key would be sent there",
                    fix=f"type --{key.replace('_', '-')} {context.params[key]} to send it there",
                )


def _is_projects(setting: Setting) -> bool:
    return setting.file == catalogue.PROJECT_FILE


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    return source.name if source is not None else "DEFAULT"


def _as_typed(value: Any, param: Any, context: typer.Context) -> Any:
    """The value as the command line would bring it, so that 3.5 is as little a count here as there.

    Raises: typer.BadParameter.
    """
    listed = value if isinstance(value, list) else [value]
    if len(listed) != 1 and not param.multiple:
        raise typer.BadParameter("takes one value")
    words = [str(it) for it in listed]
    typed = words if param.multiple else words[0]
    param.type_cast_value(context, typed)
    return typed


def origins(context: typer.Context, entry: Mapping[str, Fact[Any]]) -> Iterator[str]:
    """The options that do not have their default, with their value and where it came from.

    `entry`: those that the model's own entry in the catalogue decided.
    """
    from harness.transport import masked  # loads httpx, and `run --help` comes by here

    found: Mapping[str, Setting] = context.meta.get(_FOUND, {})
    for param in context.command.params:
        name = param.name or ""
        kind = _source(context, name)
        where = {"COMMANDLINE": "typed", "ENVIRONMENT": f"${param.envvar}"}.get(kind)
        if kind == "DEFAULT_MAP":
            where = f"[{found[name].table}] of {found[name].file}"
        if where is not None:
            yield f"--{name.replace('_', '-')} {masked(_shown(context.params[name]))} ({where})"
    for name, fact in entry.items():
        where = f"the model's entry in {fact.source}"
        yield f"--{name.replace('_', '-')} {masked(_shown(fact.value))} ({where})"


def read(profile: str | None) -> dict[str, Setting]:
    """Option -> the value that wins among the files.

    Raises: UsageError for a file that cannot be read, or a profile that no file has.
    """
    found: dict[str, Setting] = {}
    profiles: set[str] = set()
    contents = {file: from_toml(file) for file in catalogue.user_files()}
    for file, content in contents.items():
        for key, value in _table(file, content, "run").items():
            found[key.replace("-", "_")] = Setting(value, file, "run")
    for file, content in contents.items():
        named = _table(file, content, "profile")
        profiles |= named.keys()
        for key, value in _table(file, named, str(profile)).items():
            found[key.replace("-", "_")] = Setting(value, file, f"profile.{profile}")
    if profile is not None and profile not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"there is no profile {profile!r} (there are: {known})",
            fix=f"write [profile.{profile}] into evalrun.toml",
        )
    return found


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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", fix="mend or move the file") from error


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
