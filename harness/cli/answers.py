"""Answers side by side: live on a terminal, a block each elsewhere, JSON for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.cli.output import is_watched
from harness.errors import CallError, EvalrunError
from harness.records import Verdict
from harness.runner.consensus import Consensus
from harness.runner.panel import PanelAnswer
from harness.tables import dollars, seconds
from harness.text import inert, one_line
from harness.transport import without_credentials

_NARROWEST = 30
"""Columns that a model's answer needs to stand beside another's."""
_LONGEST = 4_000
_BORDERS = {None: "default", True: "green", False: "red"}


class Answer(Struct, frozen=True, kw_only=True):
    """What one model said, with the verdict where the right answer is known."""

    panel: PanelAnswer
    verdict: Verdict | None = None

    @property
    def model(self) -> str:
        return self.panel.model


def figures(answer: Answer) -> str:
    """Times, speed, cost: what is known of them."""
    reply = answer.panel.reply
    if reply is None:
        return ""
    speed, cost = answer.panel.tokens_per_s, answer.panel.cost_usd
    known = [
        f"first token {seconds(reply.ttft_s)}" if reply.ttft_s is not None else None,
        f"response {seconds(reply.latency_s)}",
        f"{speed:.1f} tokens/s" if speed else None,
        dollars(cost) if cost is not None else None,
        "cut at the token limit" if reply.truncated else None,
        "picture was cached" if reply.image_cached else None,
    ]
    return " · ".join(it for it in known if it)


def wording(answer: Answer) -> Text:
    """What was said, or why nothing was."""
    panel = answer.panel
    if panel.reply is None:
        return Text(f"error: {inert(_why(panel.error), _LONGEST)}", style="magenta")
    text = Text(inert(panel.reply.text.strip(), _LONGEST) or "(nothing)", style="default")
    if answer.verdict is not None:
        word = "pass" if answer.verdict.passed else "fail"
        style = "green" if answer.verdict.passed else "red"
        text.append(f"\n{word}: {one_line(answer.verdict.reason, 200)}", style=style)
    return text


def _why(error: EvalrunError | None) -> str:
    """What to do about a failed call speaks of runs; about a model that cannot be used it helps."""
    return error.problem if isinstance(error, CallError) else str(error)


class Board:
    """Shows each answer when it is there; without a console it shows nothing. For a `with`."""

    def __init__(self, console: Console | None, models: Iterable[str]) -> None:
        self._console = console
        self._answers: dict[str, Answer | None] = dict.fromkeys(models)
        self._started = time.monotonic()
        self._live = (
            Live(get_renderable=self._columns, console=console, transient=True)
            if console is not None and is_watched(sys.stdout)
            else None
        )

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What was live stays, in full."""
        if self._live is not None and self._console is not None:
            self._live.stop()
            self._console.print(self._columns(waiting="error: stopped"))

    def landed(self, answer: Answer) -> None:
        self._answers[answer.model] = answer
        if self._live is None and self._console is not None:
            self._console.print(_block(answer), soft_wrap=True)

    def _columns(self, waiting: str | None = None) -> RenderableType:
        """As many beside each other as the width takes."""
        still = waiting or f"waiting … {time.monotonic() - self._started:.0f} s"
        panels = [_panel(model, answer, still) for model, answer in self._answers.items()]
        width = self._console.width if self._console is not None else _NARROWEST
        at_once = max(1, width // _NARROWEST)
        rows = []
        for start in range(0, len(panels), at_once):
            row = Table.grid(expand=True)
            for _ in panels[start : start + at_once]:
                row.add_column(ratio=1)
            row.add_row(*panels[start : start + at_once])
            rows.append(row)
        return Group(*rows)


def _panel(model: str, answer: Answer | None, waiting: str) -> Panel:
    content = Text(waiting, style="dim")
    if answer is not None:
        content = wording(answer)
        content.append(f"\n{figures(answer)}", style="dim")
    verdict = answer.verdict.passed if answer is not None and answer.verdict is not None else None
    failed = answer is not None and answer.panel.reply is None
    border = "magenta" if failed else _BORDERS[verdict]
    return Panel(content, title=Text(one_line(model, 60)), title_align="left", border_style=border)


def _block(answer: Answer) -> Text:
    text = Text(one_line(answer.model, 200), style="bold")
    if known := figures(answer):
        text.append(f"  {known}", style="dim")
    text.append("\n")
    return text.append_text(wording(answer)).append("\n")


def as_json(answer: Answer) -> dict[str, Any]:
    """One answer for programs; what is not known is null."""
    panel, reply = answer.panel, answer.panel.reply
    target = panel.route.target if panel.route else None
    return {
        "model": panel.model,
        "backend": panel.route.backend if panel.route else None,
        "base_url": without_credentials(target.base_url) if target and target.base_url else None,
        "answered": reply is not None,
        "text": reply.text if reply else None,
        "error": panel.error.problem if panel.error else None,
        "ttft_s": reply.ttft_s if reply else None,
        "latency_s": reply.latency_s if reply else None,
        "tokens_in": reply.tokens_in if reply else None,
        "tokens_out": reply.tokens_out if reply else None,
        "tokens_per_s": panel.tokens_per_s,
        "cost_usd": panel.cost_usd,
        "truncated": reply.truncated if reply else None,
        "image_cached": reply.image_cached if reply else None,
        "verdict": answer.verdict,
    }


def consensus_json(consensus: Consensus | None) -> dict[str, Any] | None:
    if consensus is None:
        return None
    return {
        "agree": consensus.agree,
        "grader": consensus.grader,
        "groups": [{"answer": it.answer, "models": it.models} for it in consensus.groups],
        "unread": consensus.unread,
    }
