"""`ask`: one question about one or more pictures, to several models at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Annotated, Literal

import msgspec
from typer import Argument, Option

from harness import catalogue, targets
from harness.adapters import Request
from harness.ask import agreement, case_of, reach_all
from harness.catalogue import Catalogue
from harness.cli.answers import Answer, Board, as_json
from harness.cli.output import AsJson, Quiet, confirm, console, print_json, say
from harness.cli.progress import Interrupts
from harness.cli.run import Profile
from harness.errors import ExitCode, UsageError
from harness.graders import grade_reply
from harness.images import encode
from harness.options import (
    ApiKeyEnv,
    Backend,
    BaseUrls,
    LogOptions,
    Model,
    ModelOptions,
    SamplingOptions,
    Timeout,
    Yes,
)
from harness.records import Case
from harness.runner.consensus import sentence_on
from harness.runner.panel import ask_all, question_for, with_task
from harness.suites import LONGEST_SIDE_PX, Level
from harness.suites.lint import lint
from harness.suites.writing import append_case, with_free_id
from harness.text import one_line

_FINDINGS_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """Everything `evalrun ask` can be told."""

    words: Annotated[
        list[str],
        Argument(
            metavar="IMAGE... [QUESTION]",
            help="Pictures, then what to ask; --task brings its own.",
            show_default=False,
        ),
    ]
    model: Model = field(default_factory=list)
    base_url: BaseUrls = field(default_factory=list)
    api_key_env: ApiKeyEnv = None
    backend: Backend = None
    task: Annotated[
        Literal["ocr", "caption", "vqa"] | None,
        Option(help="A standard prompt, for models that have the task."),
    ] = None
    expected: Annotated[str | None, Option(help="The right answer: the replies are graded.")] = None
    save: Annotated[
        Path | None, Option(help="Folder of a suite of your own to append it to; needs --expected.")
    ] = None
    category: Annotated[str, Option(help="Its category there.")] = "Asked"
    sampling: SamplingOptions
    timeout: Timeout = None
    profile: Profile = None
    yes: Yes = False
    json: AsJson = False
    quiet: Quiet = False
    log: LogOptions

    @property
    def images(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.words[:-1] if self.question is not None else self.words))

    @property
    def question(self) -> str | None:
        """The last word, unless it is the only one or a file."""
        last = self.words[-1]
        return None if len(self.words) == 1 or os.path.lexists(last) else last


def ask(options: AskOptions) -> int:
    """Ask one question about pictures; all answers side by side.

    Exits with 5 when a model did not answer.
    """
    question = question_for(options.task, options.question)
    case = None
    if options.expected is not None:
        name = f"{options.images[0].stem} {options.question or options.task or ''}"
        case = case_of(question, options.expected, name=name, category=options.category)
    elif options.save is not None:
        raise UsageError("--save needs the right answer", fix="name it, e.g. --expected 5")
    given_px = options.sampling.image_max_side
    side_px = LONGEST_SIDE_PX if given_px is None else given_px
    images = tuple(encode(path, longest_side_px=side_px) for path in options.images)
    sound = True
    if options.save is not None and case is not None:
        sound = _save(options.save, case, options.images)
    code = _ask_and_show(options, Request(id="asked", question=question, images=images), case)
    return code if code != ExitCode.DONE or sound else ExitCode.BAD_SUITE


def _save(folder: Path, case: Case, pictures: Sequence[Path]) -> bool:
    """Append the case to the suite and check that; whether it is sound, said on stderr."""
    path = append_case(folder, with_free_id(folder, case), *pictures)
    report = lint(folder)
    say(f"saved in {path} (grader: {case.grader}); prompts there: {len(report.suite.cases)}")
    found = [it for it in report.findings if it.level is not Level.NOTE]
    for it in found[:_FINDINGS_SHOWN]:
        say(f"  {it.level}: {one_line(it.where, 80)}: {one_line(it.what, 300)}")
    if len(found) > _FINDINGS_SHOWN:
        say(f"  … and {len(found) - _FINDINGS_SHOWN} more: evalrun check {folder}")
    return report.sound


def _ask_and_show(options: AskOptions, request: Request, case: Case | None) -> int:
    """Ask every model, show each answer as it arrives, then whether they agree; the exit code.

    Raises: UsageError; TargetError when nobody is left to ask.
    """
    stopping, known = Event(), catalogue.load()
    interrupts = Interrupts(stopping)
    answered: list[Answer] = []
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
        models = [it.model for it in unreached] + [it.target.model for it in routes]
        board = stack.enter_context(Board(None if options.json else console(), models))
        stack.enter_context(interrupts.handled())
        landing = ask_all(
            routes,
            request,
            stopping=stopping,
            is_cut=lambda it: grade_reply(case, it).cut if case else it.truncated,
        )
        for panel in (*unreached, *landing):
            verdict = grade_reply(case, panel.reply) if case and panel.reply else None
            answered.append(Answer(panel=panel, verdict=verdict))
            board.landed(answered[-1])
    _conclude(options, request, answered)
    return interrupts.exit_code or _exit_code(answered)


def _models(options: AskOptions, known: Catalogue) -> Iterator[ModelOptions]:
    addresses = targets.addresses(options.base_url, options.model)
    if several := next((it for it in addresses.values() if len(it) > 1), None):
        raise UsageError(
            f"--base-url {several[1]!r} is a second server of one model, and `ask` asks one",
            fix="give each --model its own: --base-url NAME=URL",
        )
    names = options.model
    if options.task is not None and names:
        names = with_task(names, options.task, known, say)
    for name in names or [""]:
        yield ModelOptions(
            model=[name] if name else [],
            base_url=addresses.get(name) or addresses.get(None, []),
            api_key_env=options.api_key_env,
            backend=options.backend,
            yes=options.yes,
        )


def _conclude(options: AskOptions, request: Request, answered: Sequence[Answer]) -> None:
    """Whether they agree; as JSON everything, which is then all that stdout gets."""
    question = options.question or request.question
    found = agreement(question, [it.panel for it in answered], options.task)
    if options.json:
        print_json(
            {
                "question": request.question,
                "image": str(options.images[0]),
                "images": [str(path) for path in options.images],
                "image_sha256": request.images[0].sha256 if request.images else None,
                "task": options.task,
                "expected": options.expected,
                "answers": [as_json(it) for it in answered],
                "agreement": found and {"agree": found.agree} | msgspec.to_builtins(found),
            }
        )
    elif found is not None:
        console().print(sentence_on(found), markup=False, highlight=False, soft_wrap=True)


def _exit_code(answered: Sequence[Answer]) -> int:
    """5 when somebody did not answer; when nobody was, the common reason if there is one."""
    errors = [it.panel.error for it in answered if it.panel.error is not None]
    if not errors:
        return int(ExitCode.DONE)
    codes = {error.exit_code for error in errors}
    common = len(errors) == len(answered) and len(codes) == 1
    return int(codes.pop() if common else ExitCode.INCOMPLETE)
