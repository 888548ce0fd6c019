"""The standard prompts of `ask --task`, and which models have the task."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from harness.errors import UsageError
from harness.records import ModelCard


class Task(Struct, frozen=True, kw_only=True):
    """What can be asked of a model without saying how."""

    called: str
    """Its name in the catalogue."""
    prompt: str
    takes_question: bool = False
    grader: str | None = None
    """How the replies are held against each other; None: as the question suggests."""


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "ocr": Task(
            called="OCR",
            prompt="Read the text in this picture. Answer with the text alone, line by line, "
            "spelled as it stands there.",
            grader="transcription",
        ),
        "caption": Task(called="Captioning", prompt="Describe this picture in one sentence."),
        "vqa": Task(
            called="Visual Question Answering",
            prompt="Answer with a word, a number or a short phrase.",
            takes_question=True,
        ),
    }
)


def question_for(task: str | None, question: str | None) -> str:
    """What is put to the models. Raises: UsageError when there is no question, or one too many."""
    asked = (question or "").strip()
    if task is None or TASKS[task].takes_question:
        if not asked:
            raise UsageError(
                "nothing is asked", fix='say what: evalrun ask IMAGE "How many bolts?"'
            )
        return f"{asked} {TASKS[task].prompt}" if task else asked
    if asked:
        raise UsageError(
            f"--task {task} brings a question of its own",
            fix="leave out yours, or leave out --task",
        )
    return TASKS[task].prompt


def lacks(task: str | None, card: ModelCard | None) -> str | None:
    """Why a model is not asked, when the catalogue states its tasks and this is none of them."""
    stated = card.vision_tasks if card else None
    if task is None or stated is None or TASKS[task].called in stated.value:
        return None
    return f"the catalogue lists {', '.join(stated.value)}, not {TASKS[task].called}"


def unknown(task: str | None, card: ModelCard | None) -> bool:
    """Whether nothing says if a model has the task: it is asked, with a note."""
    return task is not None and (card is None or card.vision_tasks is None)
