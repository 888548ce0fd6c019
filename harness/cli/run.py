"""What `evalrun run` does: one run, or several one after the other and then their comparison.

A run is planned (--dry-run), or carried out and shown: its table, its failures, what is next.
"""

from __future__ import annotations

import gc
import hashlib
import shlex
import sys
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import typer

from harness import catalogue, comparison, store, targets
from harness.cli import app
from harness.cli.output import (
    Interrupts,
    Voice,
    complain,
    confirm,
    emit,
    print_blocks,
    print_line,
    say,
    write_github_summary,
)
from harness.comparison.ranking import missing
from harness.errors import EvalrunError, ExitCode, TargetError, UsageError
from harness.measure import Outcome, Work, carry_out, estimate, prepare
from harness.options import DEFAULT_RESULTS, CommandOptions, RunOptions
from harness.records import CallFailure, ModelScore, Record
from harness.records.settings import resume_command
from harness.tables import compare, dollars, to_data
from harness.tables.runs import by_category, details, in_short
from harness.text import inert
from harness.transport import masked, without_credentials

_GARBAGE_OF_CALLS = 700, 10, 10
"""Python's own. What a call leaves in cycles may hold its body."""
_FAILURES_SHOWN, _FIXES_SHOWN = 12, 2
_INTERRUPTIONS = (ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.HUNG_UP)
_GRAVEST_FIRST = (
    *(*_INTERRUPTIONS, ExitCode.BAD_SUITE, ExitCode.BAD_RESULTS, ExitCode.UNUSABLE_TARGET),
    *(ExitCode.INCOMPLETE, ExitCode.BELOW_BAR, ExitCode.DONE),
)


def run(options: RunOptions, command: CommandOptions, context: typer.Context) -> int:
    """From the options to the exit code."""
    if options.target.models_file or len(options.target.model) > 1:
        return _run_all(options, command, context)
    return _run_one(options, command, context)[0]


def _run_one(
    options: RunOptions, command: CommandOptions, context: typer.Context
) -> tuple[int, Path | None]:
    """The exit code and the run file; none of a dry run."""
    if command.github_summary:
        write_github_summary(())  # better now than after the run
    stopping = Event()
    work = prepare(options, stopping, say)
    if command.dry_run:
        origins = enumerate(app.origins(context, work.of_entry))
        listed = (f"{'' if number else 'options':<12} {line}" for number, line in origins)
        for line in (*_plan(work), *listed):
            print_line(inert(line))
        return ExitCode.DONE, None
    gc.freeze()  # what stands here stays: searching it again and again costs a fifth of a run
    gc.set_threshold(*_GARBAGE_OF_CALLS)
    interrupts = Interrupts(stopping)
    arguments = tuple(masked(it) for it in sys.argv[1:] if it != "--fresh")
    outcome = carry_out(
        *(work, stopping),
        watch=interrupts.watching,
        say=say,
        confirm=confirm,
        more={"arguments": arguments},
    )
    _show(command, outcome)
    return _exit_code(command, outcome, interrupts.exit_code), outcome.path


def _show(command: CommandOptions, outcome: Outcome) -> None:
    """What there is, however the run ended."""
    score = outcome.score
    emit([by_category(score)], _as_json(score), json=command.json)
    if command.github_summary:
        write_github_summary([by_category(score)])
    if not Voice.quiet:
        _say_failures(outcome.path)
    for path in (outcome.path, *outcome.published):
        say(f"wrote {path}")
    if outcome.error is not None:
        say(f"stopped: {outcome.error}")
    if outcome.over_budget:
        say("stopped: --max-cost is reached")
    for line in _next(score, outcome.path.parent.parent):
        say(line)


def _exit_code(command: CommandOptions, outcome: Outcome, signalled: int | None) -> int:
    """An interruption wins, then an incomplete run, then a score below the bar."""
    score, error, bar = outcome.score, outcome.error, command.fail_under
    if signalled is not None and not score.complete:
        return signalled
    if error is not None and not isinstance(error, TargetError):
        return error.exit_code
    if not score.complete:
        return ExitCode.INCOMPLETE
    share = score.overall.share
    if bar is not None and share is not None and 100 * share < bar:
        say(f"{100 * share:.1f} % is below --fail-under {bar:g}")
        return ExitCode.BELOW_BAR
    return ExitCode.DONE


