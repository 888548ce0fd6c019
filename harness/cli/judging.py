"""Opening the model that `--judge` names, for `run` and for `regrade`."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

from harness.cli.app import say

if TYPE_CHECKING:
    from harness.judge import Judge


def open_judge(
    name: str,
    *,
    base_url: str | None,
    scope: str,
    sees_image: bool,
    stack: ExitStack,
    stopping: Event | None = None,
) -> Judge:
    """The judge, open until `stack` closes. Raises: UsageError, or TargetError as for any model."""
    from harness import catalogue
    from harness.adapters import Target, opener
    from harness.adapters.resolve import resolve
    from harness.errors import UsageError
    from harness.judge import SAMPLING, Judge

    if scope not in ("unread", "all"):
        raise UsageError(
            f"--judge-scope {scope!r} is neither unread nor all",
            fix="give --judge-scope unread or --judge-scope all",
        )
    given = Target(
        model=name,
        base_url=base_url,
        sampling=SAMPLING,
        stopping=stopping or Event(),
        notify=say,
    )
    choice = resolve(name, given, backend=None, catalogue=catalogue.load())
    adapter = stack.enter_context(opener(choice.backend)(choice.target))
    return Judge(adapter, name, scope="all" if scope == "all" else "unread", sees_image=sees_image)
