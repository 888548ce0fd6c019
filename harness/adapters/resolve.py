"""Which adapter and which target a model's name means, here and now.

In this order: what the options say; a server that runs on this machine and serves it; its weights
in the local cache; the first hosted endpoint whose key is set. Nothing is downloaded unasked.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from harness.adapters import names as adapter_names
from harness.adapters.base import Target
from harness.adapters.openai import key_from
from harness.adapters.running import Running, candidates, look, look_around
from harness.adapters.ways import Choice, Way, serves, way_to, ways
from harness.catalogue import Catalogue
from harness.errors import TargetError, UsageError
from harness.records import ModelCard, Preset
from harness.transport import is_loopback, without_credentials

__all__ = ["Choice", "resolve"]

DEMO = "demo"
_LOOK_S = 3.0
"""How long a server that the user named may take to list its models."""


def resolve(
    name: str | None, given: Target, *, backend: str | None, catalogue: Catalogue
) -> Choice:
    """Complete `given` so that it can be opened; its `notify` is told which way was taken.

    Raises: TargetError with a command for each way there is, when none is open.
    """
    return _Resolving(name, given, catalogue).choose(backend)


class _Resolving:
    def __init__(self, name: str | None, given: Target, catalogue: Catalogue) -> None:
        self._name, self._given, self._catalogue = name, given, catalogue
        self._card = catalogue.get(name) if name else None

    def choose(self, backend: str | None) -> Choice:
        given = self._given
        if given.gguf is not None and given.base_url is not None:
            raise UsageError(
                "--gguf names weights and --base-url a server", fix="give one of the two"
            )
        if given.replay is not None:
            return self._chosen("replay", model=self._name or given.replay.stem)
        if backend is not None:
            return self._by_backend(backend)
        if given.base_url is not None:
            return self._at(given.base_url, backend=None)
        if given.gguf is not None:
            return self._chosen("llamacpp", model=self._model or given.gguf.stem)
        if self._name is None or (self._name == DEMO and self._card is None):
            return self._chosen(DEMO, model=DEMO)
        return self._found(self._name)

    @property
    def _model(self) -> str | None:
        """The catalogue's name for it, else the user's."""
        return self._card.name if self._card else self._name

    def _chosen(self, backend: str, *, preset: str | None = None, **known: Any) -> Choice:
        target = replace(self._given, **({"model": self._model} | known))
        return Choice(backend=backend, target=target, card=self._card, preset=preset)

    def _by_backend(self, backend: str) -> Choice:
        if backend in self._catalogue.presets:
            return self._through(self._catalogue.presets[backend])
        if backend not in adapter_names():
            known = ", ".join([*adapter_names(), *self._catalogue.presets])
            raise TargetError(f"no backend is called {backend!r}", fix=f"choose one of {known}")
        if backend == DEMO:
            return self._chosen(DEMO, model=self._name or DEMO)
        if self._given.base_url is not None:
            return self._at(self._given.base_url, backend=backend)
        if self._given.gguf is not None:
            return self._chosen(backend, model=self._model or self._given.gguf.stem)
        if self._name is None:
            raise _no_name(backend)
        return self._with_weights(self._name) if backend == "llamacpp" else self._chosen(backend)

    def _through(self, preset: Preset) -> Choice:
        """An endpoint that was named: its address and its key."""
        if self._name is None:
            raise _no_name(preset.name)
        base_url = self._given.base_url or preset.base_url
        model_id = _id_at(self._card, preset) or self._name
        self._say(f"asking {preset.name} for {model_id!r}")
        return self._chosen(
            "openai",
            preset=preset.name,
            model_id=model_id,
            base_url=base_url,
            api_key_env=self._given.api_key_env or preset.api_key_env,
        )

    def _with_weights(self, name: str) -> Choice:
        """A server of our own, whose weights are downloaded if they have to be."""
        card = self._card or self._catalogue.find(name)
        for way in ways(card, self._given, self._catalogue, []):
            if way.means == "local weights" and way.choice is not None:
                return self._taken(way, way.choice)
        if card.gguf is None:
            raise TargetError(
                f"the catalogue knows no GGUF weights of {card.name}",
                fix=f"name them: evalrun --model {card.name} --gguf FILE --mmproj FILE",
            )
        return self._chosen("llamacpp", weights=card.gguf)

    def _at(self, base_url: str, *, backend: str | None) -> Choice:
        """A server that was named. Known endpoints get their own name for the model, but no key."""
        preset = next(
            (it for it in self._catalogue.presets.values() if _alike(it.base_url, base_url)), None
        )
        seen = self._look(base_url) if is_loopback(base_url) or self._name is None else None
        is_llama_cpp = seen is not None and seen.is_llama_cpp and is_loopback(base_url)
        chosen = backend or ("llamacpp" if is_llama_cpp else "openai")
        known = preset.name if preset else None
        if self._name is None:
            served = _only_model(base_url, seen)
            return self._chosen(chosen, preset=known, model=_file_stem(served), model_id=served)
        model_id = (_id_at(self._card, preset) if preset else None) or self._name
        return self._chosen(chosen, preset=known, model_id=model_id)

    def _look(self, base_url: str) -> Running | None:
        return look(base_url, key=key_from(self._given.api_key_env), wait_s=_LOOK_S)

    def _found(self, name: str) -> Choice:
        """Neither options nor user say where it is: look."""
        running = look_around(candidates(self._catalogue.presets.values()))
        if self._card is None:
            given = replace(self._given, model=name)
            for server in running:
                if served := serves(server, [name]):
                    way = way_to(server, served, given, None)
                    return self._taken(way, way.choice)
            self._catalogue.find(name)  # raises: names the nearest
        assert self._card is not None
        every = ways(self._card, self._given, self._catalogue, running)
        for way in every:
            if way.choice is not None:
                return self._taken(way, way.choice)
        raise _nowhere(self._card, every)

    def _taken(self, way: Way, choice: Choice | None) -> Choice:
        assert choice is not None
        self._say(f"{choice.target.model}: {way.means}: {way.says}")
        return choice

    def _say(self, line: str) -> None:
        self._given.notify(line)


def _nowhere(card: ModelCard, every: list[Way]) -> TargetError:
    closed = "".join(f"\n    {way.means}: {way.says}" for way in every)
    commands = "".join(f"\n    {way.command}" for way in every)
    return TargetError(
        f"{card.name} cannot be reached from here:{closed}", fix=f"do one of these:{commands}"
    )


def _no_name(backend: str) -> TargetError:
    return TargetError(
        f"--backend {backend} does not say which model to ask", fix="name one with --model NAME"
    )


def _only_model(base_url: str, seen: Running | None) -> str:
    models = seen.models if seen is not None else ()
    if len(models) == 1:
        return models[0]
    listed = f"; it serves {', '.join(models)}" if models else ""
    raise TargetError(
        f"nothing says which model of {without_credentials(base_url)} to ask{listed}",
        fix="name one with --model NAME",
    )


def _id_at(card: ModelCard | None, preset: Preset) -> str | None:
    hosted = card.hosted if card is not None else ()
    return next((it.model_id for it in hosted if it.preset == preset.name), None)


def _alike(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def _file_stem(served: str) -> str:
    """llama.cpp calls a model by its file unless it was given a name.

    >>> _file_stem("/models/gemma-3-4b-it-Q4_K_M.gguf"), _file_stem("org/model")
    ('gemma-3-4b-it-Q4_K_M', 'org/model')
    """
    return served.rsplit("/", 1)[-1].removesuffix(".gguf") if served.endswith(".gguf") else served
