"""A llama.cpp server, ours or a running one, as something that can be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from harness.adapters.base import Request, Target
from harness.adapters.llamacpp import preflight, program
from harness.adapters.llamacpp.hub import locate
from harness.adapters.llamacpp.server import LocalServer
from harness.adapters.llamacpp.weights import Files, quantization_in, sha256
from harness.adapters.machine import compute_threads
from harness.adapters.openai import OpenAIChat, key_from
from harness.errors import TargetError
from harness.records import Reply, Sampling, ServerFacts
from harness.transport import Stopped, Transport, is_loopback

DEFAULT_CONCURRENCY = 1
PROMPT_ROOM_TOKENS = 8192
"""For the picture, the question and the template; what may be generated comes on top."""
CACHE_RAM_MIB = 2048
SAMPLERS: dict[str, Any] = {"top_k": 40, "top_p": 0.95, "min_p": 0.05}
"""llama.cpp's own defaults, sent because a server may have been started with others."""


class LlamaCpp:
    """An open server that has been shown the test pictures."""

    shards_by_picture = True

    def __init__(self, chat: OpenAIChat, base_url: str | None, local: LocalServer | None) -> None:
        self._chat, self._local = chat, local
        self.base_url = base_url
        self.backend, self.concurrency, self.server = chat.backend, chat.concurrency, chat.server

    def ask(self, prompt: Request) -> Reply:
        if self._local is None:
            return self._chat.ask(prompt)
        self._local.wait_until_up()
        try:
            return self._chat.ask(prompt)
        except Stopped:
            self._local.raise_if_dead()  # then that is why
            raise


@contextmanager
def open_llamacpp(target: Target) -> Iterator[LlamaCpp]:
    """Use the server at `base_url`, else start one of our own for the weights.

    Raises: TargetError when it cannot be used: no server, no weights, no vision.
    """
    if target.base_url is not None:
        with _running(target, target.base_url) as adapter:
            yield adapter
    else:
        found = program.find(os.environ)
        with serving(target, locate(target), found) as adapter:
            yield adapter


@contextmanager
def _running(target: Target, base_url: str) -> Iterator[LlamaCpp]:
    root = base_url.rstrip("/").removesuffix("/v1")
    key = key_from(target.api_key_env)
    with _transport(target, root, key, patient=False) as probe:
        preflight.wait_while_it_loads(probe, root, target.notify)
        props = preflight.read_props(probe, root)
        facts = _with_sight(target, probe, preflight.facts(props))
    path = Path(str(props.get("model_path")))
    if is_loopback(root) and path.is_file():
        facts = msgspec.structs.replace(facts, model_sha256=sha256(path, target.notify))
    wanted = target.concurrency or DEFAULT_CONCURRENCY
    concurrency = min(wanted, facts.slots or wanted)
    if concurrency < wanted:
        target.notify(f"the server has {concurrency} slots: so many calls at once, not {wanted}")
    with _transport(target, root, key, concurrency=concurrency) as transport:
        chat = _chat(target, transport, facts, concurrency=concurrency)
        yield LlamaCpp(chat, chat.base_url, None)


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
        + target.sampling.max_tokens,
        slots=slots,
        threads=compute_threads(files.gguf.stat().st_size),
        cache_ram_mib=0 if target.cold else CACHE_RAM_MIB,
    )
    target.notify(f"starting {found.build or found.command[0]} with {files.gguf.name}")
    with LocalServer(found, settings, notify=target.notify, stopping=target.stopping) as local:
        facts = _local_facts(target, files, found, local)
        slots = min(slots, facts.slots or slots)
        with _transport(target, local.root, local.key, concurrency=slots) as transport:
            local.watch()
            chat = _chat(target, transport, facts, concurrency=slots, backend=backend)
            # No address: the port is another one every time, and gone afterwards.
            yield LlamaCpp(chat, None, local)


def _local_facts(
    target: Target, files: Files, found: program.Program, local: LocalServer
) -> ServerFacts:
    with _transport(target, local.root, local.key, patient=False) as probe:
        try:
            stated = preflight.facts(preflight.read_props(probe, local.root))
            stated = _with_sight(target, probe, stated)
        except TargetError as error:
            raise local.failure() or error from error
    return msgspec.structs.replace(
        stated,
        build=found.build or stated.build,
        model_file=files.gguf.name,
        model_sha256=sha256(files.gguf, target.notify),
        mmproj_file=files.mmproj.name,
        mmproj_sha256=sha256(files.mmproj, target.notify),
        quantization=files.quantization or quantization_in(files.gguf.name) or stated.quantization,
        system_info=_system_info(local.log_head()),
    )


def _with_sight(target: Target, probe: Transport, facts: ServerFacts) -> ServerFacts:
    """Show the test pictures; both to slot 0, so that the second meets the first one's cache."""
    sampling = Sampling(max_tokens=preflight.MAX_TOKENS)
    chat = _chat(
        msgspec.structs.replace(target, sampling=sampling), probe, facts, extra={"id_slot": 0}
    )
    target.notify("showing it two plain test pictures")
    sees, before = preflight.look(chat.ask, target.notify)
    return msgspec.structs.replace(facts, sees_images=sees, tokens_before_image=before)


def _chat(
    target: Target,
    transport: Transport,
    facts: ServerFacts,
    *,
    concurrency: int = 1,
    backend: str = "llamacpp",
    extra: dict[str, Any] | None = None,
) -> OpenAIChat:
    return OpenAIChat(
        transport,
        model_id=target.model_id or target.model,
        sampling=target.sampling,
        system=target.system,
        extra=SAMPLERS | {"cache_prompt": not target.cold} | (extra or {}),
        tokens_before_image=facts.tokens_before_image,
        concurrency=concurrency,
        backend=backend,
        server=facts,
    )


def _transport(
    target: Target, root: str, key: str | None, *, concurrency: int = 1, patient: bool = True
) -> Transport:
    """`patient`: whether a call is tried again. At preflight the first failure says enough."""
    limits = target.limits
    return Transport(
        f"{root}/v1",
        key=key,
        key_env=target.api_key_env,
        concurrency=concurrency,
        timeout_s=limits.timeout_s,
        tries=limits.tries if patient else 1,
        max_wait_s=limits.max_wait_s if patient else 0.0,
        give_up_s=limits.give_up_s if patient else 0.0,
        stopping=target.stopping,
    )


def _system_info(log: str) -> str | None:
    """llama.cpp's line on the CPU's features, or the GPU's."""
    for line in log.splitlines():
        _, found, info = line.partition("system_info: ")
        if found:
            return info.strip(" |")
    return None
