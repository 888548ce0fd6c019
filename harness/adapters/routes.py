"""The routes to a model: which adapter with which target reaches it from this machine.

In this order: what the options say; a server that runs on this machine and serves it; its weights
in the local cache; the first hosted endpoint whose key is set. Nothing is downloaded unasked.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from harness.adapters import Opener, Target
from harness.adapters.endpoints import UNKNOWN, check_pictures, key_from, kind_of, models_of
from harness.adapters.llamacpp import server as llama_server
from harness.adapters.llamacpp import weights
from harness.adapters.machine import bits_in
from harness.adapters.replay import recorded_model
from harness.catalogue import Catalogue, list_price
from harness.errors import EvalrunError, TargetError, UsageError, install_command, reworded
from harness.records import ModelCard, Preset, Price
from harness.transport import Transport, api_root, is_loopback, without_credentials

DEMO = "demo"
SERVER, WEIGHTS = "running server", "local weights"
LLAMA_CPP_URLS = ("http://127.0.0.1:8080/v1", "http://127.0.0.1:9931/v1")
"""llama-server's default port, the older and the newer one."""
_BUILT_IN: Mapping[str, str] = {
    "openai": "harness.adapters.openai:open_openai",
    "anthropic": "harness.adapters.anthropic:open_anthropic",
    "llamacpp": "harness.adapters.llamacpp:open_llamacpp",
    DEMO: "harness.adapters.llamacpp:open_demo",
    "replay": "harness.adapters.replay:open_replay",
}
"""An adapter's name -> where its opener lives; loaded only when it is chosen."""
_FEWEST_BITS = 4
_LOOK_S, _NAMED_LOOK_S = 0.3, 3.0
"""How long a server may take to list its models; one that the user named has longer."""
_FORM = re.compile(
    r"(?:[-_.:](?:ud-)?(?:i?q\d\w*|tq\d\w*|bf16|f16|f32|mxfp4)|[-_.]gguf|:latest)$", re.IGNORECASE
)
"""What servers append to a model's name to say in which form they hold it."""
_GENERIC_NAMES = {"ggml-model", "model"}
"""File names that many repositories give their weights."""


def opener(backend: str) -> Opener:
    """What opens an adapter, ours or a third party's.

    Raises: TargetError for an unknown adapter, or one that cannot be loaded.
    """
    place = _BUILT_IN.get(backend) or _third_party().get(backend)
    if place is None:
        known = ", ".join([*_BUILT_IN, *_third_party()])
        raise TargetError(f"no adapter is called {backend!r}", fix=f"choose one of {known}")
    module, _, function = place.partition(":")
    what = f"the adapter {backend!r} cannot be loaded from {place}"
    fix = "install or repair the package that brings it"
    with reworded(TargetError, what, fix, ImportError, AttributeError):
        found: Opener = getattr(import_module(module.strip()), function.strip())
    return found


def _third_party() -> dict[str, str]:
    from importlib.metadata import entry_points  # takes a while, and is seldom needed

    return {it.name: it.value for it in entry_points(group="evalrun.adapters")}


class Running(Struct, frozen=True, kw_only=True):
    """A server on this machine that answered."""

    base_url: str
    preset: str | None
    """None: at an address of llama.cpp's own."""
    is_llama_cpp: bool
    models: tuple[str, ...]

    def serves(self, names: Iterable[str]) -> str | None:
        """The name by which it knows one of `names`; None when it serves none of them."""
        wanted = {bare_name(name) for name in names} - _GENERIC_NAMES
        return next((it for it in self.models if bare_name(it) in wanted), None)


class Route(Struct, frozen=True, kw_only=True):
    """One way to reach a model, open or closed."""

    backend: str
    """The adapter's name."""
    target: Target
    card: ModelCard | None = None
    via: str = ""
    """`SERVER`, `WEIGHTS`, or an endpoint's name."""
    note: str = ""
    """Where it was found; when it is closed, why."""
    command: str = ""
    """What takes it, or opens it."""
    open: bool = True
    missing: str | None = None
    """What would open it, in a few words."""

    @property
    def preset(self) -> str | None:
        return self.target.preset

    @property
    def starts_a_server(self) -> bool:
        return self.backend in ("llamacpp", DEMO) and self.target.base_url is None

    @property
    def local(self) -> bool:
        """Whether it runs on this machine: unmetered, and in general one call at a time."""
        url = self.target.base_url
        return self.backend in ("llamacpp", DEMO) or (url is not None and is_loopback(url))

    @property
    def price(self) -> Price | None:
        """The list price, where the endpoint that is asked is one that the catalogue lists."""
        listed = {it.preset for it in self.card.hosted} if self.card else set()
        return list_price(self.card) if self.card and self.preset in listed else None


