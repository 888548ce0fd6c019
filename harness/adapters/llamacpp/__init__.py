"""A llama.cpp server, ours or a running one, as something that can be asked.

The life of one of ours: resolve the model, find the program (`server`), find the files (`weights`),
start it, wait until it is ready, let it describe itself and name the colours of two plain pictures,
put the calls, stop it. `child` runs beside us.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness import images
from harness.adapters import Request, Target, machine
from harness.adapters.endpoints import kind_of, open_transport
from harness.adapters.llamacpp import server
from harness.adapters.llamacpp.weights import Weights, locate, quantization_in, sha256
from harness.adapters.openai import OpenAIChat, as_count, as_dict, to_body
from harness.errors import CallError, CallTimeout, NoVision, TargetError, Unreachable, UsageError
from harness.records import Machine, Reply, Sampling, ServerFacts
from harness.text import one_line
from harness.transport import Incoming, Transport, api_root, is_loopback
from harness.transport.faults import Loading

BUDGET_BUILD = 8287
"""The first that bounds the thinking of a request: ggml-org/llama.cpp#20297 (11 March 2026)."""
SAMPLERS: dict[str, Any] = {"top_k": 40, "top_p": 0.95, "min_p": 0.05}
"""llama.cpp's own defaults, sent because a server may have been started with others."""
_HERE = Path(__file__).parent
DEMO = Weights(_HERE / "demo-f32.gguf", _HERE / "mmproj-demo-f32.gguf")
"""Made by `tools/demo_model`."""
_ABOUT_DEMO = (
    "the demo model shows the machinery at work, on a real llama.cpp server: it can only name the "
    "colour that stands out in a picture, so its score says nothing about vision models"
)
_SHOWN = Request(
    id="preflight",
    question="What colour is this picture? Answer with one word.",
    body={"id_slot": 0},  # the second meets the first one's cache
)
_COLOURS = {"blue": (0x00, 0x00, 0xFF), "yellow": (0xFF, 0xFF, 0x00)}
"""Of the two test pictures. Few models say either when they see nothing."""
_COLOUR_WORDS = re.compile(
    r"\b(black|white|gr[ae]y|red|green|blue|yellow|orange|purple|violet|magenta|pink|brown|cyan"
    r"|turquoise|beige)\b",
    re.IGNORECASE,
)
_SHADES = 40
"""So many values of each channel: a server must hardly ever meet the same picture twice."""
_SIDE_PX = 224
_PREFLIGHT_TOKENS = 256
"""Enough for a model that thinks aloud about a plain colour."""


class LlamaCpp(OpenAIChat):
    """An open server. `local`: when it is one of ours."""

    backend = "llamacpp"

    def __init__(
        self,
        transport: Transport,
        target: Target,
        facts: ServerFacts,
        local: server.LocalServer | None = None,
    ) -> None:
        """Raises: UsageError for a budget of thinking that its build would ignore."""
        build = re.match(r"b([1-9]\d*)", facts.build or "")  # b0: built without its history
        if target.sampling.thinking.isdecimal() and build and int(build[1]) < BUDGET_BUILD:
            raise UsageError(
                f"--thinking {target.sampling.thinking}: llama.cpp {build[0]} takes no number of "
                f"tokens, b{BUDGET_BUILD} does",
                fix="give --thinking off, low, medium or high, or take a newer build",
            )
        super().__init__(
            transport,
            target,
            kind=kind_of(replace(target, preset="llamacpp")),
            extra={**SAMPLERS, "cache_prompt": not target.cold},
        )
        self.opened = replace(
            self.opened,
            server=facts,
            shards_by_picture=True,
            # A server of our own has another port every time.
            base_url=self.opened.base_url if local is None else None,
        )
        self._local = local
        self._peak_bytes = 0
        self._counts_tokens, self._text_tokens = True, dict[str, int]()

    def ask(self, request: Request) -> Reply:
        if self._local is None:
            return self._counted(request, super().ask(request))
        while True:
            starts = self._local.starts
            try:
                return self._weighed(self._local, self._counted(request, super().ask(request)))
            except (Unreachable, TargetError):
                if not self._local.revive(starts):
                    raise

    def _counted(self, request: Request, reply: Reply) -> Reply:
        """With the tokens of its pictures: all of the prompt's but those of its text, which the
        server is asked for once a question. A build that does not count is asked no more."""
        question = request.question
        if not request.images or reply.tokens_in is None or not self._counts_tokens:
            return reply
        if question not in self._text_tokens:
            payload = self.payload(Request(id="", question=question)) | self._extra
            try:
                path = f"{self.path}/input_tokens"
                counted = self._transport.post(path, to_body(payload, ()), Incoming.json).value
                self._text_tokens[question] = int(counted["input_tokens"])
            except (CallError, KeyError, TypeError, ValueError):
                self._counts_tokens = False
                return reply
        taken = reply.tokens_in - self._text_tokens[question]
        return replace(reply, image_tokens=taken) if taken > 0 else reply

    def _weighed(self, local: server.LocalServer, reply: Reply) -> Reply:
        """With the server's memory, where it never held as much before."""
        peak_bytes = machine.peak_bytes_of(local.pids()) or 0
        if peak_bytes <= self._peak_bytes:
            return reply
        self._peak_bytes = peak_bytes
        return replace(reply, server_memory_gb=_gb(peak_bytes))


