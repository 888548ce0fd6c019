"""`doctor` and `models`: what this machine has, and which models it could ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.adapters import machine
from harness.adapters.llamacpp import server
from harness.cli.output import emit, print_blocks, print_json, say
from harness.errors import ExitCode
from harness.here import Found, context_tokens, look, models_here
from harness.options import argument, option
from harness.tables import Block, Cell, Column, Line, Row, Table
from harness.tables.compare import of_card
from harness.text import size_text


def doctor(*, results: Path, json: bool) -> int:
    """Check this machine: server, packages, keys, a question."""
    found = look(results)
    rows: list[Row] = [
        (Cell(key=it.state), it.what, it.says if it.fix is None else f"{it.says}: {it.fix}")
        for it in found
    ]
    table = _table(["state", "what", "what was found"], rows)
    emit([table], found, json=json)
    broken = any(it.state == "broken" for it in found)
    return ExitCode.UNUSABLE_TARGET if broken else ExitCode.DONE


def models(
    *,
    name: str | None = argument("Show this model; without one, all.", None),
    here: bool = option("Only what runs here now, or would once downloaded.", False),
    json: bool,
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
            print_blocks(*of_card(it.card), *_here(it))
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
    rows: list[Row] = []
    for it in found:
        size = it.card.parameters.value if it.card.parameters else ""
        fits = "" if it.needed_bytes is None else it.fits or "no"
        missing = " or ".join(route.missing for route in it.routes if route.missing)
        here = f"yes: {it.open.via}" if it.open else f"no: {missing or 'add it to evalrun.toml'}"
        rows.append((it.card.name, size, Cell(it.needed_bytes, _gb(it)), fits, here))
    note = f"needs: weights, projector and a context of {context_tokens():,} tokens, estimated"
    return Table(columns=columns, rows=rows, notes=(note,) if rows else ())


def _gb(found: Found) -> str:
    return f"{found.needed_bytes / 1e9:.1f} GB" if found.needed_bytes else ""


def _here(found: Found) -> Iterator[Block]:
    """The routes to one model, and what running it here would take."""
    rows: list[Row] = [
        (Cell(key="yes") if it.open else "no", it.via, Cell(it.note, detail=it.command))
        for it in found.routes
    ]
    yield _table(["open", "route", "how"], rows, title="Here and now")
    if found.needed_bytes is not None:
        where = f"which fits: {found.fits}" if found.fits else "which is more than there is here"
        yield Line(f"needs about {_gb(found)} (weights, projector, context), {where}")


def _table(headings: Sequence[str], rows: Sequence[Row], *, title: str = "") -> Table:
    return Table(title=title, columns=[Column(heading=it) for it in headings], rows=rows)


def _as_json(found: Found) -> dict[str, Any]:
    fields = ("via", "open", "note", "command")
    return {
        "card": found.card,
        "runs_here": found.open is not None,
        "needed_gb": round(found.needed_bytes / 1e9, 2) if found.needed_bytes else None,
        "fits": found.fits,
        "routes": [{name: getattr(it, name) for name in fields} for it in found.routes],
    }
