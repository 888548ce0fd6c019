"""The end of a run: the table, what failed, the files, the next command, the exit code."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from harness import store
from harness.cli.output import Voice, print_blocks, print_json, say, write_github_summary
from harness.cli.run import OutputOptions
from harness.cli.session import Outcome
from harness.comparison.naming import missing
from harness.errors import ExitCode, TargetError
from harness.records import CallFailure, ModelScore, Record
from harness.records.settings import resume_command
from harness.tables.prompts import in_short
from harness.tables.publish import publish
from harness.tables.scores import by_category, details
from harness.tables.table import to_data
from harness.text import inert

_FAILURES_SHOWN = 12
_FIXES_SHOWN = 2


def finish(options: OutputOptions, outcome: Outcome) -> int:
    """Show and publish what there is, however the run ended; return the exit code."""
    score = outcome.tally.score()
    nothing_answered = score.overall.errors == score.overall.asked
    if outcome.error is not None and nothing_answered:
        raise outcome.error
    if options.json:
        print_json(as_json(score))
    else:
        print_blocks(by_category(score))
    if options.github_summary:
        write_github_summary([by_category(score)])
    _say_failures(outcome)
    published = publish(options.results)
    for path in (outcome.path, *published):
        say(f"wrote {path}")
    if outcome.error is not None:
        say(f"stopped: {outcome.error}")
    _say_next(outcome, score)
    return exit_code(options, outcome, score)


def exit_code(options: OutputOptions, outcome: Outcome, score: ModelScore) -> int:
    """An interruption wins, then an incomplete run, then a score below the bar."""
    if outcome.signalled is not None and not score.complete:
        return outcome.signalled
    if outcome.error is not None and not isinstance(outcome.error, TargetError):
        return int(outcome.error.exit_code)
    if not score.complete:
        return int(ExitCode.INCOMPLETE)
    share = score.overall.share
    if options.fail_under is not None and share is not None and 100 * share < options.fail_under:
        say(f"{100 * share:.1f} % is below --fail-under {options.fail_under:g}")
        return int(ExitCode.BELOW_BAR)
    return int(ExitCode.DONE)


def as_json(score: ModelScore) -> dict[str, Any]:
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
    run = score.header.run
    if score.complete:
        say(f"next: evalrun show {run}   or   evalrun compare {shlex.quote(score.model)} OTHER")
        return
    if outcome.over_budget:
        say("stopped: --max-cost is reached")
    if score.overall.cut:
        say(f"{missing(score.overall)}; against replies that are cut:")
        say(f"  {_against_cuts(score)}")
    if score.overall.errors:
        say(f"{missing(score.overall)}; this finishes the run:")
        say(f"  {resume_command(score.header)}")


def _against_cuts(score: ModelScore) -> str:
    sampling = score.header.sampling
    limit = sampling.max_tokens_retry or sampling.max_tokens
    less = " or let it think less with --thinking off or low" if score.overall.thought else ""
    return f"give room with --max-tokens {4 * limit}{less}"
