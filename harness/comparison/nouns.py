"""The nouns of a comparison. Differences are second minus first, shares 0 to 1."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from harness.records import ModelCard, PublishedScore, RunHeader, Score

Outcome = Literal["better", "worse", "undecided"]
"""What the later model is, compared with the first."""


class Steadiness(Struct, frozen=True, kw_only=True):
    """What asking every prompt several times showed."""

    repeats: int
    pass_hat_k: float
    """The share of prompts expected to pass all `repeats` times."""
    flaky: tuple[str, ...]
    """Prompts that passed sometimes."""


class Side(Struct, frozen=True, kw_only=True):
    """One column: a run of ours, or figures somebody published."""

    label: str
    """The model's name; the run's id when two runs of one model are compared."""
    card: ModelCard | None
    header: RunHeader | None
    """Of the run; None when the figures were published, not measured here."""
    published: PublishedScore | None
    overall: Score
    categories: tuple[Score, ...]
    steadiness: Steadiness | None = None
    """None when every prompt was asked once."""

    @property
    def measured(self) -> bool:
        return self.header is not None


class Difference(Struct, frozen=True, kw_only=True):
    """Second minus first on one category, or overall."""

    category: str
    prompts: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    """95 % interval of the difference."""
    first_only: int | None = None
    second_only: int | None = None
    """Prompts that only one of them passed; None for published figures and for repeats."""
    p: float | None = None
    p_holm: float | None = None
    """Of a category: corrected for all categories compared at once."""


class ByPicture(Struct, frozen=True, kw_only=True):
    """The same test over whole pictures: questions on one picture succeed and fail together."""

    pictures: int
    low: float | None
    high: float | None
    """None for fewer than five pictures."""
    p: float


class Flips(Struct, frozen=True, kw_only=True):
    """Prompts on which one repeat of each side, taken at random, is expected to disagree."""

    seen: float
    by_noise: float
    """As many would, were there no difference but that between repeats of one run."""


class Contrast(Struct, frozen=True, kw_only=True):
    """One later side compared with the first."""

    first: str
    second: str
    kind: Literal["paired", "unpaired", "shown"]
    """The same prompts; published figures on both sides; or side by side without a verdict."""
    outcome: Outcome | None = None
    sentence: str = ""
    """The verdict in plain words."""
    remarks: tuple[str, ...] = ()
    """What else the reader must know to believe it, a sentence each."""
    overall: Difference | None = None
    p: float | None = None
    """What the verdict rests on: corrected (Holm) when several models stand against the first."""
    mid_p: float | None = None
    by_picture: ByPicture | None = None
    prompts_needed: int | None = None
    """To show a difference as large as this one with 80 % power."""
    detectable: float | None = None
    """The smallest difference this many prompts show with 80 % power."""
    categories: tuple[Difference, ...] = ()
    flips: Flips | None = None
    """None when neither side has repeats."""
    sighted: Literal["first", "second"] | None = None
    """Of one model with and without the pictures: the side that saw them."""


class Answer(Struct, frozen=True, kw_only=True):
    """What one model answered to a prompt."""

    label: str
    passed: int
    asked: int
    answer: str | None
    text: str
    """The reply, cut after 500 characters; of several repeats the first that failed."""


class Disagreement(Struct, frozen=True, kw_only=True):
    """A prompt that one model passed more often than another."""

    prompt: str
    category: str
    question: str
    image: str
    expected: str
    answers: tuple[Answer, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """Everything `evalrun compare` shows, in whatever format."""

    sides: tuple[Side, ...]
    contrasts: tuple[Contrast, ...]
    disagreements: tuple[Disagreement, ...] = ()
    warnings: tuple[str, ...] = ()
    shared_tasks: tuple[str, ...] | None = None
    """Vision tasks that all of them state; None when one states none."""
    forced: bool = False
    """Compared although the runs differ in ways that `warnings` lists."""
