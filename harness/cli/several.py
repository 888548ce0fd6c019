"""`--model A --model B` and `--models-file FILE`: one run after the other, then the comparison.

Each model is asked by a run of its own, as if it had been typed alone. What is finished is noted
beside the results, so that the same command goes on after an interruption.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer

from harness import store, targets
from harness.cli import settings
from harness.cli.comparing import compare
from harness.cli.output import complain, say
from harness.errors import EvalrunError, ExitCode, UsageError
from harness.text import inert, nearest

_OWN = ("model", "models_file")
"""The options that say which models there are; each run gets its own."""
_INTERRUPTIONS = (ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.HUNG_UP)
_GRAVEST_FIRST = (
    *_INTERRUPTIONS,
    *(ExitCode.BAD_SUITE, ExitCode.BAD_RESULTS, ExitCode.UNUSABLE_TARGET),
    *(ExitCode.INCOMPLETE, ExitCode.BELOW_BAR, ExitCode.DONE),
)
ALONE, RUN = "evalrun.alone", "evalrun.run"
"""In a context's `meta`: this is one of several; the run file that was written."""


def run_all(context: typer.Context, models: list[str], file: Path | None, results: Path) -> int:
    """Ask every model in turn; one that cannot be used is reported, and the rest goes on.

    Raises: UsageError for a mistake in any of them, before the first is asked.
    """
    context.meta[ALONE] = True
    each = {shlex.join(words): words for words in _arguments(context, models, file)}
    contexts = {
        line: context.command.make_context("run", words, parent=context.parent)
        for line, words in each.items()
    }
    if context.params["dry_run"]:
        for alone in contexts.values():
            context.command.invoke(alone)
        return ExitCode.DONE
    note = _Note(results, contexts)
    if context.params["resume"] is False:
        note.runs.clear()
    codes = {ExitCode.DONE}
    for line, alone in contexts.items():
        if line in note.runs:
            say(f"finished already: evalrun {inert(line)}")
            continue
        say(f"evalrun {inert(line)}")
        code = _run(alone)
        codes.add(code)
        if code in _INTERRUPTIONS:
            break
        if code in (ExitCode.DONE, ExitCode.BELOW_BAR):
            note.add(line, str(context.meta[RUN]))
    runs = note.close(whole=len(contexts))
    if len(runs) > 1 and not context.params["json"]:
        compare(runs, results=results)
    return gravest(codes)


def gravest(codes: Container[int]) -> int:
    """The exit code of several runs together."""
    return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.DONE)


def _run(alone: Any) -> ExitCode:
    try:
        return ExitCode(alone.command.invoke(alone))
    except EvalrunError as error:
        complain(f"evalrun: {inert(str(error))}")
        return ExitCode(error.exit_code)


class _Note:
    """Which runs of this very command are finished: a file beside them until all are."""

    def __init__(self, results: Path, lines: Iterator[str] | dict[str, Any]) -> None:
        name = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
        self._path = results / f"several-{name}.json"
        self.runs: dict[str, str] = {}
        if self._path.exists():
            noted = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
            self.runs = {line: run for line, run in noted.items() if Path(run).exists()}

    def add(self, line: str, run: str) -> None:
        self.runs[line] = run
        store.replace_text(self._path, msgspec.json.encode(self.runs).decode())

    def close(self, *, whole: int) -> list[str]:
        """The finished runs. When nothing is missing, the same command starts anew next time."""
        if len(self.runs) == whole:
            self._path.unlink(missing_ok=True)
        return list(self.runs.values())


def _arguments(context: typer.Context, models: list[str], file: Path | None) -> Iterator[list[str]]:
    """The words of each run: what was typed for all, then what its own table says."""
    known = {it.name or "": it for it in context.command.params}
    typed = {
        name: context.params[name] for name in known if name not in _OWN and is_typed(context, name)
    }
    tables = [*({"model": name} for name in models), *(_tables(file) if file else ())]
    named = [str(it.get("model")) for it in tables]
    urls = targets.addresses(typed.pop("base_url", ()), named)
    for name, table in zip(named, tables, strict=True):
        own = {key.replace("-", "_"): value for key, value in table.items()}
        for key in own.keys() - known.keys() | own.keys() & {"models_file", "results", "profile"}:
            close = nearest(key, known, most=1)
            raise UsageError(
                f"{file}: {key.replace('_', '-')} is not an option of one model",
                fix=f"did you mean {close[0].replace('_', '-')}?" if close else "remove it",
            )
        wanted = {**typed, "base_url": urls.get(name) or urls.get(None, []), **own}
        yield [word for key, value in wanted.items() for word in words_of(known[key], value)]


def is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def words_of(param: Any, value: Any) -> list[str]:
    """An option as it is typed."""
    if getattr(param, "is_flag", False):
        if value is None:
            return []
        return [param.opts[0]] if value else param.secondary_opts[:1]  # none where no is the rule
    values = value if isinstance(value, list | tuple) else [value]
    return [f"{max(param.opts, key=len)}={it}" for it in values]


def _tables(file: Path) -> list[dict[str, Any]]:
    """Raises: UsageError for a file without [[model]] tables."""
    if not file.exists():
        raise UsageError(f"{file} does not exist", fix="name a TOML file")
    tables = settings.from_toml(file).get("model")
    if not isinstance(tables, list) or not all(isinstance(it, dict) for it in tables):
        raise UsageError(
            f"{file} has no [[model]] tables", fix='write [[model]] and model = "NAME" for each'
        )
    return tables
