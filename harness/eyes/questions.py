"""What is asked: every chart with its question and its truth, from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from PIL import Image

from harness.adapters import Request
from harness.eyes import charts
from harness.graders.extract import without_reasoning
from harness.records import EncodedImage, Reply

READ_CODE = "Which code is written in the picture? Answer with the code alone."
READ_LINES = "Read every line of this chart, largest to smallest. Answer with the lines alone."
READ_MARKS = (
    "Five short codes stand in this picture: top left, top right, in the middle, bottom left, "
    "bottom right. Answer with the five codes in this order."
)
READ_TOP = "Which code stands at the top edge of the picture? Answer with the code alone."
NAME_COLOUR = "What colour is this picture? Answer with one word."
NAME_PATCHES = (
    "Twelve coloured patches in three rows of four: name their colours row by row, left to right, "
    "with commas between them."
)
NAME_HALF = "Which colour is the {} half of the picture? Answer with one word."
COUNT_DOTS = "How many dots are in the picture? Answer with a number."
WHERE_CROSS = "Where is the centre of the {} cross? Answer with its coordinates alone."
WHERE_BOX = "Where is the {} rectangle? Answer with the coordinates of its bounding box alone."
CODE_OF = "Each picture shows a code. Which code is in picture {}? Answer with the code alone."

SCHEMA_KEY = "colour_name"
_SCHEMA = {
    "type": "object",
    "properties": {SCHEMA_KEY: {"type": "string"}},
    "required": [SCHEMA_KEY],
    "additionalProperties": False,
}
_RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "colour", "strict": True, "schema": _SCHEMA},
}

SIDES_PX = (256, 512, 1024, 2048, 4096)
BOTH_SIZES_AT = (1024, 2048, 4096)
ARRIVAL_CALLS = 4
ROUNDS, AT_ONCE = 2, 4
MOST_PICTURES = (2, 4)
MARK_CHARS = 4
BUDGET_TOKENS = 128
"""Fewer than a thinking model spends on counting dots."""
REPEATS = 4
"""Further askings of the first question: five replies in all."""


class Question(Struct, frozen=True, kw_only=True):
    """One call of the exam."""

    test: str
    part: str = ""
    """Which of the test's calls: a side in pixels, a form, a colour."""
    text: str
    images: tuple[EncodedImage, ...] = ()
    truth: Any = None
    body: dict[str, Any] = {}
    """Request parameters of this call alone."""
    thinking: str | None = None
    at_once: bool = False
    """Sent together with its neighbours of the same test and part."""

    @property
    def request(self) -> Request:
        return Request(
            id=f"{self.test} {self.part}".strip(),
            question=self.text,
            images=self.images,
            body=self.body,
            thinking=self.thinking,
        )


class Answer(Struct, frozen=True, kw_only=True):
    """A question with its reply, or why there is none."""

    question: Question
    reply: Reply | None = None
    error: str | None = None
    refused: bool = False
    """The endpoint answered that it does not take this call."""

    @property
    def text(self) -> str:
        """The answer proper, without reasoning that the endpoint left in it."""
        return without_reasoning(self.reply.text) if self.reply else ""


def questions(seed: int) -> list[Question]:
    """All of them, in the order of asking. The first shows whether pictures arrive at all."""
    rng = random.Random(seed)  # noqa: S311 - charts, not secrets
    makers = (_arrives, _acuity, _whole, _forms, _where, _at_once, _several, _sight, _schema)
    asked = [question for make in makers for question in make(rng)]
    return [*asked, *_thinking(asked), *_repeats(asked[0])]


def _arrives(rng: random.Random) -> Iterator[Question]:
    code = charts.code(rng)
    image = charts.encoded(charts.code_chart(code))
    yield Question(test="arrives", part="code", text=READ_CODE, images=(image,), truth=code)
    yield Question(test="arrives", part="blind", text=READ_CODE, truth=code)
    for colour in rng.sample(["red", "green", "blue", "yellow"], 2):
        image = charts.encoded(charts.plain_chart(colour))
        yield Question(test="arrives", part=colour, text=NAME_COLOUR, images=(image,), truth=colour)


def _acuity(rng: random.Random) -> Iterator[Question]:
    yield Question(test="acuity", part="0", text=READ_LINES)
    for side in SIDES_PX:
        for size in ("small", "large") if side in BOTH_SIZES_AT else ("small",):
            picture, lines = charts.acuity_chart(rng, side, large=size == "large")
            yield Question(
                test="acuity",
                part=f"{side} {size}",
                text=READ_LINES,
                images=(charts.encoded(picture),),
                truth=lines,
            )


def _whole(rng: random.Random) -> Iterator[Question]:
    for part, size in (("square", (1024, 1024)), ("wide", (1600, 400)), ("tall", (400, 1600))):
        marks = [charts.code(rng, MARK_CHARS) for _ in range(5)]
        image = charts.encoded(charts.marks_chart(marks, *size))
        yield Question(test="whole", part=part, text=READ_MARKS, images=(image,), truth=marks)


