"""Answers out of a file instead of a model: a recorded run, or another tool's JSON lines.

Foreign lines are objects with `prompt` (the case's id) and `response`, optionally `model`,
`repeat`, `finish_reason` ("length": cut) and `latency_s`; the figures of a recorded run are kept
as they were measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.adapters import Opened, Request, Target
from harness.errors import CallError, RequestRefused, ResultsError, TargetError
from harness.records import CallFailure, Reply, ServerFacts
from harness.store import read

EXAMPLE = Path("example")
"""Stands for the recorded answers that come with evalrun, unless there is a file of that name."""
_EXAMPLE_FILE = Path(__file__).parent.parent / "example-answers.jsonl"
_Outcomes = dict[tuple[str, int], Reply | CallFailure]


class _Line(msgspec.Struct, kw_only=True):
    prompt: str
    response: str
    repeat: int = 0
    finish_reason: str | None = None
    latency_s: float | None = None


class Replay:
    """Says again what was recorded."""

    def __init__(self, outcomes: _Outcomes, server: ServerFacts | None = None) -> None:
        self._outcomes = outcomes
        self.opened = Opened(backend="replay", server=server)

    def prompts(self) -> set[str]:
        """The ids that something is recorded for."""
        return {prompt for prompt, _ in self._outcomes}

    def ask(self, prompt: Request) -> Reply:
        outcome = self._outcomes.get((prompt.id, prompt.repeat))
        if isinstance(outcome, Reply):
            return outcome
        if outcome is None:
            raise RequestRefused(
                f"nothing is recorded for {prompt.id!r} (repeat {prompt.repeat})",
                fix="replay a file that holds it, or leave the prompt out",
            )
        kinds = {kind.kind: kind for kind in CallError.__subclasses__()}
        error = kinds[outcome.kind](outcome.message, fix="resume the run it was recorded in")
        error.effort = outcome.effort
        raise error


@contextmanager
def open_replay(target: Target) -> Iterator[Replay]:
    """Open a recording. Raises: TargetError when the file is neither a run nor JSON lines."""
    if target.replay is None:
        raise TargetError("nothing to replay was named", fix="name a file with --replay")
    path = _located(target.replay)
    try:
        run = read(path)
    except ResultsError:
        yield Replay(_foreign(path))
    else:
        yield Replay({it.key: it.outcome for it in run.records()}, run.header.server)


def recorded_model(path: Path) -> str:
    """The model whose answers they are, as the file says; else the file's name stands for it."""
    try:
        with _located(path).open("rb") as file:
            return str(msgspec.json.decode(file.readline())["model"])
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
        return path.stem  # opening it says what is wrong with it


def _located(path: Path) -> Path:
    return _EXAMPLE_FILE if path == EXAMPLE and not path.exists() else path


def _foreign(path: Path) -> _Outcomes:
    lines, why = list[_Line](), "it is empty"
    try:
        lines = msgspec.json.Decoder(_Line).decode_lines(path.read_bytes())
    except (msgspec.MsgspecError, OSError) as error:
        why = str(error)
    if not lines:
        raise TargetError(
            f"{path} cannot be replayed: {why}",
            fix='name a run file, or lines such as {"prompt": "dd-01", "response": "yes"}',
        )
    return {
        (it.prompt, it.repeat): Reply(
            text=it.response, finish_reason=it.finish_reason, latency_s=it.latency_s
        )
        for it in lines
    }