def look_around(presets: Iterable[Preset]) -> list[Running]:
    """The servers that run on this machine: llama.cpp's addresses first, then those of `presets`.

    All are asked at once, briefly.
    """
    local = [(it.base_url, it.name) for it in presets if is_loopback(it.base_url)]
    addresses = [*((url, None) for url in LLAMA_CPP_URLS), *local]
    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        return [it for it in pool.map(lambda it: _look(*it), addresses) if it is not None]


def _look(
    base_url: str, preset: str | None = None, *, key: str | None = None, wait_s: float = _LOOK_S
) -> Running | None:
    """What one server serves; None when it does not say within `wait_s`."""
    try:
        with Transport(base_url, key=key) as transport:
            listed = models_of(transport, wait_s)
    except EvalrunError:
        return None
    llama_cpp = any(it.get("owned_by") == "llamacpp" for it in listed)
    models = tuple(str(it["id"]) for it in listed if it.get("id"))
    return Running(base_url=base_url, preset=preset, is_llama_cpp=llama_cpp, models=models)


def resolve(name: str | None, given: Target, *, backend: str | None, catalogue: Catalogue) -> Route:
    """Complete `given` so that it can be opened; its `notify` is told which route was taken.

    Raises: UsageError, or TargetError with a command for each route when none is open.
    """
    if given.gguf is not None and given.base_url is not None:
        raise UsageError("--gguf names weights and --base-url a server", fix="give one of the two")
    if given.base_url is not None:
        given = replace(given, base_url=api_root(given.base_url))
    resolver = _Resolver(name, given, backend, catalogue)
    route = resolver.as_given() or resolver.by_name()
    if route.via:  # looked for, and found
        given.notify(f"{route.target.model}: {route.via}: {route.note}")
    _check_settings(route)
    url = route.target.base_url
    if route.target.concurrency is None and url is not None and is_loopback(url):
        # Calls at once would share this machine and make each other's response times longer.
        return replace(route, target=replace(route.target, concurrency=1))
    return route


def _check_settings(route: Route) -> None:
    """Raises: UsageError for a setting that this route cannot be given."""
    target = route.target
    if target.server_args and not route.starts_a_server:
        raise UsageError(
            "--server-arg is for a server that evalrun starts, and this one runs already",
            fix=f"start it with {shlex.join(target.server_args)}, and leave --server-arg out",
        )
    known = kind_of(target)
    if route.backend != "openai":
        check_pictures(target, route.backend, started=route.starts_a_server)
    elif known is not UNKNOWN:  # else the adapter finds out
        check_pictures(target, known.name)


