"""`runs`, `show`, `export` and `view`: what was measured, read from the run files alone."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import typer

from harness import catalogue, store
from harness.adapters.exchanges import request_of
from harness.cli.output import (
    emit,
    print_blocks,
    print_bytes,
    print_json,
    say,
    write_csv,
    write_text,
)
from harness.comparison.sides import Names
from harness.errors import ResultsError, UsageError, check_extra
from harness.exchange import eee_path, eee_samples, eee_scores, eval_results, inspect_log, junit
from harness.options import argument, option
from harness.records import Correction, ModelScore, Record
from harness.summary import summarise
from harness.tables import runs as tables
from harness.tables import to_data
from harness.text import nearest


def list_runs(
    *,
    results: Path,
    delete: list[str] = option("Delete this run (repeatable).", [], metavar="RUN"),
    yes: bool = option("Delete without asking.", False, "--yes", "-y"),
    json: bool,
) -> None:
    """List the runs there are, oldest first."""
    for path in [store.find(results, name) for name in delete]:
        if not yes and not sys.stdin.isatty():
            raise UsageError(f"{path} is not deleted without a question", fix="add --yes")
        if yes or typer.confirm(f"Delete {path}?", err=True):
            store.delete(path)
            say(f"deleted {path}")
    if delete:
        tables.publish(results)
        return
    table = tables.listing(_scored(results))
    if table.rows or json:
        emit([table], to_data(table), json=json)
    else:
        say(f"no runs in {results} yet: `evalrun` makes one")


def _scored(results: Path) -> Iterator[ModelScore]:
    for path in store.runs(results):
        try:
            yield summarise(store.read(path))
        except ResultsError:
            say(f"{path} cannot be read: see `evalrun show {path}`")


def show(
    *,
    run: str,
    results: Path,
    prompt: list[str] = option("Only this prompt (repeatable).", []),
    everything: bool = option("Passed prompts too, not only failures.", False, "--all"),
    include_cached: bool,
    fix: tuple[str, str] | None = option(
        "Correct a verdict; needs --why.", metavar="PROMPT pass|fail"
    ),
    why: str | None = option("The reason for a correction."),
    repeat: int = option("Which repeat to correct.", 0),
    raw: bool = option("Request and reply as JSON, pictures by checksum.", False),
    json: bool,
) -> None:
    """Show a run: its scores, and the prompts it failed.

    Each with its question, the expected answer, the reply and the reason.
    """
    path = store.find(results, run)
    if fix is not None:
        _correct(path, fix, why, repeat, run)
    opened = store.read(path)
    listed = tables.in_suite_order(opened.header, opened.records())
    if prompt:
        listed = _chosen(listed, prompt, run)
    if raw:
        for it in listed:
            shown = {"request": request_of(opened.header, it), "reply": it.outcome}
            print_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n")
    elif json:
        print_json([tables.prompt_row(opened.header, record) for record in listed])
    else:
        if not prompt:
            print_blocks(tables.by_category(summarise(opened, include_cached=include_cached)))
        if not (everything or prompt):
            listed = [record for record in listed if record.state != "pass"]
        print_blocks(tables.in_full(listed))
        if opened.torn:
            say(f"the last line of {opened.path} is cut short; resuming the run asks it again")


def _chosen(records: Sequence[Record], prompts: Sequence[str], run: str) -> list[Record]:
    """Raises: UsageError for a prompt that the run does not have."""
    known = {record.case.id for record in records}
    for prompt in {*prompts} - known:
        near = ", ".join(nearest(prompt, known))
        fix = f"nearest: {near}" if near else f"`evalrun show {run} --all` lists them"
        raise UsageError(f"{run} has no prompt {prompt!r}", fix=fix)
    return [record for record in records if record.case.id in prompts]


def _correct(path: Path, fix: tuple[str, str], why: str | None, repeat: int, run: str) -> None:
    prompt, verdict = fix
    records = _chosen([it for it in store.read(path).records() if it.answered], [prompt], run)
    if repeat not in [record.repeat for record in records]:
        raise UsageError(f"{prompt} has no repeat {repeat}", fix="they count from 0: --repeat")
    if verdict not in ("pass", "fail") or not why:
        raise UsageError(
            f"a correction is pass or fail, with a reason (here {verdict!r}, {why or 'no reason'})",
            fix=f"--fix {prompt} pass --why 'the gauge does read 4.2'",
        )
    correction = Correction(
        prompt=prompt, repeat=repeat, passed=verdict == "pass", why=why, at=datetime.now(UTC)
    )
    store.append_correction(path, correction)
    say(f"kept: {prompt} counts as {verdict} in {path}")


def export(
    *,
    runs: list[str] = argument("Models, runs or files."),
    csv: str = option("File to write, or - for stdout.", "-"),
    form: Literal["csv", "eee", "hf", "inspect", "junit"] = option(
        "Every Eval Ever, .eval_results, inspect view, JUnit XML.", "csv", "--format"
    ),
    out: str = option("File for them (eee: folder), or - for stdout.", "-"),
    categories: bool = option("A row per category instead of per prompt.", False),
    side_by_side: bool = option("Join the runs: a row per prompt.", False),
    results: Path,
    json: bool,
) -> None:
    """Export runs as CSV: a row per prompt, or per category.

    Or one run in another tool's format.
    """
    if categories and side_by_side:
        what = "--categories and --side-by-side are two different tables"
        raise UsageError(what, fix="give one of them")
    if form != "csv":
        _exchange(results, runs, form, out)
        return
    from harness.tables import frame  # pandas takes half a second to load

    if side_by_side:
        made = frame.side_by_side(_as_compared(results, runs))
    else:
        opened = [store.read(store.find(results, name)) for name in runs]
        of_categories = tables.by_category(*map(summarise, opened)) if categories else None
        made = frame.of_table(of_categories) if of_categories else frame.of_runs(opened)
    if json:
        print_json(list(frame.to_rows(made)))
    else:
        write_csv(csv, list(made.columns), frame.to_rows(made))


def _as_compared(results: Path, runs: Sequence[str]) -> Iterator[tuple[str, Sequence[store.Run]]]:
    """The runs that `compare` takes. Raises: ResultsError for a model that has none of ours."""
    named = Names(results=results, catalogue=catalogue.load(), force=True)
    for name in runs:
        side = named.resolve(name)
        if side.header is None or not side.measured:
            what = f"{name} has published figures, and no run in {results}"
            raise ResultsError(what, fix=f"measure it: `evalrun --model {name}`")
        yield side.header.run, side.runs


def _exchange(results: Path, names: Sequence[str], form: str, out: str) -> None:
    """Raises: UsageError for several runs; ResultsError where an incomplete one has no place."""
    if len(names) != 1:
        raise UsageError(f"--format {form} takes one run", fix="export them one by one")
    run = store.read(store.find(results, names[0]))
    match form:
        case "hf":
            write_text(out, eval_results(run))
        case "junit":
            write_text(out, junit(run))
        case "inspect":
            write_text(out, _line(inspect_log(run)))
        case "eee" if out == "-":
            print_json(eee_scores(run))
            say("the single answers need a file of their own: --out FOLDER writes both")
        case _:
            lines, beside = eee_samples(run), f"{out}/{eee_path(run.header)}"
            write_text(f"{beside}_samples.jsonl", lines.decode())
            write_text(f"{beside}.json", _line(eee_scores(run, samples=lines)))


def _line(data: object) -> str:
    return msgspec.json.encode(data).decode() + "\n"


_REACHED = (
    "read every run here, ask your models and correct verdicts, over a connection that is not "
    "encrypted, once they have the whole address"
)


def view(
    *,
    results: Path,
    suite: Path | None = option("Suite the pictures are in [default: as the run says; built-in]."),
    port: int | None = option(
        "Port; 0 takes a free one [default: 8740, or a free one].", min=0, max=65535
    ),
    host: str = option("Address to listen on.", "127.0.0.1"),
    allow_remote: bool = option(
        f"Let --host be an address of other machines, which can then {_REACHED}.", False
    ),
    no_open: bool = option("Do not open the browser.", False),
) -> None:
    """Look at runs, try models and correct verdicts in the browser.

    It serves web pages on this machine alone and prints their address. Ctrl-C ends it.
    """
    check_extra("view")
    if host not in ("127.0.0.1", "localhost", "::1") and not allow_remote:
        raise UsageError(
            f"--host {host} lets other machines {_REACHED}",
            fix="leave --host out, or add --allow-remote if that is what you want",
        )
    from harness.view.app import serve  # they need the extra
    from harness.view.library import Library

    def started(address: str) -> None:
        typer.echo(address)
        say("Ctrl-C ends it")
        if not no_open:
            webbrowser.open(address)

    serve(Library(results, suite, catalogue.load()), host=host, port=port, on_start=started)
