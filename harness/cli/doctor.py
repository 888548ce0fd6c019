"""`evalrun doctor`: what this machine has, what it lacks, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import msgspec
from rich.table import Table
from rich.text import Text

from harness import __version__, catalogue, images, store
from harness.adapters import Request, Target, machine, opener
from harness.adapters.llamacpp import program
from harness.adapters.routes import look_around
from harness.cli.output import AsJson, console, print_json
from harness.errors import EvalrunError, ExitCode, ResultsError, TargetError, install_command
from harness.eyes.card import cards
from harness.options import DEFAULT_RESULTS, ResultsDir
from harness.tables import seconds
from harness.text import inert, size_text

_EXTRAS = {
    "local": ("xllamacpp", "huggingface_hub"),
    "report": ("jinja2",),
    "view": ("starlette", "uvicorn", "jinja2"),
    "parquet": ("pyarrow", "huggingface_hub"),
    "xlsx": ("openpyxl",),
    "pdf": ("pypdfium2",),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    what: str
    state: str
    """ok, missing (some things cannot be done) or broken (what is there does not work)."""
    says: str
    fix: str | None = None


def doctor(
    results: ResultsDir = DEFAULT_RESULTS,
    json: AsJson = False,
) -> int:
    """Check this machine: server, packages, keys, a question."""
    found = [finding for look in _LOOKS for finding in look()]
    found += [_results(results), *_eye_cards(results)]
    if json:
        print_json(found)
    else:
        console().print(_table(found))
    broken = any(it.state == "broken" for it in found)
    return ExitCode.UNUSABLE_TARGET if broken else ExitCode.DONE


def _versions() -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding(what="evalrun", state="ok", says=f"{__version__}, {python}")
    memory = machine.memory_bytes()
    held = f", {size_text(memory)} of memory" if memory else ""
    yield Finding(what="machine", state="ok", says=f"{machine.cpu_name()}{held}")


def _extras() -> Iterator[Finding]:
    for extra, packages in _EXTRAS.items():
        lacking = [name for name in packages if find_spec(name) is None]
        yield Finding(
            what=f"extra {extra}",
            state="missing" if lacking else "ok",
            says=f"without {', '.join(lacking)}" if lacking else ", ".join(packages),
            fix=install_command(extra) if lacking else None,
        )


def _server() -> Iterator[Finding]:
    try:
        found = program.find()
    except TargetError as error:
        state = "broken" if program.available() else "missing"
        yield Finding(what="llama.cpp", state=state, says=error.problem, fix=error.fix)
    else:
        yield Finding(what="llama.cpp", state="ok", says=str(found))
        yield from _gpus(found)


def _gpus(found: program.Program) -> Iterator[Finding]:
    """The cards, and whether the server that would be started can compute on them."""
    for gpu in machine.gpus():
        idle = found.sees_gpu() is False
        yield Finding(
            what="GPU",
            state="missing" if idle else "ok",
            says=f"{gpu}, driver {gpu.driver}" + (", not used by llama.cpp" if idle else ""),
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
        yield Finding(what="a question", state="broken", says=error.problem, fix=error.fix)
    else:
        right = reply.text == "red"
        says = f"the demo calls a red picture {reply.text!r} after {seconds(reply.latency_s)}"
        yield Finding(what="a question", state="ok" if right else "broken", says=says)


def _catalogue() -> Iterator[Finding]:
    own = [str(path) for path in catalogue.user_files() if os.path.exists(path)]
    try:
        known = catalogue.load()
    except TargetError as error:
        yield Finding(what="catalogue", state="broken", says=error.problem, fix=error.fix)
        return
    says = f"{len(known.cards)} models" + (f", with {', '.join(own)}" if own else "")
    yield Finding(what="catalogue", state="ok", says=says)
    for preset in known.presets.values():
        if preset.api_key_env:
            held = bool(os.environ.get(preset.api_key_env, "").strip())
            yield Finding(
                what=preset.name,
                state="ok" if held else "missing",
                says=f"{preset.api_key_env} is {'set' if held else 'not set'}",
                fix=None if held else f"export {preset.api_key_env}=…",
            )
    for server in look_around(known.presets.values()):
        models = ", ".join(server.models) or "no model"
        yield Finding(
            what=server.preset or "llama.cpp", state="ok", says=f"{server.base_url} serves {models}"
        )


def _results(folder: Path) -> Finding:
    """Whether runs can be saved, found out without leaving anything behind."""
    nearest = next(it for it in (folder, *folder.absolute().parents) if it.exists())
    able = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return Finding(
        what="results",
        state="ok" if able else "broken",
        says=f"{folder} can{'' if able else 'not'} be written",
        fix=None if able else "name another folder with --results DIR",
    )


def _eye_cards(folder: Path) -> Iterator[Finding]:
    """The models with runs whose endpoint was never tested for what it sees."""
    models: dict[str, None] = {}
    for path in store.runs(folder):
        with suppress(ResultsError):
            header = store.read(path).header
            if header.backend != "replay":
                models[header.model] = None
    untested = [it for it in models if next(cards(folder, it), None) is None]
    if untested:
        yield Finding(
            what="sight tests",
            state="missing",
            says=f"none of {', '.join(untested)}",
            fix=f"evalrun eyes --model {shlex.quote(untested[0])}",
        )


_LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _versions,
    _extras,
    _server,
    _demo,
    _catalogue,
)


def _table(found: list[Finding]) -> Table:
    styles = {"ok": "green", "missing": "yellow", "broken": "bold red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for it in found:
        says = inert(it.says if it.fix is None else f"{it.says}: {it.fix}")
        table.add_row(Text(it.state, style=styles[it.state]), it.what, Text(says))
    return table
