"""Answers side by side: live on a terminal, a block each elsewhere, JSON for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from harness.cli.output import is_watched
from harness.errors import CallError
from harness.records import Verdict
from harness.runner.panel import PanelAnswer
from harness.tables import dollars, seconds
from harness.text import inert, one_line
from harness.transport import without_credentials

_NARROWEST = 30
"""Columns that a model's answer needs to stand beside another's."""
_LONGEST = 4_000


class Answer(Struct, frozen=True, kw_only=True):
    """What one model said, with the verdict where the right answer is known."""

    panel: PanelAnswer
    verdict: Verdict | None = None

    @property
    def style(self) -> str:
        if self.panel.reply is None:
            return "magenta"
        return "default" if self.verdict is None else "green" if self.verdict.passed else "red"

    @property
    def figures(self) -> str:
        """Times, speed, cost: what is known of them."""
        reply, speed, cost = self.panel.reply, self.panel.tokens_per_s, self.panel.cost_usd
        if reply is None:
            return ""
        known = [
            f"first token {seconds(reply.ttft_s)}" if reply.ttft_s is not None else None,
            f"response {seconds(reply.latency_s)}",
            f"{speed:.1f} tokens/s" if speed else None,
            dollars(cost) if cost is not None else None,
            "cut at the token limit" if reply.truncated else None,
            "picture was cached" if reply.image_cached else None,
        ]
        return " · ".join(it for it in known if it)

    @property
    def wording(self) -> Text:
        """What was said, or why nothing was."""
        error, reply = self.panel.error, self.panel.reply
        if reply is None:
            # The fix of a failed call speaks of runs; that of an unusable model helps.
            why = error.problem if isinstance(error, CallError) else str(error)
            return Text(f"error: {inert(why, _LONGEST)}", style=self.style)
        said = reply.text.strip() or reply.refusal or "(nothing)"
        text = Text(inert(said, _LONGEST), style="default")
        if self.verdict is not None:
            word = "pass" if self.verdict.passed else "fail"
            text.append(f"\n{word}: {one_line(self.verdict.reason, 200)}", style=self.style)
        return text


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
        self._answers[answer.panel.model] = answer
        if self._live is None and self._console is not None:
            text = Text(one_line(answer.panel.model, 200), style="bold")
            text.append(f"  {answer.figures}" if answer.figures else "", style="dim")
            text.append("\n").append_text(answer.wording).append("\n")
            self._console.print(text, soft_wrap=True)

    def _columns(self, waiting: str | None = None) -> Columns:
        """As many beside each other as the width takes."""
        assert self._console is not None
        still = waiting or f"waiting … {time.monotonic() - self._started:.0f} s"
        at_once = max(1, min(len(self._answers), self._console.width // _NARROWEST))
        panels = [_panel(model, answer, still) for model, answer in self._answers.items()]
        return Columns(panels, width=self._console.width // at_once - 1, padding=(0, 1))


def _panel(model: str, answer: Answer | None, waiting: str) -> Panel:
    content = Text(waiting, style="dim")
    if answer is not None:
        content = answer.wording.append(f"\n{answer.figures}", style="dim")
    style = answer.style if answer else "default"
    return Panel(content, title=Text(one_line(model, 60)), title_align="left", border_style=style)


def as_json(answer: Answer) -> dict[str, Any]:
    """One answer for programs; what is not known is null."""
    panel = answer.panel
    target = panel.route.target if panel.route else None
    fields = "text ttft_s latency_s tokens_in tokens_out truncated image_cached"
    return {
        "model": panel.model,
        "backend": panel.route.backend if panel.route else None,
        "base_url": without_credentials(target.base_url) if target and target.base_url else None,
        "answered": panel.reply is not None,
        "error": panel.error.problem if panel.error else None,
        "tokens_per_s": panel.tokens_per_s,
        "cost_usd": panel.cost_usd,
        "verdict": answer.verdict,
        **{name: getattr(panel.reply, name, None) for name in fields.split()},
    }
