"""Why a llama.cpp server ended, read from its log, and what to do about it."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from types import MappingProxyType

from harness.errors import TargetError

_STAMP = re.compile(r"^\d[\d.]*\s+[A-Z]\s+")
"""`0.00.003.813 E cmn  common_init_: ...`: newer builds put time and level first."""
_TROUBLE = re.compile(
    r"^\S+ E |error|fail|invalid|mismatch|unable|cannot|couldn't|out of memory|abort", re.IGNORECASE
)
_MOST_LINES = 8

PORT_TAKEN = "couldn't bind HTTP server socket"

_CAUSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "CLIP cannot be used as main model": (
            "the file given as the model is an mmproj",
            "name the text weights with --gguf and this file with --mmproj",
        ),
        "mismatch between text model": (
            "the mmproj belongs to another model",
            "take the mmproj file from the same place as the GGUF",
        ),
        r"data is not within the file bounds|failed to (?:seek for|read) tensor": (
            "a GGUF file is cut short",
            "download it again; the download was not finished",
        ),
        "invalid magic": ("a file is not a GGUF", "name a .gguf file, downloaded whole"),
        "unknown model architecture": (
            "this llama.cpp is too old for the model",
            "update it: pip install -U xllamacpp, or a newer llama-server",
        ),
        "unknown projector type": (
            "this llama.cpp is too old for the mmproj",
            "update it: pip install -U xllamacpp, or a newer llama-server",
        ),
        r"failed to load CLIP model|failed to load multimodal model": (
            "the mmproj cannot be read",
            "check that it is the model's mmproj-….gguf and downloaded whole",
        ),
        r"failed to allocate|unable to allocate|out of memory|bad_alloc|cudaMalloc failed": (
            "there is not enough memory for the model",
            "close other programs, take a smaller quantization, or lower --concurrency",
        ),
        "failed to open GGUF file": (
            "a GGUF file cannot be opened",
            "check the path and its permissions",
        ),
        PORT_TAKEN: ("its port was taken by another program", "try again"),
        "invalid argument": (
            "the llama.cpp server does not take a flag it was given",
            "correct --server-arg; without one, update the server or unset EVALRUN_LLAMA_SERVER",
        ),
    }
)
"""Words in its log -> what they mean and what helps; the first that is found counts."""


def trouble_lines(log: str) -> list[str]:
    """The lines of a log that report trouble, else its last ones; without time stamps.

    >>> trouble_lines("0.01 I srv: hello\\n0.02 E srv: no such file\\n0.02 E srv: no such file\\n")
    ['srv: no such file']
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reporting = [line for line in lines if _TROUBLE.search(line)] or lines
    return list(dict.fromkeys(_STAMP.sub("", line) for line in reporting))[-_MOST_LINES:]


def explain(log: str, exit_code: int | None) -> TargetError:
    """The error for a server that ended with `exit_code`; None: it never became ready."""
    problem, fix = _cause(log, exit_code)
    quoted = "".join(f"\n    {line}" for line in trouble_lines(log))
    shown = f"; the end of its log:{quoted}" if quoted else "; its log is empty"
    return TargetError(f"{problem} (llama.cpp {_ended(exit_code)}){shown}", fix=fix)


def _cause(log: str, exit_code: int | None) -> tuple[str, str]:
    for words, (problem, fix) in _CAUSES.items():
        if re.search(words, log, re.IGNORECASE):
            return problem, fix
    if exit_code == 128 + signal.SIGKILL:
        return (
            "the llama.cpp server was killed, most likely because memory ran out",
            "close other programs, take a smaller quantization, or lower --concurrency",
        )
    return "the llama.cpp server ended", "look at the end of its log above; a newer build may help"


def _ended(exit_code: int | None) -> str:
    """
    >>> _ended(137), _ended(1), _ended(None)
    ('ended by SIGKILL', 'exit code 1', 'not ready')
    """
    if exit_code is None:
        return "not ready"
    if exit_code > 128:
        try:
            return f"ended by {signal.Signals(exit_code - 128).name}"
        except ValueError:
            pass
    return f"exit code {exit_code}"
