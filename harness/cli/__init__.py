"""Flags in, one call per verb, an exit code out."""

from __future__ import annotations

import gc
import signal
import sys

_MORE_THAN_A_START_MAKES = 200_000
"""Objects, and nearly all of them stay. Python would look for garbage after every 700."""


def main() -> None:
    """The `evalrun` command. `--version` answers before anything is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from harness import __version__

        sys.stdout.write(f"evalrun {__version__}\n")
        return
    # Whatever is open is closed in good order: a server that starts, a download.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    gc.set_threshold(_MORE_THAN_A_START_MAKES)
    try:
        from harness.cli.app import app
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    app(prog_name="evalrun")