def _as_json(score: ModelScore) -> dict[str, Any]:
    """The same fields as the CSVs, for programs."""
    header = score.header
    return {
        "model": score.model,
        "run": header.run,
        "complete": score.complete,
        "suite": header.suite,
        "backend": header.backend,
        "quantization": header.server.quantization if header.server else None,
        "scores": to_data(by_category(score)),
        **details(score),
    }


def _say_failures(path: Path) -> None:
    """The failures by category; a long list is left to `evalrun show`."""
    counts, first, fixes = Counter[str](), list[Record](), Counter[str]()
    for record in store.read(path).records():
        if isinstance(record.outcome, CallFailure) and record.outcome.fix:
            fixes[record.outcome.fix] += 1
        if record.state != "pass":
            counts[record.case.category] += 1
            first += [record] if len(first) < _FAILURES_SHOWN else []
    if first:
        print_blocks(*in_short(first, counts), stderr=True)
    if more := counts.total() - len(first):
        say(f"  … and {more} more")
    for fix, count in fixes.most_common(_FIXES_SHOWN):
        say(f"  fix for {count} failed calls: {inert(fix)}")


def _next(score: ModelScore, results: Path) -> Iterator[str]:
    """What to do now."""
    header, overall, sampling = score.header, score.overall, score.header.sampling
    if score.complete:
        folder = "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(str(results))}"
        other = f"evalrun compare {shlex.quote(score.model)} OTHER{folder}"
        yield f"next: evalrun show {header.run}{folder}   or   {other}"
        return
    yield missing(overall)
    if overall.cut and header.backend == "replay":
        yield "a recording cannot be asked again"
    elif overall.cut:
        limit = sampling.max_tokens_retry or sampling.max_tokens
        less = " or let it think less with --thinking off or low" if overall.thought else ""
        yield f"against replies that are cut:\n  give room with --max-tokens {4 * limit}{less}"
    if overall.errors:
        yield f"this finishes the run:\n  {resume_command(header)}"


def _plan(work: Work) -> Iterator[str]:
    """What --dry-run says before it lists the options."""
    suite, target, (pictures, tokens_in) = work.suite, work.route.target, estimate(work)
    counts = Counter(case.category for case in work.cases)
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    at = f" at {without_credentials(target.base_url)}" if target.base_url else ""
    shapes = Counter(f"{it.width_px}x{it.height_px}" for it in pictures).most_common(3)
    common = ", ".join(f"{count} of {shape}" for shape, count in shapes)
    size_mb = sum(len(it.data) for it in pictures) / 1e6
    sent = f"{len(pictures)} ({common}), {size_mb:.1f} MB"
    sampling = target.sampling
    yield f"suite        {suite.name} {suite.version}, {len(suite.cases)} prompts"
    yield f"would ask    {work.asked}: {listed}"
    yield f"of           {target.model} through {work.route.backend}{at}"
    yield f"pictures     {'none (--blind)' if work.options.suite.blind else sent}"
    yield f"sampling     temperature {sampling.temperature:g}, seed {sampling.seed}"
    yield f"longest      {sampling.max_tokens} tokens a reply"
    yield f"tokens in    about {tokens_in:,} (pictures differ from model to model)"
    yield f"cost         {cost(work, tokens_in)}"


def cost(work: Work, tokens_in: int) -> str:
    """What a run will cost, in words."""
    price, most_out = work.route.price, work.asked * work.route.target.sampling.max_tokens
    if price is None:
        return "no price is known"
    least, most = (dollars(price.cost_usd(tokens_in, it) or 0.0) for it in (0, most_out))
    return f"{least} to {most} (list price of {price.as_of})"


Parsed = tuple[RunOptions, CommandOptions, typer.Context]


