"""A server of our own: started, waited for, started once more when it dies, stopped at the end."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.adapters.llamacpp.guard import GRACE_S
from harness.adapters.llamacpp.program import Program, clean_environ, command_line
from harness.adapters.machine import peak_bytes_of
from harness.errors import CallError, TargetError
from harness.text import size_text
from harness.transport import Stopped, Transport

_LOAD_LIMIT_S = 1800.0
_REPORT_EVERY_S = 5.0
_LOOK_EVERY_S = 0.05
_TAIL_BYTES = 64 << 10
_MOST_LINES = 8
_GUARD = Path(__file__).with_name("guard.py")
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


class Process:
    """One run of a server program: under the guard, so that it ends when we do; its log kept."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        # A file without a name: nothing to clean up when we are killed.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), *command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env=dict(environ),
            start_new_session=True,  # Ctrl-C is for evalrun, which still wants the last reply
        )

    def wait(self, at_most_s: float | None = None) -> int | None:
        """The exit code, 128 + the signal that ended it; None when it is not over by then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._guard.wait(at_most_s)
        return None

    def log(self, *, head: bool = False) -> str:
        """The last 64 KiB of what it wrote; `head`: the first, about itself and its start."""
        size = os.fstat(self._log.fileno()).st_size
        offset = 0 if head else max(0, size - _TAIL_BYTES)
        return os.pread(self._log.fileno(), _TAIL_BYTES, offset).decode("utf-8", "replace")

    def stop(self) -> None:
        """End it, gently at first; return when it is gone."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        if self.wait(GRACE_S + 2) is None:
            self._guard.kill()
            self._guard.wait()

    def close(self) -> None:
        """Stop it and forget its log."""
        self.stop()
        self._log.close()

    def pids(self) -> list[int]:
        """The server below the guard; none off Linux."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self._guard.pid}/task/{self._guard.pid}/children").read_text()
            return [int(pid) for pid in children.split()]
        return []


class LocalServer:
    """Use it in a `with`: entering starts it and returns when it answers."""

    def __init__(
        self,
        program: Program,
        flags: dict[str, str],
        *,
        notify: Callable[[str], None],
        stopping: threading.Event,
    ) -> None:
        self._program, self._flags = program, flags
        self._notify, self._stopping = notify, stopping
        self.key = secrets.token_urlsafe(32)
        self.port = 0
        self._process: Process | None = None
        self._changing = threading.Lock()
        self._closing = False
        self._up = threading.Event()
        self.dead: TargetError | None = None
        """Why it is no longer there, for good."""
        self._watcher: threading.Thread | None = None

    @property
    def process(self) -> Process:
        """The one that runs, or ran last."""
        assert self._process is not None
        return self._process

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LocalServer:
        started = time.monotonic()
        try:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self._start()
        except BaseException:  # Ctrl-C while loading included
            self.__exit__()
            raise
        self._up.set()
        self._notify(f"llama.cpp is ready after {time.monotonic() - started:.1f} s")
        return self

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._closing = True
        if self._process is not None:
            self._process.stop()
        if self._watcher is not None:
            self._watcher.join()  # it may be reading the log
        if self._process is not None:
            self._process.close()

    def watch(self) -> None:
        """From now on start it again should it die: once. A second death stops the run."""
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def wait_until_up(self) -> None:
        """Return at once, unless it is being started again.

        Raises: TargetError when it is dead, Stopped when the run ends.
        """
        while not self._up.wait(0.1):
            if self._stopping.is_set():
                raise Stopped
        if self.dead is not None:
            raise self.dead

    def failure(self) -> TargetError | None:
        """Why it ended; None while it runs. Connections break a moment before the process ends."""
        code = self.process.wait(1.0)
        return None if code is None else explain(self.process.log(), code)

    def _start(self) -> None:
        """Raises: TargetError, with the end of its log, when it ends before it answers."""
        with self._changing:
            if self._closing:
                return
            if self._process is not None:
                self._process.close()
            command = command_line(self._program, {**self._flags, "--port": str(self.port)})
            self._process = process = Process(
                command, clean_environ() | {"LLAMA_API_KEY": self.key}
            )
        begun = reported = time.monotonic()
        with Transport(self.root) as transport:
            while (now := time.monotonic()) < begun + _LOAD_LIMIT_S:
                with contextlib.suppress(CallError):  # refused, or 503 while it loads
                    transport.get_json("/health", timeout_s=5.0)
                    return
                if process.wait(_LOOK_EVERY_S) is not None:
                    break
                if now > reported + _REPORT_EVERY_S:
                    reported = now
                    held = size_text(peak_bytes_of(process.pids()) or 0)
                    self._notify(f"still loading after {now - begun:.0f} s, {held} in memory")
        raise explain(process.log(), process.wait(0))

    def _watch(self) -> None:
        for restarts_left in (1, 0):
            code = self.process.wait()
            self._up.clear()
            if not self._closing:
                self.dead = explain(self.process.log(), code)
                if restarts_left:
                    self._notify(f"{self.dead.problem}\n  starting it again")
                    self._restart()
            self._up.set()
            if self.dead is not None:
                self._stopping.set()
            if self._closing or self.dead is not None:
                return

    def _restart(self) -> None:
        try:
            self._start()
            self.dead = None
        except TargetError as error:
            self.dead = error


def explain(log: str, exit_code: int | None) -> TargetError:
    """The error for a server that ended with `exit_code`; None: it never became ready."""
    killed = exit_code == 128 + signal.SIGKILL
    how = "was killed, most likely because memory ran out" if killed else "ended"
    how = f"{how} (exit code {exit_code})" if exit_code is not None else "did not become ready"
    known = (fix for words, fix in _FIXES.items() if re.search(words, log, re.IGNORECASE))
    fix = _OUT_OF_MEMORY if killed else "look at its log above; a newer build may help"
    quoted = "".join(f"\n    {line}" for line in trouble_lines(log)) or " (it is empty)"
    return TargetError(
        f"the llama.cpp server {how}; the end of its log:{quoted}", fix=next(known, fix)
    )


def trouble_lines(log: str) -> list[str]:
    """The lines of a log that report trouble, else its last ones; without time stamps.

    >>> trouble_lines("0.01 I srv: hello\\n0.02 E srv: no such file\\n0.02 E srv: no such file\\n")
    ['srv: no such file']
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reporting = [line for line in lines if _TROUBLE.search(line)] or lines
    return list(dict.fromkeys(_STAMP.sub("", line) for line in reporting))[-_MOST_LINES:]
