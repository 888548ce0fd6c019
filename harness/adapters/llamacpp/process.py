"""One run of a server program: started under the guard, its log kept, and ended for certain."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.adapters.llamacpp.guard import GRACE_S

_GUARD = Path(__file__).with_name("guard.py")
_TAIL_BYTES = 64 << 10


class Process:
    """A command that ends when we do, whatever ends us."""

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

    def wait(self) -> int:
        return self._guard.wait()

    def wait_at_most(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(seconds)

    def log(self) -> str:
        """The last 64 KiB of what it said."""
        size = os.fstat(self._log.fileno()).st_size
        return self._read(max(0, size - _TAIL_BYTES))

    def log_head(self) -> str:
        """The first 64 KiB: what it said of itself when it started."""
        return self._read(0)

    def _read(self, offset: int) -> str:
        return os.pread(self._log.fileno(), _TAIL_BYTES, offset).decode("utf-8", "replace")

    def stop(self) -> None:
        """End it, gently at first; return when it is gone."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        try:
            self._guard.wait(GRACE_S + 2)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def close(self) -> None:
        """Stop it and forget its log."""
        self.stop()
        self._log.close()

    def resident_bytes(self) -> int | None:
        """Memory its processes hold, weights mapped from the file included; None off Linux."""
        try:
            children = Path(f"/proc/{self._guard.pid}/task/{self._guard.pid}/children").read_text()
            pages = [
                int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in children.split()
            ]
        except (OSError, ValueError, IndexError):
            return None
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")
