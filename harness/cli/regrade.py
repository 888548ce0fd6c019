"""`regrade`: verdicts again, from the kept replies, with today's graders."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer
from typer import Argument, Option

from harness.cli.app import DEFAULT_RESULTS, ResultsDir, app, say, stopping_cleanly
from harness.cli.judging import open_judge
from harness.cli.options import taking

if TYPE_CHECKING:
    from harness.judge import Judge
    from harness.records import EncodedImage, Record, RunHeader, Verdict
    from harness.store import Run
    from harness.suites import Suite


class Change(NamedTuple):
    """A verdict that is another one now."""

    prompt: str
    repeat: int
    before: Verdict
    after: Verdict


class RegradeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One field per option; the field's name is the option's."""

    run: Annotated[str, Argument(help="A model (its newest run), a run, or a file.")]
    results: ResultsDir = DEFAULT_RESULTS
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would change; write nothing.")] = (
        False
    )
    judge: Annotated[str | None, Option(help="A model that reads replies the rules cannot.")] = None
    judge_base_url: Annotated[str | None, Option(help="The server that the judge runs on.")] = None
    judge_scope: Annotated[str, Option(help="What the judge sees: unread or all.")] = "unread"
    judge_sees_image: Annotated[
        bool, Option("--judge-sees-image", help="Send it the picture too.")
    ] = False
    suite: Annotated[
        Path | None, Option(help="Where the pictures are, for --judge-sees-image.")
    ] = None
    json: Annotated[bool, Option("--json", help="JSON on stdout.")] = False


def regrade(options: RegradeOptions) -> None:
    """Grade a run's kept replies again. The old run is kept; the new one stands beside it."""
    with stopping_cleanly(), ExitStack() as stack:
        from harness import store, suites

        old = store.read(store.find(options.results, options.run))
        reader = open_judge(options, stack)
        looks = reader is not None and options.judge_sees_image
        pictures = suites.load(options.suite) if looks else None
        records = [_again(record, reader, pictures, old.header) for record in old.records()]
        changes = [c for before, after in records if (c := _change(before, after))]
        _show(changes, json=options.json)
        if options.dry_run:
            return
        if not changes and reader is None and not _newer(old.header):
            say(f"{old.header.run}: nothing changes; no new run is written")
            return
        path = _write(options.results, old, [after for _, after in records], options.judge)
        say(f"wrote {path}; {old.path} is kept")


app.command("regrade")(taking(RegradeOptions, regrade))


def _again(
    record: Record, judge: Judge | None, pictures: Suite | None, header: RunHeader
) -> tuple[Record, Record]:
    """A record as it was and as it is now; a failed call stays what it is."""
    from msgspec.structs import replace

    from harness.graders import grade
    from harness.records import Reply

    if not isinstance(record.outcome, Reply):
        return record, record
    verdict = grade(record.case, record.outcome.text, truncated=record.outcome.truncated)
    fresh = replace(record, verdict=verdict, judgement=None)
    if judge is not None:
        fresh = judge.review(fresh, _pictures(record, pictures, header))
    return record, fresh


def _pictures(record: Record, suite: Suite | None, header: RunHeader) -> tuple[EncodedImage, ...]:
    """What the model saw. Raises: SuiteError when the suite holds another picture now."""
    from harness.errors import SuiteError
    from harness.images import encode

    if suite is None or record.image_sha256 is None:
        return ()
    side_px = header.image_max_side_px
    images = tuple(encode(path, longest_side_px=side_px) for path in suite.pictures(record.case))
    sent = record.images_sha256 or (record.image_sha256,)
    if tuple(image.sha256 for image in images) != sent:
        raise SuiteError(
            f"{record.case.id}: the picture is not the one that the model saw",
            fix="name the suite that the run was made with: --suite PATH",
        )
    return images


def _change(before: Record, after: Record) -> Change | None:
    """A person's correction stands whatever the rules say now."""
    old, new = before.final, after.final
    if old is None or new is None or old.passed == new.passed:
        return None
    return Change(after.case.id, after.repeat, old, new)


def _newer(header: RunHeader) -> bool:
    from harness.graders import GRADER_VERSION

    return header.grader_version != GRADER_VERSION


def _write(results: Path, old: Run, records: list[Record], judge: str | None) -> Path:
    from msgspec.structs import replace

    from harness import __version__, store
    from harness.graders import GRADER_VERSION

    header = replace(
        old.header,
        grader_version=GRADER_VERSION,
        judge=judge,
        regraded_from=old.header.run,
        evalrun_version=__version__,
    )
    corrections = [record.correction for record in records if record.correction is not None]
    with store.create(results, header) as writer:
        writer.append(*(replace(record, correction=None) for record in records), *corrections)
        return writer.path


def _show(changes: list[Change], *, json: bool) -> None:
    import msgspec

    from harness.text import inert, one_line

    if json:
        listed = [change._asdict() for change in changes]
        typer.echo(msgspec.json.encode(listed).decode())
        return
    words = {True: "pass", False: "fail"}
    for change in changes:
        repeat = f" (repeat {change.repeat})" if change.repeat else ""
        typer.echo(
            f"{inert(change.prompt)}{repeat}: {words[change.before.passed]} -> "
            f"{words[change.after.passed]}: {one_line(change.after.reason, 200)}"
            f" (was: {one_line(change.before.reason, 200)})"
        )
    say(f"{len(changes)} {'verdict changes' if len(changes) == 1 else 'verdicts change'}")
