"""Opening the model that `--judge` names, for `run` and for `regrade`."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING, Protocol

from harness.cli.app import say

if TYPE_CHECKING:
    from harness.judge import Judge


class JudgeOptions(Protocol):
    """The options of a judge, as `run` and `regrade` have them."""

    @property
    def judge(self) -> str | None: ...
    @property
    def judge_base_url(self) -> str | None: ...
    @property
    def judge_scope(self) -> str: ...
    @property
    def judge_sees_image(self) -> bool: ...


def open_judge(
    options: JudgeOptions, stack: ExitStack, stopping: Event | None = None
) -> Judge | None:
    """The judge, open until `stack` closes; None when none is named.

    Raises: UsageError, or TargetError as for any model.
    """
    from harness import catalogue
    from harness.adapters import Target, opener
    from harness.adapters.resolve import resolve
    from harness.errors import UsageError
    from harness.judge import SAMPLING, Judge

    name, scope = options.judge, options.judge_scope
    if scope not in ("unread", "all"):
        raise UsageError(
            f"--judge-scope {scope!r} is neither unread nor all",
            fix="give --judge-scope unread or --judge-scope all",
        )
    if name is None:
        return None
    given = Target(
        model=name,
        base_url=options.judge_base_url,
        sampling=SAMPLING,
        stopping=stopping or Event(),
        notify=say,
    )
    choice = resolve(name, given, backend=None, catalogue=catalogue.load())
    adapter = stack.enter_context(opener(choice.backend)(choice.target))
    return Judge(
        adapter,
        name,
        scope="all" if scope == "all" else "unread",
        sees_image=options.judge_sees_image,
    )
