"""One run of the command: its plan (--dry-run), or its table, its failures and what is next."""

from __future__ import annotations

import gc
import shlex
import sys
from collections import Counter
from collections.abc import Iterable
from threading import Event
from typing import Any

import typer

from harness import store
from harness.cli import settings, several
from harness.cli.output import (
    Voice,
    confirm,
    github_summary,
    print_blocks,
    print_json,
    print_line,
    say,
    write_github_summary,
)
from harness.cli.progress import Interrupts
from harness.cli.run import CommandOptions
from harness.comparison.sides import missing
from harness.errors import ExitCode, TargetError
from harness.measure import Estimate, Outcome, Work, carry_out, estimate, prepare
from harness.options import DEFAULT_RESULTS, RunOptions
from harness.records import CallFailure, EncodedImage, ModelScore, Record
from harness.records.settings import resume_command
from harness.tables import dollars, to_data
from harness.tables.prompts import in_short
from harness.tables.scores import by_category, details
from harness.text import inert
from harness.transport import masked, without_credentials

_GARBAGE_OF_CALLS = 700, 10, 10
"""Python's own. What a call leaves in cycles may hold its body."""
_FAILURES_SHOWN = 12
_FIXES_SHOWN = 2


def run(options: RunOptions, command: CommandOptions, context: typer.Context) -> int:
    """From the options to the exit code."""
    if command.github_summary:
        github_summary()
    stopping = Event()
    work = prepare(options, stopping, say)
    if command.dry_run:
        _describe(work, settings.origins(context, work.of_entry))
        return ExitCode.DONE
    gc.freeze()  # what stands here stays: searching it again and again costs a fifth of a run
    gc.set_threshold(*_GARBAGE_OF_CALLS)
    interrupts = Interrupts(stopping)
    outcome = carry_out(
        work,
        stopping,
        watch=interrupts.watching,
        say=say,
        confirm=confirm,
        more={"arguments": tuple(masked(it) for it in sys.argv[1:] if it != "--fresh")},
    )
    context.meta[several.RUN] = outcome.path
    _show(command, outcome)
    return _exit_code(command, outcome, interrupts.exit_code)


def _show(command: CommandOptions, outcome: Outcome) -> None:
    """What there is, however the run ended."""
    score = outcome.score
    if command.json:
        print_json(_as_json(score))
    else:
        print_blocks(by_category(score))
    if command.github_summary:
        write_github_summary([by_category(score)])
    _say_failures(outcome)
    for path in (outcome.path, *outcome.published):
        say(f"wrote {path}")
    if outcome.error is not None:
        say(f"stopped: {outcome.error}")
    _say_next(outcome, score)


def _exit_code(command: CommandOptions, outcome: Outcome, signalled: int | None) -> int:
    """An interruption wins, then an incomplete run, then a score below the bar."""
    score, error, bar = outcome.score, outcome.error, command.fail_under
    if signalled is not None and not score.complete:
        return signalled
    if error is not None and not isinstance(error, TargetError):
        return int(error.exit_code)
    if not score.complete:
        return int(ExitCode.INCOMPLETE)
    share = score.overall.share
    if bar is not None and share is not None and 100 * share < bar:
        say(f"{100 * share:.1f} % is below --fail-under {bar:g}")
        return int(ExitCode.BELOW_BAR)
    return int(ExitCode.DONE)


def _as_json(score: ModelScore) -> dict[str, Any]:
    """The same fields as the CSVs, for programs."""
    return {
        "model": score.model,
        "run": score.header.run,
        "complete": score.complete,
        "suite": score.header.suite,
        "backend": score.header.backend,
        "quantization": score.header.server.quantization if score.header.server else None,
        "scores": to_data(by_category(score)),
        **details(score),
    }


def _say_failures(outcome: Outcome) -> None:
    """The failures by category, on stderr; a long list is left to `evalrun show`."""
    counts, first, fixes = Counter[str](), list[Record](), Counter[str]()
    for record in store.read(outcome.path).records():
        if isinstance(record.outcome, CallFailure) and record.outcome.fix:
            fixes[record.outcome.fix] += 1
        if record.state != "pass":
            counts[record.case.category] += 1
            if len(first) < _FAILURES_SHOWN:
                first.append(record)
    if not first or Voice.quiet:
        return
    print_blocks(*in_short(first, counts), stderr=True)
    if counts.total() > len(first):
        say(f"  … and {counts.total() - len(first)} more")
    for fix, count in fixes.most_common(_FIXES_SHOWN):
        say(f"  fix for {count} failed calls: {inert(fix)}")


def _say_next(outcome: Outcome, score: ModelScore) -> None:
    run, overall, sampling = score.header.run, score.overall, score.header.sampling
    if score.complete:
        results = outcome.path.parent.parent
        folder = "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(str(results))}"
        model = shlex.quote(score.model)
        say(f"next: evalrun show {run}{folder}   or   evalrun compare {model} OTHER{folder}")
        return
    if outcome.over_budget:
        say("stopped: --max-cost is reached")
    if overall.cut and score.header.backend == "replay":
        say(f"{missing(overall)}: a recording cannot be asked again")
    elif overall.cut:
        limit = sampling.max_tokens_retry or sampling.max_tokens
        less = " or let it think less with --thinking off or low" if overall.thought else ""
        say(f"{missing(overall)}; against replies that are cut:")
        say(f"  give room with --max-tokens {4 * limit}{less}")
    if overall.errors:
        say(f"{missing(overall)}; this finishes the run:")
        say(f"  {resume_command(score.header)}")


def _describe(work: Work, origins: Iterable[str]) -> None:
    """Print the plan."""
    options, suite, target, about = work.options, work.suite, work.route.target, estimate(work)
    counts = Counter(case.category for case in work.cases)
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    at = f" at {without_credentials(target.base_url)}" if target.base_url else ""
    for name, value in (
        ("suite", f"{suite.name} {suite.version}, {len(suite.cases)} prompts"),
        ("would ask", f"{about.asked}: {listed}"),
        ("of", f"{target.model} through {work.route.backend}{at}"),
        ("pictures", "none (--blind)" if options.suite.blind else _sizes(about.pictures)),
        ("sampling", f"temperature {target.sampling.temperature:g}, seed {target.sampling.seed}"),
        ("longest", f"{target.sampling.max_tokens} tokens a reply"),
        ("tokens in", f"about {about.tokens_in:,} (pictures differ from model to model)"),
        ("cost", cost(work, about)),
        *(("" if number else "options", line) for number, line in enumerate(origins)),
    ):
        print_line(inert(f"{name:12} {value}"))


def _sizes(images: list[EncodedImage]) -> str:
    shapes = Counter(f"{it.width_px}x{it.height_px}" for it in images)
    common = ", ".join(f"{count} of {shape}" for shape, count in shapes.most_common(3))
    total_mb = sum(len(it.data) for it in images) / 1e6
    return f"{len(images)} ({common}), {total_mb:.1f} MB"


def cost(work: Work, about: Estimate) -> str:
    """What a run will cost, in words."""
    price = work.route.price
    if price is None:
        return "no price is known"
    costs = [price.cost_usd(about.tokens_in, it) or 0.0 for it in (0, about.most_tokens_out)]
    least, most = map(dollars, costs)
    return f"{least} to {most} (list price of {price.as_of})"