class _Resolver:
    """One name, what the options say of it, and what the catalogue does."""

    def __init__(
        self, name: str | None, given: Target, backend: str | None, catalogue: Catalogue
    ) -> None:
        self._name, self._given, self._catalogue = name, given, catalogue
        self._card = catalogue.get(name) if name else None
        self._model = self._card.name if self._card else name
        self._preset = catalogue.presets.get(backend) if backend else None
        self._backend = _adapter(self._preset) if self._preset else backend
        if backend and not self._preset and backend not in (*_BUILT_IN, *_third_party()):
            known = ", ".join([*_BUILT_IN, *_third_party(), *catalogue.presets])
            raise TargetError(f"no backend is called {backend!r}", fix=f"choose one of {known}")

    def as_given(self) -> Route | None:
        """Where the options say where it is: a recording, a server, weights, the demonstration."""
        given, preset, backend = self._given, self._preset, self._backend
        if given.replay is not None:
            return self._route("replay", model=self._name or recorded_model(given.replay))
        if given.base_url and not (preset and _same_host(given.base_url, preset.base_url)):
            return self._at(given.base_url, backend)
        if given.gguf is not None:
            return self._route(backend or "llamacpp", model=self._model or given.gguf.stem)
        if backend in (None, DEMO) and not self._card and self._name in (None, DEMO):
            if given.mmproj is not None:
                raise TargetError(
                    "the demonstration model has a projector of its own",
                    fix="leave --mmproj out, or name another model",
                )
            return self._route(DEMO, model=DEMO)
        return None

    def by_name(self) -> Route:
        """A model that is named: through a backend, or wherever it is found."""
        preset, backend, card = self._preset, self._backend, self._card
        if self._name is None:
            raise TargetError(
                "--backend does not say which model to ask", fix="name one with --model NAME"
            )
        if preset is not None:  # its key goes to no other host
            given = replace(self._given, model=self._model or "")
            route = _hosted(preset, self._id_at(preset) or "", given, card)
            return replace(route, open=True)
        if backend == "llamacpp":
            return self._with_weights(card or self._catalogue.find(self._name))
        if backend is not None:
            return self._route(backend)
        if card is not None and card.base_url is not None:
            return self._at_entry(api_root(card.base_url))
        return self._found(self._name)

    def _route(self, backend: str, **known: Any) -> Route:
        target = replace(self._given, **({"model": self._model} | known))
        return Route(backend=backend, target=target, card=self._card)

    def _id_at(self, preset: Preset | None) -> str | None:
        """The endpoint's own name for the model, where the catalogue has one."""
        hosted = self._card.hosted if self._card and preset else ()
        return next(
            (it.model_id for it in hosted if preset and it.preset == preset.name), self._name
        )

    def _with_weights(self, card: ModelCard) -> Route:
        """A server of our own, whose weights are downloaded if they have to be."""
        every = _weights(card, replace(self._given, model=card.name))
        if found := next((it for it in every if it.open), None):
            return found
        if card.gguf is None:
            raise TargetError(
                f"the catalogue knows no GGUF weights of {card.name}",
                fix=f"name them: evalrun --model {card.name} --gguf FILE --mmproj FILE",
            )
        return self._route("llamacpp", weights=card.gguf)

    def _at(self, base_url: str, backend: str | None) -> Route:
        """A server that was named. Known endpoints get their own name for the model, but no key."""
        presets = self._catalogue.presets.values()
        preset = next((it for it in presets if _same_host(it.base_url, base_url)), None)
        near, seen = is_loopback(base_url), None
        if near or self._name is None:
            with suppress(TargetError):  # a key that is missing is missed by whoever sends it
                key = key_from(self._given.api_key_env)
                seen = _look(base_url, key=key, wait_s=_NAMED_LOOK_S)
        if backend is None:
            own = near and seen is not None and seen.is_llama_cpp
            backend = "llamacpp" if own else _adapter(preset) if preset else "openai"
        known: dict[str, Any] = {"preset": preset.name if preset else None, "base_url": base_url}
        if self._name is not None:
            return self._route(backend, model_id=self._id_at(preset), **known)
        models = seen.models if seen is not None else ()
        if len(models) != 1:
            listed = f"; it serves {', '.join(models)}" if models else ""
            raise TargetError(
                f"nothing says which model of {without_credentials(base_url)} to ask{listed}",
                fix="name one with --model NAME",
            )
        # llama.cpp calls a model by its file unless it was given a name.
        model = Path(models[0]).stem if models[0].endswith(".gguf") else models[0]
        return self._route(backend, model=model, model_id=models[0], **known)

    def _at_entry(self, base_url: str) -> Route:
        """The server of the model's own entry, which may come with a folder of somebody else's.

        Raises: UsageError where a key would be sent there.
        """
        shown = without_credentials(base_url)
        if self._given.api_key_env is not None:
            raise UsageError(
                f"no key is sent to {shown}, the base_url of {self._model} in evalrun.toml",
                fix=f"type --base-url {shown} to send it there, or leave --api-key-env out",
            )
        self._given.notify(f"{self._model}: {shown}, from your catalogue")
        return self._at(base_url, None)

    def _found(self, name: str) -> Route:
        """No option says where it is: look."""
        running = look_around(self._catalogue.presets.values())
        if self._card is None:
            for server in running:
                if served := server.serves([name]):
                    return _to_server(server, served, replace(self._given, model=name))
        card = self._card or self._catalogue.find(name)  # raises, naming the nearest
        every = routes(card, self._given, self._catalogue, running)
        if taken := next((it for it in every if it.open), None):
            return taken
        closed = "".join(f"\n    {route.via}: {route.note}" for route in every)
        commands = "".join(f"\n    {route.command}" for route in every)
        raise TargetError(
            f"{card.name} cannot be reached from here:{closed}", fix=f"do one of these:{commands}"
        )


def routes(
    card: ModelCard, given: Target, catalogue: Catalogue, running: Iterable[Running]
) -> list[Route]:
    """Every route to a catalogue model, best first, closed ones included."""
    given = replace(given, model=card.name)
    hosted = ((catalogue.presets[it.preset], it.model_id) for it in card.hosted)
    return [
        *_served(card, given, running),
        *_weights(card, given),
        *(_hosted(preset, model_id, given, card) for preset, model_id in hosted),
    ]


