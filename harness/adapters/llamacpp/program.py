"""Which llama.cpp server to run, and with which flags."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from harness.adapters import machine
from harness.adapters.base import Target
from harness.adapters.endpoints import budget_of
from harness.adapters.llamacpp.files import Files
from harness.errors import TargetError, UsageError, install_command
from harness.records import GgufSource
from harness.text import nearest

SERVER_VARIABLE = "EVALRUN_LLAMA_SERVER"
PROMPT_ROOM_TOKENS = 8192
"""For the picture, the question and the template; what may be generated comes on top."""
_CUDA_WHEEL = (
    "pip install xllamacpp --force-reinstall "
    "--index-url https://xorbitsai.github.io/xllamacpp/whl/cu128"
)
"""For CUDA 12.8; of the project itself, as its page on PyPI says."""
_CHILD = Path(__file__).with_name("child.py")
_CACHE_RAM_MIB = 2048
"""Host memory for prompts that gave up their slot."""
_MICRO_BATCH, _BATCH = 512, 2048
"""llama.cpp's own, in tokens. A picture whose tokens see one another has to fit into the first."""
_NOT_PASSED_ON = re.compile(r"^LLAMA_|KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_OPTIONS = {
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

    def __str__(self) -> str:
        return self.build or self.command[0]

    def sees_gpu(self) -> bool | None:
        """Whether it can compute on some card of this machine; None when it does not tell."""
        if "--list-devices" not in self.flags:
            return None
        try:
            listed = _output([*self.command, "--list-devices"])[1]
        except (OSError, subprocess.TimeoutExpired):
            return None
        return bool(re.search(r"^\s+\w+: ", listed, re.MULTILINE))

    def gpu_fix(self) -> str:
        """How to come by a server that uses an NVIDIA card."""
        if str(_CHILD) in self.command:
            return _CUDA_WHEEL
        return f"take a build of llama.cpp with CUDA, or in its place the wheel: {_CUDA_WHEEL}"


def find(*, wheel_first: bool = False) -> Program:
    """The server named in the environment, else `llama-server` on PATH, else the wheel's.

    Raises: TargetError when there is none, or the one named does not run.
    """
    if named := os.environ.get(SERVER_VARIABLE):
        if path := shutil.which(named):
            return _asked_for_its_flags(path)
        raise TargetError(
            f"{SERVER_VARIABLE} names {named!r}, which is not a program",
            fix=f"set {SERVER_VARIABLE} to the llama-server to run, or unset it",
        )
    has_wheel, path = bool(importlib.util.find_spec("xllamacpp")), shutil.which("llama-server")
    if path is not None and not (has_wheel and wheel_first):
        return _asked_for_its_flags(path)
    if has_wheel:
        from importlib.metadata import version  # slow to load, and every run comes by this module

        from harness.adapters.llamacpp import child

        return Program(
            command=(sys.executable, "-P", str(_CHILD)),
            flags=frozenset([*child.FLAGS, *child.SWITCHES, "--list-devices"]),
            build=f"xllamacpp {version('xllamacpp')}",
        )
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


def _asked_for_its_flags(path: str) -> Program:
    try:
        code, answer = _output([path, "--help"])
    except (OSError, subprocess.TimeoutExpired) as error:
        code, answer = -1, str(error)
    flags = frozenset(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", answer))
    if not {"--model", "--mmproj"} <= flags:
        shown = answer.strip()[-300:] or f"exit code {code} and no output"
        what = (
            "is too old to take pictures: it has no --mmproj"
            if "--model" in flags
            else f"does not answer --help as a llama.cpp server does:\n    {shown}"
        )
        raise TargetError(
            f"{path} {what}",
            fix=f"repair or update it, or name another with {SERVER_VARIABLE}=PATH",
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
        timeout=60.0,
        check=False,
    )
    return asked.returncode, asked.stdout


def context_for(target: Target, source: GgufSource | None) -> int:
    """Tokens of a slot: a prompt with its picture, and what may be generated."""
    sampling = target.sampling
    return (
        max(PROMPT_ROOM_TOKENS, (source and source.context_tokens) or 0)
        + (target.image_tokens or (0, 0))[1]
        + max(sampling.max_tokens, sampling.max_tokens_retry or 0)
        + budget_of(target)
    )


def flags_for(program: Program, target: Target, files: Files) -> dict[str, str]:
    """Flag -> value ("": none) for a server with `files`. All explicit: defaults differ between
    builds. Only layers on the GPU are left to llama.cpp, which fits them to the memory it finds.

    Raises: UsageError for flags that this server lacks, or that would undo what a run needs.
    """
    slots, thinking = target.concurrency or 1, target.sampling.thinking
    fewest, most = target.image_tokens or (0, 0)
    context = context_for(target, files.source)
    flags = {
        "--model": str(files.gguf),
        "--alias": target.model,
        "--host": "127.0.0.1",
        "--ctx-size": str(context * slots),
        "--parallel": str(slots),
        "--cache-ram": "0" if target.cold else str(_CACHE_RAM_MIB),
        **dict.fromkeys(("--offline", "--jinja", "--no-webui"), ""),
    }
    if files.mmproj is not None:
        flags["--mmproj"] = str(files.mmproj)
    if threads := machine.compute_threads(files.gguf.stat().st_size):
        flags["--threads"] = flags["--threads-batch"] = str(threads)
    of_pictures = {}
    if target.image_tokens:
        of_pictures = {
            "--image-min-tokens": str(fewest),
            "--image-max-tokens": str(most),
            "--ubatch-size": str(max(_MICRO_BATCH, most)),
            "--batch-size": str(max(_BATCH, most)),
        }
    given = dict(it.partition("=")[::2] for it in target.server_args)
    _check(program, given, _OPTIONS | dict.fromkeys(of_pictures, "--image-tokens"))
    if thinking.isdecimal() and "--reasoning-budget-message" not in program.flags:
        raise UsageError(  # that flag came with the parameter: ggml-org/llama.cpp#20297
            f"--thinking {thinking}: {program} takes no number of tokens",
            fix="give --thinking off, low, medium or high, or take a newer llama.cpp",
        )
    every = {**flags, **of_pictures, **given}
    return {flag: value for flag, value in every.items() if flag in program.flags}


def _check(program: Program, given: Iterable[str], ours: Mapping[str, str]) -> None:
    """Raises: UsageError for flags of the user's that do not go."""
    for flag in given:
        if not re.fullmatch(r"--[a-z][a-z0-9-]*", flag):
            raise UsageError(
                f"--server-arg {flag!r} is not a long flag of llama-server",
                fix="write it as --server-arg=--flag or --server-arg=--flag=value",
            )
        if flag in ours or _NEEDED.fullmatch(flag):
            raise UsageError(
                f"--server-arg={flag} would undo a setting that evalrun makes itself",
                fix=f"use {ours[flag]}" if flag in ours else "leave it out",
            )
    needed = [*given, *(["--image-max-tokens"] if "--ubatch-size" in ours else [])]
    if missing := [flag for flag in needed if flag not in program.flags]:
        near = ", ".join(nearest(missing[0], program.flags))
        meant = f"give one that it knows ({near} come nearest), or " if near else ""
        raise UsageError(
            f"{program} does not know {', '.join(missing)}",
            fix=f"{meant}name another llama-server with {SERVER_VARIABLE}=PATH",
        )


def command_line(program: Program, flags: dict[str, str]) -> list[str]:
    """The command that starts the server. The key is not in it: everybody can read it in `ps`."""
    words = ([flag, value] if value else [flag] for flag, value in flags.items())
    return [*program.command, *(it for pair in words for it in pair)]


def clean_environ() -> dict[str, str]:
    """The environment without llama.cpp's own variables, which would change the run unseen, and
    without keys: a server of our own downloads nothing and pays nobody."""
    return {name: value for name, value in os.environ.items() if not _NOT_PASSED_ON.search(name)}
