"""The card: what an endpoint sees, as data (JSON) and in words, and where it is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from harness import store
from harness.errors import ResultsError


class TokensAtSide(Struct, frozen=True):
    """What a square picture of this side costs in input tokens, the question taken off."""

    side_px: int
    tokens: int


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call: what was asked, what came back, and whether it was right."""

    test: str
    part: str
    asked: str
    said: str | None = None
    right: bool | None = None
    """None when nothing can be right or wrong about it, or when the call failed."""
    error: str | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    unasked: bool | None = None
    """Whether replies came with reasoning though none was asked for."""
    can_be_switched_off: bool | None = None
    keeps_to_budget: bool | None = None


class Tally(Struct, frozen=True):
    right: int
    asked: int


class EyeCard(Struct, frozen=True, kw_only=True):
    """None, or an empty value, is "cannot tell": `verdicts` or `not_run` says why."""

    id: str
    measured_at: datetime
    model: str
    endpoint: str | None
    backend: str
    seed: int
    arrives: bool | None = None
    image_tokens: tuple[TokensAtSide, ...] = ()
    smallest_legible_px: dict[str, float | None] = {}
    """Side of the picture -> height of the smallest line read with at most one error in five."""
    shrinks_to_px: int | None = None
    shrinks_between_px: tuple[int, int | None] | None = None
    """The range that the data allow; None behind the first: no upper end."""
    whole_picture: bool | None = None
    formats: dict[str, str] = {}
    """Form -> read, misread, refused, ...; taken, where no form is read."""
    coordinates: str | None = None
    mixes_up_concurrent_pictures: bool | None = None
    pictures_per_question: int | None = None
    """The most that were tried and kept apart in their order."""
    thinking: Thinking = Thinking()
    schema: bool | None = None
    """Whether `response_format` binds the reply."""
    repeatable: bool | None = None
    counting: Tally | None = None
    colour: Tally | None = None
    left_right: Tally | None = None
    verdicts: dict[str, str] = {}
    """Test -> its result in a sentence."""
    not_run: dict[str, str] = {}
    """Test -> why it has no result."""
    settings: dict[str, str | int] = {}
    """Options of `evalrun run` that suit this endpoint, without the dashes."""
    calls: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    parts: tuple[Part, ...] = ()

    @property
    def options(self) -> str:
        """The settings as they are typed."""
        return " ".join(f"--{name} {value}" for name, value in self.settings.items())


def save(results: Path, card: EyeCard) -> Path:
    """Write the card as `<results>/<model>/eyes-<UTC time>.json`."""
    stamp = card.measured_at.strftime("%Y%m%dT%H%M%SZ")
    path = results / store.folder_name(card.model) / f"eyes-{stamp}.json"
    text = msgspec.json.format(msgspec.json.encode(card), indent=1).decode()
    store.replace_text(path, text + "\n")
    return path


def cards(results: Path, model: str) -> Iterator[EyeCard]:
    """The model's cards, newest first; unreadable ones are passed over."""
    folder = results / store.folder_name(model)
    for path in sorted(folder.glob("eyes-*.json"), reverse=True):
        with contextlib.suppress(ResultsError):
            yield read(path)


def read(path: Path) -> EyeCard:
    """Raises: ResultsError when the file is missing or no eye card."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=EyeCard)
    except (OSError, msgspec.MsgspecError) as error:
        raise ResultsError(
            f"{path} is not an eye card: {error}", fix="make one with `evalrun eyes --model NAME`"
        ) from error


def newest(results: Path, model: str, endpoint: str | None) -> EyeCard | None:
    """The newest card of this model at this endpoint; a server of our own has no address."""
    return next((it for it in cards(results, model) if it.endpoint == endpoint), None)
