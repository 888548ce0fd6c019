"""`--log FILE` and `-v`: a line of JSON for every exchange with the model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer import Option

from harness.errors import UsageError
from harness.text import inert


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """What is written down of the exchanges."""

    log: Annotated[
        Path | None, Option(help="Append every exchange to this file, as JSON lines.")
    ] = None
    verbose: Annotated[bool, Option("--verbose", "-v", help="The same lines on stderr.")] = False


def open_log(options: LogOptions, stack: ExitStack) -> Callable[[dict[str, Any]], None] | None:
    """Takes an exchange; None when nobody wants them. The file is closed with `stack`.

    Raises: UsageError for a file that cannot be written.
    """
    if options.log is None and not options.verbose:
        return None
    try:
        file = stack.enter_context(options.log.open("ab")) if options.log else None
    except OSError as error:
        raise UsageError(
            f"--log {options.log}: {error.strerror}", fix="name a file you may write to"
        ) from error
    lock = threading.Lock()

    def write(exchange: dict[str, Any]) -> None:
        line = msgspec.json.encode(exchange)
        with lock:
            if file is not None and not file.closed:
                file.write(line + b"\n")
                file.flush()
            if options.verbose:
                typer.echo(inert(line.decode()), err=True)

    return write
