"""One question to several models at once; whoever iterates gets the answers as they arrive.

And the standard prompts of `ask --task`, with which models have the task.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Request
from harness.adapters.routes import Route, opener
from harness.catalogue import Catalogue
from harness.errors import EvalrunError, TargetError, UsageError
from harness.records import Reply
from harness.runner import Runner, with_more_room
from harness.text import inert


class Task(Struct, frozen=True, kw_only=True):
    """What can be asked of a model without saying how."""

    called: str
    """Its name in the catalogue."""
    prompt: str
    takes_question: bool = False
    grader: str | None = None
    """How the replies are compared; None: as the question suggests."""


TASKS: Mapping[str, Task] = {
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


def question_for(task: str | None, question: str | None) -> str:
    """What is put to the models. Raises: UsageError when there is no question, or one too many."""
    asked, chosen = (question or "").strip(), TASKS[task] if task else None
    if chosen is not None and not chosen.takes_question:
        if asked:
            raise UsageError(
                f"--task {task} brings a question of its own",
                fix="leave out yours, or leave out --task",
            )
        return chosen.prompt
    if not asked:
        raise UsageError("nothing is asked", fix='say what: evalrun ask IMAGE "How many bolts?"')
    return f"{asked} {chosen.prompt}" if chosen else asked


def with_task(
    models: Sequence[str], task: str, known: Catalogue, say: Callable[[str], None]
) -> list[str]:
    """The models that have the task, as far as the catalogue tells; the others are named.

    Raises: TargetError when none has it.
    """
    found = []
    for name in models:
        card = known.get(name)
        stated = card.vision_tasks.value if card and card.vision_tasks else None
        if stated is None:
            say(f"{inert(name)}: no source says whether it does {task}; asked all the same")
        elif TASKS[task].called not in stated:
            listed = f"the catalogue lists {', '.join(stated)}, not {TASKS[task].called}"
            say(f"{inert(name)} is not asked: {inert(listed)}")
            continue
        found.append(name)
    if not found:
        raise TargetError(
            f"none of the models has the task {task}",
            fix="name one that has it (`evalrun models NAME` lists tasks), or leave --task out",
        )
    return found


class PanelAnswer(Struct, frozen=True, kw_only=True):
    """What one model made of the question: a reply, or why there is none."""

    model: str
    route: Route | None
    """None: nobody could be asked."""
    reply: Reply | None = None
    error: EvalrunError | None = None

    @property
    def cost_usd(self) -> float | None:
        """Measured tokens at the list price of the endpoint that was asked; else None."""
        price = self.route.price if self.route else None
        if price is None or self.reply is None:
            return None
        return price.cost_usd(self.reply.tokens_in, self.reply.tokens_out)

    @property
    def tokens_per_s(self) -> float | None:
        """By the server's own clock where it tells it, else from first token to last."""
        reply = self.reply
        if reply and reply.timings and reply.timings.predicted_ms and reply.timings.predicted_n:
            return 1000 * reply.timings.predicted_n / reply.timings.predicted_ms
        if not reply or reply.latency_s is None or reply.ttft_s is None or not reply.tokens_out:
            return None
        generating_s = reply.latency_s - reply.ttft_s
        in_one_piece = generating_s < reply.latency_s / 20  # says nothing of the model's pace
        return None if in_one_piece else reply.tokens_out / generating_s


def ask_all(
    routes: Sequence[Route],
    request: Request,
    *,
    stopping: threading.Event,
    on_text: Callable[[str, str], None] | None = None,
    is_cut: Callable[[Reply], bool] = lambda reply: reply.truncated,
) -> Iterator[PanelAnswer]:
    """Ask all of them; servers that have to be started here take turns, for their sake and ours.

    `on_text` is given a model's name and its reply as far as it has come. A model that fails has
    an answer that says so. Once `stopping` is set, whoever does not answer within `GRACE_S` is
    left out. A reply that `is_cut` is asked for once more, as in a run.
    """
    turn = threading.Lock()

    def ask(route: Route) -> PanelAnswer:
        own = partial(on_text, route.target.model) if on_text else None
        with turn if route.starts_a_server else threading.Lock():
            return _answer(route, replace(request, on_text=own), is_cut)

    if routes:
        runner = Runner([[it] for it in routes], ask, workers=len(routes), stopping=stopping)
        runner.start()
        for landed in runner:
            yield from landed


def _answer(route: Route, request: Request, is_cut: Callable[[Reply], bool]) -> PanelAnswer:
    """Raises: Stopped."""
    answer = partial(PanelAnswer, model=route.target.model, route=route)
    tokens = route.target.sampling.max_tokens_retry
    try:
        with opener(route.backend)(route.target) as adapter:
            reply = adapter.ask(request)
            if tokens and is_cut(reply):
                reply = with_more_room(adapter, request, reply, tokens)
            return answer(reply=reply)
    except EvalrunError as error:
        return answer(error=error)
