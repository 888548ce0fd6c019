"""`evalrun doctor`: what this machine has, what it lacks, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from harness import __version__, catalogue, images, store
from harness.adapters import Request, Target, machine, opener
from harness.adapters.llamacpp import program
from harness.adapters.routes import look_around
from harness.cli.output import AsJson, print_blocks, print_json
from harness.errors import EvalrunError, ExitCode, ResultsError, TargetError, install_command
from harness.eyes.card import cards
from harness.options import DEFAULT_RESULTS, ResultsDir
from harness.tables import Cell, Column, Table, seconds
from harness.text import size_text

_EXTRAS = {
    "local": ("xllamacpp", "huggingface_hub"),
    "report": ("jinja2",),
    "view": ("starlette", "uvicorn", "jinja2"),
    "parquet": ("pyarrow", "huggingface_hub"),
    "xlsx": ("openpyxl",),
    "pdf": ("pypdfium2",),
}


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    state: str
    """ok, missing (some things cannot be done) or broken (what is there does not work)."""
    says: str
    fix: str | None = None


def doctor(results: ResultsDir = DEFAULT_RESULTS, json: AsJson = False) -> int:
    """Check this machine: server, packages, keys, a question."""
    looks = _versions(), _extras(), _server(), _demo(), _catalogue(), _results(results)
    found = [finding for look in looks for finding in look]
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


def _versions() -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("evalrun", "ok", f"{__version__}, {python}")
    memory = machine.memory_bytes()
    held = f", {size_text(memory)} of memory" if memory else ""
    yield Finding("machine", "ok", f"{machine.cpu_name()}{held}")


def _extras() -> Iterator[Finding]:
    for extra, packages in _EXTRAS.items():
        lacking = [name for name in packages if find_spec(name) is None]
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