@contextmanager
def open_llamacpp(target: Target) -> Iterator[LlamaCpp]:
    """Use the server at `base_url`, else start one of our own for the weights.

    Raises: TargetError when it cannot be used: no server, no weights, no vision.
    """
    if target.base_url is None:
        with _serving(target, locate(target)) as adapter:
            yield adapter
        return
    target = replace(target, base_url=f"{api_root(target.base_url).removesuffix('/v1')}/v1")
    with open_transport(target, patient=False) as probe:
        facts = _preflight(target, probe)
    wanted = target.concurrency or 1
    concurrency = min(wanted, facts.slots or wanted)
    if concurrency < wanted:
        target.notify(f"the server has {concurrency} slots: so many calls at once, not {wanted}")
    with open_transport(target, concurrency=concurrency) as transport:
        yield LlamaCpp(transport, target, facts)


@contextmanager
def open_demo(target: Target) -> Iterator[LlamaCpp]:
    """A real vision GGUF pair that names colours, on a server of our own."""
    target.notify(_ABOUT_DEMO)
    with _serving(target, DEMO) as adapter:
        adapter.opened = replace(adapter.opened, backend="demo")
        yield adapter


@contextmanager
def _serving(target: Target, weights: Weights) -> Iterator[LlamaCpp]:
    """A server of our own for the weights."""
    program = server.find()
    flags = server.flags_for(program, target, weights)
    target.notify(f"starting {program} with {weights.gguf.name}")
    with closing(server.LocalServer(program, flags, target.notify)) as local:
        local.wait_until_ready()
        # Whether it is gone, its process tells: no call waits for it to come back.
        limits = replace(target.limits, give_up_s=0.0)
        there = replace(target, base_url=f"{local.root}/v1", limits=limits)
        with open_transport(there, key=local.key, patient=False) as probe:
            try:
                facts = _preflight(there, probe)
            except TargetError as error:
                raise local.failure() or error from error
        facts = _ran_on(facts, target, weights, local)
        slots = facts.slots or 1
        with open_transport(there, key=local.key, concurrency=slots) as transport:
            yield LlamaCpp(transport, target, facts, local)


def _ran_on(
    facts: ServerFacts, target: Target, weights: Weights, local: server.LocalServer
) -> ServerFacts:
    """What a server of our own runs, what on, and what it has taken so far."""
    log, cards, pids = local.log(head=True), machine.gpus(), local.pids()
    info = re.search(r"^system_info: (.*?)[ |]*$", log, re.MULTILINE)
    threads = re.search(r"n_threads = (\d+)", log)
    layers = re.search(r"offloaded ([1-9]\d*/\d+) layers to GPU", log)
    mmproj = weights.mmproj
    if cards and layers is None:
        target.notify(
            f"WARNING: there is an {cards[0]}, but {local.program} computes on the CPU alone: "
            f"{server.GPU_FIX}"
        )
    return replace(
        facts,
        build=local.program.build or facts.build,
        mmproj_file=mmproj.name if mmproj else None,
        mmproj_sha256=sha256(mmproj, target.notify) if mmproj else None,
        quantization=target.weights.quantization if target.weights else facts.quantization,
        system_info=info[1] if info else None,
        machine=Machine(
            cpu=machine.cpu_name(),
            threads=int(threads[1]) if threads else None,
            memory_gb=_gb(machine.memory_bytes()),
            gpus=tuple(map(str, cards)),
            gpu_driver=cards[0].driver if cards else None,
            offloaded_layers=layers[1] if layers else None,
            weights_gb=_gb(weights.gguf_bytes),
            projector_gb=_gb(mmproj.stat().st_size) if mmproj else None,
            peak_memory_gb=_gb(machine.peak_bytes_of(pids)),
            peak_gpu_memory_gb=_gb(machine.gpu_bytes_of(pids)),
        ),
    )


