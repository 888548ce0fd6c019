"""`ask`: one question about one or more pictures, to several models at once.

The answers stand side by side: live on a terminal, a block each elsewhere, JSON for programs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, Literal

import msgspec
from rich.columns import Columns
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from harness import catalogue, targets
from harness.adapters import Request
from harness.ask import agreement, case_of, reach_all
from harness.catalogue import Catalogue
from harness.cli.output import Interrupts, Terminal, confirm, is_watched, print_json, say
from harness.errors import CallError, ExitCode, UsageError
from harness.graders import grade_reply
from harness.images import encode
from harness.options import LogOptions, ModelOptions, SamplingOptions, argument, option
from harness.records import Case, Verdict
from harness.runner.consensus import sentence_on
from harness.runner.panel import PanelAnswer, ask_all, question_for, with_task
from harness.suites import LONGEST_SIDE_PX
from harness.suites.writing import append_case, with_free_id
from harness.tables import dollars, seconds
from harness.text import inert, one_line
from harness.transport import without_credentials

_NARROWEST = 30
"""Columns that a model's answer needs to stand beside another's."""
_LONGEST = 4_000


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """Everything `evalrun ask` can be told."""

    words: list[str] = argument(
        "Pictures, then what to ask; --task brings its own.", metavar="IMAGE... [QUESTION]"
    )
    task: Literal["ocr", "caption", "vqa"] | None = option("A standard prompt, where it fits.")
    expected: str | None = option("The right answer: the replies are graded.")
    save: Path | None = option("Folder of a suite of your own to append it to; needs --expected.")
    category: str = option("Its category there.", "Asked")
    timeout: float | None
    profile: str | None
    json: bool
    quiet: bool
    target: ModelOptions
    sampling: SamplingOptions
    log: LogOptions

    @property
    def images(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.words[:-1] if self.question is not None else self.words))

    @property
    def question(self) -> str | None:
        """The last word, unless it is the only one or a file."""
        last = self.words[-1]
        return None if len(self.words) == 1 or os.path.lexists(last) else last


def ask(*, options: AskOptions) -> int:
    """Ask one question about pictures; all answers side by side.

    Exits with 5 when a model did not answer.
    """
    question = question_for(options.task, options.question)
    case, side_px = None, options.sampling.image_max_side
    if options.expected is not None:
        name = f"{options.images[0].stem} {options.question or options.task or ''}"
        case = case_of(question, options.expected, name=name, category=options.category)
    elif options.save is not None:
        raise UsageError("--save needs the right answer", fix="name it, e.g. --expected 5")
    side_px = LONGEST_SIDE_PX if side_px is None else side_px
    images = tuple(encode(path, longest_side_px=side_px) for path in options.images)
    if options.save is not None and case is not None:
        path = append_case(options.save, with_free_id(options.save, case), *options.images)
        say(f"saved in {path} (grader: {case.grader}); look it over: evalrun check {options.save}")
    return _ask_and_show(options, Request(id="asked", question=question, images=images), case)


def _ask_and_show(options: AskOptions, request: Request, case: Case | None) -> int:
    """Ask every model, show each answer as it arrives, then whether they agree; the exit code.

    Raises: UsageError; TargetError when nobody is left to ask.
    """
    stopping, known = Event(), catalogue.load()
    interrupts = Interrupts(stopping)
    with ExitStack() as stack:
        routes, unreached = reach_all(
            _models(options, known),
            known=known,
            stopping=stopping,
            sampling=options.sampling,
            timeout_s=options.timeout,
            say=say,
            confirm=confirm,
            log=targets.open_log(options.log, stack),
        )
        if not routes and len(unreached) == 1 and unreached[0].error is not None:
            raise unreached[0].error
        board = Board([it.model for it in unreached] + [it.target.model for it in routes], case)
        live = is_watched(sys.stdout) and not options.json
        if live:
            stack.enter_context(Live(get_renderable=board.columns, console=board.console))
        stack.enter_context(interrupts.handled())
        landing = ask_all(
            routes,
            request,
            stopping=stopping,
            is_cut=lambda it: grade_reply(case, it).cut if case else it.truncated,
        )
        for panel in (*unreached, *landing):
            board.answers[panel.model] = panel
            if not live and not options.json:
                board.print(panel)
    codes = _show(options, request, board)
    return interrupts.exit_code or (codes.pop() if len(codes) == 1 else ExitCode.INCOMPLETE)


def _show(options: AskOptions, request: Request, board: Board) -> set[ExitCode]:
    """Whether the models agree, or all as JSON; how each of them ended."""
    answered = [it for it in board.answers.values() if it is not None]
    found = agreement(options.question or request.question, answered, options.task)
    if options.json:
        agreed = found and {"agree": found.agree} | msgspec.to_builtins(found)
        answers = [_as_json(it, board.verdict(it)) for it in answered]
        print_json(_about(options, request) | {"answers": answers, "agreement": agreed})
    elif found is not None:
        board.console.print(sentence_on(found), markup=False, highlight=False, soft_wrap=True)
    return {it.error.exit_code if it.error else ExitCode.DONE for it in answered}


def _models(options: AskOptions, known: Catalogue) -> Iterator[ModelOptions]:
    addresses = targets.addresses(options.target.base_url, options.target.model)
    if several := next((it for it in addresses.values() if len(it) > 1), None):
        raise UsageError(
            f"--base-url {several[1]!r} is a second server of one model, and `ask` asks one",
            fix="give each --model its own: --base-url NAME=URL",
        )
    names = options.target.model
    if options.task is not None and names:
        names = with_task(names, options.task, known, say)
    for name in names or [""]:
        urls = addresses.get(name) or addresses.get(None, [])
        yield replace(options.target, model=[name] if name else [], base_url=urls)


def _about(options: AskOptions, request: Request) -> dict[str, Any]:
    return {
        "question": request.question,
        "image": str(options.images[0]),
        "images": [str(path) for path in options.images],
        "image_sha256": request.images[0].sha256,
        "task": options.task,
        "expected": options.expected,
    }


def _as_json(answer: PanelAnswer, verdict: Verdict | None) -> dict[str, Any]:
    """One answer for programs; what is not known is null."""
    route, reply, url = answer.route, answer.reply, None
    if route is not None and route.target.base_url:
        url = without_credentials(route.target.base_url)
    fields = "text ttft_s latency_s tokens_in tokens_out truncated image_cached"
    return {
        "model": answer.model,
        "backend": route.backend if route else None,
        "base_url": url,
        "answered": reply is not None,
        "error": answer.error.problem if answer.error else None,
        "tokens_per_s": answer.tokens_per_s,
        "cost_usd": answer.cost_usd,
        "verdict": verdict,
        **{name: getattr(reply, name, None) for name in fields.split()},
    }


class Board:
    """The answers side by side, as they land."""

    def __init__(self, models: Sequence[str], case: Case | None) -> None:
        self.answers: dict[str, PanelAnswer | None] = dict.fromkeys(models)
        self.console, self._case, self._started = Terminal(), case, time.monotonic()

    def print(self, answer: PanelAnswer) -> None:
        """A block for one that is there."""
        head = Text(one_line(answer.model, 200), style="bold")
        head.append(f"  {_figures(answer)}", style="dim")
        self.console.print(head, self._words(answer), "", sep="\n", soft_wrap=True)

    def verdict(self, answer: PanelAnswer) -> Verdict | None:
        return grade_reply(self._case, answer.reply) if self._case and answer.reply else None

    def columns(self) -> Columns:
        """As many beside each other as the width takes."""
        at_once = max(1, min(len(self.answers), self.console.width // _NARROWEST))
        panels = []
        for model, answer in self.answers.items():
            words = Text(f"waiting … {time.monotonic() - self._started:.0f} s", style="dim")
            if answer is not None:
                words = self._words(answer).append(f"\n{_figures(answer)}", style="dim")
            panels.append(Panel(words, title=Text(one_line(model, 60)), title_align="left"))
        return Columns(panels, width=self.console.width // at_once - 1, padding=(0, 1))

    def _words(self, answer: PanelAnswer) -> Text:
        """What was said, or why nothing was."""
        error, reply, verdict = answer.error, answer.reply, self.verdict(answer)
        if reply is None:
            # The fix of a failed call speaks of runs; that of an unusable model helps.
            why = error.problem if isinstance(error, CallError) else str(error)
            return Text(f"error: {inert(why, _LONGEST)}", style="magenta")
        text = Text(inert(reply.text.strip() or reply.refusal or "(nothing)", _LONGEST))
        if verdict is not None:
            word, style = ("pass", "green") if verdict.passed else ("fail", "red")
            text.append(f"\n{word}: {one_line(verdict.reason, 200)}", style=style)
        return text


def _figures(answer: PanelAnswer) -> str:
    """Times, speed, cost: what is known of them."""
    reply, speed, cost = answer.reply, answer.tokens_per_s, answer.cost_usd
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
