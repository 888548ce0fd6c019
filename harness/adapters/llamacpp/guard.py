"""Runs one command and sees to it that it never outlives evalrun.

    python guard.py COMMAND [ARGUMENT...]

Its stdin is a pipe that only evalrun holds: when evalrun ends, in whatever way, the pipe closes and
the command is stopped. Standard library only, started by its path, so that it is up in no time.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

GRACE_S = 3.0
"""A llama.cpp server told to end waits for running requests, which nobody wants any more."""


def main(command: list[str]) -> int:
    """Run `command`; its exit code, or 128 + the signal that ended it."""
    # preexec_fn is safe here: this process has no other thread yet.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_dies_with_us())
    threading.Thread(target=_stop_at_end_of_stdin, args=(child.pid,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _stop_at_end_of_stdin(pid: int) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(pid, signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(pid, signal.SIGKILL)


def _dies_with_us() -> Callable[[], None] | None:
    """On Linux the kernel kills the command should this guard itself be killed."""
    if sys.platform != "linux":
        return None
    import ctypes

    libc, guard, pr_set_pdeathsig = ctypes.CDLL(None), os.getpid(), 1

    def arm() -> None:
        libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != guard:  # it died before the line above
            os._exit(1)

    return arm


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
