"""What this machine has, what it lacks, and which models of the catalogue it could ask.

Prints nothing.
"""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from harness import __version__, catalogue, images, store
from harness.adapters import Request, Target, machine, opener
from harness.adapters.llamacpp import program
from harness.adapters.machine import needed_bytes, size_of, where_it_fits
from harness.adapters.routes import Route, look_around, routes
from harness.errors import (
    EXTRAS,
    EvalrunError,
    ResultsError,
    TargetError,
    install_command,
    missing_packages,
)
from harness.eyes.card import cards
from harness.records import ModelCard, Sampling
from harness.tables import seconds
from harness.targets import MORE_ROOM
from harness.text import size_text


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    state: str
    """ok, missing (some things cannot be done) or broken (what is there does not work)."""
    says: str
    fix: str | None = None


def look(results: Path) -> list[Finding]:
    """All there is to see here; a question is put to the demonstration model."""
    looks = _versions(), _extras(), _server(), _demo(), _catalogue(), _results(results)
    return [finding for it in looks for finding in it]


def _versions() -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("evalrun", "ok", f"{__version__}, {python}")
    memory = machine.memory_bytes()
    held = f", {size_text(memory)} of memory" if memory else ""
    yield Finding("machine", "ok", f"{machine.cpu_name()}{held}")


def _extras() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        lacking = missing_packages(extra)
        yield Finding(
            f"extra {extra}",
            "missing" if lacking else "ok",
            f"without {', '.join(lacking)}" if lacking else ", ".join(packages),
            fix=install_command(extra) if lacking else None,
        )


def _server() -> Iterator[Finding]:
    try:
        found = program.find()
    except TargetError as error:
        state = "broken" if program.available() else "missing"
        yield Finding("llama.cpp", state, error.problem, fix=error.fix)
    else:
        yield Finding("llama.cpp", "ok", str(found))
        yield from _gpus(found)


def _gpus(found: program.Program) -> Iterator[Finding]:
    """The cards, and whether the server that would be started can compute on them."""
    for gpu in machine.gpus():
        idle = found.sees_gpu() is False
        yield Finding(
            "GPU",
            "missing" if idle else "ok",
            f"{gpu}, driver {gpu.driver}" + (", not used by llama.cpp" if idle else ""),
            fix=found.gpu_fix() if idle else None,
        )


def _demo() -> Iterator[Finding]:
    """The whole way once: weights, server, pictures."""
    if not program.available():
        return
    picture = images.plain("red", 64, 64)
    try:
        with opener("demo")(Target(model="demo")) as adapter:
            reply = adapter.ask(Request(id="doctor", question="Which colour?", images=(picture,)))
    except EvalrunError as error:
        yield Finding("a question", "broken", error.problem, fix=error.fix)
    else:
        right = reply.text == "red"
        says = f"the demo calls a red picture {reply.text!r} after {seconds(reply.latency_s)}"
        yield Finding("a question", "ok" if right else "broken", says)


def _catalogue() -> Iterator[Finding]:
    own = [str(path) for path in catalogue.user_files() if os.path.exists(path)]
    try:
        known = catalogue.load()
    except TargetError as error:
        yield Finding("catalogue", "broken", error.problem, fix=error.fix)
        return
    says = f"{len(known.cards)} models" + (f", with {', '.join(own)}" if own else "")
    yield Finding("catalogue", "ok", says)
    for preset in known.presets.values():
        if preset.api_key_env:
            held = bool(os.environ.get(preset.api_key_env, "").strip())
            yield Finding(
                preset.name,
                "ok" if held else "missing",
                f"{preset.api_key_env} is {'set' if held else 'not set'}",
                fix=None if held else f"export {preset.api_key_env}=…",
            )
    for server in look_around(known.presets.values()):
        models = ", ".join(server.models) or "no model"
        yield Finding(server.preset or "llama.cpp", "ok", f"{server.base_url} serves {models}")


def _results(folder: Path) -> Iterator[Finding]:
    """Whether runs can be saved, found out without leaving anything behind; who was not tested."""
    nearest = next(it for it in (folder, *folder.absolute().parents) if it.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        yield Finding("results", "ok", f"{folder} can be written")
    else:
        fix = "name another folder with --results DIR"
        yield Finding("results", "broken", f"{folder} cannot be written", fix)
    models: dict[str, None] = {}
    for path in store.runs(folder):
        with suppress(ResultsError):
            header = store.read(path).header
            if header.backend != "replay":
                models[header.model] = None
    if untested := [it for it in models if next(cards(folder, it), None) is None]:
        fix = f"evalrun eyes --model {shlex.quote(untested[0])}"
        yield Finding("sight tests", "missing", f"none of {', '.join(untested)}", fix)


class Found(Struct, frozen=True):
    """A model, the routes to it, and what running it here would take."""

    card: ModelCard
    routes: list[Route]
    needed_bytes: int | None
    """None: nothing says how large its weights are."""
    fits: str | None
    """Where: "GPU", "memory" or both; None: nowhere, or unknown."""

    @property
    def open(self) -> Route | None:
        """The route that would be taken now."""
        return next((it for it in self.routes if it.open), None)


def models_here(name: str | None = None) -> list[Found]:
    """Every model of the catalogue, or the one that is named. Raises: TargetError for none."""
    gpus, memory = machine.gpus(), machine.memory_bytes()
    known = catalogue.load()
    running = look_around(known.presets.values())
    found = []
    for card in [known.find(name)] if name else known.cards.values():
        needed = _needed_bytes(card)
        fits = where_it_fits(needed, gpus, memory) if needed else None
        reached = routes(card, Target(model=card.name), known, running)
        found.append(Found(card, reached, needed, fits))
    return found


def _needed_bytes(card: ModelCard) -> int | None:
    """Weights, projector and context, as far as their size is known."""
    size = None
    if card.files is not None:
        files = [Path(it).expanduser() for it in (card.files.model, card.files.mmproj)]
        if all(it.is_file() for it in files):
            size = sum(it.stat().st_size for it in files)
    elif card.gguf is not None:
        size = int(card.gguf.size_gb * 1e9) if card.gguf.size_gb else None
        if size is None and card.parameters is not None:
            size = size_of(card.parameters.value, card.gguf.quantization)
    return None if size is None else needed_bytes(size, context_tokens(card))


def context_tokens(card: ModelCard | None = None) -> int:
    """As a run without further options starts a server with."""
    sampling = Sampling(max_tokens_retry=MORE_ROOM * Sampling().max_tokens)
    return program.context_for(Target(model="", sampling=sampling), card.gguf if card else None)
