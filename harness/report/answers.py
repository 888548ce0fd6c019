"""Every prompt with what each model replied."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from harness.comparison.sides import Side
from harness.records import Case, Record, Reply, State
from harness.tables import dollars, seconds

_GRAVEST: tuple[State, ...] = ("error", "cut", "fail", "pass")


class Answers(Struct, frozen=True, kw_only=True):
    """One model's answers to a prompt: one for every repeat that was asked."""

    label: str
    records: Sequence[Record]

    @property
    def verdict(self) -> str:
        if len(self.records) == 1:
            return self.state
        passed = sum(it.state == "pass" for it in self.records)
        return f"pass {passed} of {len(self.records)}" if self.records else "not asked"

    @property
    def state(self) -> State:
        """pass when every answer passed, else the most serious of them."""
        return min((it.state for it in self.records), key=_GRAVEST.index, default="error")


class Picture(Struct, frozen=True):
    """Which picture a prompt was asked about."""

    sha256: str
    path: str
    max_side_px: int


class Prompt(Struct, frozen=True, kw_only=True):
    """One question with the answers of all models."""

    number: int
    case: Case
    pictures: Sequence[Picture]
    """Empty when no run sent one."""
    models: Sequence[Answers]

    @property
    def differ(self) -> bool:
        """Some passed and others did not."""
        return len({it.verdict for it in self.models if it.records and it.state != "error"}) > 1

    @property
    def classes(self) -> set[str]:
        """What the filters of a page choose by."""
        states = [it.state for it in self.models if it.records]
        passed = states.count("pass")
        held = {"all-pass": passed == len(states), "none-pass": not passed, "differ": self.differ}
        held |= {f"fail-{at}": it.state == "fail" for at, it in enumerate(self.models)}
        return {name for name, is_so in held.items() if is_so} | ({"cut", "error"} & set(states))

    @property
    def interest(self) -> int:
        """Where models differ there is most to see, then where one failed; lowest first."""
        return 0 if self.differ else 2 if "all-pass" in self.classes else 1


def prompts(sides: Sequence[Side]) -> list[Prompt]:
    """The prompts of all runs in the order of the first; the same words make the same prompt."""
    found: dict[tuple[object, ...], tuple[Case, list[Picture], dict[str, list[Record]]]] = {}
    measured = [(it.label, it.header, it.runs) for it in sides if it.header is not None]
    for label, header, runs in measured:
        for record in (record for run in runs for record in run.records()):
            case = record.case
            key = (case.id, case.question, case.image, case.expected)
            shared, pictures, answers = found.setdefault(key, (case, [], {}))
            answers.setdefault(label, []).append(replace(record, case=shared))
            if not pictures:
                pictures += pictures_of(record, header.image_max_side_px)
    order = list(dict.fromkeys(name for _, header, _ in measured for name in header.categories))
    listed = sorted(found.values(), key=lambda it: order.index(it[0].category))
    return [
        Prompt(
            number=number,
            case=case,
            pictures=pictures,
            models=[Answers(label=it, records=answers.get(it, ())) for it, _, _ in measured],
        )
        for number, (case, pictures, answers) in enumerate(listed, start=1)
    ]


def pictures_of(record: Record, max_side_px: int) -> list[Picture]:
    sent = record.images_sha256 or ((record.image_sha256,) if record.image_sha256 else ())
    paired = zip(sent, record.case.pictures, strict=False)
    return [Picture(sha256, path, max_side_px) for sha256, path in paired]


def figures(record: Record, reply: Reply) -> list[str]:
    """Times, tokens, cost, as far as they are known."""
    known = {
        seconds(reply.latency_s): reply.latency_s,
        f"first token {seconds(reply.ttft_s)}": reply.ttft_s,
        f"{reply.tokens_out or 0:,} tokens": reply.tokens_out,
        dollars(record.cost_usd): record.cost_usd,
    }
    return [words for words, figure in known.items() if figure is not None]


def caveats(record: Record, reply: Reply) -> list[str]:
    """What a reader must know: who gave the verdict, how the reply came about."""
    held = {
        "verdict corrected by a person": record.verdict_by == "person",
        "verdict by the model judge": record.verdict_by == "judge",
        "cut at the token limit": reply.truncated,
        "picture was in the server’s cache": reply.image_cached,
        f"answered at attempt {reply.effort.attempts}": reply.effort.attempts > 1,
    }
    return [words for words, is_so in held.items() if is_so]
