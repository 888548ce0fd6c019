"""`regrade`: verdicts again, from the kept replies, with today's graders."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Annotated, NamedTuple

import typer
from msgspec.structs import replace
from typer import Option

from harness import __version__, store, suites
from harness.cli.output import AsJson, print_json, say
from harness.errors import SuiteError
from harness.graders import GRADER_VERSION, grade_reply
from harness.images import encode
from harness.judge import Judge
from harness.options import DEFAULT_RESULTS, JudgeOptions, LimitOptions, ResultsDir, RunName
from harness.records import EncodedImage, Record, Reply, RunHeader, Verdict
from harness.store import Run
from harness.suites import Suite
from harness.targets import open_judge
from harness.text import inert, one_line


class Change(NamedTuple):
    """A verdict that is another one now."""

    prompt: str
    repeat: int
    before: Verdict
    after: Verdict


def regrade(
    run: RunName,
    judge: JudgeOptions,
    results: ResultsDir = DEFAULT_RESULTS,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say what would change; write nothing.")
    ] = False,
    suite: Annotated[
        Path | None, Option(help="Where the pictures are, for --judge-sees-image.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Grade a run's kept replies again, with today's graders.

    The old run is kept; the new one stands beside it.
    """
    with ExitStack() as stack:
        old = store.read(store.find(results, run))
        reader = open_judge(judge, LimitOptions(), stack, Event(), say)
        looks = reader is not None and judge.judge_sees_image
        pictures = suites.load(suite) if looks else None
        records = [_again(record, reader, pictures, old.header) for record in old.records()]
        changes = [c for before, after in records if (c := _change(before, after))]
        _show(changes, json=json)
        if dry_run:
            return
        if not changes and reader is None and old.header.grader_version == GRADER_VERSION:
            say(f"{old.header.run}: nothing changes; no new run is written")
            return
        path = _write(results, old, [after for _, after in records], judge.judge)
        say(f"wrote {path}; {old.path} is kept")


def _again(
    record: Record, judge: Judge | None, pictures: Suite | None, header: RunHeader
) -> tuple[Record, Record]:
    """A record as it was and as it is now; a failed call stays what it is."""
    if not isinstance(record.outcome, Reply):
        return record, record
    verdict = grade_reply(record.case, record.outcome, context=record.context)
    fresh = replace(record, verdict=verdict, judgement=None)
    if judge is not None:
        fresh = judge.review(fresh, _pictures(record, pictures, header))
    return record, fresh


def _pictures(record: Record, suite: Suite | None, header: RunHeader) -> tuple[EncodedImage, ...]:
    """What the model saw. Raises: SuiteError when the suite holds another picture now."""
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


def _write(results: Path, old: Run, records: list[Record], judge: str | None) -> Path:
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
    if json:
        print_json([change._asdict() for change in changes])
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
