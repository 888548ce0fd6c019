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
from harness.adapters import Request, Target, machine
from harness.adapters.llamacpp import server
from harness.adapters.routes import Route, look_around, opener, routes
from harness.errors import EXTRAS, EvalrunError, ResultsError, install_command, missing_packages
from harness.eyes.card import cards
from harness.records import ModelCard, Sampling
from harness.tables import seconds
from harness.targets import MORE_ROOM
from harness.text import size_text


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    says: str
    fix: str | None = None
    state: str = "ok"
    """Or missing (some things cannot be done), or broken (what is there does not work)."""


def _lacking(what: str, says: str, fix: str) -> Finding:
    return Finding(what, says, fix, "missing")


def look(results: Path) -> list[Finding]:
    """All there is to see here; a question is put to the demonstration model."""
    looks = {"machine": _machine(), "llama.cpp": _server(), "catalogue": _catalogue()}
    found: list[Finding] = []
    for what, findings in (looks | {"results": _results(results)}).items():
        try:
            found += findings
        except EvalrunError as error:
            found.append(Finding(what, error.problem, error.fix, "broken"))
    return found


def _machine() -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("evalrun", f"{__version__}, {python}")
    held = size_text(machine.memory_bytes() or 0)
    yield Finding("machine", f"{machine.cpu_name()}, {held} of memory")
    for extra, packages in EXTRAS.items():
        missing = ", ".join(missing_packages(extra))
        found = Finding(f"extra {extra}", ", ".join(packages))
        fix = install_command(extra)
        yield _lacking(found.what, f"without {missing}", fix) if missing else found


def _server() -> Iterator[Finding]:
    """The whole way once: program, weights, server, pictures, card."""
    if not server.available():
        yield _lacking("llama.cpp", "there is no server to start", install_command("local"))
        return
    yield Finding("llama.cpp", str(server.find()))
    red = Request(id="doctor", question="Which colour?", images=(images.plain("red", 64, 64),))
    with opener("demo")(Target(model="demo")) as adapter:
        reply = adapter.ask(red)
    says = f"the demo calls a red picture {reply.text!r} after {seconds(reply.latency_s)}"
    yield Finding("a question", says, state="ok" if reply.text == "red" else "broken")
    facts = adapter.opened.server
    ran_on = facts.machine if facts else None
    used = ran_on is not None and ran_on.offloaded_layers is not None
    for gpu in machine.gpus():
        says = f"{gpu}, driver {gpu.driver}" + ("" if used else ", not used by llama.cpp")
        yield Finding("GPU", says) if used else _lacking("GPU", says, server.GPU_FIX)


def _catalogue() -> Iterator[Finding]:
    own = [str(path) for path in catalogue.user_files() if os.path.exists(path)]
    known = catalogue.load()
    yield Finding("catalogue", f"{len(known.cards)} models, {', '.join(['built in', *own])}")
    for preset in known.presets.values():
        if key := preset.api_key_env:
            missing = _lacking(preset.name, f"{key} is not set", f"export {key}=…")
            held = os.environ.get(key, "").strip()
            yield Finding(preset.name, f"{key} is set") if held else missing
    for it in look_around(known.presets.values()):
        models = ", ".join(it.models) or "no model"
        yield Finding(it.preset or "llama.cpp", f"{it.base_url} serves {models}")


def _results(folder: Path) -> Iterator[Finding]:
    """Whether runs can be saved, found out without leaving anything behind; who was not tested."""
    nearest = next(it for it in (folder, *folder.absolute().parents) if it.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise ResultsError(
            f"{folder} cannot be written", fix="name another folder with --results DIR"
        )
    yield Finding("results", f"{folder} can be written")
    models = set()
    for path in store.runs(folder):
        with suppress(ResultsError):
            header = store.read(path).header
            models |= {header.model} if header.backend != "replay" else set()
    if untested := sorted(it for it in models if next(cards(folder, it), None) is None):
        fix = f"evalrun eyes --model {shlex.quote(untested[0])}"
        yield _lacking("sight tests", f"none of {', '.join(untested)}", fix)


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
        size = _weights_bytes(card)
        needed = machine.needed_bytes(size, context_tokens(card)) if size else None
        fits = machine.where_it_fits(needed, gpus, memory) if needed else None
        found.append(
            Found(card, routes(card, Target(model=card.name), known, running), needed, fits)
        )
    return found


def _weights_bytes(card: ModelCard) -> int | None:
    """With the projector; None where nothing says how large they are."""
    if card.files is not None:
        files = [Path(it).expanduser() for it in (card.files.model, card.files.mmproj)]
        return sum(it.stat().st_size for it in files) if all(map(Path.is_file, files)) else None
    if card.gguf is None or card.gguf.size_gb:
        return int(card.gguf.size_gb * 1e9) if card.gguf and card.gguf.size_gb else None
    return (
        machine.size_of(card.parameters.value, card.gguf.quantization) if card.parameters else None
    )


def context_tokens(card: ModelCard | None = None) -> int:
    """As a run without further options starts a server with."""
    sampling = Sampling(max_tokens_retry=MORE_ROOM * Sampling().max_tokens)
    weights = card.gguf if card else None
    return server.context_for(Target(model="", sampling=sampling, weights=weights))
