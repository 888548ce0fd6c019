"""A llama.cpp server of our own: its program, its flags, its process.

Resolved, started, waited for, started once more when it dies, stopped at the end.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from msgspec import Struct

from harness.adapters import Target, machine
from harness.adapters.endpoints import budget_of
from harness.adapters.llamacpp.weights import Weights
from harness.errors import CallError, TargetError, UsageError, install_command
from harness.text import nearest, one_line, size_text
from harness.transport import Stopped, Transport

SERVER_VARIABLE = "EVALRUN_LLAMA_SERVER"
GPU_FIX = (
    f"take a build of llama.cpp with CUDA ({SERVER_VARIABLE}=PATH names it), or the wheel: "
    "pip install xllamacpp --force-reinstall "
    "--index-url https://xorbitsai.github.io/xllamacpp/whl/cu128"
)
"""The index is the wheel's own, for CUDA 12.8, as its page on PyPI says."""
_PROMPT_TOKENS = 8192
"""For the picture, the question and the template; what may be generated comes on top."""
_CACHE_RAM_MIB = 2048
"""Host memory for prompts that gave up their slot."""
_MICRO_BATCH, _BATCH = 512, 2048
"""llama.cpp's own, in tokens. A picture whose tokens see one another has to fit into the first."""
_SECRET = re.compile(r"^LLAMA_|KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_OURS = {
    "--model": "use --gguf",
    "--mmproj": "use --mmproj",
    "--alias": "use --model",
    "--parallel": "use --concurrency",
    "--cache-ram": "use --cold",
    "--image-(?:min|max)-tokens": "use --image-tokens",
    "--(?:host|port|path|api-.+|ssl-.+|log-.+|hf-.+|(?:model|mmproj)-url|models-.+|offline"
    "|(?:no-)?(?:jinja|webui|ui|mmproj|cache-prompt|slots)|embeddings?|reranking|help|version)": (
        "leave it out"
    ),
}
"""Flags that an option of ours sets, or that would take a server from us -> what to do instead."""
_CHILD = Path(__file__).with_name("child.py")
_REPORT_EVERY_S = 5.0
_LOOK_S = 0.05
_STOP_S = 5.0
"""The guard kills a server sooner than that."""
_END_S = 1.0
"""Connections break a moment before the process ends."""
_TAIL_BYTES = 64 << 10
_MOST_LINES = 8
_STAMP = re.compile(r"^\d[\d.]*\s+[A-Z]\s+")
"""`0.00.003.813 E cmn  common_init_: ...`: newer builds put time and level first."""
_TROUBLE = re.compile(
    r"^\S+ E |error|fail|invalid|mismatch|unable|cannot|couldn't|out of memory|abort", re.IGNORECASE
)
_OUT_OF_MEMORY = "close other programs, take a smaller quantization, or lower --concurrency"
_FIXES = {
    "CLIP cannot be used as main model": "name the text weights with --gguf, this with --mmproj",
    "mismatch between text model": "take the mmproj file from the same place as the GGUF",
    "the file bounds|failed to (?:seek|read)|invalid magic": "download that file again, whole",
    "failed to load (?:CLIP|multimodal) model": "name the model's own mmproj file with --mmproj",
    "unknown (?:model arch|projector)": "take a newer llama.cpp: pip install -U xllamacpp",
    "to allocate|out of memory|bad_alloc|cudaMalloc failed": _OUT_OF_MEMORY,
    "invalid argument|argument --.*: invalid": "correct --server-arg, or take a newer llama-server",
}
"""Words in its log -> what helps; the first that is found counts."""


class Program(Struct, frozen=True):
    """A llama.cpp server that can be started here."""

    command: list[str]
    flags: frozenset[str]
    """The long flags it knows: an unknown one would end it at once."""
    build: str | None = None
    """None: ask its /props."""

    def __str__(self) -> str:
        return self.build or self.command[0]


def _command() -> list[str]:
    """The server named in the environment, else `llama-server` on PATH, else the wheel's."""
    named = os.environ.get(SERVER_VARIABLE)
    if path := shutil.which(named or "llama-server"):
        return [path]
    return [] if named or not find_spec("xllamacpp") else [sys.executable, "-P", str(_CHILD)]


def available() -> bool:
    """Whether there is a server to start, or one is named. Nothing is run to find out."""
    return bool(_command() or os.environ.get(SERVER_VARIABLE))


