"""A llama.cpp server, ours or a running one, as something that can be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.adapters import machine
from harness.adapters.base import Request, Target
from harness.adapters.endpoints import budget_of, kind_of, open_transport
from harness.adapters.llamacpp import preflight, program
from harness.adapters.llamacpp.hub import locate
from harness.adapters.llamacpp.server import LocalServer
from harness.adapters.llamacpp.weights import Files, quantization_in, sha256, weights_of
from harness.adapters.openai import OpenAIChat, to_body
from harness.errors import CallError, TargetError, UsageError
from harness.records import Machine, Reply, Sampling, ServerFacts
from harness.transport import Incoming, Stopped, Transport, is_loopback

_SYSTEM_INFO = r"system_info: (.*?)[ |]*$"
DEFAULT_CONCURRENCY = 1
BUDGET_BUILD = 8500
"""From March 2026: a request can bound its thinking. Source: ggml-org/llama.cpp#20297."""
PROMPT_ROOM_TOKENS = 8192
"""For the picture, the question and the template; what may be generated comes on top."""
CACHE_RAM_MIB = 2048
SAMPLERS: dict[str, Any] = {"top_k": 40, "top_p": 0.95, "min_p": 0.05}
"""llama.cpp's own defaults, sent because a server may have been started with others."""


class LlamaCpp(OpenAIChat):
    """An open server that has been shown the test pictures."""

    shards_by_picture = True

    def __init__(
        self,
        transport: Transport,
        target: Target,
        facts: ServerFacts,
        *,
        local: LocalServer | None = None,
        counts_tokens: bool = True,
        extra: Mapping[str, Any] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        backend: str = "llamacpp",
    ) -> None:
        """`local`: the server, if it is our own. `counts_tokens`: whether its build can.

        Raises: UsageError for a budget of thinking that its build would ignore.
        """
        build = re.match(r"b(\d+)", facts.build or "")
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
            extra={**SAMPLERS, "cache_prompt": not target.cold, **(extra or {})},
            tokens_before_image=facts.tokens_before_image,
            concurrency=concurrency,
            backend=backend,
            server=facts,
        )
        self._local, self._counts_tokens = local, counts_tokens
        self._text_tokens: dict[str, int] = {}

    @property
    def base_url(self) -> str | None:
        """None for a server of our own: its port is another one every time."""
        return super().base_url if self._local is None else None

    def ask(self, request: Request) -> Reply:
        if self._local is None:
            return self._counted(request, super().ask(request))
        self._local.wait_until_up()
        try:
            return self._counted(request, super().ask(request))
        except Stopped:
            self._local.raise_if_dead()  # then that is why
            raise

    def _counted(self, request: Request, reply: Reply) -> Reply:
        """With the tokens of its pictures: all of the prompt's but those of its text."""
        if not request.images or reply.tokens_in is None:
            return reply
        text_tokens = self._tokens_of_text(request.question)
        if text_tokens is None or text_tokens >= reply.tokens_in:
            return reply
        return replace(reply, image_tokens=reply.tokens_in - text_tokens)

    def _tokens_of_text(self, question: str) -> int | None:
        """Asked of the server once a question; None for a build that does not count."""
        if question not in self._text_tokens and self._counts_tokens:
            payload = self.payload(Request(id="", question=question)) | self._extra
            try:
                path = f"{self.path}/input_tokens"
                counted = self._transport.post(path, to_body(payload, ()), Incoming.json).value
                self._text_tokens[question] = int(counted["input_tokens"])
            except (CallError, KeyError, TypeError, ValueError):
                self._counts_tokens = False
        return self._text_tokens.get(question)


@contextmanager
def open_llamacpp(target: Target) -> Iterator[LlamaCpp]:
    """Use the server at `base_url`, else start one of our own for the weights.

    Raises: TargetError when it cannot be used: no server, no weights, no vision.
    """
    if target.base_url is not None:
        with _running(target, target.base_url) as adapter:
            yield adapter
    else:
        found = program.find()
        with serving(target, locate(target), found) as adapter:
            yield adapter


@contextmanager
def _running(target: Target, base_url: str) -> Iterator[LlamaCpp]:
    root = base_url.rstrip("/").removesuffix("/v1")
    target = replace(target, base_url=f"{root}/v1")
    with open_transport(target, patient=False) as probe:
        preflight.wait_while_it_loads(probe, root, target.notify)
        facts, counts, props = _looked_at(target, probe, root)
    path = Path(str(props.get("model_path")))
    if is_loopback(root) and path.is_file():
        facts = replace(facts, model_sha256=sha256(path, target.notify))
    wanted = target.concurrency or DEFAULT_CONCURRENCY
    concurrency = min(wanted, facts.slots or wanted)
    if concurrency < wanted:
        target.notify(f"the server has {concurrency} slots: so many calls at once, not {wanted}")
    with open_transport(target, concurrency=concurrency) as transport:
        yield LlamaCpp(transport, target, facts, counts_tokens=counts, concurrency=concurrency)


