"""Flags in, one call per verb, an exit code out."""

from __future__ import annotations

import sys


def main() -> None:
    """The `evalrun` command. `--version` answers before anything is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from harness import __version__

        sys.stdout.write(f"evalrun {__version__}\n")
        return
    from harness.cli.commands import app

    app()
