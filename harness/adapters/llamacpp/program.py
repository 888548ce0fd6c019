"""Which llama.cpp server to run, and with which flags."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from harness.errors import TargetError, install_command

SERVER_VARIABLE = "EVALRUN_LLAMA_SERVER"
_NOT_PASSED_ON = re.compile(r"^LLAMA_|KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_HELP_LIMIT_S = 60.0
_CHILD = Path(__file__).with_name("child.py")
_BARE_FLAGS = ("--offline", "--jinja", "--no-webui")
"""Never fetch anything; use the template inside the GGUF; no web page."""


class Program(Struct, frozen=True, kw_only=True):
    """A llama.cpp server that can be started here."""

    command: tuple[str, ...]
    flags: frozenset[str] | None = None
    """The long flags it knows (an unknown one would end it at once); None: all that we use."""
    build: str | None = None
    """None: ask its /props."""


class Settings(Struct, frozen=True, kw_only=True):
    """How a server is started. All of it is explicit: defaults differ between builds."""

    gguf: Path
    mmproj: Path
    alias: str
    context_tokens: int
    """Per slot."""
    slots: int
    threads: int | None
    """None: as many as llama.cpp thinks right."""
    cache_ram_mib: int
    """Host memory for prompts that gave up their slot; 0 switches that cache off."""


def find(environ: Mapping[str, str], *, wheel_first: bool = False) -> Program:
    """The server named in the environment, else `llama-server` on PATH, else the wheel's.

    Raises: TargetError when there is none, or the one named does not run.
    """
    named = environ.get(SERVER_VARIABLE)
    if named:
        path = shutil.which(named)
        if path is None:
            raise TargetError(
                f"{SERVER_VARIABLE} names {named!r}, which is not a program",
                fix=f"set {SERVER_VARIABLE} to the llama-server to run, or unset it",
            )
        return _foreign(path)
    wheel = _wheel()
    if wheel is not None and wheel_first:
        return wheel
    path = shutil.which("llama-server", path=environ.get("PATH"))
    if path is not None:
        return _foreign(path)
    if wheel is not None:
        return wheel
    raise TargetError(
        "there is no llama.cpp server on this machine",
        fix=f"{install_command('local')}, or put llama.cpp's `llama-server` on PATH",
    )


def available(environ: Mapping[str, str]) -> bool:
    """Whether there is a server to start. Nothing is run to find out."""
    return bool(
        environ.get(SERVER_VARIABLE)
        or shutil.which("llama-server", path=environ.get("PATH"))
        or importlib.util.find_spec("xllamacpp")
    )


def _wheel() -> Program | None:
    if importlib.util.find_spec("xllamacpp") is None:
        return None
    from importlib.metadata import version  # slow to load, and every run comes by this module

    return Program(
        command=(sys.executable, "-P", str(_CHILD)),
        build=f"xllamacpp {version('xllamacpp')}",
    )


def _foreign(path: str) -> Program:
    """Ask a binary we do not know which flags it has."""
    try:
        asked = subprocess.run(
            [path, "--help"],
            env=clean(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_HELP_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _does_not_run(path, str(error)) from error
    answer = asked.stdout + asked.stderr
    flags = frozenset(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", answer))
    if "--model" not in flags:
        nothing = f"exit code {asked.returncode} and no output"
        raise _does_not_run(path, answer.strip() or nothing)
    if "--mmproj" not in flags:
        raise TargetError(
            f"{path} is too old to take pictures: it has no --mmproj",
            fix=f"update llama.cpp, or name another server with {SERVER_VARIABLE}=PATH",
        )
    return Program(command=(path,), flags=flags)


def _does_not_run(path: str, answer: str) -> TargetError:
    return TargetError(
        f"`{path} --help` does not answer as a llama.cpp server does:\n    {answer[-300:]}",
        fix=f"repair or update it, or name another with {SERVER_VARIABLE}=PATH",
    )


def command_line(program: Program, settings: Settings, port: int) -> list[str]:
    """The command that starts the server. The key is not in it: everybody can read it in `ps`.

    Layers on the GPU are left to llama.cpp, which fits them to the memory it finds.
    """
    known = program.flags
    line = [*program.command]
    for flag, value in _options(settings, port).items():
        if known is None or flag in known:
            line += [flag, value]
    return line + [flag for flag in _BARE_FLAGS if known is None or flag in known]


def _options(settings: Settings, port: int) -> dict[str, str]:
    options = {
        "--model": str(settings.gguf),
        "--mmproj": str(settings.mmproj),
        "--alias": settings.alias,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--ctx-size": str(settings.context_tokens * settings.slots),
        "--parallel": str(settings.slots),
        "--cache-ram": str(settings.cache_ram_mib),
    }
    if settings.threads is not None:
        options["--threads"] = options["--threads-batch"] = str(settings.threads)
    return options


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without llama.cpp's own variables, which would change the run unseen, and
    without keys: a server of our own downloads nothing and pays nobody."""
    return {name: value for name, value in environ.items() if not _NOT_PASSED_ON.search(name)}