def _gb(count: int | None) -> float | None:
    """To four significant digits: the demonstration model has half a thousandth of one."""
    return None if count is None else float(f"{count / 1e9:.4g}")


def _preflight(target: Target, probe: Transport) -> ServerFacts:
    """What the server is, and whether it sees.

    No picture is shown where none will be sent: text-only models can be asked blind, and judge.
    """
    facts = _described(target, probe)
    if not target.sends_pictures:
        return facts
    thinking = "off" if target.sampling.thinking == "off" else "auto"
    sampling = Sampling(max_tokens=_PREFLIGHT_TOKENS, thinking=thinking)
    chat = LlamaCpp(probe, replace(target, sampling=sampling), facts)
    target.notify("showing it two plain test pictures")
    sees, tokens_cached = look(chat.ask, target.notify)
    # Of the second request, what came out of the cache stands before any picture.
    return replace(facts, sees_images=sees, tokens_before_image=tokens_cached)


def _described(target: Target, probe: Transport) -> ServerFacts:
    """The server's own description of itself.

    Raises: TargetError when it is not a llama.cpp server, or is to be sent pictures and takes none.
    """
    root = probe.base_url.removesuffix("/v1")
    probe.answered_before = True  # what a 404 means here is ours to say
    try:
        props = as_dict(_once_loaded(target, probe, f"{root}/props"))
    except CallError as error:
        if isinstance(error, Unreachable | CallTimeout):
            raise TargetError(error.problem, fix=error.fix) from error
        props = {}
    settings = as_dict(props.get("default_generation_settings"))
    if not settings and "modalities" not in props:
        raise TargetError(
            f"{root}/props does not describe a llama.cpp server",
            fix="for another kind of server say --backend openai",
        )
    if target.sends_pictures and as_dict(props.get("modalities")).get("vision") is False:
        raise NoVision(
            "the server was started without a projector: /props says vision = false",
            fix="start it with the model's own mmproj file (--mmproj FILE)",
        )
    text = {name: it for name, it in props.items() if isinstance(it, str) and it}
    path, template = text.get("model_path", ""), text.get("chat_template")
    name = re.split(r"[/\\]", path)[-1]
    here = is_loopback(root) and Path(path).is_file()
    return ServerFacts(
        build=text.get("build_info"),
        model_file=name or None,
        model_sha256=sha256(Path(path), target.notify) if here else None,
        quantization=quantization_in(name) or text.get("model_ftype"),
        context_tokens=as_count(settings.get("n_ctx")),
        slots=as_count(props.get("total_slots")),
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else None,
    )


def _once_loaded(target: Target, probe: Transport, url: str) -> Any:
    """A server says 503 until its weights are in memory."""
    reported = False
    while True:
        try:
            return probe.get_json(url)
        except Loading:
            if not reported:
                target.notify(f"{probe.base_url} is still loading its model")
            reported = True
            time.sleep(0.2)


def look(ask: Callable[[Request], Reply], notify: Callable[[str], None]) -> tuple[bool, int | None]:
    """Show two plain pictures, one after the other: were both colours named rightly, and the tokens
    of the second request that came out of the cache.

    Raises: TargetError when a picture is too much for the server.
    """
    named = True
    for colour, pure in _COLOURS.items():
        # A server that was running before may remember the pictures of an earlier preflight.
        levels = [abs(level - secrets.randbelow(_SHADES)) for level in pure]
        picture = images.plain("#" + bytes(levels).hex(), _SIDE_PX, _SIDE_PX)
        try:
            reply = ask(replace(_SHOWN, images=(picture,)))
        except CallError as error:
            raise TargetError(
                f"the server failed at a plain picture of {_SIDE_PX} pixels: {error.problem}",
                fix="check that model and mmproj belong together, or take a larger context "
                "(your own server: -c)",
            ) from error
        said = _COLOUR_WORDS.search(f"{reply.text}\n{reply.reasoning or ''}")
        if said is None or said[0].lower() != colour:
            named = False
            notify(
                f"WARNING: shown a plain {colour} picture, the model says "
                f"{one_line(reply.text, 60)!r}. Most likely pictures do not reach it, and "
                "scores will mean little. Check that the mmproj is the model's own."
            )
    return named, reply.tokens_cached
