"""`doctor` and `models`: what this machine has, and which models it could ask."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Argument, Option

from harness.adapters import machine
from harness.adapters.llamacpp import server
from harness.cli.output import AsJson, print_blocks, print_json, say
from harness.errors import ExitCode
from harness.here import Found, context_tokens, look, models_here
from harness.options import DEFAULT_RESULTS, ResultsDir
from harness.tables import Cell, Column, Line, Table
from harness.tables.cards import of_card
from harness.text import size_text


def doctor(results: ResultsDir = DEFAULT_RESULTS, json: AsJson = False) -> int:
    """Check this machine: server, packages, keys, a question."""
    found = look(results)
    if json:
        print_json(found)
    else:
        rows = [
            (Cell(key=it.state), it.what, it.says if it.fix is None else f"{it.says}: {it.fix}")
            for it in found
        ]
        headings = "state", "what", "what was found"
        print_blocks(Table(columns=[Column(heading=it) for it in headings], rows=rows))
    broken = any(it.state == "broken" for it in found)
    return ExitCode.UNUSABLE_TARGET if broken else ExitCode.DONE


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
    every, startable = models_here(name), server.available()
    found = [it for it in every if not here or it.open or (startable and it.fits)]
    if json:
        print_json([_as_json(it) for it in found])
    elif name:
        for it in found:
            print_blocks(*of_card(it.card), _routes(it), Line(_needs(it)))
    else:
        print_blocks(_listed(found))
        gpus, memory = machine.gpus(), machine.memory_bytes()
        held = f"{size_text(memory)} of memory" if memory else "memory unknown"
        say(f"this machine: {held}, {', '.join(map(str, gpus)) or 'no NVIDIA GPU'}")
        able = sum(it.open is not None for it in every)
        say(f"{able} of {len(every)} could run here and now; `evalrun models NAME` shows one whole")


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
            Cell(it.needed_bytes, _gb(it)),
            "" if it.needed_bytes is None else it.fits or "no",
            _here(it),
        )
        for it in found
    ]
    note = f"needs: weights, projector and a context of {context_tokens():,} tokens, estimated"
    return Table(columns=columns, rows=rows, notes=(note,) if rows else ())


def _gb(found: Found) -> str:
    return f"{found.needed_bytes / 1e9:.1f} GB" if found.needed_bytes else ""


def _here(found: Found) -> str:
    """The route that would be taken, else what is missing, in a few words."""
    if found.open is not None:
        return f"yes: {found.open.via}"
    missing = [it.missing for it in found.routes if it.missing]
    return "no: " + (" or ".join(missing) or "add it to evalrun.toml")


def _routes(found: Found) -> Table:
    rows = [
        (Cell(key="yes") if it.open else "no", it.via, Cell(it.note, detail=it.command))
        for it in found.routes
    ]
    headings = "open", "route", "how"
    return Table(title="Here and now", columns=[Column(heading=it) for it in headings], rows=rows)


def _needs(found: Found) -> str:
    if found.needed_bytes is None:
        return ""
    where = f"which fits: {found.fits}" if found.fits else "which is more than there is here"
    return f"needs about {_gb(found)} (weights, projector, context), {where}"


def _as_json(found: Found) -> dict[str, Any]:
    fields = ("via", "open", "note", "command")
    return {
        "card": found.card,
        "runs_here": found.open is not None,
        "needed_gb": round(found.needed_bytes / 1e9, 2) if found.needed_bytes else None,
        "fits": found.fits,
        "routes": [{name: getattr(it, name) for name in fields} for it in found.routes],
    }
