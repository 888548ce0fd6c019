"""Which llama.cpp server to run, and with which flags."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

from harness.adapters.llamacpp import child
from harness.errors import TargetError, UsageError, install_command
from harness.text import nearest

SERVER_VARIABLE = "EVALRUN_LLAMA_SERVER"
_NOT_PASSED_ON = re.compile(r"^LLAMA_|KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
CUDA_WHEELS = "https://xorbitsai.github.io/xllamacpp/whl/cu128"
"""For CUDA 12.8; of the project itself, as its page on PyPI says."""
_HELP_LIMIT_S = 60.0
_BARE_FLAGS = ("--offline", "--jinja", "--no-webui")
"""Never fetch anything; use the template inside the GGUF; no web page."""
_MICRO_BATCH, _BATCH = 512, 2048
"""llama.cpp's own, in tokens. A picture whose tokens see one another has to fit into the first."""
_OURS: dict[str, str] = {
    "--model": "--gguf",
    "--mmproj": "--mmproj",
    "--alias": "--model",
    "--parallel": "--concurrency",
    "--cache-ram": "--cold",
    "--image-min-tokens": "--image-tokens",
    "--image-max-tokens": "--image-tokens",
}
"""Flags that an option of ours sets."""
_NEEDED = re.compile(
    r"--(?:host|port|path|api-.+|ssl-.+|log-.+|hf-.+|(?:model|mmproj)-url|models-.+|offline"
    r"|(?:no-)?(?:jinja|webui|ui|mmproj|cache-prompt|slots)|embeddings?|reranking|help|version|list-devices)"
)
"""Flags that would take a server from us, or make it another kind of server."""


class Program(Struct, frozen=True, kw_only=True):
    """A llama.cpp server that can be started here."""

    command: tuple[str, ...]
    flags: frozenset[str]
    """The long flags it knows: an unknown one would end it at once."""
    build: str | None = None
    """None: ask its /props."""


class Settings(Struct, frozen=True, kw_only=True):
    """How a server is started. All of it is explicit: defaults differ between builds."""

    gguf: Path
    mmproj: Path | None
    alias: str
    context_tokens: int
    """Per slot."""
    slots: int
    threads: int | None
    """None: as many as llama.cpp thinks right."""
    cache_ram_mib: int
    """Host memory for prompts that gave up their slot; 0 switches that cache off."""
    image_tokens: tuple[int, int] | None = None
    """The fewest and the most a picture takes, where its projector can be told."""
    extra: tuple[str, ...] = ()
    """Flags of the user's, each as `--flag` or `--flag=value`; they win over `threads`."""


def find(*, wheel_first: bool = False) -> Program:
    """The server named in the environment, else `llama-server` on PATH, else the wheel's.

    Raises: TargetError when there is none, or the one named does not run.
    """
    if named := os.environ.get(SERVER_VARIABLE):
        if path := shutil.which(named):
            return _foreign(path)
        raise TargetError(
            f"{SERVER_VARIABLE} names {named!r}, which is not a program",
            fix=f"set {SERVER_VARIABLE} to the llama-server to run, or unset it",
        )
    wheel, path = _wheel(), shutil.which("llama-server")
    if path is not None and not (wheel and wheel_first):
        return _foreign(path)
    if wheel is not None:
        return wheel
    raise TargetError(
        "there is no llama.cpp server on this machine",
        fix=f"{install_command('local')}, or put llama.cpp's `llama-server` on PATH",
    )


def available() -> bool:
    """Whether there is a server to start. Nothing is run to find out."""
    return bool(
        os.environ.get(SERVER_VARIABLE)
        or shutil.which("llama-server")
        or importlib.util.find_spec("xllamacpp")
    )


def has_gpu(program: Program) -> bool | None:
    """Whether it can compute on some card of this machine; None when it does not tell."""
    if "--list-devices" not in program.flags:
        return None
    try:
        listed = _output([*program.command, "--list-devices"])[1]
    except (OSError, subprocess.TimeoutExpired):
        return None
    return bool(re.search(r"^\s+\w+: ", listed, re.MULTILINE))


def idle_gpu(gpu: str, found: Program) -> str:
    """The warning for a machine whose card this server cannot compute on."""
    named = found.build or found.command[0]
    return f"there is an {gpu}, but {named} computes on the CPU alone: {gpu_fix(found)}"


def gpu_fix(found: Program) -> str:
    """How to come by a server that uses an NVIDIA card."""
    if child.__file__ in found.command:
        return f"pip install xllamacpp --force-reinstall --index-url {CUDA_WHEELS}"
    return "take a build of llama.cpp with CUDA"


