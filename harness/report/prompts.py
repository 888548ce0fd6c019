"""Every prompt of the report with what each model made of it, cut to a length a page can bear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.records import CallFailure, Case, Record, Reply
from harness.report.gathering import Column
from harness.tables import words
from harness.tables.rows import as_text
from harness.text import inert

PREVIEW = 320
"""Characters of a reply that are shown before it is opened."""
_HEAD, _TAIL = 6_000, 2_000
"""Characters of a reply that the page holds; the rest stays in the run file."""
_REASON = 400


class Answer(Struct, frozen=True, kw_only=True):
    """One reply, or why there is none."""

    verdict: str
    """pass, fail or error."""
    reason: str
    text: str = ""
    length: int = 0
    """Characters of the whole reply."""
    read: str | None = None
    """The answer that the grader read out of it."""
    facts: tuple[str, ...] = ()
    """Times, tokens, cost."""
    marks: tuple[str, ...] = ()
    """What a reader must know: who gave the verdict, whether the reply was cut."""

    @property
    def kind(self) -> str:
        """The verdict as a class name."""
        return self.verdict.replace(" ", "-")

    @property
    def long(self) -> bool:
        return len(self.text) > PREVIEW or self.text.count("\n") > 5

    @property
    def left_out(self) -> int:
        """Characters that only the run file holds."""
        return max(0, self.length - _HEAD - _TAIL)


class Said(Struct, frozen=True, kw_only=True):
    """What one model made of a prompt: an answer for every repeat that was asked."""

    label: str
    asked: bool
    """Whether the run asks this prompt at all."""
    answers: tuple[Answer, ...] = ()

    @property
    def verdict(self) -> str:
        if not self.answers:
            return "not asked yet" if self.asked else "not asked"
        if len(self.answers) == 1:
            return self.answers[0].verdict
        passed = sum(it.verdict == "pass" for it in self.answers)
        return f"pass {passed} of {len(self.answers)}"

    @property
    def kind(self) -> str:
        """pass when every answer passed, error when one is missing, else fail."""
        kinds = {it.kind for it in self.answers} or {"error"}
        return next(it for it in ("error", "fail", "pass") if it in kinds)


class Picture(Struct, frozen=True):
    """Which picture a prompt was asked about."""

    sha256: str
    path: str
    max_side_px: int


class Prompt(Struct, frozen=True, kw_only=True):
    """One question with all that was said to it."""

    number: int
    case: Case
    picture: Picture | None
    """None when no run sent one."""
    said: tuple[Said, ...]

    @property
    def expected(self) -> str:
        return as_text(self.case.expected)

    @property
    def differ(self) -> bool:
        """Some passed and others did not."""
        return len({it.verdict for it in self.said if it.answers and it.kind != "error"}) > 1

    @property
    def outcome(self) -> str:
        """How all of them did, as a class name."""
        kinds = {it.kind for it in self.said if it.asked}
        if kinds == {"pass"}:
            return "all-pass"
        return "none-pass" if kinds <= {"fail", "error"} else "some-pass"


class _Asked:
    """A prompt being collected."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.records: dict[str, list[Answer]] = {}
        self.picture: Picture | None = None


def prompts(columns: Sequence[Column]) -> list[Prompt]:
    """The prompts of all runs in the order of the first; the same words make the same prompt."""
    collected: dict[tuple[object, ...], _Asked] = {}
    runs = [(it.label, it.measured) for it in columns if it.measured is not None]
    for label, measured in runs:
        for record in measured.run.records():
            case = record.case
            key = (case.id, case.question, case.image, case.expected)
            asked = collected.setdefault(key, _Asked(case))
            asked.records.setdefault(label, []).append(_answer(record))
            if asked.picture is None and record.image_sha256 is not None:
                limit = measured.score.header.image_max_side_px
                asked.picture = Picture(record.image_sha256, case.image, limit)
    order = list(dict.fromkeys(name for it in runs for name in it[1].score.header.categories))
    listed = sorted(collected.values(), key=lambda it: order.index(it.case.category))
    labels = [label for label, _ in runs]
    return [_prompt(number, it, labels) for number, it in enumerate(listed, start=1)]


def _prompt(number: int, asked: _Asked, labels: Sequence[str]) -> Prompt:
    said = tuple(
        Said(label=label, asked=label in asked.records, answers=tuple(asked.records.get(label, ())))
        for label in labels
    )
    return Prompt(number=number, case=asked.case, picture=asked.picture, said=said)


def _answer(record: Record) -> Answer:
    outcome, verdict = record.outcome, record.final
    if isinstance(outcome, CallFailure) or verdict is None:
        failure = outcome if isinstance(outcome, CallFailure) else None
        why = f"{failure.kind}: {failure.message}" if failure else ""
        return Answer(verdict="error", reason=inert(why, _REASON))
    return Answer(
        verdict="pass" if verdict.passed else "fail",
        reason=inert(verdict.reason, _REASON),
        text=_cut(outcome.text),
        length=len(outcome.text),
        read=inert(verdict.answer, _REASON) if verdict.answer else None,
        facts=tuple(_facts(record, outcome)),
        marks=tuple(_marks(record, outcome)),
    )


def _cut(text: str) -> str:
    if len(text) <= _HEAD + _TAIL:
        return inert(text)
    return f"{inert(text[:_HEAD])}\n[…]\n{inert(text[-_TAIL:])}"


def _facts(record: Record, reply: Reply) -> Iterator[str]:
    yield words.seconds(reply.latency_s)
    if reply.ttft_s is not None:
        yield f"first token {words.seconds(reply.ttft_s)}"
    if reply.tokens_out is not None:
        yield f"{reply.tokens_out:,} tokens"
    if record.cost_usd is not None:
        yield words.dollars(record.cost_usd)


def _marks(record: Record, reply: Reply) -> Iterator[str]:
    if record.correction is not None:
        yield "verdict corrected by a person"
    elif record.verdict_by == "judge":
        yield "verdict by the model judge"
    if reply.truncated:
        yield "cut at the token limit"
    if reply.image_cached:
        yield "picture was in the server’s cache"
    if reply.effort.attempts > 1:
        yield f"answered at attempt {reply.effort.attempts}"
