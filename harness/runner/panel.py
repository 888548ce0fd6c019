"""One question to several models at once; whoever iterates gets the answers as they arrive."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Request, opener
from harness.adapters.routes import Route
from harness.errors import EvalrunError
from harness.records import Reply
from harness.runner.workers import GRACE_S
from harness.transport import Stopped


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
        if reply is None:
            return None
        timings = reply.timings
        if timings and timings.predicted_ms and timings.predicted_n:
            return 1000 * timings.predicted_n / timings.predicted_ms
        if reply.latency_s is None or reply.ttft_s is None:
            return None
        speaking_s = reply.latency_s - reply.ttft_s
        if not reply.tokens_out or speaking_s < reply.latency_s / 20:
            return None  # it came in one piece: that says nothing of the model's pace
        return reply.tokens_out / speaking_s


def ask_all(
    routes: Sequence[Route],
    prompt: Request,
    *,
    stopping: threading.Event,
    on_text: Callable[[str, str], None] | None = None,
) -> Iterator[PanelAnswer]:
    """Ask all of them; servers that have to be started here take turns, for their sake and ours.

    `on_text` is given a model's name and its reply as far as it has come.

    A model that fails is told of like any other. Once `stopping` is set, whoever does not answer
    within `GRACE_S` is left out.
    """
    landed: queue.Queue[PanelAnswer | BaseException | None] = queue.Queue()
    turn = threading.Lock()
    for route in routes:
        # Daemons: a call that hangs must not keep a finished process alive.
        own = partial(on_text, route.target.model) if on_text else None
        arguments = (route, replace(prompt, on_text=own), turn, stopping, landed)
        threading.Thread(target=_ask, args=arguments, daemon=True).start()
    left, until = len(routes), None
    while left and (until is None or time.monotonic() < until):
        try:
            it = landed.get(timeout=0.1)
        except queue.Empty:
            if until is None and stopping.is_set():
                until = time.monotonic() + GRACE_S
            continue
        left -= 1
        if isinstance(it, BaseException):
            raise it
        if it is not None:
            yield it


def _ask(
    route: Route,
    prompt: Request,
    turn: threading.Lock,
    stopping: threading.Event,
    landed: queue.Queue[PanelAnswer | BaseException | None],
) -> None:
    model = route.target.model
    try:
        if route.starts_a_server:
            with turn:
                landed.put(None if stopping.is_set() else _ask_one(route, prompt))
        else:
            landed.put(_ask_one(route, prompt))
    except Stopped:
        landed.put(None)
    except EvalrunError as error:
        landed.put(PanelAnswer(model=model, route=route, error=error))
    except BaseException as error:  # noqa: BLE001 - crosses the thread, raised by the iterator
        landed.put(error)


def _ask_one(route: Route, prompt: Request) -> PanelAnswer:
    with opener(route.backend)(route.target) as adapter:
        return PanelAnswer(model=route.target.model, route=route, reply=adapter.ask(prompt))
