"""`evalrun models`: what the catalogue knows, and which of it could run here and now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct
from rich.table import Table
from rich.text import Text

from harness import catalogue
from harness.adapters import Target, machine
from harness.adapters.llamacpp import program
from harness.adapters.machine import needed_bytes, size_of, where_it_fits
from harness.adapters.routes import Route, look_around, routes
from harness.cli.output import console, print_blocks, print_json, say
from harness.records import Fact, ModelCard, Sampling
from harness.tables import Cell, Column
from harness.tables import Table as DataTable
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
    name: Annotated[str | None, typer.Argument(help="Show this model; without one, all.")] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Only what runs here now, or would once downloaded.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """List the models of the catalogue, or show one.

    One is shown with its facts and the routes to it.
    """
    cards, memory = machine.gpus(), machine.memory_bytes()
    every = _look_up(name, cards, memory)
    startable = program.available()
    found = [it for it in every if not here or it.open or (startable and it.fits)]
    if json:
        print_json([_as_json(it) for it in found])
    elif name:
        for it in found:
            _show(it)
    else:
        print_blocks(_list(found))
        held = f"{size_text(memory)} of memory" if memory else "memory unknown"
        say(f"this machine: {held}, {', '.join(map(str, cards)) or 'no NVIDIA GPU'}")
        able = sum(it.open is not None for it in every)
        say(f"{able} of {len(every)} could run here and now; `evalrun models NAME` shows one whole")


def _look_up(name: str | None, cards: tuple[machine.Gpu, ...], memory: int | None) -> list[Found]:
    known = catalogue.load()
    wanted = [known.find(name)] if name else list(known.cards.values())
    running = look_around(known.presets.values())
    found = []
    for card in wanted:
        reached = routes(card, Target(model=card.name), known, running)
        needed = _needed_bytes(card)
        fits = where_it_fits(needed, cards, memory) if needed else None
        found.append(Found(card, reached, needed, fits))
    return found


def _needed_bytes(card: ModelCard) -> int | None:
    """Weights, projector and context, as far as their size is known."""
    size, context = None, program.PROMPT_ROOM_TOKENS
    if card.files is not None:
        files = [Path(it).expanduser() for it in (card.files.model, card.files.mmproj)]
        if all(it.is_file() for it in files):
            size = sum(it.stat().st_size for it in files)
    elif card.gguf is not None:
        size = int(card.gguf.size_gb * 1e9) if card.gguf.size_gb else None
        if size is None and card.parameters is not None:
            size = size_of(card.parameters.value, card.gguf.quantization)
        context = max(context, card.gguf.context_tokens or 0)
    return None if size is None else needed_bytes(size, context + Sampling().max_tokens)


def _list(found: list[Found]) -> DataTable:
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
            _value(it.card.parameters),
            Cell(it.needed_bytes, _needs(it)),
            "" if it.needed_bytes is None else it.fits or "no",
            _here(it),
        )
        for it in found
    ]
    note = "needs: weights, projector and a context of 8,192 tokens, estimated"
    return DataTable(columns=columns, rows=rows, notes=(note,) if rows else ())


def _needs(found: Found) -> str:
    return f"{found.needed_bytes / 1e9:.1f} GB" if found.needed_bytes else ""


def _here(found: Found) -> Cell:
    """The route that would be taken, else what is missing, in a few words."""
    if found.open is not None:
        return Cell(found.open.via, f"yes: {found.open.via}")
    missing = [it.missing for it in found.routes if it.missing]
    words = "no: " + (" or ".join(missing) or "add it to evalrun.toml")
    return Cell(words, words)


def _show(found: Found) -> None:
    card, shown = found.card, console()
    shown.print(Text(card.name, style="bold"), Text(", ".join(card.aliases), style="dim"))
    shown.print(_facts(card))
    if card.about is not None:
        shown.print(Text(f"\n{card.about.value}"))
        shown.print(Text(f"{card.about.source}, {card.about.as_of}", style="dim"))
    for line in _published(card):
        shown.print(Text(line))
    shown.print(Text("\nHere and now", style="bold"))
    shown.print(_routes(found.routes))
    if found.needed_bytes is not None:
        where = f"which fits: {found.fits}" if found.fits else "which is more than there is here"
        shown.print(Text(f"needs about {_needs(found)} (weights, projector, context), {where}"))


def _facts(card: ModelCard) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, value, fact in _stated(card):
        table.add_row(label, Text.assemble(value, "  ", (f"{fact.source}, {fact.as_of}", "dim")))
    return table


def _stated(card: ModelCard) -> Iterator[tuple[str, str, Fact[Any]]]:
    """The facts that some source states."""
    for name in card.__struct_fields__:
        fact = getattr(card, name)
        if isinstance(fact, Fact) and name != "about":
            label, form = _UNITS.get(name, (name.replace("_", " "), "{}"))
            listed = isinstance(fact.value, tuple)
            yield label, form.format(", ".join(fact.value) if listed else fact.value), fact


def _published(card: ModelCard) -> Iterator[str]:
    scores = card.published
    if scores is None:
        return
    share = 100 * scores.passed / scores.asked
    rank = f", rank {scores.rank} of {scores.ranked}" if scores.rank else ""
    yield f"\nPublished, not measured here ({scores.source}, {scores.as_of})"
    yield f"  overall {share:.1f} % ({scores.passed}/{scores.asked}){rank}"
    for category, (passed, asked) in scores.categories.items():
        yield f"  {category} {100 * passed / asked:.1f} % ({passed}/{asked})"
    if scores.latency_mean_s is not None:
        yield f"  average response time {scores.latency_mean_s} s"
    if scores.cost_per_task_usd is not None:
        yield f"  cost per task ${scores.cost_per_task_usd}"


def _routes(reached: list[Route]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for it in reached:
        state = Text("yes", style="green") if it.open else Text("no", style="dim")
        table.add_row(state, it.via, f"{it.note}\n{it.command}")
    return table


def _value(fact: Fact[Any] | None) -> str:
    return "" if fact is None else str(fact.value)


def _as_json(found: Found) -> dict[str, Any]:
    listed = [
        {"via": it.via, "open": it.open, "note": it.note, "command": it.command}
        for it in found.routes
    ]
    return {
        "card": found.card,
        "runs_here": found.open is not None,
        "needed_gb": round(found.needed_bytes / 1e9, 2) if found.needed_bytes else None,
        "fits": found.fits,
        "routes": listed,
    }