def parsed(words: Sequence[str], parent: Any) -> Parsed:
    """What `evalrun run` makes of these words, of the environment and of evalrun.toml."""

    def as_given(*, options: RunOptions, command: CommandOptions, context: typer.Context) -> Parsed:
        return options, command, context

    command = app.command_of("run", as_given)
    made: Parsed = command.invoke(command.make_context("run", list(words), parent=parent))
    return made


def _run_all(options: RunOptions, command: CommandOptions, context: typer.Context) -> int:
    """Ask every model in turn; one that cannot be used is reported, and the rest goes on.

    What is finished is noted beside the results, so that the same command goes on after an
    interruption. Raises: UsageError for a mistake in any of them, before the first is asked.
    """
    words = {shlex.join(it): it for it in _words_of_each(context, options)}
    each = {line: parsed(it, context.parent) for line, it in words.items()}
    name = hashlib.sha256("\n".join(each).encode()).hexdigest()[:12]
    note = options.output.results / f"several-{name}.json"
    done: dict[str, str] = {}
    if note.exists() and options.output.resume is not False:
        noted = msgspec.json.decode(note.read_bytes(), type=dict[str, str])
        done = {line: run for line, run in noted.items() if Path(run).exists()}
    codes: set[int] = set()
    for line, one in each.items():
        say(
            f"finished already: evalrun {inert(line)}" if line in done else f"evalrun {inert(line)}"
        )
        code, path = (ExitCode.DONE, None) if line in done else _reported(one)
        codes.add(code)
        if code in _INTERRUPTIONS:
            break
        if path is not None and code in (ExitCode.DONE, ExitCode.BELOW_BAR):
            done[line] = str(path)
            store.replace_text(note, msgspec.json.encode(done).decode())
    if len(done) == len(each):  # the same command starts anew next time
        note.unlink(missing_ok=True)
    if len(done) > 1 and not command.json:
        names, results = list(done.values()), options.output.results
        found = comparison.compare(names, results=results, catalogue=catalogue.load())
        print_blocks(*compare.blocks(found))
    return gravest(codes)


def _reported(one: Parsed) -> tuple[int, Path | None]:
    try:
        return _run_one(*one)
    except EvalrunError as error:
        complain(f"evalrun: {inert(str(error))}")
        return error.exit_code, None


def gravest(codes: Container[int]) -> int:
    """The exit code of several runs together."""
    return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.DONE)


def _words_of_each(context: typer.Context, options: RunOptions) -> Iterator[list[str]]:
    """The words of each run: what was typed for all, then what its own table says."""
    known = {it.name or "": it for it in context.command.params}
    typed = {it: context.params[it] for it in known if app.is_typed(context, it)}
    file, models = options.target.models_file, options.target.model
    tables = [*({"model": name} for name in models), *(_tables(file) if file else ())]
    named = [str(it.get("model")) for it in tables]
    urls = targets.addresses(typed.pop("base_url", ()), named)
    for name, table in zip(named, tables, strict=True):
        own = {key.replace("-", "_"): value for key, value in table.items()}
        for key in own:
            if key not in known or key in ("models_file", "results", "profile"):
                what = f"{file}: {key.replace('_', '-')} is not an option of one model"
                raise app.unknown(key, known, what)
        address = {"base_url": urls.get(name) or urls.get(None, [])}
        wanted = typed | {"models_file": [], "model": []} | address | own
        yield [word for key, value in wanted.items() for word in words_of(known[key], value)]


def words_of(param: Any, value: Any) -> list[str]:
    """An option as it is typed."""
    if getattr(param, "is_flag", False):
        if value is None:
            return []
        return [param.opts[0]] if value else param.secondary_opts[:1]  # none where no is the rule
    values = value if isinstance(value, list | tuple) else [value]
    return [f"{max(param.opts, key=len)}={it}" for it in values]


def _tables(file: Path) -> list[Mapping[str, Any]]:
    """Raises: UsageError for a file without [[model]] tables."""
    tables = app.from_toml(file).get("model")
    if not isinstance(tables, list) or not all(isinstance(it, dict) for it in tables):
        raise UsageError(
            f"{file} has no [[model]] tables", fix='write [[model]] and model = "NAME" for each'
        )
    return tables