def _served(card: ModelCard, given: Target, running: Iterable[Running]) -> Iterator[Route]:
    route = Route(backend="openai", target=given, card=card, via=SERVER)
    if card.base_url is not None:
        note = f"{without_credentials(card.base_url)}, from your catalogue"
        target = replace(given, base_url=card.base_url, api_key_env=None)
        yield replace(route, target=target, note=note, command=_command(card))
    names = [card.name, *card.aliases, *(it.model_id for it in card.hosted)]
    names += [card.gguf.model_file] if card.gguf else []
    names += [card.files.model] if card.files else []
    for server in running:
        if served := server.serves(names):
            yield replace(_to_server(server, served, given), card=card)
            return
    if card.gguf or card.files or not card.hosted:  # weights that anybody can serve
        command = _command(card, "--base-url http://127.0.0.1:8080/v1")
        note = "no server on this machine serves it"
        yield replace(route, note=note, command=command, open=False)


def _to_server(server: Running, served: str, given: Target) -> Route:
    return Route(
        backend="llamacpp" if server.is_llama_cpp else "openai",
        target=replace(given, base_url=server.base_url, model_id=served, preset=server.preset),
        via=SERVER,
        note=f"{server.base_url} serves it as {served!r}",
        command=f"evalrun --model {shlex.quote(given.model)}",
    )


def _weights(card: ModelCard, given: Target) -> Iterator[Route]:
    """`files` are the user's own; `gguf` says where the hub has them."""
    command = _command(card, "--backend llamacpp")
    route = Route(backend="llamacpp", target=given, card=card, via=WEIGHTS, command=command)
    if card.files is not None:
        gguf, mmproj = (Path(it).expanduser() for it in (card.files.model, card.files.mmproj))
        target = replace(given, gguf=gguf, mmproj=given.mmproj or mmproj)
        if missing := next((it for it in (gguf, mmproj) if not it.is_file()), None):
            command = _command(card, "--gguf FILE --mmproj FILE")
            yield replace(route, note=f"{missing} does not exist", command=command, open=False)
        else:
            yield _with_server(route, target, f"{gguf.name}, from your catalogue")
    source = card.gguf
    if source is None or (bits_in(source.quantization) or 16) < _FEWEST_BITS:
        return
    if found := weights.cached(source):
        target = replace(
            given, gguf=found.gguf, mmproj=given.mmproj or found.mmproj, weights=source
        )
        yield _with_server(route, target, f"{source.quantization} weights in the local cache")
    else:
        size = f"{source.size_gb:.1f} GB" if source.size_gb else "weights"
        note = f"{size} to download once from {source.repo} ({source.quantization})"
        yield replace(route, note=note, open=False, missing=f"download {size}")


def _with_server(route: Route, target: Target, note: str) -> Route:
    if llama_server.available():
        return replace(route, target=target, note=note)
    install = install_command("local")
    note = f"{note}, but there is no llama.cpp server to run them"
    return replace(route, note=note, command=install, open=False, missing=install)


def _hosted(preset: Preset, model_id: str, given: Target, card: ModelCard | None) -> Route:
    """An endpoint; closed as long as there is no key for it."""
    key_env = given.api_key_env or preset.api_key_env
    command = f"evalrun --model {shlex.quote(given.model)} --backend {preset.name}"
    note, missing = f"asked as {model_id!r}, with the key in {key_env}", None
    if key_env is None:
        note = f"asked as {model_id!r} at {preset.base_url}, where nothing answered"
    elif not os.environ.get(key_env, "").strip():
        note, missing = f"{key_env} is not set", f"set {key_env}"
        command = f"export {key_env}=…; {command}"
    return Route(
        backend=_adapter(preset),
        target=replace(
            given,
            preset=preset.name,
            base_url=given.base_url or preset.base_url,
            api_key_env=key_env,
            model_id=model_id,
        ),
        card=card,
        via=preset.name,
        note=note,
        command=command,
        open=key_env is not None and missing is None,
        missing=missing,
    )


def _adapter(preset: Preset) -> str:
    """An endpoint with an adapter of its own name is asked through that one."""
    return preset.name if preset.name in _BUILT_IN else "openai"


def _command(card: ModelCard, options: str = "") -> str:
    return f"evalrun --model {shlex.quote(card.name)} {options}".rstrip()


def _same_host(one: str, other: str) -> bool:
    """
    >>> _same_host("https://API.openai.com/v1/", "https://api.openai.com/v2")
    True
    >>> _same_host("http://api.openai.com/v1", "https://api.openai.com/v1")
    False
    """
    (scheme, host), (other_scheme, other_host) = urlsplit(one)[:2], urlsplit(other)[:2]
    return (scheme, host.lower()) == (other_scheme, other_host.lower())


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
