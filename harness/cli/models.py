"""`evalrun models`: what the catalogue knows, and which of it could run here and now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from harness import catalogue
from harness.adapters import Target
from harness.adapters.routes import Route, routes
from harness.adapters.running import candidates, look_around
from harness.cli.output import console, print_json, say
from harness.records import Fact, ModelCard

Found = tuple[ModelCard, list[Route]]
_UNITS = {
    "context_tokens": ("context", "{:,} tokens"),
    "price_in_usd_per_mtok": ("price in", "${} per million tokens"),
    "price_out_usd_per_mtok": ("price out", "${} per million tokens"),
}


def models(
    name: Annotated[str | None, typer.Argument(help="Show this model; without one, all.")] = None,
    here: Annotated[bool, typer.Option("--here", help="Only what could run here and now.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """List the models of the catalogue, or show one.

    One is shown with its facts and the routes to it.
    """
    found = [it for it in _look_up(name) if not here or _open_route(it[1])]
    if json:
        print_json([_as_json(card, reached) for card, reached in found])
    elif name:
        for card, reached in found:
            _show(card, reached)
    else:
        _list(found)


def _look_up(name: str | None) -> list[Found]:
    known = catalogue.load()
    cards = [known.find(name)] if name else list(known.cards.values())
    running = look_around(candidates(known.presets.values()))
    return [(card, routes(card, Target(model=card.name), known, running)) for card in cards]


def _open_route(reached: list[Route]) -> Route | None:
    return next((it for it in reached if it.open), None)


def _list(found: list[Found]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("model", "by", "size", "here and now"):
        table.add_column(title, overflow="fold")
    for card, reached in found:
        table.add_row(card.name, _value(card.organization), _value(card.parameters), _here(reached))
    console().print(table)
    able = sum(_open_route(reached) is not None for _, reached in found)
    say(f"{able} of {len(found)} could run here and now; `evalrun models NAME` shows one whole")


def _here(reached: list[Route]) -> Text:
    """The route that would be taken, else what is missing, in a few words."""
    route = _open_route(reached)
    if route is not None:
        return Text(f"yes: {route.via}", style="green")
    missing = [it.missing for it in reached if it.missing]
    return Text("no: " + (" or ".join(missing) or "add it to evalrun.toml"), style="dim")


def _show(card: ModelCard, reached: list[Route]) -> None:
    shown = console()
    shown.print(Text(card.name, style="bold"), Text(", ".join(card.aliases), style="dim"))
    shown.print(_facts(card))
    if card.about is not None:
        shown.print(Text(f"\n{card.about.value}"))
        shown.print(Text(f"{card.about.source}, {card.about.as_of}", style="dim"))
    for line in _published(card):
        shown.print(Text(line))
    shown.print(Text("\nHere and now", style="bold"))
    shown.print(_table(reached))


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


def _table(reached: list[Route]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for it in reached:
        state = Text("yes", style="green") if it.open else Text("no", style="dim")
        table.add_row(state, it.via, f"{it.note}\n{it.command}")
    return table


def _value(fact: Fact[Any] | None) -> str:
    return "" if fact is None else str(fact.value)


def _as_json(card: ModelCard, reached: list[Route]) -> dict[str, Any]:
    listed = [
        {"via": it.via, "open": it.open, "note": it.note, "command": it.command} for it in reached
    ]
    return {"card": card, "runs_here": _open_route(reached) is not None, "routes": listed}