def _wheel() -> Program | None:
    if importlib.util.find_spec("xllamacpp") is None:
        return None
    from importlib.metadata import version  # slow to load, and every run comes by this module

    return Program(
        command=(sys.executable, "-P", child.__file__),
        flags=frozenset([*child.SETTERS, *child.SWITCHES, "--list-devices"]),
        build=f"xllamacpp {version('xllamacpp')}",
    )


def _foreign(path: str) -> Program:
    """Ask a binary we do not know which flags it has."""
    try:
        code, answer = _output([path, "--help"])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _does_not_run(path, str(error)) from error
    flags = frozenset(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", answer))
    if "--model" not in flags:
        nothing = f"exit code {code} and no output"
        raise _does_not_run(path, answer.strip() or nothing)
    if "--mmproj" not in flags:
        raise TargetError(
            f"{path} is too old to take pictures: it has no --mmproj",
            fix=f"update llama.cpp, or name another server with {SERVER_VARIABLE}=PATH",
        )
    return Program(command=(path,), flags=flags)


def _output(command: list[str]) -> tuple[int, str]:
    """Exit code and whatever it writes."""
    asked = subprocess.run(
        command,
        env=clean_environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_HELP_LIMIT_S,
        check=False,
    )
    return asked.returncode, asked.stdout


def _does_not_run(path: str, answer: str) -> TargetError:
    return TargetError(
        f"`{path} --help` does not answer as a llama.cpp server does:\n    {answer[-300:]}",
        fix=f"repair or update it, or name another with {SERVER_VARIABLE}=PATH",
    )


def check(program: Program, settings: Settings) -> None:
    """Raises: UsageError for flags that this server lacks, or that would undo what a run needs."""
    given = {it: it.partition("=")[0] for it in settings.extra}
    batches = ("--batch-size", "--ubatch-size") if settings.image_tokens else ()
    ours = _OURS | dict.fromkeys(batches, "--image-tokens")
    for argument, flag in given.items():
        if not re.fullmatch(r"--[a-z][a-z0-9-]*", flag):
            raise UsageError(
                f"--server-arg {argument!r} is not a long flag of llama-server",
                fix="write it as --server-arg=--flag or --server-arg=--flag=value",
            )
        if flag in ours or _NEEDED.fullmatch(flag):
            raise UsageError(
                f"--server-arg={flag} would undo a setting that evalrun makes itself",
                fix=f"use {ours[flag]}" if flag in ours else "leave it out",
            )
    wanted = [*given.values(), *(["--image-max-tokens"] if settings.image_tokens else [])]
    if missing := [flag for flag in wanted if flag not in program.flags]:
        named = program.build or program.command[0]
        near = nearest(missing[0], program.flags)
        meant = f"give one that it knows ({', '.join(near)} come nearest), or " if near else ""
        raise UsageError(
            f"{named} does not know {', '.join(missing)}",
            fix=f"{meant}name another llama-server with {SERVER_VARIABLE}=PATH",
        )


def command_line(program: Program, settings: Settings, port: int) -> list[str]:
    """The command that starts the server. The key is not in it: everybody can read it in `ps`.

    Layers on the GPU are left to llama.cpp, which fits them to the memory it finds.
    """
    extra = dict(it.partition("=")[::2] for it in settings.extra)
    options = {**_options(settings, port), **dict.fromkeys(_BARE_FLAGS, ""), **extra}
    line = [*program.command]
    for flag, value in options.items():
        if flag in program.flags:
            line += [flag, value] if value else [flag]
    return line


def _options(settings: Settings, port: int) -> dict[str, str]:
    options = {
        "--model": str(settings.gguf),
        "--alias": settings.alias,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--ctx-size": str(settings.context_tokens * settings.slots),
        "--parallel": str(settings.slots),
        "--cache-ram": str(settings.cache_ram_mib),
    }
    if settings.mmproj is not None:
        options["--mmproj"] = str(settings.mmproj)
    if settings.threads is not None:
        options["--threads"] = options["--threads-batch"] = str(settings.threads)
    if settings.image_tokens is not None:
        fewest, most = settings.image_tokens
        options |= {
            "--image-min-tokens": str(fewest),
            "--image-max-tokens": str(most),
            "--ubatch-size": str(max(_MICRO_BATCH, most)),
            "--batch-size": str(max(_BATCH, most)),
        }
    return options


def clean_environ() -> dict[str, str]:
    """The environment without llama.cpp's own variables, which would change the run unseen, and
    without keys: a server of our own downloads nothing and pays nobody."""
    return {name: value for name, value in os.environ.items() if not _NOT_PASSED_ON.search(name)}