def _forms(rng: random.Random) -> Iterator[Question]:
    marks = [charts.code(rng, MARK_CHARS) for _ in range(4)]
    turned = charts.turned_jpeg(charts.sides_chart(marks))
    yield Question(test="forms", part="Exif", text=READ_TOP, images=(turned,), truth=marks)
    for part in ("transparent PNG", "greyscale PNG", "WebP"):
        code = charts.code(rng)
        picture: Image.Image = charts.code_chart(code)
        if part == "transparent PNG":
            picture = charts.transparent(picture)
        elif part == "greyscale PNG":
            picture = picture.convert("L")
        image = charts.encoded(picture, "WEBP" if part == "WebP" else "PNG")
        yield Question(test="forms", part=part, text=READ_CODE, images=(image,), truth=code)


def _where(rng: random.Random) -> Iterator[Question]:
    """Off the diagonal and in a picture that is not square: x-y and y-x are told apart."""
    places = {
        "red": (rng.uniform(0.1, 0.3), rng.uniform(0.55, 0.9)),
        "blue": (rng.uniform(0.7, 0.9), rng.uniform(0.1, 0.35)),
        "green": (rng.uniform(0.5, 0.65), rng.uniform(0.7, 0.9)),
    }
    image = charts.encoded(charts.crosses_chart(places, 1200, 800))
    for colour, place in places.items():
        yield Question(
            test="where",
            part=f"{colour} cross",
            text=WHERE_CROSS.format(colour),
            images=(image,),
            truth=place,
        )
    boxes = {
        "red": (0.08, 0.5, 0.08 + rng.uniform(0.2, 0.3), 0.5 + rng.uniform(0.12, 0.2)),
        "blue": (0.6, 0.1, 0.6 + rng.uniform(0.1, 0.15), 0.1 + rng.uniform(0.3, 0.45)),
    }
    image = charts.encoded(charts.boxes_chart(boxes, 1200, 800))
    for colour, box in boxes.items():
        yield Question(
            test="where",
            part=f"{colour} box",
            text=WHERE_BOX.format(colour),
            images=(image,),
            truth=box,
        )


def _at_once(rng: random.Random) -> Iterator[Question]:
    for number in range(1, ROUNDS + 1):
        codes = [charts.code(rng) for _ in range(AT_ONCE)]
        for code in codes:
            yield Question(
                test="concurrent",
                part=f"round {number}",
                text=READ_CODE,
                images=(charts.encoded(charts.code_chart(code)),),
                truth=(code, codes),
                at_once=True,
            )


def _several(rng: random.Random) -> Iterator[Question]:
    for count in MOST_PICTURES:
        codes = [charts.code(rng) for _ in range(count)]
        images = tuple(charts.encoded(charts.code_chart(code, side_px=384)) for code in codes)
        number = rng.randint(2, count)
        yield Question(
            test="several",
            part=str(count),
            text=CODE_OF.format(number),
            images=images,
            truth=(codes[number - 1], codes),
        )


def _sight(rng: random.Random) -> Iterator[Question]:
    """A minimum of sight, so that the card says what other failures are due to."""
    for count in (rng.randint(3, 5), rng.randint(6, 8), rng.randint(9, 12)):
        image = charts.encoded(charts.dots_chart(rng, count))
        yield Question(
            test="counting", part=str(count), text=COUNT_DOTS, images=(image,), truth=count
        )
    colours = rng.sample(list(charts.COLOURS), 12)
    image = charts.encoded(charts.patches_chart(colours))
    yield Question(test="colour", text=NAME_PATCHES, images=(image,), truth=colours)
    for _ in range(2):
        left, right = rng.sample(["red", "green", "blue", "yellow"], 2)
        image = charts.encoded(charts.halves_chart(left, right))
        for side, truth in (("left", left), ("right", right)):
            yield Question(
                test="left_right",
                part=f"{side} of {left} and {right}",
                text=NAME_HALF.format(side),
                images=(image,),
                truth=truth,
            )


def _schema(rng: random.Random) -> Iterator[Question]:
    """The question asks for one word: JSON comes only from one who is bound to it."""
    image = charts.encoded(charts.plain_chart(rng.choice(["red", "green", "blue"])))
    body = {"response_format": _RESPONSE_FORMAT}
    yield Question(test="schema", text=NAME_COLOUR, images=(image,), body=body)


def _thinking(asked: Sequence[Question]) -> Iterator[Question]:
    """The first question without thinking, and the longest counting within a budget."""
    most_dots = [it for it in asked if it.test == "counting"][-1]
    for again, level in ((asked[0], "off"), (most_dots, str(BUDGET_TOKENS))):
        yield Question(
            test="thinking", part=level, text=again.text, images=again.images, thinking=level
        )


def _repeats(first: Question) -> Iterator[Question]:
    for number in range(REPEATS):
        yield Question(
            test="repeatable", part=str(number + 2), text=first.text, images=first.images
        )
