"""`runs`, `show` and `export`: what was measured, read from the run files alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from typer import Argument, Option

from harness import catalogue, store
from harness.adapters.exchanges import request_of
from harness.cli.output import (
    AsJson,
    print_blocks,
    print_bytes,
    print_json,
    say,
    write_csv,
    write_text,
)
from harness.comparison.sides import Names, Side
from harness.errors import ResultsError, UsageError
from harness.exchange import eee_path, eee_samples, eee_scores, eval_results, inspect_log, junit
from harness.options import DEFAULT_RESULTS, IncludeCached, ResultsDir, RunName
from harness.records import Correction, ModelScore, Record
from harness.summary import summarise
from harness.tables import prompts as of_prompts
from harness.tables import scores, to_data
from harness.text import nearest


def list_runs(
    results: ResultsDir = DEFAULT_RESULTS,
    delete: Annotated[
        list[str] | None, Option(metavar="RUN", help="Delete this run (repeatable).")
    ] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Delete without asking.")] = False,
    json: AsJson = False,
) -> None:
    """List the runs there are, oldest first."""
    if delete:
        _delete(results, delete, yes=yes)
        return
    found = [(path, _scored(path)) for path in store.runs(results)]
    for path, score in found:
        if score is None:
            say(f"{path} cannot be read: see `evalrun show {path}`")
    table = scores.listing(score for _, score in found if score is not None)
    if json:
        print_json(to_data(table))
    elif table.rows:
        print_blocks(table)
    else:
        say(f"no runs in {results} yet: `evalrun` makes one")


def show(
    run: RunName,
    results: ResultsDir = DEFAULT_RESULTS,
    prompt: Annotated[list[str] | None, Option(help="Only this prompt (repeatable).")] = None,
    everything: Annotated[
        bool, Option("--all", help="Passed prompts too, not only failures.")
    ] = False,
    include_cached: IncludeCached = False,
    fix: Annotated[
        tuple[str, str] | None,
        Option(metavar="PROMPT pass|fail", help="Correct a verdict; needs --why."),
    ] = None,
    why: Annotated[str | None, Option(help="The reason for a correction.")] = None,
    repeat: Annotated[int, Option(help="Which repeat to correct.")] = 0,
    raw: Annotated[
        bool, Option("--raw", help="Request and reply as JSON, pictures by checksum.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show a run: its scores, and the prompts it failed.

    Each with its question, the expected answer, the reply and the reason.
    """
    path = store.find(results, run)
    if fix is not None:
        _correct(path, fix, why, repeat, run)
    opened = store.read(path)
    listed = of_prompts.in_suite_order(opened.header, opened.records())
    if prompt:
        listed = _chosen(listed, prompt, run)
    if raw:
        for it in listed:
            shown = {"request": request_of(opened.header, it), "reply": it.outcome}
            print_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n")
        return
    if json:
        print_json([of_prompts.row(opened.header, record) for record in listed])
        return
    if not prompt:
        print_blocks(scores.by_category(summarise(opened, include_cached=include_cached)))
    if not (everything or prompt):
        listed = [record for record in listed if record.state != "pass"]
    print_blocks(of_prompts.in_full(listed))
    if opened.torn:
        say(f"the last line of {opened.path} is cut short; resuming the run asks it again")


def export(
    runs: Annotated[list[str], Argument(help="Models, runs or files.")],
    csv: Annotated[str, Option(help="File to write, or - for stdout.")] = "-",
    form: Annotated[
        Literal["csv", "eee", "hf", "inspect", "junit"],
        Option("--format", help="Every Eval Ever, .eval_results, inspect view, JUnit XML."),
    ] = "csv",
    out: Annotated[str, Option(help="File for them (eee: folder), or - for stdout.")] = "-",
    categories: Annotated[
        bool, Option("--categories", help="A row per category instead of per prompt.")
    ] = False,
    side_by_side: Annotated[
        bool, Option("--side-by-side", help="Join the runs: a row per prompt.")
    ] = False,
    results: ResultsDir = DEFAULT_RESULTS,
    json: AsJson = False,
) -> None:
    """Export runs as CSV: a row per prompt, or per category.

    Or one run in another tool's format.
    """
    if categories and side_by_side:
        raise UsageError(
            "--categories and --side-by-side are two different tables", fix="give one of them"
        )
    if form != "csv":
        _exchange(results, runs, form, out)
        return
    from harness.tables import frame  # pandas takes half a second to load

    if side_by_side:
        sides = [_as_compared(results, name) for name in runs]
        made = frame.side_by_side((it.header.run, it.runs) for it in sides if it.header)
    else:
        opened = [store.read(store.find(results, name)) for name in runs]
        of_categories = scores.by_category(*map(summarise, opened)) if categories else None
        made = frame.of_table(of_categories) if of_categories else frame.of_runs(opened)
    if json:
        print_json(list(frame.to_rows(made)))
    else:
        write_csv(csv, list(made.columns), frame.to_rows(made))


def _as_compared(results: Path, name: str) -> Side:
    """The run that `compare` takes. Raises: ResultsError where it has none of ours."""
    found = Names(results=results, catalogue=catalogue.load(), force=True).resolve(name)
    if not found.measured:
        raise ResultsError(
            f"{name} has published figures, and no run in {results}",
            fix=f"measure it: `evalrun --model {name}`",
        )
    return found


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


def _chosen(records: Sequence[Record], prompts: Sequence[str], run: str) -> list[Record]:
    """Raises: UsageError for a prompt that the run does not have."""
    known = {record.case.id for record in records}
    for prompt in prompts:
        if prompt not in known:
            near = ", ".join(nearest(prompt, known))
            fix = f"nearest: {near}" if near else f"`evalrun show {run} --all` lists them"
            raise UsageError(f"{run} has no prompt {prompt!r}", fix=fix)
    return [record for record in records if record.case.id in prompts]


def _scored(path: Path) -> ModelScore | None:
    try:
        return summarise(store.read(path))
    except ResultsError:
        return None


def _delete(results: Path, runs: Sequence[str], *, yes: bool) -> None:
    """Delete run files for good, after a question. Raises: UsageError when nobody can answer."""
    from harness.tables.leaderboard import publish

    paths = [store.find(results, name) for name in runs]
    for path in paths:
        if not yes and not sys.stdin.isatty():
            raise UsageError(f"{path} is not deleted without a question", fix="add --yes")
        if yes or typer.confirm(f"Delete {path}?", err=True):
            store.delete(path)
            say(f"deleted {path}")
    publish(results)


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
