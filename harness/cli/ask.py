"""`ask`: one question about one or more pictures, to several models at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from threading import Event

from msgspec.structs import replace

from harness import catalogue
from harness.adapters import Request, Target
from harness.adapters.routes import Route, resolve
from harness.catalogue import Catalogue
from harness.cli import answers, asked_case, targets
from harness.cli.answers import Answer
from harness.cli.exchange_log import open_log
from harness.cli.options import AskOptions, LimitOptions
from harness.cli.output import console, print_json, say
from harness.cli.signals import stopped_by_signals
from harness.errors import ExitCode, TargetError, UsageError
from harness.graders import grade_reply
from harness.images import encode
from harness.records import Case, Verdict
from harness.runner import tasks
from harness.runner.consensus import Consensus, consensus, sentence_on
from harness.runner.panel import PanelAnswer, ask_all
from harness.suites.suite import LONGEST_SIDE_PX
from harness.text import inert

_TRIES, _MAX_WAIT_S = 3, 30.0
"""Somebody waits at the terminal: less patience than in a run."""


def ask(options: AskOptions) -> int:
    """Ask one question about pictures; all answers side by side.

    Exits with 5 when a model did not answer.
    """
    question = tasks.question_for(options.task, options.question)
    case = asked_case.case_of(options, question)
    side_px = options.sampling.image_max_side or LONGEST_SIDE_PX
    images = tuple(encode(path, longest_side_px=side_px) for path in options.images)
    sound = True
    if options.save is not None and case is not None:
        sound = asked_case.save(options.save, case, options.images)
    request = Request(id="asked", question=question, images=images)
    with ExitStack() as stack:
        code = _ask_and_show(options, request, case, stack)
    return code if code != ExitCode.DONE or sound else ExitCode.BAD_SUITE


def _ask_and_show(options: AskOptions, prompt: Request, case: Case | None, stack: ExitStack) -> int:
    """Ask every model, show each answer as it arrives, then whether they agree; the exit code.

    Raises: UsageError; TargetError when nobody is left to ask.
    """
    stopping = Event()
    log = open_log(options.log, stack)
    routes, unreached = _routes(options, stopping)
    routes = [replace(it, target=replace(it.target, log=log)) for it in routes]
    models = [it.model for it in unreached] + [it.target.model for it in routes]
    answered: list[Answer] = []
    with (
        answers.Board(None if options.json else console(), models) as board,
        stopped_by_signals(stopping, say) as interrupts,
    ):
        for panel in (*unreached, *ask_all(routes, prompt, stopping=stopping)):
            answered.append(Answer(panel=panel, verdict=_verdict(case, panel)))
            board.landed(answered[-1])
    _conclude(options, prompt, answered)
    return interrupts.exit_code or _exit_code(answered)


def _routes(options: AskOptions, stopping: Event) -> tuple[list[Route], list[PanelAnswer]]:
    """Who can be asked, and who cannot be reached at all.

    Raises: UsageError for one model twice; TargetError when nobody is left.
    """
    known = catalogue.load()
    addresses = _addresses(options)
    routes: list[Route] = []
    unreached: list[PanelAnswer] = []
    for name in _with_task(options, known) if options.model else [None]:
        given = _target(options, name, addresses.get(name, addresses.get(None)), stopping)
        try:
            route = resolve(name, given, backend=options.backend, catalogue=known)
            targets.confirm_download(route, yes=options.yes)
        except TargetError as error:
            unreached.append(PanelAnswer(model=name or "", route=None, error=error))
        else:
            limits = LimitOptions(timeout=options.timeout, tries=_TRIES, max_wait=_MAX_WAIT_S)
            routes.append(targets.with_limits(route, limits))
    named = [it.target.model for it in routes]
    if twice := {it for it in named if named.count(it) > 1}:
        raise UsageError(f"{', '.join(twice)} is named twice", fix="name each model once")
    if not routes and len(unreached) == 1 and unreached[0].error is not None:
        raise unreached[0].error
    return routes, unreached


def _addresses(options: AskOptions) -> dict[str | None, str]:
    """Model -> its server; under None the server of all others.

    Raises: UsageError for a model that is not asked, or two addresses for one.
    """
    found: dict[str | None, str] = {}
    for given in options.base_url:
        name, sign, url = given.partition("=")
        pair = sign and "://" not in name
        key = name if pair else None
        if key in found or (pair and key not in options.model):
            why = "is given twice" if key in found else "names a model that is not asked"
            raise UsageError(
                f"--base-url {given!r} {why}", fix="give each --model its own: --base-url NAME=URL"
            )
        found[key] = url if pair else given
    return found


def _with_task(options: AskOptions, known: Catalogue) -> Iterator[str]:
    """The models that have the task, as far as the catalogue tells; the others are named.

    Raises: TargetError when none has it.
    """
    left = 0
    for name in options.model:
        card = known.get(name)
        if why := tasks.lacks(options.task, card):
            say(f"{inert(name)} is not asked: {inert(why)}")
            continue
        if tasks.unknown(options.task, card):
            say(f"{inert(name)}: no source says whether it does {options.task}; asked all the same")
        left += 1
        yield name
    if not left:
        raise TargetError(
            f"none of the models has the task {options.task}",
            fix="name one that has it (`evalrun models NAME` lists tasks), or leave --task out",
        )


def _target(options: AskOptions, name: str | None, base_url: str | None, stopping: Event) -> Target:
    return Target(
        model=name or "",
        base_url=base_url,
        api_key_env=options.api_key_env,
        sampling=targets.sampling(options.sampling),
        system=options.sampling.system,
        body=targets.body(options.sampling.body),
        image_tokens=targets.image_tokens(options.sampling.image_tokens),
        image_detail=options.sampling.image_detail,
        concurrency=1,
        stopping=stopping,
        notify=say,
    )


def _verdict(case: Case | None, panel: PanelAnswer) -> Verdict | None:
    if case is None or panel.reply is None:
        return None
    return grade_reply(case, panel.reply)


def _conclude(options: AskOptions, prompt: Request, answered: Sequence[Answer]) -> None:
    """Whether they agree; as JSON everything, which is then all that stdout gets."""
    found = _consensus(options, prompt.question, answered)
    if options.json:
        print_json(
            {
                "question": prompt.question,
                "image": str(options.images[0]),
                "images": [str(path) for path in options.images],
                "image_sha256": prompt.images[0].sha256 if prompt.images else None,
                "task": options.task,
                "expected": options.expected,
                "answers": [answers.as_json(it) for it in answered],
                "agreement": answers.consensus_json(found),
            }
        )
    elif found is not None:
        console().print(sentence_on(found), markup=False, highlight=False, soft_wrap=True)


def _consensus(options: AskOptions, question: str, answered: Sequence[Answer]) -> Consensus | None:
    """None when fewer than two were answered, and for captions, which differ in words alone."""
    replies = {it.model: it.panel.reply.text for it in answered if it.panel.reply is not None}
    if len(replies) < 2 or options.task == "caption":
        return None
    grader = tasks.TASKS[options.task].grader if options.task else None
    return consensus(options.question or question, replies, grader=grader)


def _exit_code(answered: Sequence[Answer]) -> int:
    """5 when somebody did not answer; when nobody was, the common reason if there is one."""
    errors = [it.panel.error for it in answered if it.panel.error is not None]
    if not errors:
        return int(ExitCode.DONE)
    codes = {error.exit_code for error in errors}
    common = len(errors) == len(answered) and len(codes) == 1
    return int(codes.pop() if common else ExitCode.INCOMPLETE)
