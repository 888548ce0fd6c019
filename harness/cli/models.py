"""`evalrun models`: what the catalogue knows, and which of it could run here and now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from msgspec import Struct
from typer import Argument, Option

from harness import catalogue
from harness.adapters import Target, machine
from harness.adapters.llamacpp import program
from harness.adapters.machine import needed_bytes, size_of, where_it_fits
from harness.adapters.routes import Route, look_around, routes
from harness.cli.output import AsJson, print_blocks, print_json, say
from harness.records import Fact, ModelCard, PublishedScore, Sampling
from harness.tables import Block, Cell, Column, Line, Table
from harness.targets import MORE_ROOM
from harness.text import size_text

_UNITS = {
    "context_tokens": ("context", "{:,} tokens"),
    "price_in_usd_per_mtok": ("price in", "${} per million tokens"),
    "price_out_usd_per_mtok": ("price out", "${} per million tokens"),
}


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


def models(
    name: Annotated[str | None, Argument(help="Show this model; without one, all.")] = None,
    here: Annotated[
        bool, Option("--here", help="Only what runs here now, or would once downloaded.")
    ] = False,
    json: AsJson = False,
) -> None:
    """List the models of the catalogue, or show one.

    One is shown with its facts and the routes to it.
    """
    gpus, memory = machine.gpus(), machine.memory_bytes()
    every = _look_up(name, gpus, memory)
    startable = program.available()
    found = [it for it in every if not here or it.open or (startable and it.fits)]
    if json:
        print_json([_as_json(it) for it in found])
    elif name:
        print_blocks(*(block for it in found for block in _shown(it)))
    else:
        print_blocks(_listed(found))
        held = f"{size_text(memory)} of memory" if memory else "memory unknown"
        say(f"this machine: {held}, {', '.join(map(str, gpus)) or 'no NVIDIA GPU'}")
        able = sum(it.open is not None for it in every)
        say(f"{able} of {len(every)} could run here and now; `evalrun models NAME` shows one whole")


def _look_up(name: str | None, gpus: tuple[machine.Gpu, ...], memory: int | None) -> list[Found]:
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
    return None if size is None else needed_bytes(size, _context_tokens(card))


def _context_tokens(card: ModelCard | None = None) -> int:
    """As a run without further options starts a server with."""
    sampling = Sampling(max_tokens_retry=MORE_ROOM * Sampling().max_tokens)
    return program.context_for(Target(model="", sampling=sampling), card.gguf if card else None)


def _listed(found: list[Found]) -> Table:
    columns = (
        Column("model", "model"),
        Column("parameters", "size", drop=1),
        Column("needed_gb", "needs", figure=True),
        Column("fits", "fits"),
        Column("here", "here and now"),
    )
    rows = [
        (
            it.card.name,
            it.card.parameters.value if it.card.parameters else "",
            Cell(it.needed_bytes, _needs(it)),
            "" if it.needed_bytes is None else it.fits or "no",
            _here(it),
        )
        for it in found
    ]
    note = f"needs: weights, projector and a context of {_context_tokens():,} tokens, estimated"
    return Table(columns=columns, rows=rows, notes=(note,) if rows else ())


def _needs(found: Found) -> str:
    return f"{found.needed_bytes / 1e9:.1f} GB" if found.needed_bytes else ""


def _here(found: Found) -> str:
    """The route that would be taken, else what is missing, in a few words."""
    if found.open is not None:
        return f"yes: {found.open.via}"
    missing = [it.missing for it in found.routes if it.missing]
    return "no: " + (" or ".join(missing) or "add it to evalrun.toml")


def _shown(found: Found) -> Iterator[Block]:
    """Everything about one model."""
    card = found.card
    yield Line(" ".join([card.name, *(f"({it})" for it in card.aliases)]), "bold")
    yield Table(
        columns=[Column(heading=it) for it in ("fact", "", "stated by")], rows=_stated(card)
    )
    if card.about is not None:
        yield Line("")
        yield Line(card.about.value)
        yield Line(f"{card.about.source}, {card.about.as_of}", "dim")
    if card.published is not None:
        yield from map(Line, _published(card.published))
    yield Table(
        title="Here and now",
        columns=[Column(heading=it) for it in ("open", "route", "how")],
        rows=[
            (Cell(key="yes") if it.open else "no", it.via, Cell(it.note, detail=it.command))
            for it in found.routes
        ],
    )
    if found.needed_bytes is not None:
        where = f"which fits: {found.fits}" if found.fits else "which is more than there is here"
        yield Line(f"needs about {_needs(found)} (weights, projector, context), {where}")


def _stated(card: ModelCard) -> list[list[str]]:
    """The facts that some source states."""
    rows = []
    for name in card.__struct_fields__:
        fact = getattr(card, name)
        if isinstance(fact, Fact) and name != "about":
            label, form = _UNITS.get(name, (name.replace("_", " "), "{}"))
            listed = isinstance(fact.value, tuple)
            value = form.format(", ".join(fact.value) if listed else fact.value)
            rows.append([label, value, f"{fact.source}, {fact.as_of}"])
    return rows


def _published(scores: PublishedScore) -> Iterator[str]:
    yield ""
    yield f"Published, not measured here ({scores.source}, {scores.as_of})"
    rank = f", rank {scores.rank} of {scores.ranked}" if scores.rank else ""
    overall = {"overall": (scores.passed, scores.asked)}
    for name, (passed, asked) in (overall | scores.categories).items():
        share = f"{100 * passed / asked:.1f} % ({passed}/{asked})"
        yield f"  {name} {share}{rank if name == 'overall' else ''}"
    if scores.latency_mean_s is not None:
        yield f"  average response time {scores.latency_mean_s} s"
    if scores.cost_per_task_usd is not None:
        yield f"  cost per task ${scores.cost_per_task_usd}"


def _as_json(found: Found) -> dict[str, Any]:
    fields = ("via", "open", "note", "command")
    return {
        "card": found.card,
        "runs_here": found.open is not None,
        "needed_gb": round(found.needed_bytes / 1e9, 2) if found.needed_bytes else None,
        "fits": found.fits,
        "routes": [{name: getattr(it, name) for name in fields} for it in found.routes],
    }