@contextmanager
def serving(
    target: Target, files: Files, found: program.Program, *, backend: str = "llamacpp"
) -> Iterator[LlamaCpp]:
    """Start a server of our own for `files`."""
    slots = target.concurrency or DEFAULT_CONCURRENCY
    settings = program.Settings(
        gguf=files.gguf,
        mmproj=files.mmproj,
        alias=target.model,
        context_tokens=max(PROMPT_ROOM_TOKENS, files.context_tokens or 0)
        + (target.image_tokens or (0, 0))[1]
        + max(target.sampling.max_tokens, target.sampling.max_tokens_retry or 0)
        + budget_of(target),
        slots=slots,
        threads=machine.compute_threads(files.gguf.stat().st_size),
        cache_ram_mib=0 if target.cold else CACHE_RAM_MIB,
        image_tokens=target.image_tokens,
        extra=target.server_args,
    )
    program.check(found, settings)
    target.notify(f"starting {found.build or found.command[0]} with {files.gguf.name}")
    with LocalServer(found, settings, notify=target.notify, stopping=target.stopping) as local:
        there = replace(target, base_url=f"{local.root}/v1")
        facts, counts = _local_facts(there, files, found, local)
        slots = min(slots, facts.slots or slots)
        with open_transport(there, key=local.key, concurrency=slots) as transport:
            local.watch()
            yield LlamaCpp(
                transport,
                target,
                facts,
                local=local,
                counts_tokens=counts,
                concurrency=slots,
                backend=backend,
            )


def _local_facts(
    target: Target, files: Files, found: program.Program, local: LocalServer
) -> tuple[ServerFacts, bool]:
    with open_transport(target, key=local.key, patient=False) as probe:
        try:
            stated, counts, _ = _looked_at(target, probe, local.root)
        except TargetError as error:
            raise local.failure() or error from error
    ran_on = _machine(files, local)
    if ran_on.gpus and (ran_on.offloaded_layers or "0/").startswith("0/"):
        target.notify(f"WARNING: {program.idle_gpu(ran_on.gpus[0], found)}")
    facts = replace(
        stated,
        build=found.build or stated.build,
        model_file=files.gguf.name,
        model_sha256=sha256(files.gguf, target.notify),
        mmproj_file=files.mmproj.name if files.mmproj else None,
        mmproj_sha256=sha256(files.mmproj, target.notify) if files.mmproj else None,
        quantization=files.quantization or quantization_in(files.gguf.name) or stated.quantization,
        system_info=_logged(local, _SYSTEM_INFO),
        machine=ran_on,
    )
    return facts, counts


def _machine(files: Files, local: LocalServer) -> Machine:
    """What the server runs on and what it has taken so far."""
    threads = re.search(r"n_threads = (\d+)", _logged(local, _SYSTEM_INFO) or "")
    cards, memory = machine.gpus(), machine.memory_bytes()
    return Machine(
        cpu=machine.cpu_name(),
        threads=int(threads[1]) if threads else None,
        memory_gb=_gb(memory),
        gpus=tuple(map(str, cards)),
        gpu_driver=cards[0].driver if cards else None,
        offloaded_layers=_logged(local, r"offloaded (\d+/\d+) layers to GPU"),
        weights_gb=_gb(sum(it.stat().st_size for it in weights_of(files.gguf))),
        projector_gb=_gb(files.mmproj.stat().st_size) if files.mmproj else None,
        peak_memory_gb=_gb(local.process.peak_bytes()),
        peak_gpu_memory_gb=_gb(local.process.gpu_bytes()),
    )


def _gb(count: int | None) -> float | None:
    """To four significant digits: the demonstration model has half a thousandth of one."""
    return None if count is None else float(f"{count / 1e9:.4g}")


def _looked_at(
    target: Target, probe: Transport, root: str
) -> tuple[ServerFacts, bool, dict[str, Any]]:
    """What the server is, whether it counts the tokens of pictures, and its /props.

    The test pictures both go to slot 0, so that the second meets the first one's cache. None are
    shown where none will be sent: text-only models can be asked blind, and judge.
    """
    props = preflight.read_props(probe, root, pictures=target.sends_pictures)
    facts = preflight.facts(props)
    if not target.sends_pictures:
        return facts, False, props
    thinking = "off" if target.sampling.thinking == "off" else "auto"
    sampling = Sampling(max_tokens=preflight.MAX_TOKENS, thinking=thinking)
    chat = LlamaCpp(probe, replace(target, sampling=sampling), facts, extra={"id_slot": 0})
    target.notify("showing it two plain test pictures")
    sees, reply = preflight.look(chat.ask, target.notify)
    if target.image_tokens and reply.image_tokens:
        _warn_of_image_tokens(target, target.image_tokens, reply.image_tokens)
    # Of the second request, what came out of the cache stands before any picture.
    facts = replace(facts, sees_images=sees, tokens_before_image=reply.tokens_cached)
    return facts, reply.image_tokens is not None, props


def _warn_of_image_tokens(target: Target, wanted: tuple[int, int], taken: int) -> None:
    """Rows of a picture end in tokens of their own: a third more or less is as it should be."""
    fewest, most = wanted
    if not fewest / 1.34 <= taken <= most * 1.34:
        target.notify(
            f"WARNING: a test picture took {taken} tokens, not {fewest} to {most}: this model's "
            "projector has a number of its own"
        )


def _logged(local: LocalServer, pattern: str) -> str | None:
    """What the first match in the log of its start holds."""
    found = re.search(pattern, local.process.log_head(), re.MULTILINE)
    return found[1] if found else None