def find() -> Program:
    """Raises: TargetError when there is no server, or one that does not run or is too old."""
    command, named = _command(), os.environ.get(SERVER_VARIABLE)
    fix = f"{install_command('local')}, or name a llama-server with {SERVER_VARIABLE}=PATH"
    if not command:
        missing = f"{SERVER_VARIABLE} names {named!r}, which is not a program"
        raise TargetError(
            missing if named else "there is no llama.cpp server on this machine", fix=fix
        )
    try:
        asked = subprocess.run(
            [*command, "--help"],
            env=_environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60.0,
            check=False,
        )
        answer = asked.stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        answer = str(error)
    flags = frozenset(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", answer))
    if not {"--model", "--mmproj"} <= flags:
        said = one_line(answer, 300) or "nothing"
        raise TargetError(f"{command[0]} --help lists no --model and --mmproj: {said}", fix=fix)
    if len(command) == 1:
        return Program(command, flags)
    from importlib.metadata import version  # slow to load, and every run comes by this module

    return Program(command, flags, f"xllamacpp {version('xllamacpp')}")


def context_for(target: Target) -> int:
    """Tokens of a slot: a prompt with its picture, and what may be generated."""
    sampling, source = target.sampling, target.weights
    return (
        max(_PROMPT_TOKENS, (source and source.context_tokens) or 0)
        + (target.image_tokens or (0, 0))[1]
        + max(sampling.max_tokens, sampling.max_tokens_retry or 0)
        + budget_of(target)
    )


def flags_for(program: Program, target: Target, weights: Weights) -> dict[str, str]:
    """Flag -> value ("": none). All explicit: defaults differ between builds. Only layers on the
    GPU are left to llama.cpp, which fits them to the memory it finds.

    Raises: UsageError for flags that this server lacks, or that would undo what a run needs.
    """
    slots, flags = target.concurrency or 1, {"--model": str(weights.gguf)}
    if weights.mmproj is not None:
        flags["--mmproj"] = str(weights.mmproj)
    flags |= {
        "--alias": target.model,
        "--host": "127.0.0.1",
        "--ctx-size": str(context_for(target) * slots),
        "--parallel": str(slots),
        "--cache-ram": "0" if target.cold else str(_CACHE_RAM_MIB),
        **dict.fromkeys(("--offline", "--jinja", "--no-webui"), ""),
    }
    if threads := machine.compute_threads(weights.gguf_bytes):
        flags["--threads"] = flags["--threads-batch"] = str(threads)
    needed = dict(it.partition("=")[::2] for it in target.server_args)
    _check_given(needed, _OURS)
    if target.image_tokens:
        _check_given(needed, {"--u?batch-size": "use --image-tokens"})
        fewest, most = target.image_tokens
        needed |= {
            "--image-min-tokens": str(fewest),
            "--image-max-tokens": str(most),
            "--ubatch-size": str(max(_MICRO_BATCH, most)),
            "--batch-size": str(max(_BATCH, most)),
        }
    if unknown := [it for it in needed if it not in program.flags]:
        near = ", ".join(nearest(unknown[0], program.flags))
        raise UsageError(
            f"{program} does not know {', '.join(unknown)}; nearest: {near or 'none'}",
            fix=f"leave it out, or name another llama-server with {SERVER_VARIABLE}=PATH",
        )
    return {flag: value for flag, value in flags.items() if flag in program.flags} | needed


def _check_given(given: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Raises: UsageError for flags of the user's that do not go."""
    for flag in given:
        if not re.fullmatch(r"--[a-z][a-z0-9-]*", flag):
            raise UsageError(
                f"--server-arg {flag!r} is not a long flag of llama-server",
                fix="write it as --server-arg=--flag or --server-arg=--flag=value",
            )
        for pattern, instead in ours.items():
            if re.fullmatch(pattern, flag):
                raise UsageError(
                    f"--server-arg={flag} would undo a setting that evalrun makes itself",
                    fix=instead,
                )


def _environ() -> dict[str, str]:
    """Without llama.cpp's own variables, which would change the run unseen, and without keys: a
    server of our own downloads nothing and pays nobody."""
    return {name: value for name, value in os.environ.items() if not _SECRET.search(name)}


class LocalServer:
    """A server under a guard, so that it ends when we do; its log is kept until it is closed."""

    def __init__(
        self, program: Program, flags: dict[str, str], notify: Callable[[str], None]
    ) -> None:
        self.program, self._notify = program, notify
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        words = [it for pair in (flags | {"--port": str(port)}).items() for it in pair if it]
        guard = [sys.executable, "-I", "-S", str(_CHILD), "guard"]
        self._command = [*guard, *program.command, *words]
        self.key = secrets.token_urlsafe(32)
        """In no command line: everybody can read those in `ps`."""
        self.starts, self._restarts_left = 0, 1
        self._changing, self._reviving, self._stopped = Lock(), Lock(), False
        # A file without a name: nothing to clean up when we are killed.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = self._launched()

    def _launched(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env=_environ() | {"LLAMA_API_KEY": self.key},
            start_new_session=True,  # Ctrl-C is for evalrun, which still wants the last reply
        )

    def wait_until_ready(self) -> None:
        """Raises: TargetError, with the end of its log, when it ends before it answers."""
        begun = reported = time.monotonic()
        with Transport(self.root) as transport:
            while not self._ended(_LOOK_S):
                now = time.monotonic()
                with suppress(CallError):  # refused, or 503 while it loads
                    transport.get_json("/health", timeout_s=5.0)
                    self.starts += 1
                    self._notify(f"llama.cpp is ready after {now - begun:.1f} s")
                    return
                if now > reported + _REPORT_EVERY_S:
                    reported, held = now, size_text(machine.peak_bytes_of(self.pids()) or 0)
                    self._notify(f"still loading after {now - begun:.0f} s, {held} in memory")
        raise self._death()

    def _ended(self, wait_s: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_s)
        return self._process.returncode is not None

    def failure(self) -> TargetError | None:
        """Why it ended; None while it runs."""
        return self._death() if self._ended(_END_S) else None

    def _death(self) -> TargetError:
        """Raises: Stopped when we have stopped it."""
        with self._changing:
            if self._stopped:
                raise Stopped
            log, code = self.log(), self._process.returncode
        killed = code == 128 + signal.SIGKILL
        how = "was killed, most likely because memory ran out" if killed else "ended"
        known = (fix for words, fix in _FIXES.items() if re.search(words, log, re.IGNORECASE))
        fix = _OUT_OF_MEMORY if killed else "look at its log above; a newer build may help"
        quoted = "".join(f"\n    {line}" for line in trouble_lines(log)) or " (it is empty)"
        return TargetError(
            f"the llama.cpp server {how} (exit code {code}); the end of its log:{quoted}",
            fix=next(known, fix),
        )

    def revive(self, starts: int) -> bool:
        """Whether to try a call again that failed, and began when there had been so many `starts`.
        A server that died is started again, once.

        Raises: TargetError when it has died for good.
        """
        with self._reviving:
            if self.starts > starts:
                return True  # another call failed before this one
            error = self.failure()
            if error is None:
                return False
            if not self._restarts_left:
                raise error
            self._restarts_left -= 1
            self._notify(f"{error.problem}\n  starting it again")
            with self._changing:
                if self._stopped:
                    raise Stopped
                self._process.communicate()  # closes what is left of it
                self._log.seek(0)
                self._log.truncate()
                self._process = self._launched()
            self.wait_until_ready()
            return True

    def close(self) -> None:
        """End it, gently at first; return when it is gone."""
        with self._changing:
            self._stopped = True
            try:
                self._process.communicate(timeout=_STOP_S)  # closes its stdin: it is to end
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._log.close()

    def log(self, *, head: bool = False) -> str:
        """The last 64 KiB of what it wrote; `head`: the first, about itself and its start."""
        size = os.fstat(self._log.fileno()).st_size
        offset = 0 if head else max(0, size - _TAIL_BYTES)
        return os.pread(self._log.fileno(), _TAIL_BYTES, offset).decode("utf-8", "replace")

    def pids(self) -> list[int]:
        """The server below the guard; none off Linux."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with suppress(OSError):
            return [int(it) for it in children.read_text().split()]
        return []


def trouble_lines(log: str) -> list[str]:
    """The lines of a log that report trouble, else its last ones; without time stamps.

    >>> trouble_lines("0.01 I srv: hello\\n0.02 E srv: no such file\\n0.02 E srv: no such file\\n")
    ['srv: no such file']
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reporting = [line for line in lines if _TROUBLE.search(line)] or lines
    return list(dict.fromkeys(_STAMP.sub("", line) for line in reporting))[-_MOST_LINES:]
