"""`ask`: one question about one picture, to several models at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from typer import Argument, Option

from harness.cli.app import app, say, stopping_cleanly
from harness.cli.options import taking

if TYPE_CHECKING:
    from harness.records import Case


_ID_CHARS = 80
_FINDINGS_SHOWN = 10


class AskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One field per argument or option."""

    image: Annotated[Path, Argument(help="The picture.", show_default=False)]
    question: Annotated[
        str | None, Argument(help="What to ask; --task brings its own.", show_default=False)
    ] = None
    model: Annotated[
        list[str],
        Option("--model", "-m", help="Model to ask (repeatable); without one, the demonstration."),
    ] = []
    base_url: Annotated[
        list[str], Option(help="A running server, for every model or as NAME=URL (repeatable).")
    ] = []
    api_key_env: Annotated[str | None, Option(help="Environment variable that holds the key.")] = (
        None
    )
    backend: Annotated[str | None, Option(help="Adapter or preset, for every model.")] = None
    task: Annotated[
        Literal["ocr", "caption", "vqa"] | None,
        Option(help="A standard prompt, for models that have the task."),
    ] = None
    expected: Annotated[str | None, Option(help="The right answer: the replies are graded.")] = None
    save: Annotated[
        Path | None, Option(help="Folder of a suite of your own to append it to; needs --expected.")
    ] = None
    category: Annotated[str, Option(help="Its category there.")] = "Asked"
    temperature: Annotated[float, Option(min=0, max=2)] = 0.0
    seed: Annotated[int, Option()] = 1
    max_tokens: Annotated[int, Option(min=1, help="Longest reply.")] = 512
    system: Annotated[str | None, Option(help="A system prompt.")] = None
    image_max_side: Annotated[
        int, Option(min=16, max=16384, help="Longest side sent, in pixels.")
    ] = 1024
    timeout: Annotated[
        float | None,
        Option(min=0.1, help="Seconds of silence [default: 600 local, 120 hosted]."),
    ] = None
    yes: Annotated[bool, Option("--yes", "-y", help="Download weights without asking.")] = False
    json: Annotated[bool, Option("--json", help="JSON on stdout.")] = False


def ask(options: AskOptions) -> None:
    """Ask one question about one picture; the answers of all models side by side.

    Exits with 5 when a model did not answer.
    """
    with stopping_cleanly():
        from harness.adapters import Request
        from harness.cli import tasks
        from harness.cli.asking import ask_and_show
        from harness.errors import ExitCode
        from harness.images import encode

        question = tasks.question_for(options.task, options.question)
        case = _case(options, question)
        image = encode(options.image, longest_side_px=options.image_max_side)
        sound = options.save is None or _saved(options.save, case, options.image)
        code = ask_and_show(options, Request(id="asked", question=question, images=(image,)), case)
        if code == ExitCode.DONE and not sound:
            code = int(ExitCode.BAD_SUITE)
    # Threads may still hang in a call that nobody waits for any more; do not wait for them either.
    from harness.cli.signals import leave_now

    leave_now(code)


app.command("ask")(taking(AskOptions, ask))


def _case(options: AskOptions, question: str) -> Case | None:
    """The question with its right answer, when that was given.

    Raises: UsageError for --save without it, or an answer that cannot be graded.
    """
    from harness.errors import UsageError
    from harness.graders import infer, problems
    from harness.records import Case
    from harness.suites.suite import slug

    if options.expected is None:
        if options.save is not None:
            raise UsageError("--save needs the right answer", fix="name it, e.g. --expected 5")
        return None
    grader, chosen = infer(question, options.expected)
    case = Case(
        id=f"{slug(options.image.stem)}-{slug(options.question or options.task or '')}"[:_ID_CHARS],
        category=options.category,
        question=question,
        image="",
        expected=options.expected,
        grader=grader,
        options=chosen,
    )
    if wrong := problems(case):
        raise UsageError(f"--expected {options.expected!r}: {wrong[0]}", fix="name another answer")
    return case


def _saved(folder: Path, case: Case | None, picture: Path) -> bool:
    """Append the case to the suite and look that over; whether it is sound, said on stderr."""
    from harness import suites
    from harness.suites.lint import Level, lint
    from harness.text import one_line

    assert case is not None
    path = suites.append_case(folder, _renamed(folder, case), picture)
    report = lint(folder)
    say(f"saved in {path} (grader: {case.grader}); prompts there: {len(report.suite.cases)}")
    found = [it for it in report.findings if it.level is not Level.NOTE]
    for it in found[:_FINDINGS_SHOWN]:
        say(f"  {it.level}: {one_line(it.where, 80)}: {one_line(it.what, 300)}")
    if len(found) > _FINDINGS_SHOWN:
        say(f"  … and {len(found) - _FINDINGS_SHOWN} more: evalrun check {folder}")
    return report.sound


def _renamed(folder: Path, case: Case) -> Case:
    """The case under an id that the suite does not have yet.

    Raises: SuiteError when the folder holds something other than a TOML suite.
    """
    from harness import suites
    from harness.errors import SuiteError
    from harness.images import shown

    if not folder.exists():
        return case
    if not folder.is_dir() or (any(folder.iterdir()) and not any(folder.glob("prompts/*.toml"))):
        raise SuiteError(
            f"{shown(folder)} is no suite that can be appended to",
            fix="name a folder that holds prompts/*.toml, or one that does not exist yet",
        )
    if not any(folder.iterdir()):
        return case
    known = {it.id for it in suites.load(folder).cases}
    free = (f"{case.id}-{number}" if number > 1 else case.id for number in range(1, len(known) + 2))
    return msgspec.structs.replace(case, id=next(it for it in free if it not in known))
