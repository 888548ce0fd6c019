"""The ways in which a catalogue model can be reached from this machine, best first."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters.base import Target
from harness.adapters.llamacpp import hub, program, weights
from harness.adapters.running import Running
from harness.catalogue import Catalogue, list_price
from harness.records import HostedSource, ModelCard, Preset, Price
from harness.transport import is_loopback

_FEWEST_BITS = 4
_FORM = re.compile(
    r"(?:[-_.:](?:ud-)?(?:i?q\d\w*|tq\d\w*|bf16|f16|f32|mxfp4)|[-_.]gguf|:latest)$", re.IGNORECASE
)
"""What servers append to a model's name to say in which form they hold it."""


_SAYS_NOTHING = {"ggml-model", "model"}
"""Names that many a repo gives its weights."""


class Choice(Struct, frozen=True, kw_only=True):
    """Whom a name means."""

    backend: str
    target: Target
    card: ModelCard | None = None
    preset: str | None = None
    """The endpoint, when it is a known one."""

    @property
    def local(self) -> bool:
        """Whether it runs on this machine: unmetered, and in general one call at a time."""
        if self.backend in ("llamacpp", "demo"):
            return True
        return self.target.base_url is not None and is_loopback(self.target.base_url)

    @property
    def price(self) -> Price | None:
        """The list price, where the endpoint that is asked is one that the catalogue lists."""
        listed = {it.preset for it in self.card.hosted} if self.card else set()
        if self.card is None or self.preset not in listed:
            return None
        return list_price(self.card)


class Way(Struct, frozen=True, kw_only=True):
    """One way to reach a model."""

    means: str
    """What it goes through: "running server", "local weights" or an endpoint's name."""
    says: str
    """Where it was found; when the way is closed, what is missing."""
    command: str
    """What opens it, or takes it."""
    missing: str | None = None
    """What would open it, in the fewest words."""
    choice: Choice | None = None
    """None: closed."""


def ways(
    card: ModelCard, given: Target, catalogue: Catalogue, running: Iterable[Running]
) -> list[Way]:
    """All of them: servers that run here, weights that lie here, endpoints with a key, the rest."""
    given = replace(given, model=card.name)
    return [
        *_served(card, given, running),
        *_weights(card, given),
        *(_hosted(card, given, it, catalogue.presets[it.preset]) for it in card.hosted),
    ]


def _served(card: ModelCard, given: Target, running: Iterable[Running]) -> Iterator[Way]:
    for server in running:
        if served := serves(server, names_of(card)):
            yield way_to(server, served, given, card)
            return
    if card.gguf or card.files or not card.hosted:  # weights that anybody can serve
        yield Way(
            means="running server",
            says="no server on this machine serves it",
            command=_command(card, "--base-url http://127.0.0.1:8080/v1"),
        )


def way_to(server: Running, served: str, given: Target, card: ModelCard | None) -> Way:
    """The way to a server that was found running."""
    choice = Choice(
        backend="llamacpp" if server.is_llama_cpp else "openai",
        target=replace(given, base_url=server.base_url, model_id=served),
        card=card,
        preset=server.preset,
    )
    return Way(
        means="running server",
        says=f"{server.base_url} serves it as {served!r}",
        command=f"evalrun --model {shlex.quote(given.model)}",
        choice=choice,
    )


def serves(server: Running, names: Iterable[str]) -> str | None:
    """The name by which a server knows one of `names`; None when it serves none of them."""
    wanted = {bare_name(name) for name in names} - _SAYS_NOTHING
    return next((it for it in server.models if bare_name(it) in wanted), None)


def bare_name(name: str) -> str:
    """A name without folder, owner and the form the weights have.

    >>> bare_name("/models/gemma-3-4b-it-Q4_K_M.gguf")
    'gemma-3-4b-it'
    >>> bare_name("ggml-org/gemma-3-4b-it-GGUF:Q4_K_M"), bare_name("gemma3:4b")
    ('gemma-3-4b-it', 'gemma3:4b')
    """
    name = re.split(r"[/\\]", name)[-1]
    while (shorter := _FORM.sub("", name)) != name:
        name = shorter
    return name.lower().replace("_", "-").replace(" ", "-")


def names_of(card: ModelCard) -> Iterator[str]:
    """Every name under which a server might offer it."""
    yield card.name
    yield from card.aliases
    yield from (it.model_id for it in card.hosted)
    if card.gguf is not None:
        yield card.gguf.model_file
    if card.files is not None:
        yield card.files.model


def _weights(card: ModelCard, given: Target) -> Iterator[Way]:
    """`files` are the user's own; `gguf` says where the hub has them."""
    if card.files is not None:
        yield _own_files(card, given, Path(card.files.model), Path(card.files.mmproj))
    if card.gguf is not None and (weights.bits_in(card.gguf.quantization) or 16) >= _FEWEST_BITS:
        yield _hub_files(card, given)


def _own_files(card: ModelCard, given: Target, gguf: Path, mmproj: Path) -> Way:
    missing = [str(path) for path in (gguf, mmproj) if not path.expanduser().is_file()]
    if missing:
        fix = _command(card, "--gguf FILE --mmproj FILE")
        return Way(means="local weights", says=f"{missing[0]} does not exist", command=fix)
    target = replace(given, gguf=gguf.expanduser(), mmproj=mmproj.expanduser())
    return _with_server(card, target, f"{gguf.name}, named in your catalogue")


def _hub_files(card: ModelCard, given: Target) -> Way:
    assert card.gguf is not None
    found = hub.cached(card.gguf, os.environ)
    if found is None:
        size = f"{card.gguf.size_gb:.1f} GB" if card.gguf.size_gb else "weights"
        return Way(
            means="local weights",
            says=f"{size} to download once from {card.gguf.repo} ({card.gguf.quantization})",
            command=_command(card, "--backend llamacpp"),
            missing=f"download {size}",
        )
    target = replace(given, gguf=found.gguf, mmproj=found.mmproj, weights=card.gguf)
    return _with_server(card, target, f"{card.gguf.quantization} weights in the local cache")


def _with_server(card: ModelCard, target: Target, says: str) -> Way:
    if not program.available(os.environ):
        return Way(
            means="local weights",
            says=f"{says}, but no llama.cpp server to run them",
            command=program.INSTALL_COMMAND,
            missing=program.INSTALL_COMMAND,
        )
    choice = Choice(backend="llamacpp", target=target, card=card)
    command = _command(card, "--backend llamacpp")
    return Way(means="local weights", says=says, command=command, choice=choice)


def _hosted(card: ModelCard, given: Target, source: HostedSource, preset: Preset) -> Way:
    command = _command(card, f"--backend {preset.name}")
    if preset.api_key_env is None:
        says = f"nothing answers at {preset.base_url}" if is_loopback(preset.base_url) else ""
        return Way(means=preset.name, says=says or "wants a key", command=command)
    if not os.environ.get(preset.api_key_env, "").strip():
        says = f"{preset.api_key_env} is not set"
        command = f"export {preset.api_key_env}=…; {command}"
        return Way(
            means=preset.name, says=says, command=command, missing=f"set {preset.api_key_env}"
        )
    target = replace(
        given,
        base_url=preset.base_url,
        api_key_env=preset.api_key_env,
        model_id=source.model_id,
    )
    choice = Choice(backend="openai", target=target, card=card, preset=preset.name)
    says = f"asked as {source.model_id!r}, with the key in {preset.api_key_env}"
    return Way(means=preset.name, says=says, command=command, choice=choice)


def _command(card: ModelCard, options: str) -> str:
    return f"evalrun --model {shlex.quote(card.name)} {options}"
