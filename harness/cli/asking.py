"""Whom `ask` asks, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.console import Console

from harness import catalogue
from harness.adapters import Limits, Request, Target
from harness.adapters.resolve import resolve
from harness.adapters.ways import Choice
from harness.catalogue import Catalogue
from harness.cli import answers, tasks
from harness.cli.answers import Told
from harness.cli.app import say
from harness.cli.compare import print_json
from harness.cli.download import agree
from harness.cli.run import HOSTED_TIMEOUT_S, LOCAL_TIMEOUT_S
from harness.cli.signals import ending_well
from harness.errors import ExitCode, TargetError, UsageError
from harness.graders import grade
from harness.records import Case, Sampling, Verdict
from harness.runner.consensus import Consensus, consensus
from harness.runner.panel import PanelAnswer, ask_all
from harness.text import inert

if TYPE_CHECKING:
    from harness.cli.ask import AskOptions

_TRIES, _MAX_WAIT_S = 3, 30.0
"""Somebody waits at the terminal: less patience than in a run."""


def ask_and_show(options: AskOptions, prompt: Request, case: Case | None) -> int:
    """Ask every model, show each answer as it arrives, then whether they agree; the exit code.

    Raises: UsageError; TargetError when nobody is left to ask.
    """
    stopping = Event()
    choices, unreached = _choices(options, stopping)
    models = [it.model for it in unreached] + [it.target.model for it in choices]
    told: list[Told] = []
    with (
        answers.Board(None if options.json else Console(), models) as board,
        ending_well(stopping, say) as interrupts,
    ):
        for panel in (*unreached, *ask_all(choices, prompt, stopping=stopping)):
            told.append(Told(panel=panel, verdict=_verdict(case, panel)))
            board.landed(told[-1])
    _conclude(options, prompt, told)
    return interrupts.exit_code or _exit_code(told)


def _choices(options: AskOptions, stopping: Event) -> tuple[list[Choice], list[PanelAnswer]]:
    """Who can be asked, and who cannot be reached at all.

    Raises: UsageError for one model twice; TargetError when nobody is left.
    """
    known = catalogue.load()
    addresses = _addresses(options)
    choices: list[Choice] = []
    unreached: list[PanelAnswer] = []
    for name in _with_task(options, known) if options.model else [None]:
        given = _target(options, name, addresses.get(name, addresses.get(None)), stopping)
        try:
            choice = resolve(name, given, backend=options.backend, catalogue=known)
            agree(choice, yes=options.yes)
        except TargetError as error:
            unreached.append(PanelAnswer(model=name or "", choice=None, error=error))
        else:
            choices.append(_limited(choice, options.timeout))
    named = [it.target.model for it in choices]
    if twice := {it for it in named if named.count(it) > 1}:
        raise UsageError(f"{', '.join(twice)} is named twice", fix="name each model once")
    if not choices and len(unreached) == 1 and unreached[0].error is not None:
        raise unreached[0].error
    return choices, unreached


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
        sampling=Sampling(
            temperature=options.temperature, seed=options.seed, max_tokens=options.max_tokens
        ),
        system=options.system,
        concurrency=1,
        stopping=stopping,
        notify=say,
    )


def _limited(choice: Choice, timeout_s: float | None) -> Choice:
    limits = Limits(
        timeout_s=timeout_s or (LOCAL_TIMEOUT_S if choice.local else HOSTED_TIMEOUT_S),
        tries=_TRIES,
        max_wait_s=_MAX_WAIT_S,
    )
    return replace(choice, target=replace(choice.target, limits=limits))


def _verdict(case: Case | None, panel: PanelAnswer) -> Verdict | None:
    if case is None or panel.reply is None:
        return None
    return grade(case, panel.reply.text, truncated=panel.reply.truncated)


def _conclude(options: AskOptions, prompt: Request, told: Sequence[Told]) -> None:
    """Whether they agree; as JSON everything, which is then all that stdout gets."""
    said = _consensus(options, prompt.question, told)
    if options.json:
        print_json(
            {
                "question": prompt.question,
                "image": str(options.image),
                "image_sha256": prompt.images[0].sha256 if prompt.images else None,
                "task": options.task,
                "expected": options.expected,
                "answers": [answers.as_json(it) for it in told],
                "agreement": answers.consensus_json(said),
            }
        )
    elif sentence := answers.agreement(said):
        Console().print(sentence, markup=False, highlight=False, soft_wrap=True)


def _consensus(options: AskOptions, question: str, told: Sequence[Told]) -> Consensus | None:
    """None when fewer than two were answered, and for captions, which differ in words alone."""
    replies = {it.model: it.panel.reply.text for it in told if it.panel.reply is not None}
    if len(replies) < 2 or options.task == "caption":
        return None
    grader = tasks.TASKS[options.task].grader if options.task else None
    return consensus(options.question or question, replies, grader=grader)


def _exit_code(told: Sequence[Told]) -> int:
    """5 when somebody did not answer; when nobody was, the common reason if there is one."""
    errors = [it.panel.error for it in told if it.panel.error is not None]
    if not errors:
        return int(ExitCode.DONE)
    codes = {error.exit_code for error in errors}
    common = len(errors) == len(told) and len(codes) == 1
    return int(codes.pop() if common else ExitCode.INCOMPLETE)
