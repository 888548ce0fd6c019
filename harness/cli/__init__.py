"""Flags in, one call per verb, an exit code out."""

from __future__ import annotations

import gc
import sys

_MORE_THAN_A_START_MAKES = 200_000
"""Objects, and nearly all of them stay. Python would look for garbage after every 700."""
_OF_THE_APPLICATION = ("-h", "--help")


def main() -> None:
    """The `evalrun` command. `--version` answers before anything is imported."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from harness import __version__

        sys.stdout.write(f"evalrun {__version__}\n")
        return
    gc.set_threshold(_MORE_THAN_A_START_MAKES)
    from harness.cli.commands import application

    arguments = with_command(arguments)
    application(arguments)(arguments, prog_name="evalrun")


def with_command(arguments: list[str]) -> list[str]:
    """`evalrun --model X` is short for `evalrun run --model X`.

    >>> with_command(["--limit", "3"]), with_command(["runs"]), with_command(["--help"])
    (['run', '--limit', '3'], ['runs'], ['--help'])
    """
    first = arguments[0] if arguments else "-"
    is_option = first.startswith("-") and first not in _OF_THE_APPLICATION
    return ["run", *arguments] if is_option or not arguments else arguments
