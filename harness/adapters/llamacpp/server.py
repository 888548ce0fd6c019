"""A server of our own: started, waited for, started once more when it dies, stopped at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.adapters.llamacpp.guard import GRACE_S
from harness.adapters.llamacpp.log import PORT_TAKEN, explain
from harness.adapters.llamacpp.program import Program, Settings, clean_environ, command_line
from harness.adapters.machine import gpu_bytes_of, peak_bytes_of
from harness.errors import CallError, TargetError
from harness.text import size_text
from harness.transport import Stopped, Transport

_LOAD_LIMIT_S = 1800.0
_REPORT_EVERY_S = 5.0
_LOOK_EVERY_S = 0.05
_PORTS_TRIED = 3
_RESTARTS = 1
_TAIL_BYTES = 64 << 10
_GUARD = Path(__file__).with_name("guard.py")


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

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the signal that ended it."""
        return self._guard.poll()

    def wait(self, at_most_s: float | None = None) -> int | None:
        """The exit code; None when it is not over by then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._guard.wait(at_most_s)
        return None

    def log(self) -> str:
        """The last 64 KiB of what it wrote."""
        size = os.fstat(self._log.fileno()).st_size
        return self._read(max(0, size - _TAIL_BYTES))

    def log_head(self) -> str:
        """The first 64 KiB: what it wrote about itself when it started."""
        return self._read(0)

    def _read(self, offset: int) -> str:
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

    def peak_bytes(self) -> int | None:
        """The most that was ever resident, weights mapped from the file included."""
        return peak_bytes_of(self._server_pids())

    def gpu_bytes(self) -> int | None:
        """What it holds on the cards, which it keeps."""
        return gpu_bytes_of(self._server_pids())

    def _server_pids(self) -> list[int]:
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
        settings: Settings,
        *,
        notify: Callable[[str], None],
        stopping: threading.Event,
    ) -> None:
        self._program, self._settings = program, settings
        self._notify, self._stopping = notify, stopping
        self.key = secrets.token_urlsafe(32)
        self.port = 0
        self._process: Process | None = None
        self._changing = threading.Lock()
        self._closing = False
        self._up = threading.Event()
        self._dead: TargetError | None = None
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
            self._start_on_a_free_port()
        except BaseException:  # Ctrl-C while loading included
            self.__exit__()
            raise
        self._up.set()
        self._notify(f"llama.cpp is ready after {time.monotonic() - started:.1f} s")
        return self

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._closing = True
            process = self._process
        if process is not None:
            process.stop()
        if self._watcher is not None:
            self._watcher.join()
        if process is not None:
            process.close()

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
        self.raise_if_dead()

    def raise_if_dead(self) -> None:
        if self._dead is not None:
            raise self._dead

    def failure(self) -> TargetError | None:
        """Why it ended; None while it runs. Connections break a moment before the process ends."""
        code = self.process.wait(1.0)
        return None if code is None else explain(self.process.log(), code)

    def _start_on_a_free_port(self) -> None:
        for left in reversed(range(_PORTS_TRIED)):
            self.port = _free_port()
            try:
                self._start()
                break
            except TargetError:
                if PORT_TAKEN not in self.process.log() or not left:
                    raise

    def _start(self) -> None:
        """Raises: TargetError, with the end of its log, when it ends before it answers."""
        with self._changing:
            if self._closing:
                return
            if self._process is not None:
                self._process.close()
            self._process = process = Process(
                command_line(self._program, self._settings, self.port),
                clean_environ() | {"LLAMA_API_KEY": self.key},
            )
        self._wait_for_health(process)

    def _wait_for_health(self, process: Process) -> None:
        begun = reported = time.monotonic()
        with Transport(self.root) as transport:
            while (now := time.monotonic()) < begun + _LOAD_LIMIT_S:
                with contextlib.suppress(CallError):  # refused, or 503 while it loads
                    transport.get_json("/health", timeout_s=5.0)
                    return
                if process.exit_code is not None:
                    break
                if now > reported + _REPORT_EVERY_S:
                    reported = now
                    self._notify(self._progress(process, now - begun))
                time.sleep(_LOOK_EVERY_S)
        raise explain(process.log(), process.exit_code)

    def _progress(self, process: Process, seconds: float) -> str:
        weights = size_text(self._settings.gguf.stat().st_size)
        resident = process.peak_bytes()
        held = "" if resident is None else f", {size_text(resident)} of {weights} in memory"
        return f"still loading {self._settings.gguf.name} after {seconds:.0f} s{held}"

    def _watch(self) -> None:
        for left in reversed(range(_RESTARTS + 1)):
            code = self.process.wait()
            self._up.clear()
            try:
                if self._closing:
                    return
                why = explain(self.process.log(), code)
                self._dead = self._revive(why) if left else why
                if self._dead is not None:
                    self._stopping.set()
                    return
            finally:
                self._up.set()

    def _revive(self, why: TargetError) -> TargetError | None:
        self._notify(f"{why.problem}\n  starting it again")
        try:
            self._start()
        except TargetError as error:
            return error
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
